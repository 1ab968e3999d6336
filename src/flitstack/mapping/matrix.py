"""The mapping matrix: map files as rows of text cells, and edited rows back into map files.

Every row carries the part of the map it was made from as JSON (`details`). Reading compares each cell with what that
part would show: a cell left alone changes nothing, so the way out and back loses nothing, and edits are told from what
changed in the files meanwhile.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from typing import Any

from flitstack.mapping.maps import MapFile, parse_column
from flitstack.mapping.reads import column_reads

REJECTED = "rejected"
STATUSES = ("proposed", "confirmed", REJECTED)
# Cells of a column that may be edited, by the word of the map they stand for.
RULE_CELLS = {
    "source": "from",
    "status": "status",
    "by": "by",
    "at": "at",
    "missing": "missing",
    "otherwise": "otherwise",
    "too_long": "too_long",
}
ROUTE_CELLS = ("phase", "when", "key")


@dataclass(frozen=True, slots=True)
class ColumnRow:
    """A column of a route (`column`), or a field that goes nowhere (`field`, status rejected, with its reason)."""

    object: str
    route: str
    table: str
    field: str
    column: str
    kind: str
    source: str
    type: str
    status: str
    reason: str
    confidence: str
    why: str
    by: str
    at: str
    missing: str
    otherwise: str
    too_long: str
    details: str


@dataclass(frozen=True, slots=True)
class RouteRow:
    """A route without its columns; a row with an empty `route` holds what an object says beside its routes."""

    object: str
    route: str
    table: str
    phase: str
    when: str
    key: str
    details: str


@dataclass(frozen=True, slots=True)
class ChoiceRow:
    """One value of a value map: `option` is an option's number, its label, or true and false."""

    object: str
    route: str
    column: str
    value: str
    option: str


@dataclass(frozen=True, slots=True)
class Matrix:
    """The three sheets."""

    columns: tuple[ColumnRow, ...] = ()
    routes: tuple[RouteRow, ...] = ()
    choices: tuple[ChoiceRow, ...] = ()


def matrix_of(maps: Mapping[str, MapFile]) -> Matrix:
    """The matrix of map files, in their order."""
    columns: list[ColumnRow] = []
    routes: list[RouteRow] = []
    choices: list[ChoiceRow] = []
    for name, file in maps.items():
        beside = {key: value for key, value in file.data.items() if key != "routes"}
        routes.append(RouteRow(name, "", "", "", "", "", to_text(beside)))
        for route in file.data.get("routes") or ():
            routes.append(route_row(name, route))
            place = (name, route_name(route))
            for column, rule in (route.get("columns") or {}).items():
                columns.append(column_row(*place, str(route.get("table", "")), str(column), rule))
                choices += (ChoiceRow(*place, str(column), *pair) for pair in choice_cells(rule))
            for field, reason in (route.get("unmapped") or {}).items():
                columns.append(unmapped_row(*place, str(route.get("table", "")), str(field), reason))
    return Matrix(tuple(columns), tuple(routes), tuple(choices))


def column_row(name: str, route: str, table: str, column: str, rule: Mapping[str, Any]) -> ColumnRow:
    """The row of a column."""
    parsed = parse_column(column, rule)
    cells = {name: cell(rule.get(word)) for name, word in RULE_CELLS.items()}
    cells["status"] = parsed.status
    return ColumnRow(
        object=name,
        route=route,
        table=table,
        field=parsed.field or ", ".join(column_reads(parsed)),
        column=column,
        kind=parsed.kind,
        type=str((parsed.create or {}).get("type", "")),
        reason="",
        confidence=cell(rule.get("confidence")),
        why=", ".join(map(cell, rule.get("why") or ())),
        details=to_text(rule),
        **cells,
    )


def unmapped_row(name: str, route: str, table: str, field: str, reason: Any) -> ColumnRow:
    """The row of a field that goes nowhere."""
    given = reason if isinstance(reason, Mapping) else {"reason": reason}
    row = dict.fromkeys((f.name for f in fields(ColumnRow)), "")
    status = "proposed" if given.get("status") == "proposed" else REJECTED
    row |= {"object": name, "route": route, "table": table, "field": field, "kind": "unmapped", "status": status}
    row |= {word: cell(given.get(word)) for word in ("reason", "by", "at")}
    return ColumnRow(**{**row, "details": to_text(reason)})


def route_row(name: str, route: Mapping[str, Any]) -> RouteRow:
    """The row of a route."""
    rest = {key: value for key, value in route.items() if key not in {"columns", "unmapped"}}
    cells = {word: cell(route.get(word)) for word in ROUTE_CELLS}
    return RouteRow(name, route_name(route), str(route.get("table", "")), details=to_text(rest), **cells)


def choice_cells(rule: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(source value, option) of a column's value map, as cells."""
    for value, option in (rule.get("choices") or {}).items():
        yield cell(value), cell(option)


def route_name(route: Mapping[str, Any]) -> str:
    """What a route is called."""
    return str(route.get("name") or route.get("table") or "")


def cell(value: Any) -> str:
    """A YAML scalar as the text of a cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else str(value)


def to_text(value: Any) -> str:
    """A part of a map as JSON in plain ASCII, which every cell and every program keeps."""
    return json.dumps(plain(value), ensure_ascii=True)


def plain(value: Any) -> Any:
    """YAML nodes as plain data; times as ISO text."""
    if isinstance(value, Mapping):
        return {cell(key) if not isinstance(key, str) else str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, date):
        return cell(value)
    if isinstance(value, bool) or value is None:
        return value
    return {str: str, int: int, float: float}.get(_base(value), str)(value)


def grouped(rows: Iterable[ChoiceRow]) -> dict[tuple[str, str, str], list[tuple[str, str]]]:
    """Value maps by object, route and column, in the order of the sheet."""
    found: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    for row in rows:
        found.setdefault((row.object, row.route, row.column), []).append((row.value, row.option))
    return found


def _base(value: Any) -> type:
    # ruamel keeps how scalars were written in subclasses of str, int and float.
    return next((kind for kind in (str, int, float) if isinstance(value, kind)), object)
