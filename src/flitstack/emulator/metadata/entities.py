"""Tables in the shape of EntityMetadata. Source: Microsoft Learn, "EntityMetadata EntityType"."""

from flitstack.catalogue.types import Table
from flitstack.emulator.core import EntityModel
from flitstack.emulator.metadata.attributes import Json
from flitstack.emulator.metadata.identity import metadata_id
from flitstack.emulator.metadata.labels import label_json, managed
from flitstack.emulator.metadata.live import Live
from flitstack.emulator.privileges import VERBS, privilege, privilege_id

# Object type codes of custom tables start here on the real service.
FIRST_CUSTOM_CODE = 10_000


def entity_json(live: Live, model: EntityModel) -> Json:
    """One table, without its columns, keys and relationships."""
    table = model.table
    extra = live.extra("table", table.name)
    plural = extra.get("plural_labels")
    plurals = plural if isinstance(plural, dict) and plural else {str(live.language): table.label_plural}
    return {
        "MetadataId": metadata_id("table", table.name),
        "HasChanged": None,
        "LogicalName": table.name,
        "SchemaName": table.schema_name,
        "EntitySetName": table.entity_set,
        "LogicalCollectionName": table.entity_set,
        "CollectionSchemaName": table.collection_schema_name or table.entity_set,
        "PrimaryIdAttribute": table.id_column,
        "PrimaryNameAttribute": table.name_column,
        "PrimaryImageAttribute": table.image_column,
        "ObjectTypeCode": table.object_type_code,
        "OwnershipType": table.ownership,
        "TableType": "Standard",
        "DisplayName": label_json(live.labels(extra, table.label), live.language),
        "DisplayCollectionName": label_json(plurals, live.language),
        "Description": label_json(live.descriptions(extra), live.language),
        "IsCustomEntity": model.is_custom,
        "IsManaged": not model.is_custom,
        "IsPrivate": False,
        "IsIntersect": False,
        "IsLogicalEntity": False,
        "IsActivity": table.is_activity,
        "IsActivityParty": table.is_activity_party,
        "IsChildEntity": table.is_child,
        "IsBPFEntity": table.is_process,
        "HasNotes": table.has_notes,
        "HasActivities": table.has_activities,
        "HasFeedback": False,
        "HasEmailAddresses": any(column.format == "Email" for column in table.columns.values()),
        "ChangeTrackingEnabled": table.change_tracking,
        "IsOptimisticConcurrencyEnabled": table.optimistic_concurrency,
        "IsBusinessProcessEnabled": False,
        "IsDocumentManagementEnabled": table.has_document_locations,
        "IsEnabledForCharts": True,
        "IsValidForAdvancedFind": True,
        "IsAvailableOffline": True,
        "IsImportable": True,
        "IsStateModelAware": bool(table.states),
        "AutoRouteToOwnerQueue": False,
        **_managed_properties(table),
        "Privileges": _privileges(model),
        "IntroducedVersion": "1.0",
        "ExternalName": None,
        "DataProviderId": None,
    }


def _privileges(model: EntityModel) -> list[Json]:
    """The table's privileges by kind. Source: Microsoft Learn, "SecurityPrivilegeMetadata ComplexType"."""
    is_owned = "ownerid" in model.stored
    return [
        {
            "CanBeBasic": is_owned,
            "CanBeDeep": is_owned,
            "CanBeEntityReference": False,
            "CanBeGlobal": True,
            "CanBeLocal": is_owned,
            "CanBeParentEntityReference": False,
            "CanBeRecordFilter": False,
            "Name": privilege(verb, model),
            "PrivilegeId": str(privilege_id(privilege(verb, model))),
            "PrivilegeType": verb,
        }
        for verb in VERBS
        if is_owned or verb not in {"Assign", "Share"}
    ]


def _managed_properties(table: Table) -> Json:
    """What an administrator may or may not change."""
    is_open = table.is_customizable
    return {
        "IsCustomizable": managed(is_open, "iscustomizable"),
        "IsRenameable": managed(is_open, "isrenameable"),
        "IsAuditEnabled": managed(False, "canmodifyauditsettings"),
        "IsDuplicateDetectionEnabled": managed(table.duplicate_detection, "canmodifyduplicatedetectionsettings"),
        "IsConnectionsEnabled": managed(table.has_connections, "canmodifyconnectionsettings"),
        "IsValidForQueue": managed(table.can_queue, "canmodifyqueuesettings"),
        "CanCreateAttributes": managed(is_open, "cancreateattributes"),
        "CanCreateForms": managed(is_open, "cancreateforms"),
        "CanCreateViews": managed(is_open, "cancreateviews"),
        "CanBeInManyToMany": managed(is_open, "canbeinmanytomany"),
        "CanBePrimaryEntityInRelationship": managed(is_open, "canbeprimaryentityinrelationship"),
        "CanBeRelatedEntityInRelationship": managed(is_open, "canberelatedentityinrelationship"),
    }
