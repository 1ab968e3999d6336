"""`$apply`: filters, then one grouping or aggregation. What it means; `aggregate.py` runs it.

Source: Microsoft Learn, "Aggregate data using OData".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from flitstack.emulator.messages import Refusal, not_implemented
from flitstack.emulator.paths import split_outside
from flitstack.emulator.query.syntax import Node, Path, parse_filter, syntax_error

METHODS = frozenset({"sum", "average", "min", "max", "countdistinct"})
_AGGREGATE = re.compile(r"(\$count|[A-Za-z_][\w/]*)(?:\s+with\s+(\w+))?\s+as\s+([A-Za-z_]\w*)")
_STEP = re.compile(r"(\w+)\s*\((.*)\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One result column: `method` over `path`, or the number of rows (method `$count`, no path)."""

    path: Path | None
    method: str
    alias: str


@dataclass(frozen=True, slots=True)
class Apply:
    """`groups` is None without groupby: then there is exactly one result row."""

    filters: tuple[Node, ...]
    groups: tuple[Path, ...] | None
    aggregates: tuple[Aggregate, ...]


def parse_apply(text: str, aliases: Mapping[str, str]) -> Apply:
    """The meaning of a `$apply`; 400 for text that is none, 501 for transformations Dataverse may not know."""
    filters: list[Node] = []
    steps = [step.strip() for step in split_outside(text, "/")]
    for at, step in enumerate(steps):
        match = _STEP.fullmatch(step)
        if match is None:
            raise syntax_error(text)
        name, inside = match[1], match[2].strip()
        if name == "filter":
            filters.append(parse_filter(inside, aliases))
            continue
        if at + 1 < len(steps):
            raise not_implemented(f"a transformation behind '{name}' in $apply")
        if name == "aggregate":
            return Apply(tuple(filters), None, _aggregates(inside, text))
        if name == "groupby":
            groups, aggregates = _groupby(inside, text)
            return Apply(tuple(filters), groups, aggregates)
        raise not_implemented(f"the transformation '{name}' in $apply")
    raise not_implemented("a $apply without groupby and aggregate")


def _groupby(inside: str, text: str) -> tuple[tuple[Path, ...], tuple[Aggregate, ...]]:
    parts = [part.strip() for part in split_outside(inside, ",")]
    columns = parts[0]
    if not columns.startswith("(") or not columns.endswith(")") or len(parts) > 2:
        raise syntax_error(text)
    names = [name.strip() for name in split_outside(columns[1:-1], ",")]
    for name in names:
        if "(" in name:
            raise not_implemented(f"grouping by '{name}'")
        if not re.fullmatch(r"[A-Za-z_][\w/]*", name):
            raise syntax_error(text)
    aggregates: tuple[Aggregate, ...] = ()
    if len(parts) == 2:
        match = _STEP.fullmatch(parts[1])
        if match is None or match[1] != "aggregate":
            raise not_implemented("another transformation than aggregate inside groupby")
        aggregates = _aggregates(match[2], text)
    return tuple(Path(tuple(name.split("/"))) for name in dict.fromkeys(names)), aggregates


def _aggregates(inside: str, text: str) -> tuple[Aggregate, ...]:
    found: list[Aggregate] = []
    for item in split_outside(inside, ","):
        match = _AGGREGATE.fullmatch(item.strip())
        if match is None:
            raise syntax_error(text, f"'{item.strip()}' is no aggregate expression")
        what, method, alias = match.groups()
        if (what == "$count") != (method is None):
            raise syntax_error(text, f"'{item.strip()}' is no aggregate expression")
        if method is not None and method not in METHODS:
            raise not_implemented(f"the aggregation method '{method}'")
        if alias in {a.alias for a in found}:
            raise Refusal(400, "0x80060888", f"The alias '{alias}' is used twice in $apply.")
        path = None if what == "$count" else Path(tuple(what.split("/")))
        found.append(Aggregate(path, method or "$count", alias))
    return tuple(found)
