"""Bodies of metadata requests: tables, columns, relationships, keys.

Sources: Microsoft Learn, "Create and update table definitions", "... column definitions", "... table relationships",
"Define alternate keys for a table" (all "using the Web API").
"""

from collections.abc import Callable, Mapping
from typing import Any

from flitstack.catalogue.types import behaviour_of
from flitstack.destinations.faults import Fatal

Operation = Mapping[str, Any]
Body = dict[str, Any]
_CRM = "Microsoft.Dynamics.CRM."
_NO_CASCADE = {
    "Assign": "NoCascade",
    "Delete": "RemoveLink",
    "Merge": "NoCascade",
    "Reparent": "NoCascade",
    "Share": "NoCascade",
    "Unshare": "NoCascade",
}


def label(text: str, language: int) -> Body:
    """A Label with one language."""
    return {
        "@odata.type": f"{_CRM}Label",
        "LocalizedLabels": [{"@odata.type": f"{_CRM}LocalizedLabel", "Label": text, "LanguageCode": language}],
    }


def table_body(operation: Operation, language: int) -> Body:
    """EntityMetadata with its primary column."""
    primary = operation["primary"]
    primary_column = {
        **_head("String", primary["name"], primary, language),
        "MaxLength": primary.get("length", 200),
        "FormatName": {"Value": "Text"},
        "IsPrimaryName": True,
    }
    return {
        "@odata.type": f"{_CRM}EntityMetadata",
        "SchemaName": operation.get("schema_name", operation["table"]),
        "DisplayName": label(operation["label"], language),
        "DisplayCollectionName": label(operation.get("plural", operation["label"]), language),
        "Description": label(operation.get("description", ""), language),
        "OwnershipType": operation.get("ownership", "UserOwned"),
        "HasNotes": bool(operation.get("has_notes", False)),
        "HasActivities": bool(operation.get("has_activities", False)),
        **_connections(operation),
        **({"IsDocumentManagementEnabled": True} if operation.get("has_documents") else {}),
        "IsActivity": False,
        "Attributes": [primary_column],
    }


def _connections(operation: Operation) -> Body:
    """Told only where it is wanted: the platform's own default is that a table has none."""
    name = "canmodifyconnectionsettings"
    managed = {"Value": True, "CanBeChanged": True, "ManagedPropertyLogicalName": name}
    return {"IsConnectionsEnabled": managed} if operation.get("has_connections") else {}


def column_body(operation: Operation, language: int) -> Body:
    """AttributeMetadata of every type but lookups. Fatal for a type that the API cannot make."""
    kind = operation["type"]
    details = _DETAILS.get(kind)
    if details is None:
        raise Fatal(f"a column of type {kind} cannot be made ({operation['table']}.{operation['name']})")
    return {**_head(kind, operation["name"], operation, language), **details(operation, language)}


def lookup_body(operation: Operation, language: int) -> Body:
    """OneToManyRelationshipMetadata with its lookup. Fatal unless the lookup has one target."""
    targets: tuple[str, ...] = tuple(operation.get("targets", ()))
    if len(targets) != 1:
        raise Fatal(f"lookup {operation['table']}.{operation['name']} needs exactly one target, not {len(targets)}")
    target, table, name = targets[0], operation["table"], operation["name"]
    return {
        "@odata.type": f"{_CRM}OneToManyRelationshipMetadata",
        "SchemaName": lookup_relationship(operation),
        "ReferencedEntity": target,
        "ReferencedAttribute": operation.get("target_id", f"{target}id"),
        "ReferencingEntity": table,
        "CascadeConfiguration": _NO_CASCADE,
        "Lookup": _head("Lookup", name, operation, language),
    }


def lookup_relationship(operation: Operation) -> str:
    """Schema name of the relationship behind a lookup column; starts with the publisher's prefix as the column does."""
    prefix, _, rest = operation["name"].partition("_")
    return f"{prefix}_{operation['targets'][0]}_{operation['table']}_{rest}"[:100]


