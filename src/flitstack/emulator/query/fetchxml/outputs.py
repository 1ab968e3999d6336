"""Columns of a FetchXML result: their names, and stored values as JSON with annotations.

Values that are null are left out; columns of links are named `alias.column`. Sources: Microsoft Learn, "Use FetchXml to
retrieve data", "Join tables using FetchXml"; annotations of aliased columns as in retrieved rows published in the tests
of dynamics-crm developer kits (`a.statecode@OData.Community.Display.V1.AttributeName`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from flitstack.catalogue.types import Column
from flitstack.emulator.messages import not_implemented
from flitstack.emulator.query.fetchxml.sources import Source
from flitstack.emulator.query.fetchxml.tree import Attribute, Link, Part
from flitstack.emulator.query.labels import LookupNames, formatter
from flitstack.emulator.query.relatives import hierarchy
from flitstack.emulator.query.render import (
    FORMATTED,
    LOOKUP_TABLE,
    Annotations,
    Row,
    annotate_lookup,
    blob,
    converter,
    property_name,
)
from flitstack.emulator.query.terms import Reference, Scope
from flitstack.emulator.schema import UNBOUND_LOOKUPS
from flitstack.emulator.work import Work

ATTRIBUTE = "OData.Community.Display.V1.AttributeName"
_CURRENCY = "transactioncurrencyid"
_COUNT = Column("", "", "Integer")
Values = Sequence[object]


@dataclass(frozen=True, slots=True)
class Output:
    """A column of the result: SQL of its value and of a lookup's table; `attribute` is what an alias stands for."""

    name: str
    column: Column
    sql: str
    kind_sql: str | None = None
    attribute: str | None = None

    @property
    def reference(self) -> Reference:
        """The column, for comparing and sorting."""
        return Reference(self.sql, self.column, "")


def root_outputs(scope: Scope, part: Part, source: Source, *, with_id: bool) -> list[Output]:
    """Columns of the entity itself; with none named it shows all of them."""
    attributes = part.attributes
    if part.has_all or not attributes:
        attributes += tuple(Attribute(name) for name in source.columns if name not in {a.name for a in attributes})
    outputs = [_root_output(scope, attribute, source) for attribute in attributes]
    shown = {output.name for output in outputs}
    if with_id and _CURRENCY in source.columns and any(o.column.type == "Money" for o in outputs):
        # A sum says nothing without its currency.
        outputs += [o for o in [_plain(source, _CURRENCY)] if o.name not in shown]
    if with_id:
        outputs += [o for o in [_plain(source, name) for name in source.ids] if o.name not in shown]
    return outputs


def _root_output(scope: Scope, attribute: Attribute, source: Source) -> Output:
    if attribute.row_aggregate is not None:
        return _children(scope, attribute, source)
    if attribute.alias is None:
        return _plain(source, attribute.name)
    return _aliased(source, attribute.name, attribute.alias)


def _plain(source: Source, name: str) -> Output:
    reference = source.reference(name)
    return Output(property_name(reference.column), reference.column, reference.sql, source.kind(reference.column))


def _aliased(source: Source, name: str, alias: str) -> Output:
    reference = source.reference(name)
    return Output(alias, reference.column, reference.sql, source.kind(reference.column), name)


def link_outputs(link: Link, source: Source) -> list[Output]:
    """Columns of a link; with none named it shows none."""
    attributes = link.attributes
    if link.has_all:
        attributes += tuple(Attribute(name) for name in source.columns if name not in {a.name for a in attributes})
    outputs: list[Output] = []
    for attribute in attributes:
        if attribute.row_aggregate is not None:
            raise not_implemented("a row aggregate in a link-entity")
        alias = attribute.alias or f"{link.shown}.{attribute.name}"
        if link.kind == "matchfirstrowusingcrossapply" and attribute.alias is None:
            alias = source.reference(attribute.name).column.schema_name  # documented as inconsistent
        outputs.append(_aliased(source, attribute.name, alias))
    return outputs


def _children(scope: Scope, attribute: Attribute, source: Source) -> Output:
    """Number of rows right below this one; Microsoft Learn, "Aggregate data using FetchXml"."""
    table, _, parent = hierarchy(scope, source.reference(attribute.name), "CountChildren")
    own = f"{source.sql}.{source.ids[0]}"
    sql = f"(SELECT count(*) FROM {table} c WHERE c.{parent} = {own})"
    return Output(attribute.alias or "", _COUNT, sql, None, attribute.name)


def render(work: Work, outputs: Sequence[Output], values: Sequence[Values], annotations: Annotations) -> list[Row]:
    """JSON rows. A row of `values` holds, output by output, the value and then the table of a lookup that has one."""
    rows: list[Row] = [{} for _ in values]
    at = 0
    for output in outputs:
        _show(work, output, [row[at] for row in values], rows, annotations, _kinds(output, values, at))
        at += 1 if output.kind_sql is None else 2
    return rows


def _kinds(output: Output, values: Sequence[Values], at: int) -> list[str | None] | None:
    """The table of each value, None for columns that are no lookups."""
    if output.column.type not in UNBOUND_LOOKUPS:
        return None
    only = output.column.targets[0] if output.column.targets else None
    return [
        None
        if row[at] is None
        else only
        if output.kind_sql is None
        else None
        if row[at + 1] is None
        else str(row[at + 1])
        for row in values
    ]


def _show(
    work: Work,
    output: Output,
    values: Sequence[object],
    rows: Sequence[Row],
    annotations: Annotations,
    kinds: list[str | None] | None,
) -> None:
    convert = converter(output.column)
    label = formatter(work, output.column) if annotations.wants(FORMATTED) else None
    attribute = output.attribute if annotations.wants(ATTRIBUTE) else None
    names: dict[bytes, str] = {}
    if kinds is not None and annotations.wants(FORMATTED):
        names = LookupNames(work).of([(k, v) for k, v in zip(kinds, values, strict=True) if k])
    for at, (value, row) in enumerate(zip(values, rows, strict=True)):
        if value is None:
            continue
        if attribute is not None:
            row[f"{output.name}@{ATTRIBUTE}"] = attribute
        kind = kinds[at] if kinds is not None else None
        if kind is not None:
            _show_lookup(output, kind, names.get(blob(value)), row, annotations)
        if label is not None:
            row[f"{output.name}@{FORMATTED}"] = label(value)
        row[output.name] = value if convert is None else convert(value)


def _show_lookup(output: Output, kind: str, name: str | None, row: Row, annotations: Annotations) -> None:
    if output.attribute is None:
        annotate_lookup(row, output.name, output.column, kind, name, annotations)
        return
    # What an alias shows is no navigation property, so the name of none is given.
    if name is not None and annotations.wants(FORMATTED):
        row[f"{output.name}@{FORMATTED}"] = name
    if annotations.wants(LOOKUP_TABLE):
        row[f"{output.name}@{LOOKUP_TABLE}"] = kind
