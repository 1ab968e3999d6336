"""Files of notes: read from the export just in time, sent after their row is there, each journalled by itself."""

import asyncio
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import xxhash

from flitstack.catalogue.types import Table
from flitstack.destinations.faults import Refusal, Refused
from flitstack.journal.frames import Operation, Outcome, Status
from flitstack.loading.changes import done_in_plan
from flitstack.loading.execution import Load
from flitstack.loading.rows import done_sql, landed_sql
from flitstack.loading.sending import Sender, message_shape
from flitstack.planning.document import SendTable, Step
from flitstack.staging.document import exported_file
from flitstack.staging.engine.engine import read_parquet

ROWS_PER_READ = 1_000


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file to attach. `path` lies inside the export; `size_bytes` is what the plan saw (None: it did not look)."""

    row: UUID
    path: str
    name: str
    mime_type: str
    size_bytes: int | None


async def send_files(load: Load, step: Step, send: SendTable, table: Table, sender: Sender) -> None:
    """Attach every file whose row landed and that was not attached since. One file in memory for each request in flight."""
    done = done_in_plan(load, step, send.table) if send.is_change else done_sql(send.table, Operation.FILE)
    waiting = _attachments(load, send, done)

    async def lane() -> None:
        for attachment in waiting:
            await _send_file(load, step, table, sender, attachment)

    lanes = [asyncio.create_task(lane()) for _ in range(load.options.in_flight)]
    try:
        await asyncio.gather(*lanes)
    finally:
        for task in lanes:
            task.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)
        waiting.close()  # an open result keeps the engine from any other query


def _attachments(load: Load, send: SendTable, done: str) -> Generator[Attachment, None, None]:
    source = read_parquet(load.folder / send.parquet)
    sql = (
        "SELECT CAST(_row AS VARCHAR) AS row_id, _content, filename, coalesce(mimetype, 'application/octet-stream') AS mime, "
        f"_content_size FROM {source} WHERE _content IS NOT NULL AND _row IN ({landed_sql(send.table)}) "
        f'AND _row NOT IN (SELECT "row" FROM ({done})) ORDER BY _ord'
    )
    for batch in load.engine.batches(sql, ROWS_PER_READ):
        for row, path, name, mime_type, size in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            yield Attachment(UUID(row), path, name, mime_type, size)


async def _send_file(load: Load, step: Step, table: Table, sender: Sender, attachment: Attachment) -> None:
    content = await asyncio.to_thread(_read, load.export_folder, load.plan.kept, attachment)
    row = attachment.row.bytes
    data = content if isinstance(content, bytes) else b""
    batch = load.journal.intend(step.index, Operation.FILE, table.name, row, xxhash.xxh3_64_digest(data))
    await load.journal.commit()
    refusal = await _attach(load, table, sender, attachment, content) if isinstance(content, bytes) else content
    if refusal is None:
        load.journal.settle(Outcome(batch, 1))
    else:
        listed = ((0, refusal.code, message_shape(refusal.message)),)
        load.journal.settle(Outcome(batch, 1, bytes([Status.REFUSED]), listed))
        sender.attempts.counters.refused += 1
    await load.journal.commit()


async def _attach(load: Load, table: Table, sender: Sender, attachment: Attachment, content: bytes) -> Refusal | None:
    """Sending the same file again replaces it, so a lost answer is simply repeated."""
    row, name, mime_type = attachment.row, attachment.name, attachment.mime_type
    try:
        await sender.attempts.repeat(lambda: load.destination.attach(table, row, name, mime_type, content))
    except Refused as fault:
        return fault.refusal
    return None


def _read(export: Path, kept: str, attachment: Attachment) -> bytes | Refusal:
    """The file's bytes, or why it cannot be what was approved. Mapping has checked that the path stays inside the export;
    it is checked again where it is used."""
    inside = exported_file(export, kept, attachment.path)
    if inside is None:
        return Refusal("file_missing", 0, f"{attachment.path} is no longer in the export")
    # Asked first: a file that has grown since may not fit memory.
    if attachment.size_bytes is not None and inside.stat().st_size != attachment.size_bytes:
        return Refusal("file_changed", 0, f"{attachment.path} is not the file that was planned: its size differs")
    return inside.read_bytes()
