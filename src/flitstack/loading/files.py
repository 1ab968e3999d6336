"""Files of notes: read from the export just in time, sent after their row is there, each journalled by itself."""

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

import xxhash

from flitstack.catalogue.types import Table
from flitstack.destinations.faults import Refusal, Refused, Unanswered
from flitstack.errors import Problem, StepFailed
from flitstack.journal.frames import Operation, Outcome, Status
from flitstack.loading.rows import done_since_create_sql, landed_sql
from flitstack.loading.sending import Sender
from flitstack.planning.document import SendTable, Step
from flitstack.staging.engine.engine import literal

if TYPE_CHECKING:
    from flitstack.loading.load import Load

MOST_TRIES = 5


async def send_files(load: "Load", step: Step, send: SendTable, table: Table, sender: Sender) -> None:
    """Attach every file whose row landed and that was not attached since. One file in memory for each request in flight."""
    source = literal(str(load.folder / send.parquet))
    todo = load.engine.rows(
        f"SELECT CAST(_row AS VARCHAR), _content, filename, coalesce(mimetype, 'application/octet-stream') "
        f"FROM read_parquet({source}) WHERE _content IS NOT NULL AND _row IN ({landed_sql(send.table)}) "
        f"AND _row NOT IN ({done_since_create_sql(send.table, Operation.FILE)}) ORDER BY _ord"
    )
    gate = asyncio.Semaphore(load.options.in_flight)

    async def one(row: UUID, path: str, name: str, mime_type: str) -> None:
        async with gate:
            await _send_file(load, step, table, sender, row, path, name, mime_type)

    await asyncio.gather(*(one(UUID(row), path, name, mime) for row, path, name, mime in todo))


async def _send_file(
    load: "Load", step: Step, table: Table, sender: Sender, row: UUID, path: str, name: str, mime_type: str
) -> None:
    content = await asyncio.to_thread(_read, load, path)
    batch = load.journal.intend(step.index, Operation.FILE, table.name, row.bytes, xxhash.xxh3_64_digest(content))
    await load.journal.commit()
    refusal = await _attach(load, table, sender, row, name, mime_type, content)
    if refusal is None:
        load.journal.settle(Outcome(batch, 1))
    else:
        listed = ((0, refusal.code, refusal.message[:500]),)
        load.journal.settle(Outcome(batch, 1, bytes([Status.REFUSED]), listed))
        sender.counters.refused += 1
    await load.journal.commit()


async def _attach(
    load: "Load", table: Table, sender: Sender, row: UUID, name: str, mime_type: str, content: bytes
) -> Refusal | None:
    """Sending the same file again replaces it, so a lost answer is simply repeated."""
    for _ in range(MOST_TRIES):
        try:
            await sender.attempt(lambda: load.destination.attach(table, row, name, mime_type, content))
        except Unanswered:
            sender.counters.asked += 1
        except Refused as fault:
            return fault.refusal
        else:
            return None
    raise StepFailed(
        Problem(
            "file-unanswered",
            f"file {name!r} got no answer {MOST_TRIES} times",
            do="run the same command again: it goes on with this file",
        )
    )


def _read(load: "Load", path: str) -> bytes:
    """The file's bytes. Mapping has checked that the path stays inside the export; it is checked again where it is used."""
    export, inside = load.export_folder, (load.export_folder / path).resolve()
    if export not in inside.parents:
        raise StepFailed(
            Problem("file-outside-export", f"{path} leads out of the export", do="correct the path in the export")
        )
    return inside.read_bytes()
