"""Relationships: `EntityRelationship` elements and RelationshipMetadata.

Source: Microsoft Learn, "Customization solutions file schema"; which role carries which navigation property: exports
printed in Microsoft Learn, "Define an extended configuration entity for the channel instance" (role 1 is the
referencing side).
"""

import xml.etree.ElementTree as ET

from flitstack.emulator.solutions.faults import invalid
from flitstack.emulator.solutions.texts import Json, add, flag_of, required_text, text_of

_CRM = "Microsoft.Dynamics.CRM."
_ACTIONS = ("Assign", "Delete", "Archive", "Reparent", "Share", "Unshare", "RollupView")


def add_relationship(parent: ET.Element, document: Json, schema_names: dict[str, str], lookup: str = "") -> None:
    """One relationship. `schema_names` by logical name; `lookup`: schema name of a 1:N relationship's column."""
    element = add(parent, "EntityRelationship", None, Name=document["SchemaName"])
    is_many = document["RelationshipType"] == "ManyToManyRelationship"
    add(element, "EntityRelationshipType", "ManyToMany" if is_many else "OneToMany")
    add(element, "IsCustomizable", True)
    add(element, "IntroducedVersion", "1.0.0.0")
    if is_many:
        add(element, "IsHierarchical", False)
        add(element, "FirstEntityName", schema_names[document["Entity1LogicalName"]])
        add(element, "SecondEntityName", schema_names[document["Entity2LogicalName"]])
        add(element, "IntersectEntityName", document["IntersectEntityName"])
    else:
        add(element, "IsHierarchical", document["IsHierarchical"])
        add(element, "ReferencingEntityName", schema_names[document["ReferencingEntity"]])
        add(element, "ReferencedEntityName", schema_names[document["ReferencedEntity"]])
        cascade = document["CascadeConfiguration"]
        for action in _ACTIONS:
            add(element, f"Cascade{action}", cascade[action])
        if cascade["Merge"] != "NoCascade":  # the schema has no place for it; the emulator's own
            add(element, "CascadeMerge", cascade["Merge"])
        add(element, "IsValidForAdvancedFind", document["IsValidForAdvancedFind"])
        add(element, "ReferencingAttributeName", lookup)
    add(add(element, "RelationshipDescription"), "Descriptions")
    roles = add(element, "EntityRelationshipRoles")
    if is_many:
        for side in ("1", "2"):
            _add_role(roles, document[f"Entity{side}NavigationPropertyName"], "AssociationRoleOrdinal", side)
    else:
        _add_role(roles, document["ReferencingEntityNavigationPropertyName"], "RelationshipRoleType", "1")
        role = add(roles, "EntityRelationshipRole")
        add(role, "NavigationPropertyName", document["ReferencedEntityNavigationPropertyName"])
        add(role, "RelationshipRoleType", 0)


def _add_role(roles: ET.Element, navigation: object, tag: str, number: str) -> None:
    role = add(roles, "EntityRelationshipRole")
    add(role, "NavPaneDisplayOption", "UseCollectionName")
    add(role, "NavPaneArea", "Details")
    add(role, "NavPaneOrder", 10_000)
    add(role, "NavigationPropertyName", navigation)
    add(role, tag, number)


def read_relationship(element: ET.Element) -> Json:
    """OneToMany- or ManyToManyRelationshipMetadata; `ReferencingAttribute` is the lookup's schema name."""
    name = element.get("Name")
    if not name:
        raise invalid("The required attribute 'Name' of 'EntityRelationship' is missing.")
    kind = required_text(element, "EntityRelationshipType")
    navigation = {
        text_of(role, tag): text_of(role, "NavigationPropertyName") or None
        for role in element.findall("EntityRelationshipRoles/EntityRelationshipRole")
        for tag in ("RelationshipRoleType", "AssociationRoleOrdinal")
        if role.find(tag) is not None
    }
    if kind == "ManyToMany":
        return {
            "@odata.type": f"{_CRM}ManyToManyRelationshipMetadata",
            "SchemaName": name,
            "Entity1LogicalName": required_text(element, "FirstEntityName").lower(),
            "Entity2LogicalName": required_text(element, "SecondEntityName").lower(),
            "IntersectEntityName": text_of(element, "IntersectEntityName") or name.lower(),
            "Entity1NavigationPropertyName": navigation.get("1"),
            "Entity2NavigationPropertyName": navigation.get("2"),
        }
    if kind != "OneToMany":
        raise invalid(f"The value '{kind}' of the element 'EntityRelationshipType' of {name} is not known.")
    cascade = {action: text_of(element, f"Cascade{action}") for action in (*_ACTIONS, "Merge")}
    return {
        "@odata.type": f"{_CRM}OneToManyRelationshipMetadata",
        "SchemaName": name,
        "ReferencingEntity": required_text(element, "ReferencingEntityName").lower(),
        "ReferencedEntity": required_text(element, "ReferencedEntityName").lower(),
        "ReferencingAttribute": required_text(element, "ReferencingAttributeName"),
        "CascadeConfiguration": {action: kind for action, kind in cascade.items() if kind},
        "IsHierarchical": flag_of(element, "IsHierarchical"),
        "ReferencingEntityNavigationPropertyName": navigation.get("1"),
        "ReferencedEntityNavigationPropertyName": navigation.get("0"),
    }
