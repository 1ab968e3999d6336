"""The tables of a FetchXML query: stored ones, and the intersect tables of N:N relationships."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from flitstack.catalogue.types import Column, ManyToMany
from flitstack.emulator.ddl import is_polymorphic, quoted, type_column
from flitstack.emulator.query.fetchxml import faults
from flitstack.emulator.query.sort_terms import CHOICES, label, primary_name
from flitstack.emulator.query.terms import Reference
from flitstack.emulator.schema import UNBOUND_LOOKUPS, EntityModel
from flitstack.emulator.store import Store

_LABELLED = CHOICES | UNBOUND_LOOKUPS | {"Boolean"}


@dataclass(frozen=True, slots=True)
class Source:
    """One table of a query: `sql` is its alias there, `ids` the columns that tell its rows apart."""

    name: str
    schema_name: str
    table_sql: str
    sql: str
    shown: str
    columns: Mapping[str, Column]
    ids: tuple[str, ...]
    model: EntityModel | None = None

    def reference(self, name: str) -> Reference:
        """A column by its logical name."""
        column = self.columns.get(name)
        if column is None:
            raise faults.no_attribute(self.schema_name, name)
        return Reference(f"{self.sql}.{quoted(name)}", column, self.name)

    def condition_reference(self, store: Store, name: str) -> Reference:
        """A column that conditions may name: also `<column>name`, the label of a lookup, a choice or a yes/no."""
        base = self.columns.get(name.removesuffix("name")) if name.endswith("name") else None
        if name in self.columns or base is None or base.type not in _LABELLED:
            return self.reference(name)
        reference = self.reference(base.name)
        text = primary_name(store, reference) if base.type in UNBOUND_LOOKUPS else label(reference)
        return Reference(text, Column(name, name, "String"), self.name)

    def kind(self, column: Column) -> str | None:
        """SQL of the table that a lookup with several targets points to."""
        return f"{self.sql}.{quoted(type_column(column.name))}" if is_polymorphic(column) else None

    def under(self, sql: str) -> "Source":
        """The same table under another SQL alias."""
        return replace(self, sql=sql)


def find_source(store: Store, name: str, sql: str, shown: str) -> Source:
    """The table with a logical name, which may be an intersect table."""
    pairs = [many for many in store.schema.many_to_many.values() if many.intersect == name]
    model = store.schema.tables.get(name)
    if pairs:
        return _intersect(store, name, pairs, model, sql, shown)
    if model is None:
        raise faults.unknown_table(name)
    columns = {column.name: column for column in model.stored.values() if column.readable}
    id_column = model.table.id_column
    return Source(name, model.table.schema_name, store.ensure(model), sql, shown, columns, (id_column,), model)


def _intersect(
    store: Store, name: str, pairs: list[ManyToMany], model: EntityModel | None, sql: str, shown: str
) -> Source:
    """All pairs of the relationships that share an intersect table, and its own rows when it is also a table."""
    columns: dict[str, Column] = {}
    for many in pairs:
        for part in (many.column1, many.column2):
            columns.setdefault(part, Column(part, part, "Uniqueidentifier"))
    ids = tuple(columns)
    parts = [_pairs(store, many, ids) for many in pairs]
    if model is not None and store.exists(name):
        shared = ", ".join(quoted(n) if n in model.stored else f"NULL AS {quoted(n)}" for n in ids)
        parts.append(f"SELECT {shared} FROM {quoted(name)}")
    return Source(name, name, f"({' UNION ALL '.join(parts)})", sql, shown, columns, ids)


def _pairs(store: Store, many: ManyToMany, names: tuple[str, ...]) -> str:
    halves = {many.column1: "first", many.column2: "second"}
    shown = ", ".join(f"{halves.get(name, 'NULL')} AS {quoted(name)}" for name in names)
    return f"SELECT {shown} FROM {store.ensure_pairs(many)}"