def relationship_body(operation: Operation) -> Body:
    """ManyToManyRelationshipMetadata."""
    menu = {"Behavior": "UseCollectionName", "Group": "Details", "Order": 10000}
    return {
        "@odata.type": f"{_CRM}ManyToManyRelationshipMetadata",
        "SchemaName": operation["name"],
        "Entity1LogicalName": operation["table"],
        "Entity2LogicalName": operation["other"],
        "IntersectEntityName": operation.get("intersect", operation["name"]),
        "Entity1AssociatedMenuConfiguration": menu,
        "Entity2AssociatedMenuConfiguration": menu,
    }


def key_body(operation: Operation, language: int) -> Body:
    """EntityKeyMetadata."""
    return {
        "SchemaName": operation["name"],
        "DisplayName": label(operation.get("label", operation["name"]), language),
        "KeyAttributes": list(operation["columns"]),
    }


def _head(kind: str, name: str, operation: Operation, language: int) -> Body:
    return {
        "@odata.type": f"{_CRM}{kind}AttributeMetadata",
        "SchemaName": operation.get("schema_name", name),
        "DisplayName": label(operation.get("label", name), language),
        "RequiredLevel": {"Value": operation.get("required", "None")},
    }


def _range(operation: Operation, low: float, high: float) -> Body:
    return {"MinValue": operation.get("min", low), "MaxValue": operation.get("max", high)}


def _string(operation: Operation, language: int) -> Body:
    return {"MaxLength": operation.get("length", 200), "FormatName": {"Value": operation.get("format") or "Text"}}


def _memo(operation: Operation, language: int) -> Body:
    return {"MaxLength": operation.get("length", 100_000), "Format": operation.get("format") or "TextArea"}


def _integer(operation: Operation, language: int) -> Body:
    return {**_range(operation, -2_147_483_648, 2_147_483_647), "Format": operation.get("format") or "None"}


def _decimal(operation: Operation, language: int) -> Body:
    return {**_range(operation, -100_000_000_000, 100_000_000_000), "Precision": operation.get("precision", 2)}


def _money(operation: Operation, language: int) -> Body:
    limits = _range(operation, -922_337_203_685_477, 922_337_203_685_477)
    return {**limits, "Precision": operation.get("precision", 4), "PrecisionSource": 0}


def _date_time(operation: Operation, language: int) -> Body:
    return {"Format": operation.get("format") or "DateAndTime", "DateTimeBehavior": {"Value": behaviour_of(operation)}}


def _boolean(operation: Operation, language: int) -> Body:
    texts = {0: "No", 1: "Yes"} | {int(value): text for value, text in operation.get("options") or ()}
    return {
        "DefaultValue": False,
        "OptionSet": {
            "OptionSetType": "Boolean",
            "FalseOption": {"Value": 0, "Label": label(texts[0], language)},
            "TrueOption": {"Value": 1, "Label": label(texts[1], language)},
        },
    }


def _choice(operation: Operation, language: int) -> Body:
    options = [{"Value": value, "Label": label(text, language)} for value, text in operation.get("options", ())]
    return {
        "OptionSet": {
            "@odata.type": f"{_CRM}OptionSetMetadata",
            "IsGlobal": False,
            "OptionSetType": "Picklist",
            "Options": options,
        }
    }


def _nothing(operation: Operation, language: int) -> Body:
    return {}


_DETAILS: Mapping[str, Callable[[Operation, int], Body]] = {
    "String": _string,
    "Memo": _memo,
    "Integer": _integer,
    "BigInt": _nothing,
    "Decimal": _decimal,
    "Double": _decimal,
    "Money": _money,
    "DateTime": _date_time,
    "Boolean": _boolean,
    "Picklist": _choice,
    "MultiSelectPicklist": _choice,
}
