"""The map: one file a source object, read into frozen dataclasses that remember their lines."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from flitstack.documents import Lines, edit_yaml, read_yaml, write_yaml
from flitstack.errors import Problem, UsageError

FORMAT = 1
ROUTE_WORDS = frozenset(
    (
        "table", "name", "phase", "when", "also", "key", "matches", "not_matching", "columns", "parties", "states",
        "checks", "required", "each", "distinct", "unless", "file", "vocabulary", "create_table", "unmapped",
    )
)  # fmt: skip
COLUMN_WORDS = frozenset(
    (
        "from", "lookup", "id_of", "via", "by", "choices", "choices_from", "otherwise", "missing", "code", "field",
        "too_long", "create", "verify", "status", "confidence", "why", "at", "separator",
        "instead_of", "when",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Alternative:
    """One way to find a row: key `by` (or the first of the list `each` that fits) in match index `via` of `tables`."""

    tables: tuple[str, ...]
    via: str
    by: str = ""
    each: str = ""
    key: str = ""  # value function applied to each element
    when: str = ""


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """How one column is filled. `kind` as in mapping/document.py; `source` is the expression of a value or an owner."""

    name: str
    kind: str
    source: str = ""
    alternatives: tuple[Alternative, ...] = ()
    choices: Mapping[str, Any] | None = None
    otherwise: str = ""  # hold | blank | decision:<name>; "" = blank
    missing: str = ""  # hold | blank | skip; "" = blank
    code: str = ""
    field: str = ""
    too_long: str = ""  # hold | truncate_keep_full; "" = truncate_keep_full
    separator: str = ""  # of the values of a multi-select column
    instead_of: str = ""  # a lookup column of the same field: one of the two finds its row, which is no trouble
    create: Mapping[str, Any] | None = None
    verify: bool = True
    status: str = "confirmed"  # what a person writes by hand needs no confirmation
    line: int = 0
    when: str = ""  # over decisions alone: where it does not hold, the column is not there


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A field that is not moved, and why. `status` proposed: a person has yet to agree."""

    reason: str
    status: str = "confirmed"


@dataclass(frozen=True, slots=True)
class Route:
    """How records of an object become rows of one table. The parts without a type of their own are plain YAML."""

    object: str
    name: str
    table: str
    phase: str
    when: str
    also: bool
    key: str
    matches: Mapping[str, str]
    not_matching: Mapping[str, str]
    columns: Mapping[str, ColumnRule]
    parties: tuple[Mapping[str, Any], ...]
    states: tuple[Mapping[str, Any], ...]
    checks: tuple[Mapping[str, Any], ...]
    required: tuple[str, ...]
    file: Mapping[str, Any] | None
    vocabulary: Mapping[str, Any] | None
    create_table: Mapping[str, Any] | None
    unmapped: Mapping[str, Unmapped]
    line: int
    each: str = ""  # a list: a row for every element (`_item`, `_place`)
    distinct: bool = False  # a row for every key, whatever number of records has it
    unless: tuple[Alternative, ...] = ()  # no row where one of these finds one


@dataclass(frozen=True, slots=True)
class MapFile:
    """One file of the map. `data` is the YAML as it stands: to look at, or from `edit_map` to change and write back."""

    object: str
    path: Path
    routes: tuple[Route, ...]
    unrouted: Mapping[str, Any] | None
    sha256: str
    data: dict[str, Any]
    lines: Lines

    def at(self, *place: str | int) -> str:
        """`mapping/<file>:<line>` of a key, or of the nearest key around it."""
        keys = tuple(str(part) for part in place)
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return f"{self.path.parent.name}/{self.path.name}:{self.lines.get(keys, 1)}"


def read_maps(folder: Path) -> dict[str, MapFile]:
    """Every `*.yaml` of the folder by object. Raises UsageError with every mistake of form, each with file and line."""
    found: dict[str, MapFile] = {}
    problems: list[Problem] = []
    for path in sorted(folder.glob("*.yaml")):
        file, wrong = _read_map(path, path.read_bytes())
        problems += wrong
        found[file.object] = file
    if problems:
        raise UsageError(*problems)
    return found


def edit_map(file: MapFile) -> MapFile:
    """The file with `data` that may be changed and goes to `write_map`: comments stay. Slow, so only where it is written."""
    return replace(file, data=edit_yaml(file.path))


def write_map(path: Path, data: Mapping[str, Any]) -> None:
    """Write one map file; comments of data that came from `edit_map` are kept."""
    write_yaml(path, data)


def parse_route(name: str, data: Mapping[str, Any], line: int = 0, lines: Mapping[str, int] | None = None) -> Route:
    """One route of YAML. `lines`: column name -> line."""
    return Route(
        object=name,
        name=str(data.get("name") or data.get("table", "")),
        table=str(data.get("table", "")),
        phase=str(data.get("phase", "")),
        when=str(data.get("when", "")),
        also=bool(data.get("also", False)),
        key=str(data.get("key", "")),
        matches={str(k): str(v) for k, v in (data.get("matches") or {}).items()},
        not_matching={str(k): str(v) for k, v in (data.get("not_matching") or {}).items()},
        columns={
            str(k): parse_column(str(k), v, (lines or {}).get(str(k), line))
            for k, v in (data.get("columns") or {}).items()
        },
        parties=tuple(data.get("parties") or ()),
        states=tuple(data.get("states") or ()),
        checks=tuple(data.get("checks") or ()),
        required=tuple(str(column) for column in data.get("required") or ()),
        file=data.get("file"),
        vocabulary=data.get("vocabulary"),
        create_table=data.get("create_table"),
        unmapped={str(k): _unmapped(v) for k, v in (data.get("unmapped") or {}).items()},
        line=line,
        each=str(data.get("each", "")),
        distinct=bool(data.get("distinct", False)),
        unless=tuple(_alternatives({"lookup": data["unless"]})) if "unless" in data else (),
    )


