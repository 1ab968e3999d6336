"""A phase ends with its counts: every planned row has a verdict, and the destination has every row made in this run."""

import asyncio
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
# Ids joined at a time, about 200 bytes each: ten million rows are counted in the memory that one million take.
ROWS_PER_PART = 500_000
_FOUND = pa.schema([("_row", pa.uuid())])


async def count_phase(load: Load, phase: str, run: int, attempts: Attempts) -> list[PhaseCount]:
    """Counts of every send table of the phase that makes rows. Raises StepFailed, naming the tables, when one does not close."""
    making = [send for send in load.plan.tables if send.phase == phase and not send.is_change]
    counts = [await _count_table(load, send, run, attempts) for send in making]
    problems = [_problem(count) for count in counts if not count.closes]
    if problems:
        raise StepFailed(*problems)
    return counts


async def _count_table(load: Load, send: SendTable, run: int, attempts: Attempts) -> PhaseCount:
    table, parts = await load.table(send.table), _Parts(load, send, run)
    source_key = f"{load.plan.prefix}_sourcekey"
    reads_all = parts.most_made() > FEW_ROWS and table.column(source_key) is not None
    there = await _read_there(load, table, source_key, attempts) if reads_all else None
    landed = made = refused = found = 0
    for part in range(parts.count):
        counts = load.engine.one(
            f"""SELECT count(*) FILTER (WHERE landed), count(*) FILTER (WHERE landed AND is_new),
            count(*) FILTER (WHERE refused AND NOT landed), count(*) FILTER (WHERE landed AND is_new AND is_there)
            FROM (SELECT *, {parts.is_in(there, part) if there else "FALSE"} AS is_there FROM ({parts.verdicts(part)}))"""
        )
        old = landed, made, refused, found
        landed, made, refused, found = (before + int(now) for before, now in zip(old, counts, strict=True))
    if there:
        there.unlink()
    else:
        found = await _ask_for(load, table, parts, attempts)
    return PhaseCount(send.phase, send.table, send.rows, landed, refused, made, found)


class _Parts:
    """A send table's rows with the journal's verdicts, in parts by a hash of the id: joined in one go, their number would
    bound memory."""

    def __init__(self, load: Load, send: SendTable, run: int) -> None:
        self.count = -(-send.rows // ROWS_PER_PART) or 1
        self._source = read_parquet(load.folder / send.parquet)
        self._table, self._run, self._engine = send.table, run, load.engine

    def of(self, column: str, part: int) -> str:
        """SQL: whether an id belongs to a part."""
        return f"hash({column}) % {self.count} = {part}" if self.count > 1 else "TRUE"

    def verdicts(self, part: int) -> str:
        """SELECT _row, landed, is_new (sent in this run), refused of the rows that the journal knows."""
        return f"""SELECT _row, landed, is_new, refused FROM {self._source} JOIN (
            SELECT "row", coalesce(arg_max(operation, batch) FILTER (WHERE status = {Status.LANDED}) = {Operation.CREATE}, FALSE) AS landed,
                bool_or(operation = {Operation.CREATE} AND run = {self._run}) AS is_new,
                bool_or(operation = {Operation.CREATE} AND status = {Status.REFUSED}) AS refused
            FROM journal_rows WHERE "table" = {literal(self._table)} AND {self.of('"row"', part)}
                AND operation IN ({Operation.CREATE}, {Operation.DELETE}) GROUP BY "row") ON "row" = _row
            WHERE {self.of("_row", part)}"""

    def most_made(self) -> int:
        """How many rows of the table were made in this run; a table may have several send tables."""
        made = f"operation = {Operation.CREATE} AND status = {Status.LANDED} AND run = {self._run}"
        mine = f'"table" = {literal(self._table)}'
        return int(self._engine.one(f"SELECT count(*) FROM journal_rows WHERE {mine} AND {made}")[0])

    def new(self, part: int) -> str:
        """SELECT _row of the rows made in this run."""
        return f"SELECT _row FROM ({self.verdicts(part)}) WHERE landed AND is_new"

    def is_in(self, there: Path, part: int) -> str:
        """SQL: whether `_row` is one of a file's ids."""
        return f"_row IN (SELECT _row FROM {read_parquet(there)} WHERE {self.of('_row', part)})"


async def _read_there(load: Load, table: Table, source_key: str, attempts: Attempts) -> Path:
    """A file with the ids of all rows of the table that have a source key."""
    path = load.engine.scratch / "found.parquet"

    async def read() -> None:
        # Ids never repeat and are looked for by hash: dictionaries and bounds would be for nothing.
        plain = {"compression": "none", "use_dictionary": False, "write_statistics": False}
        with parquet.ParquetWriter(path, _FOUND, **plain) as file:
            async for page in attempts.destination.rows(table, [], source_keyed=source_key):
                ids = pa.ExtensionArray.from_storage(pa.uuid(), page.column(0))
                file.write_batch(pa.record_batch([ids], schema=_FOUND))

    await attempts.repeat(read)
    return path


async def _ask_for(load: Load, table: Table, parts: _Parts, attempts: Attempts) -> int:
    """How many of the rows made in this run the destination has, asked for by their ids."""
    found, asked = 0, []
    for part in range(parts.count):
        query = f"SELECT CAST(_row AS VARCHAR) FROM ({parts.new(part)})"
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
