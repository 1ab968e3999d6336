"""The records that a person compares by hand: every mapped field as the export has it, as it was meant, as it is there."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import pyarrow as pa

from flitstack.catalogue.types import Column, Table
from flitstack.destinations.port import Destination
from flitstack.planning.document import Plan, SendTable
from flitstack.reconciling.comparing import LOOKUPS, Comparison
from flitstack.reconciling.document import SpotCell, SpotCheck, SpotRecord
from flitstack.reconciling.readback import as_uuid
from flitstack.reconciling.reconcile import WRITING_STEPS
from flitstack.reconciling.spot_choice import Origins, choose_spots
from flitstack.reconciling.tables import Landed, Place, comparisons_of, is_meant, meant_rows
from flitstack.staging.engine.engine import Engine, literal, quoted, read_parquet

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_MASKS = {1: "from", 2: "to", 3: "cc", 4: "bcc", 5: "required", 6: "optional", 7: "organizer"}
_SPECIAL = {"(state)": "State", "(parties)": "Participants", "(file)": "File (sha256)"}
# Columns of `_read_both`: those of `spots`, both sides of each comparison, whom participants are.
_ROW = (
    "row", "object", "route", "file", "record", "line", "owner", "action", "has_file", "codes", "outcome", "beside",
    "cells", "parties",
)  # fmt: skip
_MAX_TEXT = 2_000  # of one value: what a person reads in a cell


async def spot_check(
    plan: Plan, destination: Destination, engine: Engine, landed: Landed, origins: Origins, place: Place
) -> SpotCheck:
    """Choose records of a plan that was just reconciled in `place`, and lay both sides of each out.

    Reads the names of rows that lookups lead to through the destination; everything else is there already.
    """
    written = {step.send for step in plan.steps if step.kind in WRITING_STEPS}
    sends = [send for send in plan.tables if send.name in written]
    _register_rejected(engine, landed)
    total = choose_spots(engine, plan, sends, origins, place)
    records = []
    for send in sends:
        if not int(engine.one("SELECT count(*) FROM spots WHERE send = ?", [send.name])[0]):
            continue
        live = await destination.table(send.table)
        assert live is not None, "the table was compared a moment ago"
        records += await _records_of(plan, send, live, destination, engine, origins, place)
    engine.run("DROP TABLE spots")
    return SpotCheck(plan.sha256, total, tuple(records))


def _register_rejected(engine: Engine, landed: Landed) -> None:
    pairs = [(table, str(row)) for table, rows in landed.rejected.items() for row in rows]
    found = pa.table(
        {"table": pa.array([t for t, _ in pairs], pa.string()), "id": pa.array([r for _, r in pairs], pa.string())}
    )
    engine.connection.register("spot_rejected_ids", found)
    engine.run(
        'CREATE OR REPLACE TEMP TABLE spot_rejected AS SELECT "table", CAST(id AS UUID) AS _row FROM spot_rejected_ids'
    )
    engine.connection.unregister("spot_rejected_ids")


async def _records_of(
    plan: Plan, send: SendTable, live: Table, destination: Destination, engine: Engine, origins: Origins, place: Place
) -> list[SpotRecord]:
    is_update = any(step.kind == "update" and step.send == send.name for step in plan.steps)
    comparisons = comparisons_of(send, live, is_update=is_update)
    rows = _read_both(plan, send, live, comparisons, engine, place)
    names = await _names(rows, destination)
    sources = _source_values(engine, origins, [(row["object"], row["record"]) for row in rows])
    shows = {c.name: _shower(send, live, c.name, names) for c in comparisons}
    labels = {c.name: _label(live, send, c.name) for c in comparisons}
    skipped = f"{plan.prefix}_sourcekey"
    ways = {(way.object, way.name): way.fields for way in origins.routes if way.table == send.table}
    found = []
    for row in rows:
        values = sources.get((row["object"], row["record"]), {})
        fields = ways.get((row["object"], row["route"])) or {column.name: column.field for column in send.columns}
        cells = [
            _cell(comparison.name, cell, labels[comparison.name], shows[comparison.name], fields, values, row)
            for comparison, cell in zip(comparisons, row["cells"], strict=True)
            if comparison.name != skipped
        ]
        # What neither the source says nor the plan sent is the platform's own; a state always counts.
        shown = tuple(cell for cell in cells if cell.source or cell.meant or cell.column == "(state)")
        owner = names.get(str(row["owner"]), str(row["owner"] or ""))
        found.append(
            SpotRecord(
                send.table, live.label or live.name, str(row["row"]), row["object"], row["route"], row["file"],
                row["record"], row["line"], owner, row["outcome"], _why(row), shown,
            )
        )  # fmt: skip
    return found


def _read_both(
    plan: Plan, send: SendTable, live: Table, comparisons: Sequence[Comparison], engine: Engine, place: Place
) -> list[dict[str, Any]]:
    """The chosen rows of one send table, in load order, with both sides of each comparison as text and the rows they name."""
    chosen = f"""(SELECT s.* FROM {read_parquet(place.plan / send.parquet)} s
        SEMI JOIN (SELECT "row" FROM spots WHERE send = {literal(send.name)}) c ON c."row" = s._row)"""
    source = meant_rows(plan, send, live, engine, place, chosen)
    lookups = {column.name: column.read_back for column in send.columns if column.is_lookup}
    cells = []
    for one in comparisons:
        table = "NULL::VARCHAR"
        if one.name in lookups:
            table = f"coalesce(e.{quoted(one.name + '__table')}, a.{quoted(lookups[one.name] + '__table')})"
        expected, actual = (f"left(CAST({text} AS VARCHAR), {_MAX_TEXT})" for text in (one.expected, one.actual))
        if one.name in lookups:
            actual = f"CAST({as_uuid('a.' + quoted(lookups[one.name]))} AS VARCHAR)"
        own = f"list_contains(coalesce(e._kept, []), {literal(one.name)}) OR NOT {is_meant(send, one.name)}"
        cells.append(
            f"{{'expected': {expected}, 'actual': {actual}, 'same': coalesce({one.same}, FALSE), 'kept': {own}, 'table': {table}}}"
        )
    parties = (
        """list_transform(coalesce(e._parties, []), lambda p: {'table': p."table", 'id': CAST(p.id AS VARCHAR)})"""
        if send.has_parties
        else "NULL"
    )
    back = read_parquet(place.scratch / f"{live.name}.parquet")
    query = f"""
        SELECT e._row AS "row", s.object, s.route, s.file, s.record, s.line, s.owner, s.action, s.has_file, s.codes, s.outcome,
               s.beside, [{", ".join(cells)}] AS cells, {parties} AS parties
        FROM {source} e JOIN spots s ON s."row" = e._row AND s.send = {literal(send.name)}
        LEFT JOIN {back} a ON {as_uuid("a._row")} = e._row ORDER BY e._ord"""
    return [dict(zip(_ROW, row, strict=True)) for row in engine.rows(query)]


async def _names(rows: Iterable[Mapping[str, Any]], destination: Destination) -> dict[str, str]:
    """Names of the rows that lookups, owners and participants lead to, by id."""
    wanted: dict[str, set[UUID]] = {}
    for row in rows:
        for cell in row["cells"]:
            if cell["table"]:
                wanted.setdefault(cell["table"], set()).update(
                    UUID(text) for text in (cell["expected"], cell["actual"]) if text and _UUID.fullmatch(text)
                )
        for party in row["parties"] or ():
            if party["id"] and party["table"]:
                wanted.setdefault(party["table"], set()).add(UUID(party["id"]))
    names: dict[str, str] = {}
    for table, ids in wanted.items():
        live = await destination.table(table)
        column = live.column(live.name_column or "") if live else None
        if live is None or column is None or not column.readable or not ids:
            continue
        async for batch in destination.rows(live, [column.name], ids=sorted(ids)):
            for one in batch.to_pylist():
                if one[column.name]:
                    names[str(UUID(bytes=one["_row"]))] = str(one[column.name])
    return names


def _source_values(
    engine: Engine, origins: Origins, wanted: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], dict[str, str]]:
    """(object, record) -> the fields as the export has them, duplicates merged."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for name in {name for name, _ in wanted}:
        path = origins.records.get(name)
        if path is None or not path.exists():
            continue
        source = read_parquet(path)
        fields = [str(row[0]) for row in engine.rows(f"DESCRIBE SELECT * FROM {source}")]
        listed = ", ".join(f"left(CAST({quoted(one)} AS VARCHAR), {_MAX_TEXT})" for one in fields)
        ids = [record for other, record in wanted if other == name]
        for row in engine.rows(f"SELECT _id, {listed} FROM {source} WHERE _id IN (SELECT unnest(?::VARCHAR[]))", [ids]):
            values = {field: str(text) for field, text in zip(fields, row[1:], strict=True) if text is not None}
            found[(name, str(row[0]))] = values
    return found


