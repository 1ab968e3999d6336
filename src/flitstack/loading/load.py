"""Executes a plan, step by step, in order. Running it again does only what is missing."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from flitstack.catalogue.types import Table
from flitstack.destinations.port import Call, Destination
from flitstack.errors import Problem, StepFailed
from flitstack.journal.frames import Operation
from flitstack.journal.journal import Journal
from flitstack.loading.calls import link_calls, state_calls
from flitstack.loading.document import LoadDocument, StepResult
from flitstack.loading.files import send_files
from flitstack.loading.recover import settle_unsettled
from flitstack.loading.rows import RowBatch, done_since_create_sql, landed_sql, make_done_view, read_rows, slices
from flitstack.loading.sending import Counters, Sender, SendOptions
from flitstack.planning.document import Plan, SendTable, Step
from flitstack.staging.engine.engine import Engine, literal


class Progress(Protocol):
    """How far the load is."""

    def phase(self, title: str, total: int | None = None) -> None:
        """A step begins."""

    def advance(self, rows: int) -> None:
        """Rows got a verdict."""


@dataclass
class Load:
    """Everything one execution needs. `tables`: live metadata by logical name, refreshed after schema steps."""

    plan: Plan
    folder: Path
    destination: Destination
    journal: Journal
    engine: Engine
    progress: Progress
    options: SendOptions = field(default_factory=SendOptions)
    tables: dict[str, Table] = field(default_factory=dict)

    @property
    def export_folder(self) -> Path:
        """Where the files of the export lie."""
        return Path(self.plan.export).resolve()

    def sender(self) -> Sender:
        """A sender that counts for one step."""
        return Sender(self.destination, self.journal, self.options, Counters())

    async def table(self, name: str) -> Table:
        """Live metadata of a table the plan writes to."""
        if name not in self.tables:
            found = await self.destination.table(name)
            if found is None:
                raise StepFailed(
                    Problem(
                        "table-missing",
                        f"the environment has no table {name}",
                        do="run: flitstack plan, then approve schema and load again",
                    )
                )
            self.tables[name] = found
        return self.tables[name]


async def execute(load: Load, command: str) -> LoadDocument:
    """Take every step of the plan. Raises StepFailed when the destination gives up; what landed stays journalled."""
    started, begun = time.monotonic(), datetime.now(UTC)
    run = load.journal.begin_run(load.plan.sha256, command)
    asked = await settle_unsettled(load.destination, load.journal, load.options.server_limit_s)
    load.journal.refresh()
    make_done_view(load.engine, load.journal)
    results, requests = [], 0
    for step in load.plan.steps:
        result, counters = await _take(load, step)
        results.append(result)
        requests += counters.requests
        asked += counters.asked
        if counters.done or counters.refused:
            load.journal.refresh()
            make_done_view(load.engine, load.journal)
    return LoadDocument(
        plan=load.plan.sha256,
        run=run,
        steps=tuple(results),
        refused=sum(result.refused for result in results),
        requests=requests,
        asked=asked,
        seconds=round(time.monotonic() - started, 3),
        at=begun.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


async def _take(load: Load, step: Step) -> tuple[StepResult, Counters]:
    started = time.monotonic()
    load.progress.phase(step.title, step.rows or None)
    sender = load.sender()
    if step.kind in {"schema", "revert"}:
        await _schema(load, step, sender)
        planned = len(step.operations)
    else:
        send = load.plan.send_table(step.send)
        planned = await _ROW_STEPS[step.kind](load, step, send, sender)
    counters = sender.counters
    before = max(0, planned - counters.done - counters.refused)
    seconds = round(time.monotonic() - started, 3)
    result = StepResult(
        step.index,
        step.kind,
        step.phase,
        step.table,
        planned,
        counters.done,
        before,
        counters.refused,
        counters.requests,
        seconds,
    )
    return result, counters


async def _schema(load: Load, step: Step, sender: Sender) -> None:
    """Schema operations one by one; each is idempotent, so no answer is doubtful."""
    change = load.destination.apply if step.kind == "schema" else load.destination.revert
    for operation in step.operations:
        load.journal.note("schema", step=step.kind, operation=dict(operation), state="intended")
        await sender.attempt(lambda o=operation: change(o))  # type: ignore[misc]
        load.journal.note("schema", step=step.kind, operation=dict(operation), state="made")
        sender.counters.done += 1
        load.progress.advance(1)
    load.tables.clear()


async def _create(load: Load, step: Step, send: SendTable, sender: Sender) -> int:
    table = await load.table(send.table)
    columns = [c.name for c in send.columns if not c.second_pass]
    encoder = load.destination.encoder(table, columns, with_id=True, nulls=False, parties=send.has_parties)
    bulk = "CreateMultiple" in table.messages and not send.has_parties
    batches = read_rows(load.engine, load.folder, send, encoder.sql, "TRUE", landed_sql(send.table))
    await _flow(
        load, batches, lambda batch: sender.create(step.index, table, batch, encoder.head, encoder.tail, bulk=bulk)
    )
    return send.rows


async def _files(load: Load, step: Step, send: SendTable, sender: Sender) -> int:
    """Rows first, like any other; then each one's file."""
    planned = await _create(load, step, send, sender)
    load.journal.refresh()
    make_done_view(load.engine, load.journal)
    await send_files(load, step, send, await load.table(send.table), sender)
    return planned


