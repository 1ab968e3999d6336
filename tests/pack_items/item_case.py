"""A pack's example through staging, deduping and the map; rows with labels for options and records for lookups."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import pyarrow.parquet as pq
from mapping.pack_example import Prepared, prepare

from flitstack.app.process_definitions import Definition
from flitstack.catalogue.read import load_catalogue
from flitstack.mapping.document import MappedRoute, MappingDocument
from flitstack.mapping.processes import Stage
from flitstack.packs.read import load_pack
from flitstack.staging.engine.engine import Engine

Row = dict[str, Any]
# Tables of instances that the catalogue knows, for the first and the second of an environment's processes.
PROCESS_TABLES = ("opportunitysalesprocess", "leadtoopportunitysalesprocess")


@dataclass(frozen=True)
class Landed:
    """What an example would make: rows by `Object.route` and record, findings by code."""

    document: MappingDocument
    rows: Mapping[str, Mapping[str, Row]]
    found: Mapping[str, list[tuple[str, str, str]]]  # code -> (object, record, outcome)
    prepared: Prepared

    def of(self, route: str) -> Mapping[str, Row]:
        """Rows of a route by record."""
        return self.rows.get(route, {})

    def records(self, code: str, outcome: str = "") -> list[str]:
        """Records that a code was found on, each once."""
        told = self.found.get(code, [])
        return sorted({record for _, record, how in told if not outcome or how == outcome})

    def tables(self) -> set[str]:
        """Tables that get rows."""
        return {route.table for route in self.document.routes if route.rows}


def land(
    pack_name: str,
    folder: Path,
    *,
    written: Mapping[str, tuple[str, str]] | None = None,
    added: Mapping[str, str] | None = None,
    processes: Mapping[str, Sequence[str]] | None = None,
    **decided: Any,
) -> Landed:
    """Take the bundled example of a pack through the map, with these decisions instead of the example's.

    `written`: file -> what stands there and what is written instead; `added`: further files; `processes`: active business
    process flows of the environment, by name, with their stages (their ids are made by `stage_id`).
    """
    pack = load_pack(pack_name)
    export = folder / "export"
    shutil.copytree(pack.folder / "example", export)
    for name, (old, new) in (written or {}).items():
        text = (export / name).read_text(encoding="utf-8")
        assert old in text
        (export / name).write_text(text.replace(old, new, 1), encoding="utf-8")
    for name, text in (added or {}).items():
        (export / name).write_text(text, encoding="utf-8")
    scoping = json.loads((export / "scoping.json").read_text()) | decided
    # Scoping texts may explain an option; here the option itself is wanted.
    for name, decision in pack.decisions.items():
        if decision.options and name in scoping:
            scoping[name] = str(scoping[name]).split(" ")[0]
    (export / "scoping.json").write_text(json.dumps(scoping))
    with Engine(folder / "scratch", memory_mb=128) as engine:
        prepared = prepare(pack, export, folder, engine)
        document, findings = prepared.run([_definition(n, *entry) for n, entry in enumerate((processes or {}).items())])
        told = engine.rows(f"SELECT code, object, record, outcome FROM {findings.table} ORDER BY ALL")
    found: dict[str, list[tuple[str, str, str]]] = {}
    for code, name, record, outcome in told:
        found.setdefault(str(code), []).append((str(name), str(record), str(outcome)))
    tables = {_name(route): _read(route, folder) for route in document.routes}
    known = {row["_digest"]: (row["_record"], row) for rows in tables.values() for row in rows}
    rows: dict[str, dict[str, Row]] = {}
    for route in document.routes:
        mine = rows.setdefault(_name(route), {})
        for row in tables[_name(route)]:
            key = str(row["_record"]) if str(row["_record"]) not in mine else str(row["_key"])
            mine[key] = _shown(row, route, known)
    return Landed(document, rows, found, prepared)


def stage_id(process: str, stage: str) -> str:
    """The id of a stage in `land(processes=...)`."""
    return str(uuid5(NAMESPACE_OID, f"{process}/{stage}"))


def walked(process: str, path: str) -> list[str]:
    """Ids of the stages of a path, written `first; second`."""
    return [stage_id(process, name) for name in path.split("; ")]


def _definition(number: int, name: str, stages: Sequence[str]) -> Definition:
    known = tuple(Stage(stage_id(name, stage), stage) for stage in stages)
    return Definition(
        str(uuid5(NAMESPACE_OID, name)), name, PROCESS_TABLES[number], is_active=True, stages=known, known=known
    )


def _name(route: MappedRoute) -> str:
    return f"{route.object}.{route.name}"


def _read(route: MappedRoute, folder: Path) -> list[Row]:
    found: list[Row] = pq.read_table(folder / "mapped" / route.parquet).to_pylist()
    return found


def _shown(row: Row, route: MappedRoute, known: Mapping[str, tuple[str, Row]]) -> Row:
    """Options as labels, lookups as the record they lead to (`table record`)."""
    shown = dict(row)
    for column in route.columns:
        name = column.name
        if column.kind == "lookup" and row.get(name) is not None:
            table = row.get(f"{name}__table")
            shown[name] = f"{table} {known[row[name]][0]}" if row[name] in known else f"{table} (there)"
        elif row.get(name) is not None and (labels := _labels(route, name)):
            shown[name] = (
                labels.get(row[name], row[name])
                if isinstance(row[name], int)
                else [labels[int(option)] for option in str(row[name]).split(",")]
            )
    return shown


def _labels(route: MappedRoute, name: str) -> dict[int, str]:
    column = next(one for one in route.columns if one.name == name)
    if column.create and column.create.get("options"):
        return {int(value): str(label) for value, label in column.create["options"]}
    table = load_catalogue().tables.get(route.table)
    found = table.column(name) if table else None
    if found is None or found.type not in {"Picklist", "State", "Status"}:
        return {}
    return {option.value: option.label for option in found.options}
