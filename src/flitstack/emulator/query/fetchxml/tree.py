"""A FetchXML query as frozen values, in the words of its elements.

Source: Microsoft Learn, "FetchXml reference".
"""

from collections.abc import Iterator
from dataclasses import dataclass

JOINS = frozenset({"inner", "outer", "matchfirstrowusingcrossapply"})
# Link types that only ask whether rows exist; the first two stand beside joins, the others in filters too.
FILTER_LINKS = frozenset({"any", "not any", "all", "not all"})
TESTS = frozenset({"exists", "in"}) | FILTER_LINKS


@dataclass(frozen=True, slots=True)
class Attribute:
    """One column of the result."""

    name: str
    alias: str | None = None
    aggregate: str | None = None
    is_group: bool = False
    is_distinct: bool = False
    date_grouping: str | None = None
    row_aggregate: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """One sort term: a column (of the link `entity_name` or of its own table), or the alias of an aggregate."""

    attribute: str | None
    alias: str | None
    entity_name: str | None
    is_descending: bool


@dataclass(frozen=True, slots=True)
class Condition:
    """`attribute operator values`; `value_of` names a column instead of values."""

    attribute: str
    operator: str
    values: tuple[str, ...] = ()
    entity_name: str | None = None
    value_of: str | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """`kind` is and or or; an empty and holds always, an empty or never."""

    kind: str
    items: "tuple[Condition | Filter | Link, ...]"


@dataclass(frozen=True, slots=True)
class Part:
    """What `entity` and `link-entity` have in common; `alias` is the name other parts know it by."""

    name: str
    alias: str | None
    attributes: tuple[Attribute, ...]
    has_all: bool
    orders: tuple[Order, ...]
    filter: Filter
    links: "tuple[Link, ...]"


@dataclass(frozen=True, slots=True)
class Link(Part):
    """`column` of this table equals `to` of the parent; what is None is found by the relationships of both tables.

    `number` counts the links of the query from 1, in the order of the document.
    """

    column: str | None
    to: str | None
    kind: str
    number: int

    @property
    def shown(self) -> str:
        """The alias, or the one the platform makes up; Microsoft Learn, "link-entity element"."""
        return self.alias or f"{self.name}{self.number}"


@dataclass(frozen=True, slots=True)
class Fetch:
    """A whole query. `top` and paging (`count`, `page`, `cookie`) exclude each other."""

    root: Part
    is_aggregate: bool = False
    is_distinct: bool = False
    top: int | None = None
    count: int | None = None
    page: int = 1
    cookie: str | None = None
    wants_total: bool = False
    record_limit: int | None = None
    sorts_choices_by_value: bool = False


def links_of(part: Part) -> "Iterator[Link]":
    """All links below a part in the order of the document, those inside filters last."""
    for link in part.links:
        yield link
        yield from links_of(link)
    yield from _links_in(part.filter)


def _links_in(item: Filter) -> Iterator[Link]:
    for inner in item.items:
        if isinstance(inner, Link):
            yield inner
            yield from links_of(inner)
        elif isinstance(inner, Filter):
            yield from _links_in(inner)


def count_conditions(part: Part) -> int:
    """Number of conditions in the whole query below a part."""
    return _conditions_in(part.filter) + sum(count_conditions(link) for link in part.links)


def _conditions_in(item: Filter) -> int:
    total = 0
    for inner in item.items:
        if isinstance(inner, Link):
            total += count_conditions(inner)
        else:
            total += 1 if isinstance(inner, Condition) else _conditions_in(inner)
    return total
