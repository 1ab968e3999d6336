"""By what a FetchXML query sorts and pages.

Orders of the entity come before those of its links; the ids at the end make the order total.
Source: Microsoft Learn, "Order rows using FetchXml".
"""

from dataclasses import dataclass

from flitstack.catalogue.types import Column
from flitstack.emulator.query.fetchxml import faults
from flitstack.emulator.query.fetchxml.joins import Joins
from flitstack.emulator.query.fetchxml.sources import Source
from flitstack.emulator.query.fetchxml.tree import Fetch, Order
from flitstack.emulator.query.pages import SortKey
from flitstack.emulator.query.sort_terms import CHOICES, label, primary_name
from flitstack.emulator.query.terms import Reference, comparable
from flitstack.emulator.schema import UNBOUND_LOOKUPS
from flitstack.emulator.store import Store

_TEXT = Column("", "", "String")


@dataclass(frozen=True, slots=True)
class Key:
    """A sort term; `shown` is the value as a paging cookie holds it, of the type of `column`."""

    name: str
    sql: str
    shown: str
    column: Column
    is_descending: bool = False

    @property
    def sort(self) -> SortKey:
        """For ORDER BY and for seeking."""
        return SortKey(self.sql, self.is_descending)


def row_keys(store: Store, fetch: Fetch, joins: Joins) -> tuple[list[Key], bool]:
    """Sort terms of a query for rows, and whether columns of links are among those it asks for."""
    keys: list[Key] = []
    has_linked = False
    for part, source in joins.parts:
        for order in part.orders:
            owner = joins.named(order.entity_name) if order.entity_name else source
            keys.append(column_key(store, fetch, owner, _ordered_column(fetch, order), order))
            has_linked = has_linked or owner is not joins.source
    keys += [_id_key(source, name, joins) for source in (joins.source, *joins.multiplying) for name in source.ids]
    unique: dict[str, Key] = {}
    for key in keys:
        unique.setdefault(key.name, key)
    return list(unique.values()), has_linked


def _ordered_column(fetch: Fetch, order: Order) -> str:
    if order.attribute is not None:
        return order.attribute
    found = [a.name for a in fetch.root.attributes if a.alias == order.alias]
    if not found:
        raise faults.unknown_alias(order.alias or "")
    return found[0]


def column_key(store: Store, fetch: Fetch, source: Source, name: str, order: Order) -> Key:
    """The sort term of a column: lookups by name, choices by label unless the query says otherwise."""
    reference = source.reference(name)
    shown = name if source.sql == "t" else f"{source.shown}.{name}"
    return sorted_key(store, reference, shown, order.is_descending, by_value=fetch.sorts_choices_by_value)


def sorted_key(store: Store, reference: Reference, name: str, is_descending: bool, *, by_value: bool) -> Key:
    """The sort term of any column under a name."""
    text = None
    if reference.column.type in UNBOUND_LOOKUPS:
        text = primary_name(store, reference)
    elif reference.column.type in CHOICES and not by_value:
        text = label(reference)
    if text is None:
        return Key(name, comparable(reference), reference.sql, reference.column, is_descending)
    return Key(name, f"fold({text})", text, _TEXT, is_descending)


def _id_key(source: Source, name: str, joins: Joins) -> Key:
    reference = source.reference(name)
    shown = name if source is joins.source else f"{source.sql}.{name}"
    return Key(shown, reference.sql, reference.sql, Column(name, name, "Uniqueidentifier"))
