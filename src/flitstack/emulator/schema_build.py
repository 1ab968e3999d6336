"""From the catalogue and an environment's own definitions to a `Schema`."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from flitstack.catalogue.types import Catalogue, Column, Key, ManyToMany, OneToMany, Table
from flitstack.emulator.schema import UNBOUND_LOOKUPS, CollectionNav, EntityModel, LookupNav, Schema


@dataclass(slots=True)
class Additions:
    """What an environment has beyond the catalogue: custom definitions by name, and columns and keys by table."""

    tables: dict[str, Table] = field(default_factory=dict)
    columns: dict[str, dict[str, Column]] = field(default_factory=lambda: defaultdict(dict))
    keys: dict[str, dict[str, Key]] = field(default_factory=lambda: defaultdict(dict))
    one_to_many: dict[str, OneToMany] = field(default_factory=dict)
    many_to_many: dict[str, ManyToMany] = field(default_factory=dict)


def build_schema(catalogue: Catalogue, added: Additions, before: Schema | None = None) -> Schema:
    """Merge both; an addition with a catalogue name replaces the catalogue's definition.

    What is as it was in the schema `before` is taken from there: most changes touch one table of some seventy.
    """
    tables = {name: _merged(table, added) for name, table in catalogue.tables.items()}
    for name, table in added.tables.items():
        base = tables.get(name)
        own = replace(table, columns=base.columns, keys=base.keys) if base else table
        tables[name] = _merged(own, added)
    one_to_many = {r.name: r for r in catalogue.one_to_many} | added.one_to_many
    many_to_many = {r.name: r for r in catalogue.many_to_many} | added.many_to_many
    collections = _collections(tables, one_to_many.values(), many_to_many.values())
    known = before.tables if before else {}
    pointers = tables.get("activitypointer"), known["activitypointer"].table if "activitypointer" in known else None
    models = {}
    for name, table in tables.items():
        model = known.get(name)
        is_same = model is not None and model.table is table and model.collections == collections[name]
        if model is not None and is_same and (not table.is_activity or pointers[0] is pointers[1]):
            models[name] = model
        else:
            models[name] = _model(table, catalogue, pointers[0], collections[name])
    return Schema(models, one_to_many, many_to_many, _children(models, one_to_many.values()))


def _model(
    table: Table, catalogue: Catalogue, pointer: Table | None, collections: Mapping[str, CollectionNav]
) -> EntityModel:
    standard = catalogue.tables.get(table.name)
    return EntityModel(
        table=table,
        lookups=_lookups(table, pointer),
        collections=collections,
        custom_columns=frozenset(c for c in table.columns if standard is None or c not in standard.columns),
        is_custom=standard is None,
    )


def _merged(table: Table, added: Additions) -> Table:
    own, keys = added.columns.get(table.name), added.keys.get(table.name)
    if not own and not keys:
        return table
    all_keys = {k.name: k for k in table.keys} | (keys or {})
    return replace(table, columns=table.columns | (own or {}), keys=tuple(all_keys.values()))


def _lookups(table: Table, pointer: Table | None) -> dict[str, LookupNav]:
    """Bindable names: each lookup's own and, on activities, those inherited from activitypointer."""
    targets: dict[tuple[str, str], list[str]] = defaultdict(list)
    for column in table.columns.values():
        if column.type not in UNBOUND_LOOKUPS or not column.is_web_api:
            continue
        names = list(column.navigation.items())
        if table.is_activity and pointer is not None and column.name in pointer.columns:
            names += list(pointer.columns[column.name].navigation.items())
        if column.type == "Owner":
            names += [(target, column.name) for target in column.targets]
        for target, name in names:
            if target not in targets[name, column.name]:
                targets[name, column.name].append(target)
    return {name: LookupNav(name, column, tuple(found)) for (name, column), found in targets.items()}


def _collections(
    tables: Mapping[str, Table], one_to_many: Iterable[OneToMany], many_to_many: Iterable[ManyToMany]
) -> Mapping[str, dict[str, CollectionNav]]:
    found: dict[str, dict[str, CollectionNav]] = defaultdict(dict)
    for one in one_to_many:
        if one.collection and one.referenced in tables and one.referencing in tables:
            found[one.referenced][one.collection] = CollectionNav(
                one.collection, one.referencing, one.referencing_column
            )
    for many in many_to_many:
        if many.table1 not in tables or many.table2 not in tables:
            continue
        found[many.table1][many.navigation1] = CollectionNav(many.navigation1, many.table2, pairs=many)
        if (many.table2, many.navigation2) != (many.table1, many.navigation1):
            found[many.table2][many.navigation2] = CollectionNav(
                many.navigation2, many.table1, pairs=many, is_first=False
            )
    return found


def _children(
    models: Mapping[str, EntityModel], relationships: Iterable[OneToMany]
) -> dict[str, tuple[OneToMany, ...]]:
    found: dict[str, list[OneToMany]] = defaultdict(list)
    for one in relationships:
        model = models.get(one.referencing)
        column = model.stored.get(one.referencing_column) if model else None
        if column is not None and column.type in UNBOUND_LOOKUPS:
            found[one.referenced].append(one)
    return {name: tuple(all_of_it) for name, all_of_it in found.items()}