def _cell(
    name: str,
    cell: Mapping[str, Any],
    label: str,
    show: Callable[[Any], str],
    fields: Mapping[str, str],
    values: Mapping[str, str],
    row: Mapping[str, Any],
) -> SpotCell:
    if row["outcome"] != "there":
        verdict = "not there"
    elif cell["kept"] and not cell["same"]:
        verdict = "kept"
    else:
        verdict = "equal" if cell["same"] else "differs"
    field = fields.get(name, "")
    source = _source_text(field, values)
    told = "" if field.startswith("_") else field
    return SpotCell(name, label, told, source, show(cell["expected"]), show(cell["actual"]), verdict)


def _source_text(field: str, values: Mapping[str, str]) -> str:
    """The value of the field, or of each where a column is made of several."""
    if field in values:
        return values[field]
    named = [name for name in (part.strip() for part in field.split(",")) if name in values]
    if len(named) == 1:
        return values[named[0]]
    return "\n".join(f"{name}: {values[name]}" for name in named)


def _why(row: Mapping[str, Any]) -> tuple[str, ...]:
    told = [row["outcome"]] if row["outcome"] != "there" else []
    told += ["file"] if row["has_file"] else []
    told += [code for code in str(row["codes"]).split(", ") if code]
    told += ["closed"] if row["action"] else []
    told += ["made beside a record"] if row["beside"] else []
    return tuple(told)


