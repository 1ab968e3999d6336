"""What a person decides about the map: confirm what was proposed, or say why a field is not moved.

Decisions are written into the map files, comments kept; `by` and `at` tell who took them, and when.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from flitstack.errors import Problem, UsageError
from flitstack.mapping.maps import MapFile, edit_map, read_maps, write_map
from flitstack.mapping.reads import column_reads, route_reads

ALL = "all"


def confirm(folder: Path, what: str, by: str, at: str) -> tuple[str, ...]:
    """Confirm `all`, an `Object`, or an `Object.column` (a field under `unmapped` likewise) of the map in `folder`.

    `at` is an ISO time. Returns what was proposed before, as `Object.column`. Raises UsageError for a name that the map
    does not hold; confirming twice is confirming once.
    """
    maps = read_maps(folder)
    if what == ALL:
        return tuple(entry for file in maps.values() for entry in _confirm_file(file, None, by, at))
    file, name = _find(maps, what)
    if name and name.casefold() not in {known.casefold() for known in _names(file)}:
        raise UsageError(_unknown(what, sorted(f"{file.object}.{known}" for known in _names(file))))
    return tuple(_confirm_file(file, name or None, by, at))


def reject(folder: Path, what: str, reason: str, by: str, at: str) -> tuple[str, ...]:
    """Move an `Object.Field` (or an `Object.column`) to `unmapped` with a reason; returns the columns taken out.

    An `Object` by itself makes no rows any more: its records are excluded by rule, its routes go.

    A field goes with the columns and the vocabulary that nothing but it fills. Raises UsageError where a column reads
    it beside other fields: that column has to be changed or rejected by itself.
    """
    maps = read_maps(folder)
    found, name = _find(maps, what)
    file = edit_map(found)
    if "." not in what:
        return _leave_out(file, reason, by, at)
    fields, columns = _fields(file), _columns(file)
    if name not in fields | columns:
        raise UsageError(_unknown(what, sorted(f"{file.object}.{known}" for known in fields | columns)))
    decision = {"reason": reason, "by": by, "at": at}
    taken: dict[str, None] = {}
    problems: list[Problem] = []
    for number, route in enumerate(file.data["routes"]):
        filled = _of_column(route, name) if name in columns else _of_field(file, number, name, problems)
        for column in filled:
            take_out(route, column)
            taken[column] = None
        if filled or (name in fields and not route.get("also")):
            route.setdefault("unmapped", {})[name] = dict(decision)
    if problems:
        raise UsageError(*problems)
    write_map(file.path, file.data)
    return tuple(taken)


def is_left_out(data: Mapping[str, Any]) -> bool:
    """Whether a person decided that this object makes no rows."""
    return not data.get("routes") and bool((data.get("unrouted") or {}).get("by"))


def _leave_out(file: MapFile, reason: str, by: str, at: str) -> tuple[str, ...]:
    taken = tuple(dict.fromkeys(column for route in file.routes for column in route.columns))
    file.data["routes"] = []
    file.data["unrouted"] = {"outcome": "excluded", "code": "out_of_scope", "what": reason, "by": by, "at": at}
    write_map(file.path, file.data)
    return taken


def decide(rule: dict[str, Any], by: str, at: str) -> bool:
    """Mark one proposed part of a map as confirmed; False when it was not proposed."""
    if rule.get("status") != "proposed":
        return False
    spell_out(rule)
    rule.pop("confidence", None)
    rule.update({"status": "confirmed", "by": by, "at": at})
    return True


def spell_out(rule: dict[str, Any]) -> None:
    """Turn the short form of a lookup (`lookup: account, by: expression`) into a list, so that `by` is a person's."""
    for part in ("lookup", "id_of"):
        if isinstance(rule.get(part), str):
            rule[part] = {"table": rule[part], "via": rule.pop("via", "name"), "by": rule.pop("by", "")}


def _confirm_file(file: MapFile, name: str | None, by: str, at: str) -> Iterable[str]:
    """Confirm what a file proposes, or one name of it, and write it when that changed something."""
    changed: dict[str, None] = {}

    def chosen(candidate: str) -> bool:
        return name is None or candidate.casefold() == name.casefold()

    routes = file.data.get("routes") or ()
    if not any(part.get("status") == "proposed" for route in routes for _, part in _parts(route, chosen)):
        return changed
    file = edit_map(file)
    for route in file.data["routes"]:
        for column, part in _parts(route, chosen):
            if decide(part, by, at):
                changed[f"{file.object}.{column}"] = None
    write_map(file.path, file.data)
    return changed


def _parts(route: dict[str, Any], chosen: Callable[[str], bool]) -> Iterable[tuple[str, dict[str, Any]]]:
    """The parts of a route that carry a status, by the name people call them."""
    for place in ("columns", "unmapped"):
        for column, part in (route.get(place) or {}).items():
            if isinstance(part, dict) and chosen(str(column)):
                yield str(column), part
    vocabulary = route.get("vocabulary")
    if vocabulary and chosen(str(vocabulary["column"])):
        yield str(vocabulary["column"]), vocabulary


def _names(file: MapFile) -> set[str]:
    return {name for route in file.data.get("routes") or () for name, _ in _parts(route, lambda _: True)}


def _columns(file: MapFile) -> set[str]:
    """Columns that some route fills, those of tags included."""
    found = {column for route in file.routes for column in route.columns}
    return found | {str(route.vocabulary["column"]) for route in file.routes if route.vocabulary}


def _fields(file: MapFile) -> set[str]:
    """Source fields that the file names: those it reads and those it leaves out."""
    found = {name for route in file.routes for name in route_reads(route)}
    return found | {name for route in file.routes for name in route.unmapped}


def _of_column(route: Mapping[str, Any], name: str) -> list[str]:
    tags = (route.get("vocabulary") or {}).get("column")
    return [name] if name == tags or name in (route.get("columns") or {}) else []


def _of_field(file: MapFile, number: int, field: str, problems: list[Problem]) -> list[str]:
    """Columns that only this field fills; a problem for each that it fills together with others."""
    route, found = file.routes[number], []
    for column, rule in route.columns.items():
        reads = set(column_reads(rule))
        if field not in reads:
            continue
        if reads == {field}:
            found.append(column)
            continue
        others = ", ".join(sorted(reads - {field}))
        problems.append(
            Problem(
                "field-shared",
                f"{file.object}.{field} fills {column} together with {others}",
                rule=file.at("routes", number, "columns", column),
                do=f"take {field} out of that expression, or run: flitstack map --reject '{file.object}.{column}=reason'",
            )
        )
    if route.vocabulary is not None and route.vocabulary["field"] == field:
        found.append(str(route.vocabulary["column"]))
    return found


def take_out(route: dict[str, Any], column: str) -> None:
    """Remove a column from a route, from what it requires and from its vocabulary."""
    route["columns"].pop(column, None)
    if column in (route.get("required") or ()):
        route["required"].remove(column)
    if (route.get("vocabulary") or {}).get("column") == column:
        del route["vocabulary"]


def _find(maps: Mapping[str, MapFile], what: str) -> tuple[MapFile, str]:
    name, _, rest = what.partition(".")
    found = {known.casefold(): file for known, file in maps.items()}.get(name.casefold())
    if found is None:
        raise UsageError(_unknown(what, sorted(maps)))
    return found, rest


def _unknown(what: str, known: Sequence[str]) -> Problem:
    return Problem(
        "map-name-unknown", f"the map holds no {what!r}", known=", ".join(known), do="name one of these, or all"
    )
