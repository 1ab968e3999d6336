"""The journal for people: every operation on every row with its run, operator and time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import pyarrow.parquet as pq

from flitstack.journal.frames import ID_BYTES, Operation, Status
from flitstack.journal.journal import Journal


@dataclass(frozen=True, slots=True)
class Run:
    """One command that worked on a plan."""

    number: int
    plan: str
    command: str
    operator: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation on one row. `status`: landed, refused, partly (refused, though something of it was done), absent (asked for, and not done)
    or unsettled."""

    at: datetime | None  # of the outcome; None while unsettled
    run: int
    operator: str
    operation: str
    table: str
    row: UUID
    status: str


def runs(journal: Journal) -> list[Run]:
    """Every run, oldest first."""
    return [
        Run(int(note["run"]), str(note["plan"]), str(note["command"]), str(note["operator"]), _time(note["at_ms"]))
        for note in journal.notes("run")
    ]


def entries(journal: Journal) -> Iterator[Entry]:
    """Every operation on a row, oldest first, then what is unsettled. One Python object a row: for reading, not for work."""
    operators = {run.number: run.operator for run in runs(journal)}
    for path in journal.rows_files():
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=["row", "table", "operation", "status", "run", "at_ms"]):
                for row, table, operation, status, run, at_ms in zip(
                    *(column.to_pylist() for column in batch.columns), strict=True
                ):
                    words = (Operation(operation).name.lower(), table, row, Status(status).name.lower())
                    yield Entry(_time(at_ms), run, operators.get(run, ""), *words)
    for intent in journal.state.unsettled.values():
        run = journal.state.run_of_batch.get(intent.batch, journal.state.run)
        for at in range(0, len(intent.ids), ID_BYTES):
            row = UUID(bytes=intent.ids[at : at + ID_BYTES])
            operation = intent.operation.name.lower()
            yield Entry(None, run, operators.get(run, ""), operation, intent.table, row, "unsettled")


def _time(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
