"""An edited mapping matrix goes back into the map's data; what cannot be understood is told, with its row."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from flitstack.errors import Problem
from flitstack.mapping.confirm import spell_out, take_out
from flitstack.mapping.matrix import (
    REJECTED,
    ROUTE_CELLS,
    RULE_CELLS,
    STATUSES,
    ColumnRow,
    Matrix,
    RouteRow,
    cell,
    choice_cells,
    column_row,
    grouped,
    plain,
    route_name,
    route_row,
    unmapped_row,
)

Choices = Mapping[tuple[str, str, str], list[tuple[str, str]]]


@dataclass
class Merging:
    """Map data by object while a matrix is merged into it. `fresh`: objects that had no file before."""

    data: dict[str, dict[str, Any]]
    by: str
    at: str
    fresh: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    def route(self, row: ColumnRow, where: str) -> dict[str, Any] | None:
        """The route of a row, or None and a problem."""
        for route in self.data.get(row.object, {}).get("routes", ()):
            if route_name(route) == row.route:
                return dict_of(route)
        known = ", ".join(f"{name}/{route_name(r)}" for name, data in self.data.items() for r in data.get("routes", ()))
        self.problem(
            "matrix-route",
            f"there is no route {row.route!r} of {row.object!r}",
            where,
            "name a route of the map",
            known,
        )
        return None

    def problem(self, code: str, what: str, where: str, do: str, known: str = "") -> None:
        """Note a mistake of the matrix."""
        self.problems.append(Problem(code, what, where=where, known=known, do=do))


def dict_of(route: Any) -> dict[str, Any]:
    """The node itself (comments live in it), typed."""
    assert isinstance(route, dict)
    return route


def merge_matrix(matrix: Matrix, merging: Merging) -> None:
    """Change `merging.data` in place by what was edited; nothing is removed because its row is missing."""
    for row_number, row in enumerate(matrix.routes, start=2):
        if row.object:
            _merge_route(row, f"sheet Routes, row {row_number}", merging)
    choices = grouped(matrix.choices)
    for row_number, column in enumerate(matrix.columns, start=2):
        where = f"sheet Mapping, row {row_number}"
        if not column.object:
            continue
        if column.status not in STATUSES:
            merging.problem("matrix-status", f"{column.status!r} is no status", where, "write one", ", ".join(STATUSES))
        elif (route := merging.route(column, where)) is not None:
            if column.column:
                _merge_column(column, route, choices, where, merging)
            else:
                _merge_unmapped(column, route, where, merging)


def _merge_route(row: RouteRow, where: str, merging: Merging) -> None:
    details = _details(row.details, where, merging)
    if not isinstance(details, dict):
        return
    if row.object not in merging.data:
        merging.fresh.add(row.object)
        merging.data[row.object] = {"routes": []}
    data = merging.data[row.object]
    if not row.route:
        # `routes` keeps its place at the end of a new file.
        if row.object in merging.fresh:
            data.update({**details, "routes": data.pop("routes")})
        return
    found = next((route for route in data.setdefault("routes", []) if route_name(route) == row.route), None)
    if found is None:
        found = {**details, "columns": {}}
        data["routes"].append(found)
    shown = route_row(row.object, details)
    for word in ROUTE_CELLS:
        _edit(found, word, getattr(shown, word), getattr(row, word))


def _merge_column(row: ColumnRow, route: dict[str, Any], choices: Choices, where: str, merging: Merging) -> None:
    details = _details(row.details or "{}", where, merging)
    if not isinstance(details, dict):
        return
    shown = column_row(row.object, row.route, row.table, row.column, details)
    edits = [name for name in RULE_CELLS if getattr(row, name) != getattr(shown, name)]
    values = choices.get((row.object, row.route, row.column), [])
    recoded = values != list(choice_cells(details))
    if row.status == REJECTED:
        _reject(row, route, where, merging)
        return
    columns = route.setdefault("columns", {})
    if row.column not in columns:
        if row.details and not edits and not recoded and row.object not in merging.fresh:
            return  # taken out of the file since the matrix was written
        columns[row.column] = details
    rule = columns[row.column]
    if "status" in edits and row.status == "confirmed":
        spell_out(rule)
        rule.pop("confidence", None)
        rule.update({word: said for word, said in (("by", merging.by), ("at", merging.at)) if said})
    for name in edits:
        _edit(rule, RULE_CELLS[name], getattr(shown, name), getattr(row, name))
    if recoded:
        before = {cell(value): option for value, option in (rule.get("choices") or {}).items()}
        rule["choices"] = {
            value: before[value] if value in before and cell(before[value]) == option else _option(option)
            for value, option in values
        }


def _merge_unmapped(row: ColumnRow, route: dict[str, Any], where: str, merging: Merging) -> None:
    reasons = route.get("unmapped") or {}
    details = _details(row.details or "null", where, merging)
    shown = unmapped_row(row.object, row.route, row.table, row.field, details)
    edited = [name for name in ("status", "reason", "by", "at") if getattr(row, name) != getattr(shown, name)]
    if row.field not in reasons and not edited and row.object not in merging.fresh:
        return  # settled otherwise in the file since the matrix was written
    if edited:
        _note_reason(row, row.field, route, where, merging)
    elif row.field not in reasons:
        route.setdefault("unmapped", {})[row.field] = details


def _reject(row: ColumnRow, route: dict[str, Any], where: str, merging: Merging) -> None:
    if row.column not in (route.get("columns") or {}):
        return
    named = row.field if row.field and "," not in row.field else row.column
    if _note_reason(row, named, route, where, merging):
        take_out(route, row.column)


def _note_reason(row: ColumnRow, name: str, route: dict[str, Any], where: str, merging: Merging) -> bool:
    if not row.reason.strip():
        merging.problem("matrix-reason", f"{name} is rejected without a reason", where, "write why it is not moved")
        return False
    said = {"reason": row.reason, "by": row.by or merging.by, "at": row.at or merging.at}
    if row.status == "proposed":
        said = {"reason": row.reason, "status": "proposed"}
    route.setdefault("unmapped", {})[name] = {word: text for word, text in said.items() if text}
    return True


def _edit(node: dict[str, Any], word: str, shown: str, given: str) -> None:
    if given == shown:
        return
    if given:
        node[word] = given
    else:
        node.pop(word, None)


def _option(text: str) -> Any:
    """An option as people write it: a number, yes or no, or a label."""
    if text.casefold() in {"true", "false"}:
        return text.casefold() == "true"
    return int(text) if text.lstrip("-").isdecimal() else text


def _details(text: str, where: str, merging: Merging) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        merging.problem(
            "matrix-details",
            "the column Details was changed",
            where,
            "leave Details as it was written, or clear the row",
        )
        return ...


def changed_objects(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Objects whose data differ."""
    for name, data in after.items():
        if name not in before or plain(before[name]) != plain(data):
            yield name
