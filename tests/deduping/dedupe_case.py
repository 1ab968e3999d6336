"""Small staged tables for deduping tests: rows as dicts, rules as YAML text, the outcome as plain Python."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from flitstack.deduping.dedupe import dedupe
from flitstack.deduping.document import DedupeDocument
from flitstack.deduping.review import MergeDecisions
from flitstack.packs.types import Field, Pack, SourceObject
from flitstack.staging.document import StagedField, StagedTable, StagingDocument
from flitstack.staging.engine.engine import Engine
from flitstack.staging.engine.findings import FindingsWriter

Rows = Sequence[Mapping[str, str | None]]


@dataclass
class Outcome:
    """What deduping did. `rows`: merged table by object; `findings`: (code, object, record, outcome, what)."""

    document: DedupeDocument
    rows: dict[str, list[dict[str, Any]]]
    findings: list[tuple[str, str, str, str, str]]
    survivors: list[dict[str, Any]]
    sources: list[dict[str, Any]]

    def codes(self, code: str) -> list[tuple[str, str]]:
        """(record, what) of the findings of one code."""
        return [(record, what) for found, _, record, _, what in self.findings if found == code]

    def ids(self, name: str) -> list[str]:
        """Ids that survived."""
        return [row["_id"] for row in self.rows[name]]

    def merged(self) -> dict[str, str]:
        """Loser id -> survivor id."""
        return {row["loser_id"]: row["survivor_id"] for row in self.survivors}


@dataclass
class Case:
    """One export: `objects` are object -> rows; every object's key field is `Id`."""

    folder: Path
    engine: Engine
    objects: Mapping[str, Rows]
    rules: str = ""
    decisions: Mapping[str, Any] = field(default_factory=dict)
    absent: Mapping[str, Sequence[str]] = field(default_factory=dict)  # fields that the pack knows and no file has

    def run(
        self,
        signed: MergeDecisions | None = None,
        established: Mapping[str, Path] | None = None,
    ) -> Outcome:
        """Stage the rows as Parquet, dedupe, read everything back."""
        staged = self.folder / "staged"
        tables = {name: write_staged(staged, name, rows) for name, rows in self.objects.items()}
        sources = {name: _source(name, table, self.absent.get(name, ())) for name, table in tables.items()}
        playbook = {"dedupe": yaml.safe_load(self.rules) or {}}
        pack = Pack("test", "Test", sources, {}, playbook, self.folder)
        snapshot = StagingDocument("test", "", "snapshot", "", tables, ())
        findings = FindingsWriter(self.engine, "dedupe")
        target = self.folder / "deduped"
        document = dedupe(pack, snapshot, staged, target, self.decisions, self.engine, findings, signed, established)
        told = self.engine.rows(
            f"SELECT code, object, record, outcome, what FROM {findings.table} ORDER BY object, code, line, record"
        )
        return Outcome(
            document,
            {name: pq.read_table(target / table.parquet).to_pylist() for name, table in document.tables.items()},
            told,  # type: ignore[arg-type]
            pq.read_table(target / document.survivors).to_pylist(),
            pq.read_table(target / document.sources).to_pylist(),
        )


def write_staged(folder: Path, name: str, rows: Rows) -> StagedTable:
    """A staged table as staging writes it (staging/document.py)."""
    names = list(dict.fromkeys(key for row in rows for key in row))
    columns: dict[str, Any] = {
        "_file": [f"{name.lower()}.csv"] * len(rows),
        "_record": pa.array(range(1, len(rows) + 1), pa.int64()),
        "_line": pa.array(range(2, len(rows) + 2), pa.int64()),
        "_id": [row.get("Id") or str(number) for number, row in enumerate(rows, start=1)],
    }
    columns |= {key: pa.array([row.get(key) or None for row in rows], pa.string()) for key in names}
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    fields = tuple(StagedField(key, key, True, "name") for key in names)
    return StagedTable(name, f"{name}.parquet", len(rows), fields, ())


def _source(name: str, table: StagedTable, absent: Sequence[str]) -> SourceObject:
    return SourceObject(name, (), "Id", {one: Field(one) for one in (*(f.name for f in table.fields), *absent)})