def parse_column(name: str, data: Mapping[str, Any], line: int = 0) -> ColumnRule:
    """One column of YAML, its short forms spelled out."""
    kind = "lookup" if "lookup" in data else "id_text" if "id_of" in data else "owner" if name == "ownerid" else "value"
    return ColumnRule(
        name=name,
        kind=kind,
        source=_expression(data.get("from", "")),
        alternatives=tuple(_alternatives(data)),
        choices={str(k): v for k, v in data["choices"].items()} if "choices" in data else None,
        otherwise=str(data.get("otherwise", "")),
        missing=str(data.get("missing", "")),
        code=str(data.get("code", "")),
        field=str(data.get("field", "")),
        too_long=str(data.get("too_long", "")),
        separator=str(data.get("separator", "")),
        instead_of=str(data.get("instead_of", "")),
        create=data.get("create"),
        verify=bool(data.get("verify", True)),
        status=str(data.get("status", "confirmed")),
        line=line,
        when=str(data.get("when", "")),
    )


def open_proposals(maps: Mapping[str, MapFile]) -> list[str]:
    """What a person has yet to confirm or reject, as `Object.column` or `Object.field`, each once."""
    found: dict[str, None] = {}
    for name, file in maps.items():
        for route in file.routes:
            found |= dict.fromkeys(f"{name}.{c.name}" for c in route.columns.values() if c.status == "proposed")
            found |= dict.fromkeys(f"{name}.{field}" for field, u in route.unmapped.items() if u.status == "proposed")
            if route.vocabulary and route.vocabulary.get("status") == "proposed":
                found[f"{name}.{route.vocabulary['column']}"] = None
    return list(found)


def _expression(value: Any) -> str:
    # YAML reads TRUE, FALSE and numbers without quotes as what they are; in the map they are SQL constants.
    return ("TRUE" if value else "FALSE") if isinstance(value, bool) else str(value)


def _alternatives(data: Mapping[str, Any]) -> Iterator[Alternative]:
    given = data.get("lookup", data.get("id_of"))
    if given is None:
        return
    if isinstance(given, str):
        given = {"table": given, "via": data.get("via", "name"), "by": data.get("by", "")}
    for one in [given] if isinstance(given, Mapping) else given:
        tables = one.get("table", "")
        yield Alternative(
            tables=(tables,) if isinstance(tables, str) else tuple(tables),
            via=str(one.get("via", "")),
            by=str(one.get("by", "")),
            each=str(one.get("each", "")),
            key=str(one.get("key", "")),
            when=str(one.get("when", "")),
        )


def _unmapped(value: Any) -> Unmapped:
    if isinstance(value, Mapping):
        return Unmapped(str(value.get("reason", "")), str(value.get("status", "confirmed")))
    return Unmapped(str(value))


# A command looks at the map several times: the gates, the check, the plan. By content, so nothing here can be stale.
@lru_cache(maxsize=256)
def _read_map(path: Path, content: bytes) -> tuple[MapFile, tuple[Problem, ...]]:
    data, lines = read_yaml(path, content=content)
    name, sha256 = str(data.get("object") or path.stem), hashlib.sha256(content).hexdigest()
    file = MapFile(name, path, (), data.get("unrouted"), sha256, data, lines)
    problems: list[Problem] = []
    routes = tuple(_routes(file, problems))
    return replace(file, routes=routes), tuple(problems)


def _routes(file: MapFile, problems: list[Problem]) -> Iterator[Route]:
    for index, data in enumerate(file.data.get("routes") or ()):
        place = ("routes", str(index))
        problems += _strangers(file, place, data, ROUTE_WORDS, "a route")
        for column, rule in (data.get("columns") or {}).items():
            problems += _strangers(file, (*place, "columns", str(column)), rule, COLUMN_WORDS, "a column")
        if problems:
            continue
        lines = {
            place_[3]: n for place_, n in file.lines.items() if place_[:3] == (*place, "columns") and len(place_) == 4
        }
        yield parse_route(file.object, data, file.lines.get(place, 1), lines)


def _strangers(file: MapFile, place: tuple[str, ...], data: Any, words: Iterable[str], what: str) -> Iterator[Problem]:
    if not isinstance(data, Mapping):
        yield Problem(
            "map-form", f"{place[-1]}: {what} must be a mapping", where=file.at(*place), do="write keys and values"
        )
        return
    for word in data:
        if word not in words:
            yield Problem(
                "map-unknown-word",
                f"{word!r} is no part of {what}",
                where=file.at(*place, str(word)),
                known=", ".join(sorted(words)),
                do="use one of the known words",
            )