async def _lookups(load: Load, step: Step, send: SendTable, sender: Sender) -> int:
    table = await load.table(send.table)
    columns = [c.name for c in send.columns if c.second_pass]
    encoder = load.destination.encoder(table, columns, with_id=False, nulls=False, parties=False)
    where = " OR ".join(f'"{name}" IS NOT NULL' for name in columns)
    return await _repeatable(load, step, send, table, sender, Operation.LOOKUPS, encoder.sql, where, "update")


async def _update(load: Load, step: Step, send: SendTable, sender: Sender) -> int:
    table = await load.table(send.table)
    encoder = load.destination.encoder(table, [c.name for c in send.columns], with_id=False, nulls=True, parties=False)
    return await _repeatable(load, step, send, table, sender, Operation.UPDATE, encoder.sql, "TRUE", "update")


async def _repeatable(
    load: Load,
    step: Step,
    send: SendTable,
    table: Table,
    sender: Sender,
    operation: Operation,
    text_sql: str,
    where: str,
    kind: str,
) -> int:
    """Steps whose calls may be repeated without harm, one call a row."""
    where = f"({where}) AND _row IN ({landed_sql(send.table)})"
    done = done_since_create_sql(send.table, operation)

    async def send_batch(batch: RowBatch) -> None:
        calls = [Call(kind, table.name, batch.row_id(p), batch.text(p)) for p in range(len(batch))]
        await sender.calls(step.index, operation, table, calls, batch.hashes)

    await _flow(load, read_rows(load.engine, load.folder, send, text_sql, where, done), send_batch)
    return _count(load, send, where)


async def _state(load: Load, step: Step, send: SendTable, sender: Sender) -> int:
    table = await load.table(send.table)
    where = f"_action IS NOT NULL AND _row IN ({landed_sql(send.table)})"
    done = done_since_create_sql(send.table, Operation.STATE)

    async def send_batch(batch: RowBatch) -> None:
        await sender.calls(step.index, Operation.STATE, table, state_calls(table, batch), batch.hashes)

    await _flow(load, read_rows(load.engine, load.folder, send, STATE_TEXT, where, done), send_batch)
    return _count(load, send, where)


async def _associate(load: Load, step: Step, send: SendTable, sender: Sender) -> int:
    table = await load.table(send.table)
    where = f"len(_links) > 0 AND _row IN ({landed_sql(send.table)})"
    done = done_since_create_sql(send.table, Operation.LINK)

    async def send_batch(batch: RowBatch) -> None:
        for calls in link_calls(table, batch):
            await sender.calls(step.index, Operation.LINK, table, calls, bytes(8 * len(calls)))

    await _flow(load, read_rows(load.engine, load.folder, send, LINKS_TEXT, where, done), send_batch)
    return _count(load, send, where)


async def _delete(load: Load, step: Step, send: SendTable, sender: Sender) -> int:
    table = await load.table(send.table)
    where = f"_row IN ({landed_sql(send.table)})"

    async def send_batch(batch: RowBatch) -> None:
        calls = [Call("delete", table.name, row) for row in batch.row_ids()]
        await sender.calls(step.index, Operation.DELETE, table, calls, batch.hashes)

    nothing = 'SELECT NULL::UUID AS "row" WHERE FALSE'
    await _flow(load, read_rows(load.engine, load.folder, send, "''", where, nothing), send_batch)
    return send.rows


async def _flow(load: Load, batches: Iterator[RowBatch], send: Callable[[RowBatch], Awaitable[None]]) -> None:
    """Keep at most `in_flight` requests under way; the first failure stops reading and is raised."""
    running: set[asyncio.Task[None]] = set()
    try:
        for batch in batches:
            for piece in slices(batch, load.options.batch_rows, load.options.batch_bytes):
                if len(running) >= load.options.in_flight:
                    finished, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                    for task in finished:
                        task.result()
                running.add(asyncio.create_task(_one(load, piece, send)))
        while running:
            finished, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in finished:
                task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _one(load: Load, piece: RowBatch, send: Callable[[RowBatch], Awaitable[None]]) -> None:
    await send(piece)
    load.progress.advance(len(piece))


def _count(load: Load, send: SendTable, where: str) -> int:
    source = literal(str(load.folder / send.parquet))
    return int(load.engine.one(f"SELECT count(*) FROM read_parquet({source}) WHERE {where}")[0])


# What a state step needs of a row, as JSON text.
STATE_TEXT = (
    "to_json({'action': _action, 'state': _state, 'status': _status, "
    "'at': strftime(make_timestamp(epoch_us(_state_at)), '%Y-%m-%dT%H:%M:%SZ'), 'value': CAST(_state_value AS DOUBLE)})::VARCHAR"
)
LINKS_TEXT = "to_json(list_transform(_links, lambda l: {'relationship': l.relationship, 'table': l.\"table\", 'id': CAST(l.id AS VARCHAR)}))::VARCHAR"

RowStep = Callable[[Load, Step, SendTable, Sender], Awaitable[int]]
_ROW_STEPS: Mapping[str, RowStep] = {
    "create": _create,
    "files": _files,
    "lookups": _lookups,
    "update": _update,
    "state": _state,
    "associate": _associate,
    "delete": _delete,
}
