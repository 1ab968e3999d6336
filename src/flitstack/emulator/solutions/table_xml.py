"""Tables: `Entity` elements and EntityMetadata.

Source: Microsoft Learn, "Customization solutions file schema".
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping

from flitstack.emulator.messages import not_implemented
from flitstack.emulator.solutions.column_xml import add_column, read_column
from flitstack.emulator.solutions.faults import invalid
from flitstack.emulator.solutions.texts import Json, add, add_labels, flag_of, read_labels, required_text, text_of

# OrganizationOwned is spelt OrgOwned in solutions.
_OWNERSHIP = {"UserOwned": "UserOwned", "OrganizationOwned": "OrgOwned"}
_READ_OWNERSHIP = {text: mask for mask, text in _OWNERSHIP.items()}
# Managed properties of an exported table, after the member they stand for.
_MANAGED = {
    "IsCustomizable": "IsCustomizable", "IsRenameable": "IsRenameable", "IsAuditEnabled": "IsAuditEnabled",
    "IsDuplicateCheckSupported": "IsDuplicateDetectionEnabled", "IsConnectionsEnabled": "IsConnectionsEnabled",
    "CanCreateAttributes": "CanCreateAttributes", "CanCreateForms": "CanCreateForms",
    "CanCreateViews": "CanCreateViews", "CanBeInManyToMany": "CanBeInManyToMany",
    "CanBePrimaryEntityInRelationship": "CanBePrimaryEntityInRelationship",
    "CanBeRelatedEntityInRelationship": "CanBeRelatedEntityInRelationship",
}  # fmt: skip


def add_table(parent: ET.Element, table: Json, columns: Iterable[Json], keys: Iterable[Json], *, whole: bool) -> None:
    """One table; not `whole`: only the columns and keys that extend it."""
    entity = add(parent, "Entity")
    localized = (table["DisplayName"].get("UserLocalizedLabel") or {}).get("Label", "")
    schema_name = table["SchemaName"]
    add(entity, "Name", schema_name, LocalizedName=localized, OriginalName=localized)
    columns, keys = list(columns), list(keys)
    if not (whole or columns or keys):
        return
    info = add(add(entity, "EntityInfo"), "entity", None, Name=schema_name)
    if whole:
        add_labels(info, "LocalizedNames", "LocalizedName", table["DisplayName"])
        add_labels(info, "LocalizedCollectionNames", "LocalizedCollectionName", table["DisplayCollectionName"])
        add_labels(info, "Descriptions", "Description", table["Description"])
    below = add(info, "attributes")
    for column in columns:
        add_column(below, column)
    if whole:
        _add_settings(info, table)
    if keys:
        group = add(info, "EntityKeys")
        for key in keys:
            _add_key(group, key)


def _add_settings(info: ET.Element, table: Json) -> None:
    add(info, "EntitySetName", table["EntitySetName"])
    add(info, "OwnershipTypeMask", _OWNERSHIP.get(table["OwnershipType"], table["OwnershipType"]))
    for name in ("IsActivity", "IsActivityParty", "IsDocumentManagementEnabled", "ChangeTrackingEnabled"):
        add(info, name, table[name])
    for name, member in _MANAGED.items():
        add(info, name, table[member]["Value"])
    add(info, "IntroducedVersion", "1.0.0.0")
    # Spelt True, as xs:boolean words of the schema's TrueFalseType.
    add(info, "HasRelatedNotes", str(table["HasNotes"]))
    add(info, "HasRelatedActivities", str(table["HasActivities"]))


def _add_key(parent: ET.Element, key: Mapping[str, object]) -> None:
    element = add(parent, "EntityKey")
    add(element, "Name", key["SchemaName"])
    add(element, "LogicalName", key["LogicalName"])
    add(element, "IntroducedVersion", "1.0.0.0")
    add(element, "IsCustomizable", True)
    attributes = add(element, "EntityKeyAttributes")
    names = key["KeyAttributes"]
    for name in names if isinstance(names, list) else []:
        add(attributes, "AttributeName", name)
    label = key["DisplayName"]
    add_labels(element, "displaynames", "displayname", label if isinstance(label, dict) else None)


def read_table(element: ET.Element) -> Json:
    """EntityMetadata with `Attributes`, `Keys`, and `IsWhole`: whether the table itself is defined, not only extended.

    Forms, views, charts and ribbons are passed over: the emulator has none.
    """
    schema_name = required_text(element, "Name")
    info = element.find("EntityInfo/entity")
    found: Json = {"SchemaName": schema_name, "LogicalName": schema_name.lower(), "Attributes": [], "Keys": []}
    if info is None:
        return found | {"IsWhole": False}
    if info.get("Name", "").lower() != schema_name.lower():
        raise invalid(f"The entity '{info.get('Name')}' stands below the name '{schema_name}'.")
    if flag_of(info, "IsActivity") and info.find("OwnershipTypeMask") is not None:
        raise not_implemented(f"importing the custom activity table {schema_name}")
    found["Attributes"] = [read_column(column) for column in info.findall("attributes/attribute")]
    found["Keys"] = [_read_key(key) for key in info.findall("EntityKeys/EntityKey")]
    found["IsWhole"] = info.find("OwnershipTypeMask") is not None
    if found["IsWhole"]:
        mask = text_of(info, "OwnershipTypeMask")
        found |= {
            "DisplayName": read_labels(info, "LocalizedNames/LocalizedName"),
            "DisplayCollectionName": read_labels(info, "LocalizedCollectionNames/LocalizedCollectionName"),
            "Description": read_labels(info, "Descriptions/Description", keeps_empty=False),
            "OwnershipType": _READ_OWNERSHIP.get(mask, mask),
            "EntitySetName": text_of(info, "EntitySetName") or None,
            "HasNotes": flag_of(info, "HasRelatedNotes"),
            "HasActivities": flag_of(info, "HasRelatedActivities"),
            "ChangeTrackingEnabled": flag_of(info, "ChangeTrackingEnabled"),
        }
    return found


def _read_key(element: ET.Element) -> Json:
    return {
        "SchemaName": required_text(element, "Name"),
        "KeyAttributes": [
            (name.text or "").strip().lower() for name in element.findall("EntityKeyAttributes/AttributeName")
        ],
        "DisplayName": read_labels(element, "displaynames/displayname"),
    }
