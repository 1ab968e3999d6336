"""Making, changing and removing relationships, and the lookups behind them.

Source: Microsoft Learn, "Create and update table relationships using the Web API", "Multi-table lookup columns".
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from flitstack.catalogue.types import ManyToMany, OneToMany
from flitstack.emulator.core import EntityModel
from flitstack.emulator.messages import Refusal
from flitstack.emulator.metadata.bodies import Body, kind_of, wrong
from flitstack.emulator.metadata.column_parse import NewColumn, lookup_column
from flitstack.emulator.metadata.columns import check_addition
from flitstack.emulator.metadata.identity import metadata_id
from flitstack.emulator.metadata.keys import not_customizable
from flitstack.emulator.metadata.live import Live
from flitstack.emulator.metadata.names import checked_name, checked_relationship_name
from flitstack.emulator.metadata.system_columns import is_system_column

_ACTIONS = ("Assign", "Delete", "Merge", "Reparent", "Share", "Unshare")
_KINDS = frozenset({"NoCascade", "Cascade", "Active", "UserOwned", "RemoveLink", "Restrict"})


def create_relationship(live: Live, body: Body) -> str:
    """A 1:N relationship with its lookup, or a N:N one. The schema name."""
    kind = kind_of(body)
    if kind == "OneToManyRelationshipMetadata":
        return _create_one_to_many(live, body)
    if kind == "ManyToManyRelationshipMetadata":
        return _create_many_to_many(live, body)
    raise wrong(f"'{kind}' is no relationship type.")


def _create_one_to_many(live: Live, body: Body) -> str:
    lookup = body.get("Lookup")
    if not isinstance(lookup, dict):
        raise wrong("a 1:N relationship holds its Lookup.")
    schema_name = checked_name(lookup.get("SchemaName"), "column")
    one = _one_to_many(
        live, body, schema_name.lower(), body.get("ReferencingEntityNavigationPropertyName") or schema_name
    )
    model = live.environment.tables[one.referencing]
    if _takes_targets(model, one):
        add_target(live, one)
        return one.name
    check_addition(model, one.referencing_column)
    new = lookup_column(live, lookup, (one.referenced,), {one.referenced: str(one.navigation)})
    live.environment.put_column(model.name, new.column, new.extra)
    live.environment.put_relationship(one, {})
    return one.name


def _takes_targets(model: EntityModel, one: OneToMany) -> bool:
    """Whether the lookup is there already and may learn a further target."""
    column = model.columns.get(one.referencing_column)
    is_own = column is not None and not is_system_column(model, column.name)
    return column is not None and is_own and column.type == "Lookup" and one.referenced not in column.targets


def add_target(live: Live, one: OneToMany) -> None:
    """A further relationship of a lookup. Source: Microsoft Learn, "Use multi-table lookup columns"."""
    column = live.environment.tables[one.referencing].columns[one.referencing_column]
    navigation = {**column.navigation, one.referenced: str(one.navigation)}
    grown = replace(column, targets=(*column.targets, one.referenced), navigation=navigation)
    live.environment.put_column(one.referencing, grown)
    live.environment.put_relationship(one, {})


def create_polymorphic(live: Live, relationships: object, lookup: object, kind: str) -> tuple[list[str], str]:
    """One lookup (`kind` Lookup or Customer) with several targets. Names of the relationships, id of the column."""
    if not isinstance(relationships, list) or not relationships or not isinstance(lookup, dict):
        raise wrong("OneToManyRelationships and Lookup are expected.")
    schema_name = checked_name(lookup.get("SchemaName"), "column")
    ones = [_one_to_many(live, body, schema_name.lower(), _navigation(body, schema_name)) for body in relationships]
    tables = {one.referencing for one in ones}
    if len(tables) != 1:
        raise wrong("the relationships of one lookup have one ReferencingEntity.")
    model = live.environment.tables[tables.pop()]
    check_addition(model, schema_name.lower())
    targets = tuple(one.referenced for one in ones)
    new = lookup_column(live, lookup, targets, {one.referenced: str(one.navigation) for one in ones})
    if kind == "Customer" and set(targets) != {"account", "contact"}:
        raise wrong("a customer column refers to account and contact.")
    column = replace(new.column, type=kind)
    _put(live, model, NewColumn(column, new.extra), ones)
    return [one.name for one in ones], metadata_id("column", f"{model.name}.{column.name}")


def _navigation(body: Body, lookup: str) -> str:
    return str(body.get("ReferencingEntityNavigationPropertyName") or f"{lookup}_{body.get('ReferencedEntity')}")


def _put(live: Live, model: EntityModel, new: NewColumn, ones: Sequence[OneToMany]) -> None:
    live.environment.put_column(model.name, new.column, new.extra)
    for one in ones:
        live.environment.put_relationship(one, {})


def _one_to_many(live: Live, body: Body, column: str, navigation: str) -> OneToMany:
    name = checked_relationship_name(body.get("SchemaName"))
    _check_new(live, name)
    referenced = _end(live, body.get("ReferencedEntity"), "CanBePrimaryEntityInRelationship", is_open=True)
    referencing = _end(live, body.get("ReferencingEntity"), "CanBeRelatedEntityInRelationship", is_open=False)
    attribute = body.get("ReferencedAttribute") or referenced.table.id_column
    if attribute != referenced.table.id_column:
        raise Refusal(
            400, "0x80047003", f"The referenced attribute of {referenced.name} is {referenced.table.id_column}."
        )
    collection = str(body.get("ReferencedEntityNavigationPropertyName") or name)
    if collection in referenced.collections or navigation in referencing.lookups:
        raise Refusal(400, "0x80047010", f"A navigation property {collection} or {navigation} exists already.")
    return OneToMany(
        name=name,
        referenced=referenced.name,
        referenced_column=attribute,
        referencing=referencing.name,
        referencing_column=column,
        navigation=navigation,
        collection=collection,
        cascade=_cascade(body.get("CascadeConfiguration") or {}),
        is_hierarchical=bool(body.get("IsHierarchical")),
    )


def _cascade(body: dict[str, Any]) -> dict[str, str]:
    found = {}
    for action in _ACTIONS:
        kind = body.get(action) or ("RemoveLink" if action == "Delete" else "NoCascade")
        if kind not in _KINDS:
            raise Refusal(400, "0x80047003", f"'{kind}' is no cascade of {action}.")
        found[action.lower()] = str(kind)
    return found


def _create_many_to_many(live: Live, body: Body) -> str:
    name = checked_relationship_name(body.get("SchemaName"))
    _check_new(live, name)
    first = _end(live, body.get("Entity1LogicalName"), "CanBeInManyToMany", is_open=False)
    second = _end(live, body.get("Entity2LogicalName"), "CanBeInManyToMany", is_open=False)
    intersect = str(body.get("IntersectEntityName") or name).lower()
    taken = {many.intersect for many in live.environment.many_to_many.values()} | live.environment.tables.keys()
    if intersect in taken:
        raise Refusal(400, "0x8004700B", f"An entity with the specified name {intersect} already exists.")
    columns = [first.table.id_column, second.table.id_column]
    if first is second:
        columns = [f"{first.table.id_column}one", f"{first.table.id_column}two"]
    navigation1 = str(body.get("Entity1NavigationPropertyName") or name)
    navigation2 = str(body.get("Entity2NavigationPropertyName") or name)
    if navigation1 in first.collections or navigation2 in second.collections:
        raise Refusal(400, "0x80047010", f"A navigation property {navigation1} or {navigation2} exists already.")
    many = ManyToMany(name, first.name, columns[0], navigation1, second.name, columns[1], navigation2, intersect)
    live.environment.put_relationship(many, {})
    return name


def _end(live: Live, name: object, condition: str, *, is_open: bool) -> EntityModel:
    """The table at one end; `is_open` ends take part whether or not their table takes columns."""
    model = live.environment.tables.get(str(name))
    if model is None:
        raise Refusal(404, "0x80047003", f"The entity '{name}' of the relationship does not exist.")
    if not is_open and not model.table.is_customizable:
        raise not_customizable(model, condition)
    return model


def _check_new(live: Live, name: str) -> None:
    known = {n.lower() for n in (*live.environment.one_to_many, *live.environment.many_to_many)}
    if name.lower() in known:
        raise Refusal(400, "0x80047010", f"A relationship with the name {name} already exists.")


def change_relationship(live: Live, name: str, body: Body) -> None:
    """PUT: the cascade of a 1:N relationship."""
    one = live.environment.one_to_many.get(name)
    if one is not None and "CascadeConfiguration" in body:
        cascade = {**one.cascade, **_cascade(body["CascadeConfiguration"])}
        live.environment.put_relationship(replace(one, cascade=cascade))


def drop_relationship(live: Live, name: str) -> None:
    """Remove a custom relationship; the lookup of a 1:N one goes when this was its last."""
    one = live.environment.one_to_many.get(name)
    if name not in live.documents("one_to_many") and name not in live.documents("many_to_many"):
        raise Refusal(400, "0x8004F01F", f"The relationship {name} is part of the system and cannot be deleted.")
    live.environment.drop_relationship(name)
    if one is None:
        return
    table, column = one.referencing, one.referencing_column
    others = [
        o for o in live.environment.one_to_many.values() if (o.referencing, o.referencing_column) == (table, column)
    ]
    if not others and column in live.environment.tables[table].custom_columns:
        live.environment.drop_column(table, column)
