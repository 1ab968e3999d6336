"""A phase ends with its counts: every planned row has a verdict, and the destination has every row made in this run."""

import asyncio
from uuid import UUID

import pyarrow as pa

from flitstack.catalogue.types import Table
from flitstack.errors import Problem, StepFailed
from flitstack.journal.frames import Operation, Status
from flitstack.loading.attempts import Attempts
from flitstack.loading.document import PhaseCount
from flitstack.loading.execution import Load
from flitstack.loading.rows import landed_sql
from flitstack.planning.document import SendTable
from flitstack.staging.engine.engine import literal

# Asking for ids takes a request for some hundred of them; reading all rows with a source key one for some thousand.
FEW_ROWS = 5_000
ROWS_PER_QUESTION = 1_000


async def count_phase(load: Load, phase: str, run: int, attempts: Attempts) -> list[PhaseCount]:
    """Counts of every send table of the phase. Raises StepFailed, naming the tables, when one does not close."""
    counts = [await _count_table(load, send, run, attempts) for send in load.plan.tables if send.phase == phase]
    problems = [_problem(count) for count in counts if not count.closes]
    if problems:
        raise StepFailed(*problems)
    return counts


async def _count_table(load: Load, send: SendTable, run: int, attempts: Attempts) -> PhaseCount:
    source = f"read_parquet({literal(str(load.folder / send.parquet))})"
    creates = f'journal_rows WHERE "table" = {literal(send.table)} AND operation = {Operation.CREATE}'
    load.engine.run(
        f'CREATE OR REPLACE TEMP TABLE landed_now AS SELECT _row, _row IN (SELECT "row" FROM {creates} AND run = {run}) AS '
        f"is_new FROM {source} WHERE _row IN ({landed_sql(send.table)})"
    )
    landed, made = load.engine.one("SELECT count(*), count(*) FILTER (WHERE is_new) FROM landed_now")
    refused = load.engine.one(
        f'SELECT count(*) FROM {source} WHERE _row IN (SELECT "row" FROM {creates} AND status = {Status.REFUSED}) '
        "AND _row NOT IN (SELECT _row FROM landed_now)"
    )[0]
    found = await _count_existing(load, await load.table(send.table), int(made), attempts)
    return PhaseCount(send.phase, send.table, send.rows, int(landed), int(refused), int(made), found)


async def _count_existing(load: Load, table: Table, made: int, attempts: Attempts) -> int:
    """How many of the rows made in this run the destination has."""
    source_key = f"{load.plan.prefix}_sourcekey"
    if made > FEW_ROWS and table.column(source_key) is not None:
        return await _count_by_reading(load, table, source_key, attempts)
    found, asked = 0, []
    for batch in load.engine.batches("SELECT CAST(_row AS VARCHAR) FROM landed_now WHERE is_new", ROWS_PER_QUESTION):
        asked.append(attempts.existing(table, [UUID(row) for row in batch.column(0).to_pylist()]))
        if len(asked) == load.options.in_flight:
            found += sum(map(len, await asyncio.gather(*asked)))
            asked = []
    return found + sum(map(len, await asyncio.gather(*asked)))


async def _count_by_reading(load: Load, table: Table, source_key: str, attempts: Attempts) -> int:
    async def read() -> None:
        load.engine.run("CREATE OR REPLACE TEMP TABLE found_now (_row UUID)")
        async for page in attempts.destination.rows(table, [], source_keyed=source_key):
            ids = pa.ExtensionArray.from_storage(pa.uuid(), page.column(0))
            load.engine.connection.register("found_page", pa.table({"id": ids}))
            load.engine.run("INSERT INTO found_now SELECT id FROM found_page")
            load.engine.connection.unregister("found_page")

    await attempts.repeat(read)
    return int(load.engine.one("SELECT count(*) FROM landed_now WHERE is_new AND _row IN (FROM found_now)")[0])


def _problem(count: PhaseCount) -> Problem:
    return Problem(
        "phase-does-not-close",
        f"{count.planned} rows of {count.table} were planned: {count.landed} landed, {count.refused} were refused; "
        f"of {count.made} made now the destination has {count.found}",
        where=f"phase {count.phase}",
        do="find out who deletes rows in the environment meanwhile, then run the same command again",
    )
