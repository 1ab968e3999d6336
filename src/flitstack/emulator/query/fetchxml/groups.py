"""Aggregates and distinct rows of FetchXML: groups of the joined rows.

Source: Microsoft Learn, "Aggregate data using FetchXml".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from flitstack.catalogue.types import Column
from flitstack.emulator.messages import Refusal, not_implemented
from flitstack.emulator.query.aggregate import measure
from flitstack.emulator.query.fetchxml import faults
from flitstack.emulator.query.fetchxml.joins import Joins
from flitstack.emulator.query.fetchxml.keys import Key, column_key, sorted_key
from flitstack.emulator.query.fetchxml.outputs import Output
from flitstack.emulator.query.fetchxml.sources import Source
from flitstack.emulator.query.fetchxml.tree import Attribute, Fetch, Order
from flitstack.emulator.query.terms import comparable
from flitstack.emulator.store import Store

_METHODS = {"avg": "average"}
_WHOLE = Column("", "", "Integer")
# Weeks begin on Sundays, the first one with 1 January, as SQL Server counts them; a quarter has calendar months.
_DATE_PARTS = {
    "day": "CAST(strftime('%d', {0}) AS INTEGER)",
    "week": "(CAST(strftime('%j', {0}) AS INTEGER) + CAST(strftime('%w', {0}, 'start of year') AS INTEGER) - 1) / 7 + 1",
    "month": "CAST(strftime('%m', {0}) AS INTEGER)",
    "quarter": "(CAST(strftime('%m', {0}) AS INTEGER) + 2) / 3",
    "year": "CAST(strftime('%Y', {0}) AS INTEGER)",
}


@dataclass(slots=True)
class Groups:
    """What to show of each group, by what rows are grouped (None: one row over all), and the order of groups."""

    outputs: list[Output]
    by: list[str] | None
    keys: list[Key]


def aggregated(store: Store, fetch: Fetch, joins: Joins) -> Groups:
    """The groups of an aggregate query."""
    outputs: list[Output] = []
    grouped: dict[str, Output] = {}
    for part, source in joins.parts:
        if part.has_all:
            raise Refusal(400, "0x80041107", "all-attributes cannot stand in an aggregate query.")
        for attribute in part.attributes:
            if attribute.is_group:
                inner = _group(attribute, source)
                grouped[inner.name] = inner
                outputs.append(_representative(inner))
            else:
                outputs.append(_aggregate(attribute, source))
    if not outputs:
        raise Refusal(400, "0x80041107", "An aggregate query needs attributes.")
    keys: dict[str, Key] = {}
    for order in (order for part, _ in joins.parts for order in part.orders):
        if order.alias is None:
            raise Refusal(
                400,
                "0x80041107",
                "An attribute cannot be specified for an order clause for an aggregate Query. Use an alias",
            )
        keys.setdefault(order.alias, _aggregate_key(store, fetch, outputs, grouped, order))
    for name, inner in grouped.items():
        keys.setdefault(name, _group_key(inner))
    by = [comparable(inner.reference) for inner in grouped.values()]
    return Groups(outputs, by or None, list(keys.values()) if by else [])


def _group(attribute: Attribute, source: Source) -> Output:
    reference = source.reference(attribute.name)
    column, alias = reference.column, attribute.alias or ""
    part = attribute.date_grouping
    if part is None:
        if column.type == "DateTime":
            raise not_implemented("grouping by a date without dategrouping")
        return Output(alias, column, reference.sql, source.kind(column), attribute.name)
    if part.startswith("fiscal-"):
        raise not_implemented(f"the date grouping '{part}'")
    if part not in _DATE_PARTS or column.type != "DateTime":
        raise faults.invalid_argument(f"The date grouping '{part}' does not fit '{attribute.name}'.")
    return Output(alias, _WHOLE, _DATE_PARTS[part].format(reference.sql), None, attribute.name)


def _aggregate(attribute: Attribute, source: Source) -> Output:
    reference = source.reference(attribute.name)
    alias, method = attribute.alias or "", attribute.aggregate
    if method is None:
        raise Refusal(
            400,
            "0x80041107",
            "An attribute can not be requested when an aggregate operation has been specified and its neither groupby "
            f"not aggregate. NodeXml : '{attribute.name}'",
        )
    if attribute.is_distinct and method != "countcolumn":
        raise not_implemented(f"'distinct' with the aggregate '{method}'")
    if method == "count":
        return Output(alias, _WHOLE, "count(*)", None, attribute.name)
    if method == "countcolumn":
        term = f"DISTINCT {comparable(reference)}" if attribute.is_distinct else reference.sql
        return Output(alias, _WHOLE, f"count({term})", None, attribute.name)
    try:
        sql, column = measure(_METHODS.get(method, method), reference)
    except Refusal as refusal:
        raise faults.invalid_argument(refusal.message) from None
    return Output(alias, column, sql, None, attribute.name)


def _representative(inner: Output) -> Output:
    """Of texts that are equal for the platform one is shown."""
    kind = None if inner.kind_sql is None else f"min({inner.kind_sql})"
    return replace(inner, sql=f"min({inner.sql})", kind_sql=kind)


def _group_key(inner: Output) -> Key:
    return Key(inner.name, f"min({comparable(inner.reference)})", f"min({inner.sql})", inner.column)


def _aggregate_key(
    store: Store, fetch: Fetch, outputs: Sequence[Output], grouped: dict[str, Output], order: Order
) -> Key:
    name = order.alias or ""
    if name in grouped:
        inner = grouped[name]
        key = sorted_key(store, inner.reference, name, order.is_descending, by_value=fetch.sorts_choices_by_value)
        return replace(key, sql=f"min({key.sql})", shown=f"min({key.shown})")
    for output in outputs:
        if output.name == name:
            return Key(name, output.sql, output.sql, output.column, order.is_descending)
    raise faults.unknown_alias(name)


def distinct(store: Store, fetch: Fetch, joins: Joins, outputs: list[Output]) -> Groups:
    """The groups of a distinct query: rows that show the same; what it sorts by tells rows apart too."""
    keys: dict[str, Key] = {}
    by = [comparable(output.reference) for output in outputs]
    for part, source in joins.parts:
        for order in part.orders:
            owner = joins.named(order.entity_name) if order.entity_name else source
            name = order.attribute or _attribute_of(outputs, order.alias or "")
            inner = column_key(store, fetch, owner, name, order)
            by.append(comparable(owner.reference(name)))
            keys.setdefault(inner.name, replace(inner, sql=f"min({inner.sql})", shown=f"min({inner.shown})"))
    for at, output in enumerate(outputs):
        keys.setdefault(f"column{at}", replace(_group_key(output), name=f"column{at}"))
    return Groups([_representative(output) for output in outputs], list(dict.fromkeys(by)), list(keys.values()))


def _attribute_of(outputs: Sequence[Output], alias: str) -> str:
    for output in outputs:
        if output.name == alias and output.attribute is not None:
            return output.attribute
    raise faults.unknown_alias(alias)
