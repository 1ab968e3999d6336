"""By what columns sort: texts folded, lookups by the primary name of the row they hold, choices by label or value."""

from flitstack.emulator.ddl import is_polymorphic, literal, quoted, type_column
from flitstack.emulator.query.terms import Reference, comparable
from flitstack.emulator.schema import UNBOUND_LOOKUPS
from flitstack.emulator.store import Store

CHOICES = frozenset({"Picklist", "State", "Status"})


def sort_term(store: Store, reference: Reference) -> str:
    """Lookups by name, others as they compare. Source: Microsoft Learn, "Order rows using OData"."""
    if reference.column.type in UNBOUND_LOOKUPS:
        return f"fold({primary_name(store, reference)})"
    return comparable(reference)


def primary_name(store: Store, reference: Reference) -> str:
    """SQL of the primary name of the row that a lookup holds; NULL when its tables have none."""
    column, tables = reference.column, store.schema.tables
    names: list[str] = []
    alias = reference.sql.partition(".")[0]
    for name in column.targets:
        target = tables.get(name)
        if target is None or not target.table.name_column or target.table.name_column not in target.stored:
            continue
        if name != "activitypointer" and len(column.targets) > 1 and not store.exists(name):
            continue  # no rows yet, so no row can be of this table
        kind = f" AND {alias}.{quoted(type_column(column.name))} = '{name}'" if is_polymorphic(column) else ""
        names.append(
            f"(SELECT o.{quoted(target.table.name_column)} FROM {store.ensure(target)} o "
            f"WHERE o.{quoted(target.table.id_column)} = {reference.sql}{kind})"
        )
    return "NULL" if not names else names[0] if len(names) == 1 else f"coalesce({', '.join(names)})"


def label(reference: Reference) -> str:
    """SQL of the label of a choice or yes/no column; NULL for a value without one."""
    options = "".join(f" WHEN {o.value} THEN {literal(o.label)}" for o in reference.column.options)
    return f"CASE {reference.sql}{options} END" if options else "NULL"