def _label(live: Table, send: SendTable, name: str) -> str:
    if name in _SPECIAL:
        return _SPECIAL[name]
    sent = next(column for column in send.columns if column.name == name)
    column = live.column(sent.read_back)
    return (column.label if column else "") or name


def _shower(send: SendTable, live: Table, name: str, names: Mapping[str, str]) -> Callable[[Any], str]:
    """How a value of this comparison is shown to a person."""
    if name == "(state)":
        return lambda text: _state(live, text)
    if name == "(parties)":
        return lambda text: _parties(text, names)
    sent = next((column for column in send.columns if column.name == name), None)
    column = live.column(sent.read_back) if sent else None
    if column is None:
        return lambda text: "" if text is None else str(text)
    if column.type in LOOKUPS or (sent and sent.is_lookup):
        return lambda text: "" if not text else names.get(str(text), str(text))
    return lambda text: _value(column, text)


def _value(column: Column, text: Any) -> str:
    if text is None:
        return ""
    if column.options and column.type != "Boolean":
        labels = {str(option.value): option.label for option in column.options}
        return ", ".join(f"{labels[one]} ({one})" if one in labels else one for one in str(text).split(","))
    if column.type == "Boolean":
        return {"true": "yes", "1": "yes", "false": "no", "0": "no"}.get(str(text).lower(), str(text))
    return str(text)


def _state(live: Table, text: Any) -> str:
    if text is None:
        return ""
    state, _, status = str(text).partition("/")
    for one in live.states:
        if str(one.value) == state:
            reason = next((option.label for option in one.statuses if str(option.value) == status), status)
            return f"{one.label} / {reason}" if reason else one.label
    return str(text)


def _parties(text: Any, names: Mapping[str, str]) -> str:
    shown = []
    for part in str(text or "").split():
        mask, _, who = part.partition(":")
        kind = _MASKS.get(int(mask), mask) if mask.isdigit() else mask
        shown.append(f"{kind}: {names.get(who, who)}")
    return "\n".join(shown)
