"""Small maps for tests: rows as dicts, the map as YAML text, the mapped rows and findings as plain Python."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from flitstack.catalogue.read import load_catalogue
from flitstack.catalogue.types import Table
from flitstack.deduping.document import DedupeDocument, MergedTable
from flitstack.mapping.context import MapContext
from flitstack.mapping.document import MappedRoute, MappingDocument
from flitstack.mapping.maps import read_maps
from flitstack.mapping.run import run_map
from flitstack.packs.types import Decision, Field, Pack, SourceObject
from flitstack.staging.document import StagedField, StagedTable, StagingDocument
from flitstack.staging.engine.engine import Engine
from flitstack.staging.engine.findings import FindingsWriter

Rows = Sequence[Mapping[str, str | None]]
PHASES = ["accounts", "contacts", "rest"]


@dataclass
class Mapped:
    """What a run made. `rows`: route name -> rows by source id; `findings`: (code, record, outcome, field); `advice` by code."""

    document: MappingDocument
    rows: dict[str, dict[str, dict[str, Any]]]
    findings: list[tuple[str, str, str, str]]
    all_rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    advice: dict[str, str] = field(default_factory=dict)

    def sorted_rows(self, name: str) -> list[dict[str, Any]]:
        """All rows of a route, by key."""
        return sorted(self.all_rows[name], key=lambda row: str(row["_key"]))

    def route(self, name: str) -> MappedRoute:
        """A route of the document."""
        return next(route for route in self.document.routes if route.name == name)

    def column(self, route: str, name: str) -> Any:
        """A column of a route."""
        return next(column for column in self.route(route).columns if column.name == name)


@dataclass
class MapCase:
    """Objects -> rows, every object's key field is `Id`. `merged`: object -> {loser id: survivor id}."""

    folder: Path
    engine: Engine
    objects: Mapping[str, Rows]
    maps: Mapping[str, str]
    decisions: Mapping[str, Any] = field(default_factory=dict)
    merged: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    playbook: Mapping[str, Any] = field(default_factory=dict)
    live: Mapping[str, Table | None] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)

    def pack(self) -> Pack:
        """A pack whose fields are those of the rows."""
        sources = {
            name: SourceObject(name, (), "Id", {key: Field(key) for row in rows for key in row})
            for name, rows in self.objects.items()
        }
        decisions = {name: Decision(name, name, value) for name, value in self.decisions.items()}
        return Pack("test", "Test", sources, decisions, {"phases": PHASES, **self.playbook}, self.folder)

    def staged(self) -> StagingDocument:
        """The rows as staging writes them."""
        tables = {name: write_staged(self.folder / "staged", name, rows) for name, rows in self.objects.items()}
        return StagingDocument("test", "", "snapshot", "", tables, ())

    def run(self) -> Mapped:
        """Write the files, run the map, read everything back."""
        self.staged()
        deduped = self._deduped()
        for name, text in self.maps.items():
            path = self.folder / "mapping" / f"{name}.yaml"
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"format: 1\nobject: {name}\n{text}", encoding="utf-8")
        live = {**load_catalogue().tables, **self.live}
        context = MapContext("test", self.decisions, "t", live=live, **self.context)
        findings = FindingsWriter(self.engine, "map")
        target = self.folder / "mapped"
        document = run_map(
            read_maps(self.folder / "mapping"),
            self.pack(),
            deduped,
            self.folder / "deduped",
            self.engine,
            context,
            target,
            findings,
        )
        listed = {route.name: pq.read_table(target / route.parquet).to_pylist() for route in document.routes}
        rows = {name: {row["_record"]: row for row in its} for name, its in listed.items()}
        told = self.engine.rows(f"SELECT code, record, outcome, field FROM {findings.table} ORDER BY ALL")
        advice = dict(self.engine.rows(f'SELECT DISTINCT code, "do" FROM {findings.table}'))
        return Mapped(document, rows, told, listed, advice)

    def _deduped(self) -> DedupeDocument:
        folder = self.folder / "deduped"
        folder.mkdir(parents=True, exist_ok=True)
        tables = {}
        for name, rows in self.objects.items():
            losers = self.merged.get(name, {})
            kept = [row for row in rows if row.get("Id") not in losers]
            if losers:
                write_staged(folder, name, kept)
            parquet = f"{name}.parquet" if losers else f"../staged/{name}.parquet"
            tables[name] = MergedTable(name, parquet, len(kept), len(losers), 0)
        listed = [
            {
                "object": name,
                "loser_file": f"{name.lower()}.csv",
                "loser_id": loser,
                "survivor_id": survivor,
                "rule": "same",
            }
            | {"loser_line": 2 + [row.get("Id") for row in self.objects[name]].index(loser), "cluster": 1}
            for name, losers in self.merged.items()
            for loser, survivor in losers.items()
        ]
        texts = ("object", "loser_file", "loser_id", "survivor_id", "rule")
        schema = pa.schema(
            [*((name, pa.string()) for name in texts), ("loser_line", pa.int64()), ("cluster", pa.int64())]
        )
        pq.write_table(pa.Table.from_pylist(listed, schema=schema), folder / "survivors.parquet")
        return DedupeDocument("snapshot", "deduped", tables, "survivors.parquet", "sources.parquet", "")


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
