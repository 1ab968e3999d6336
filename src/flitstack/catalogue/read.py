"""Read the catalogue's files. Everything is cached for the life of the process and shared: never change it.

Each table is a file that is read when somebody asks for it: a command needs a few of them, and all take half a second.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from flitstack.catalogue.parse import parse_links, parse_lookups, parse_table
from flitstack.catalogue.types import Catalogue, Table

TABLES = Path(__file__).with_name("tables")
OUTSIDE = Path(__file__).with_name("outside.yaml")

# libyaml's loader is ten times faster; the pure Python one reads the same where PyYAML was built without it.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class UnknownTable(LookupError):
    """No table of this logical name is in the catalogue."""

    def __init__(self, name: str) -> None:
        near = get_close_matches(name, table_names(), n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        super().__init__(f'no standard table has the logical name "{name}"{hint}')
        self.name = name


@cache
def table_names() -> tuple[str, ...]:
    """Logical names of all catalogued tables, sorted."""
    return tuple(sorted(path.stem for path in TABLES.glob("*.yaml")))


@cache
def load_table(name: str) -> Table:
    """One table, without reading the others. Raises UnknownTable."""
    if name not in table_names():
        raise UnknownTable(name)
    return parse_table(name, _content(name))


@cache
def outside_tables() -> frozenset[str]:
    """Tables that relationships of the catalogue lead to without being described here."""
    groups: dict[str, list[str]] = yaml.load(OUTSIDE.read_text(encoding="utf-8"), Loader=_Loader)
    return frozenset(name for names in groups.values() for name in names)


class _Tables(Mapping[str, Table]):
    """All tables by logical name, each read when it is asked for."""

    def __getitem__(self, name: str) -> Table:
        if name not in table_names():
            raise KeyError(name)
        return load_table(name)

    def __contains__(self, name: object) -> bool:
        return name in table_names()

    def __iter__(self) -> Iterator[str]:
        return iter(table_names())

    def __len__(self) -> int:
        return len(table_names())


@cache
def load_catalogue() -> Catalogue:
    """All tables, and the relationships of all files, in the order of the tables' names."""
    names = table_names()
    return Catalogue(
        tables=_Tables(),
        read_one_to_many=lambda: tuple(lookup for name in names for lookup in parse_lookups(name, _content(name))),
        read_many_to_many=lambda: tuple(link for name in names for link in parse_links(_content(name))),
    )


@cache
def _content(name: str) -> dict[str, Any]:
    text = (TABLES / f"{name}.yaml").read_text(encoding="utf-8")
    content: dict[str, Any] = yaml.load(text, Loader=_Loader)
    return content
