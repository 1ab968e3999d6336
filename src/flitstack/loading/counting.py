"""A phase ends with its counts: every planned row has a verdict, and the destination has every row made in this run."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pyarrow as pa
from pyarrow import parquet

from flitstack.catalogue.types import Table
from flitstack.errors import Problem, StepFailed
from flitstack.journal.frames import Operation, Status
from flitstack.loading.attempts import Attempts
from flitstack.loading.document import PhaseCount
from flitstack.loading.execution import Load
from flitstack.planning.document import SendTable
from flitstack.staging.engine.engine import literal, read_parquet

# Asking for ids takes a request for some hundred of them; reading all rows with a source key one for some thousand.
FEW_ROWS = 5_000
ROWS_PER_QUESTION = 1_000
# Rows joined at a time, about 200 bytes each: ten million are counted in the memory that one million take.
ROWS_PER_PART = 250_000
PLANNED, FOUND = "planned.parquet", "found.parquet"
_IDS = pa.schema([("_row", pa.uuid())])


async def count_phase(load: Load, phase: str, run: int, attempts: Attempts) -> list[PhaseCount]:
    """Counts of every send table of the phase that makes rows. Raises StepFailed, naming the tables, when one does not close."""
    making = [send for send in load.plan.tables if send.phase == phase and not send.is_change]
    counts = [await _count_table(load, send, run, attempts) for send in making]
    problems = [_problem(count) for count in counts if not count.closes]
    if problems:
        raise StepFailed(*problems)
    return counts


async def _count_table(load: Load, send: SendTable, run: int, attempts: Attempts) -> PhaseCount:
    table, parts = await load.table(send.table), list(_parts(load, send, run))
    source_key = f"{load.plan.prefix}_sourcekey"
    reads_all = _most_made(load, send.table, run) > FEW_ROWS and table.column(source_key) is not None
    there = await _read_there(load, table, source_key, attempts) if reads_all else None
    landed = made = refused = found = 0
    for part in parts:
        with load.engine.on_one_thread():
            counts = load.engine.one(
                f"""SELECT count(*) FILTER (WHERE landed), count(*) FILTER (WHERE landed AND is_new),
                count(*) FILTER (WHERE refused AND NOT landed), count(*) FILTER (WHERE landed AND is_new AND is_there)
                FROM (SELECT *, {part.is_in(there) if there else "FALSE"} AS is_there FROM ({part.verdicts()}))"""
            )
        old = landed, made, refused, found
        landed, made, refused, found = (before + int(now) for before, now in zip(old, counts, strict=True))
    if there is None:
        found = await _ask_for(load, table, parts, attempts)
    for name in (PLANNED, FOUND):
        (load.engine.scratch / name).unlink(missing_ok=True)
    return PhaseCount(send.phase, send.table, send.rows, landed, refused, made, found)


@dataclass(frozen=True, slots=True)
class _Part:
    """Some of a send table's rows with the journal's verdicts: joined in one go, their number would bound memory.

    Ids follow each other in the order of rows, so a part's least and greatest spare most of the other files; ids of another
    order only cost more time.
    """

    rows: str  # SELECT _row
    ids: str  # of "least AND greatest"
    table: str
    run: int

    def verdicts(self) -> str:
        """SELECT _row, landed, is_new (sent in this run), refused of the rows that the journal knows."""
        return f"""SELECT "row" AS _row,
                coalesce(arg_max(operation, batch) FILTER (WHERE status = {Status.LANDED}) = {Operation.CREATE}, FALSE) AS landed,
                bool_or(operation = {Operation.CREATE} AND run = {self.run}) AS is_new,
                bool_or(operation = {Operation.CREATE} AND status = {Status.REFUSED}) AS refused
            FROM journal_rows WHERE "table" = {literal(self.table)} AND operation IN ({Operation.CREATE}, {Operation.DELETE})
                AND "row" BETWEEN {self.ids} AND "row" IN ({self.rows})
            GROUP BY "row" """

    def new(self) -> str:
        """SELECT _row of the rows made in this run."""
        return f"SELECT _row FROM ({self.verdicts()}) WHERE landed AND is_new"

    def is_in(self, there: Path) -> str:
        """SQL: whether `_row` is one of a file's ids."""
        return f"_row IN (SELECT _row FROM {read_parquet(there)} WHERE _row BETWEEN {self.ids})"


def _parts(load: Load, send: SendTable, run: int) -> Iterator[_Part]:
    """All rows of a send table, a part at a time."""
    planned = load.folder / send.parquet
    if send.rows > ROWS_PER_PART:
        # What the file says of its many columns would be read with each part.
        ids = f"SELECT _row FROM {read_parquet(planned)}"
        planned = load.engine.scratch / PLANNED
        load.engine.write_parquet(ids, planned, in_order=False)
    for first in range(0, send.rows, ROWS_PER_PART):
        numbered = f"{read_parquet(planned, 'file_row_number = true')} WHERE file_row_number"
        rows = f"SELECT _row FROM {numbered} BETWEEN {first} AND {first + ROWS_PER_PART - 1}"
        least, greatest = load.engine.one(f"SELECT min(_row), max(_row) FROM ({rows})")
        if least is not None:
            yield _Part(rows, f"'{least}' AND '{greatest}'", send.table, run)


def _most_made(load: Load, table: str, run: int) -> int:
    """How many rows of a table were made in this run; a table may have several send tables."""
    made = f"operation = {Operation.CREATE} AND status = {Status.LANDED} AND run = {run}"
    return int(load.engine.one(f'SELECT count(*) FROM journal_rows WHERE "table" = {literal(table)} AND {made}')[0])


async def _read_there(load: Load, table: Table, source_key: str, attempts: Attempts) -> Path:
    """A file with the ids of all rows of the table that have a source key."""
    path = load.engine.scratch / FOUND

    async def read() -> None:
        plain = {"compression": "none", "use_dictionary": False}  # ids never repeat
        with parquet.ParquetWriter(path, _IDS, **plain) as file:
            async for page in attempts.destination.rows(table, [], source_keyed=source_key):
                ids = pa.ExtensionArray.from_storage(pa.uuid(), page.column(0))
                file.write_batch(pa.record_batch([ids], schema=_IDS))

    await attempts.repeat(read)
    return path


async def _ask_for(load: Load, table: Table, parts: Sequence[_Part], attempts: Attempts) -> int:
    """How many of the rows made in this run the destination has, asked for by their ids."""
    found, asked = 0, []
    for part in parts:
        query = f"SELECT CAST(_row AS VARCHAR) FROM ({part.new()})"
        for batch in load.engine.batches(query, ROWS_PER_QUESTION):
            asked.append(attempts.existing(table, [UUID(row) for row in batch.column(0).to_pylist()]))
            if len(asked) == load.options.in_flight:
                found += sum(map(len, await asyncio.gather(*asked)))
                asked = []
    return found + sum(map(len, await asyncio.gather(*asked)))


def _problem(count: PhaseCount) -> Problem:
    return Problem(
        "phase-does-not-close",
        f"{count.planned} rows of {count.table} were planned: {count.landed} landed, {count.refused} were refused; "
        f"of {count.made} made now the destination has {count.found}",
        where=f"phase {count.phase}",
        do="find out who deletes rows in the environment meanwhile, then run the same command again",
    )
