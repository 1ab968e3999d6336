"""Which source fields the parts of a map read; names as the map spells them."""

from collections.abc import Iterator, Mapping
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from flitstack.mapping.expressions import MapDialect
from flitstack.mapping.maps import ColumnRule, Route


def names_read(text: str) -> tuple[str, ...]:
    """Names that an expression reads, each once, in order; none when it is no expression (`check` says so)."""
    if not text:
        return ()
    try:
        tree = sqlglot.parse_one(text, dialect=MapDialect)
    except SqlglotError:
        return ()
    bound = {name.name.casefold() for one in tree.find_all(exp.Lambda) for name in one.expressions}
    found = (column.name for column in tree.find_all(exp.Column))
    return tuple(dict.fromkeys(name for name in found if name.casefold() not in bound))


def names_of(table: str | list[str]) -> tuple[str, ...]:
    """The tables that a way or a participant names: one, or several."""
    return (table,) if isinstance(table, str) else tuple(table)


def derived_reads(playbook: Mapping[str, Any], object_name: str) -> frozenset[str]:
    """Fields of an object that derived fields are made of, its own or another object's."""
    texts = []
    for owner, rules in (playbook.get("derived") or {}).items():
        for rule in rules.values():
            if owner == object_name:
                texts.append(rule["is"] if "is" in rule else rule["own"])
            if rule.get("from") == object_name:
                texts += [text for word, text in rule.items() if word not in {"from", "own"} and isinstance(text, str)]
    return frozenset(name for text in texts for name in names_read(str(text)))


def column_reads(rule: ColumnRule) -> tuple[str, ...]:
    """Names that one column is filled from."""
    return tuple(dict.fromkeys(name for text in column_texts(rule) for name in names_read(text)))


def column_texts(rule: ColumnRule) -> list[str]:
    """Every expression of a column."""
    texts = [rule.source, *(text for one in rule.alternatives for text in (one.by, one.each, one.when))]
    return [text for text in texts if text]


def route_reads(route: Route) -> frozenset[str]:
    """Every name that any part of a route reads."""
    found = {name for rule in route.columns.values() for name in column_reads(rule)}
    found |= {name for text in _texts(route) for name in names_read(text)}
    if route.vocabulary is not None:
        found.add(str(route.vocabulary["field"]))
    return frozenset(found)


def _texts(route: Route) -> Iterator[str]:
    yield from (route.when, route.key, route.each, *route.matches.values())
    yield from (text for one in route.unless for text in (one.by, one.when))
    for parts, words in (
        (route.parties, ("when", "owner", "each", "by")),
        (route.states, ("when", "at", "value")),
        (route.checks, ("when",)),
        ((route.file or {},), ("path", "name", "mime", "size", "copy_to")),
    ):
        yield from (str(part[word]) for part in parts for word in words if word in part)
