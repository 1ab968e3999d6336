"""Relationships and keys in the shapes of the metadata API."""

from collections.abc import Iterator

from flitstack.catalogue.types import Key, ManyToMany, OneToMany
from flitstack.emulator.core import EntityModel
from flitstack.emulator.metadata.attributes import Json
from flitstack.emulator.metadata.identity import metadata_id
from flitstack.emulator.metadata.labels import label_json, managed
from flitstack.emulator.metadata.live import Live
from flitstack.emulator.metadata.option_sets import CRM

_CASCADES = ("Assign", "Delete", "Merge", "Reparent", "Share", "Unshare")
_MENU = {"Behavior": "UseCollectionName", "Group": "Details", "Order": 10_000, "Label": label_json({}, 0)}


def one_to_many_json(live: Live, one: OneToMany) -> Json:
    """A 1:N relationship."""
    cascade = {action: one.cascade.get(action.lower(), "NoCascade") for action in _CASCADES}
    return {
        "@odata.type": f"{CRM}OneToManyRelationshipMetadata",
        **_head(live, "one_to_many", one.name, "OneToManyRelationship"),
        "ReferencedEntity": one.referenced,
        "ReferencedAttribute": one.referenced_column,
        "ReferencingEntity": one.referencing,
        "ReferencingAttribute": one.referencing_column,
        "ReferencedEntityNavigationPropertyName": one.collection,
        "ReferencingEntityNavigationPropertyName": one.navigation,
        "IsHierarchical": one.is_hierarchical,
        "RelationshipBehavior": 1,
        "EntityKey": None,
        "CascadeConfiguration": {**cascade, "Archive": "NoCascade", "RollupView": "NoCascade"},
        "AssociatedMenuConfiguration": _MENU,
    }


def many_to_many_json(live: Live, many: ManyToMany) -> Json:
    """A N:N relationship."""
    return {
        "@odata.type": f"{CRM}ManyToManyRelationshipMetadata",
        **_head(live, "many_to_many", many.name, "ManyToManyRelationship"),
        "Entity1LogicalName": many.table1,
        "Entity1IntersectAttribute": many.column1,
        "Entity1NavigationPropertyName": many.navigation1,
        "Entity2LogicalName": many.table2,
        "Entity2IntersectAttribute": many.column2,
        "Entity2NavigationPropertyName": many.navigation2,
        "IntersectEntityName": many.intersect,
        "Entity1AssociatedMenuConfiguration": _MENU,
        "Entity2AssociatedMenuConfiguration": _MENU,
    }


def key_json(live: Live, model: EntityModel, key: Key, *, is_pending: bool) -> Json:
    """An alternate key."""
    extra = live.extra("key", f"{model.name}.{key.name}")
    schema_name = str(extra.get("schema_name", key.name))
    return {
        "MetadataId": metadata_id("key", f"{model.name}.{key.name}"),
        "HasChanged": None,
        "LogicalName": key.name,
        "SchemaName": schema_name,
        "EntityLogicalName": model.name,
        "KeyAttributes": list(key.columns),
        "DisplayName": label_json(live.labels(extra, schema_name), live.language),
        "EntityKeyIndexStatus": "Pending" if is_pending else "Active",
        "AsyncJob": None,
        "IsManaged": False,
        "IsCustomizable": managed(True, "iscustomizable"),
        "IntroducedVersion": "1.0",
    }


def relationships(live: Live) -> Iterator[Json]:
    """Every relationship between tables that are there."""
    tables = live.environment.tables
    for one in live.environment.one_to_many.values():
        if one.referenced in tables and one.referencing in tables:
            yield one_to_many_json(live, one)
    for many in live.environment.many_to_many.values():
        if many.table1 in tables and many.table2 in tables:
            yield many_to_many_json(live, many)


def _head(live: Live, kind: str, name: str, shown: str) -> Json:
    return {
        "MetadataId": metadata_id("relationship", name),
        "HasChanged": None,
        "SchemaName": name,
        "RelationshipType": shown,
        "IsCustomRelationship": name in live.documents(kind),
        "IsManaged": name not in live.documents(kind),
        "IsValidForAdvancedFind": True,
        "SecurityTypes": "Append",
        "IsCustomizable": managed(True, "iscustomizable"),
        "IntroducedVersion": "1.0",
    }
