"""Collects a step's findings, from SQL or one by one, and writes them as one Parquet file."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from flitstack.errors import FINDING_COLUMNS, Finding
from flitstack.staging.engine.engine import Engine

_TYPES = ", ".join(f'"{name}" {"BIGINT" if name == "line" else "VARCHAR"}' for name in FINDING_COLUMNS)
_SCHEMA = pa.schema([(name, pa.int64() if name == "line" else pa.string()) for name in FINDING_COLUMNS])


class FindingsWriter:
    """Findings of one step. Lives in a temporary table of the engine, so their number does not bound memory."""

    def __init__(self, engine: Engine, step: str) -> None:
        self._engine = engine
        self._table = f"findings_of_{step}"
        engine.run(f"CREATE OR REPLACE TEMP TABLE {self._table} ({_TYPES})")

    @property
    def table(self) -> str:
        """Name of the temporary table, for queries over what was found so far."""
        return self._table

    def add_sql(self, select: str) -> int:
        """Add the rows of a SELECT giving FINDING_COLUMNS by name; returns how many."""
        before = self.count()
        self._engine.run(f"INSERT INTO {self._table} BY NAME {select}")
        return self.count() - before

    def add(self, findings: Iterable[Finding]) -> None:
        """Add findings made in Python: for few of them."""
        rows = [{name: getattr(finding, name) for name in FINDING_COLUMNS} for finding in findings]
        if rows:
            batch = pa.Table.from_pylist(rows, schema=_SCHEMA)
            self._engine.connection.register("added_findings", batch)
            self._engine.run(f"INSERT INTO {self._table} BY NAME SELECT * FROM added_findings")
            self._engine.connection.unregister("added_findings")

    def count(self) -> int:
        """Findings so far."""
        return int(self._engine.one(f"SELECT count(*) FROM {self._table}")[0])

    def save(self, path: Path) -> int:
        """Write `path`, ordered by code, object, file, line; returns how many there are."""
        columns = ", ".join(f'"{name}"' for name in FINDING_COLUMNS)
        return self._engine.write_parquet(
            f"SELECT {columns} FROM {self._table} ORDER BY code, object, file, line, record, field", path
        )
