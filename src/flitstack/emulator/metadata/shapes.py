"""What kind of JSON each member of a metadata definition is, checked before anything is read from it.

Source: Microsoft Learn, Web API metadata entity and complex types (EntityMetadata, AttributeMetadata, Label,
OptionMetadata, OneToManyRelationshipMetadata ...). Members not named here are not looked at.
"""

from collections.abc import Iterable
from typing import Any

from flitstack.emulator.messages import Refusal

Kind = tuple[type, ...]
_TEXT: Kind = (str,)
_NUMBER: Kind = (int, float)
_OBJECT: Kind = (dict,)
_MANAGED: Kind = (dict, str)  # {"Value": x}, or x itself
_TEXT_OR_LABEL: Kind = (dict, str)
# Largest language code: a Windows LCID without its sort order has 16 bits.
_MAX_LANGUAGE = 0xFFFF


def _all(names: str, kind: Kind) -> dict[str, Kind]:
    return dict.fromkeys(names.split(), kind)


_KINDS: dict[str, Kind] = {
    **_all(
        "SchemaName LogicalName OwnershipType AutoNumberFormat ReferencedEntity ReferencingEntity ReferencedAttribute "
        "ReferencingAttribute Entity1LogicalName Entity2LogicalName IntersectEntityName EntitySetName Name OptionSetName "
        "OptionSetType Format Color ExternalValue EntityLogicalName AttributeLogicalName SolutionUniqueName ParameterXml "
        "Entity1NavigationPropertyName Entity2NavigationPropertyName ReferencedEntityNavigationPropertyName "
        "ReferencingEntityNavigationPropertyName @odata.type",
        _TEXT,
    ),
    **_all("MaxLength MinValue MaxValue Precision PrecisionSource LanguageCode StateCode MaxSizeInKB", _NUMBER),
    **_all("DefaultFormValue", (int, float, bool)),
    **_all("Value", (str, int, float, bool)),
    **_all("DefaultValue HasNotes HasActivities IsActivity IsPrimaryName IsHierarchical IsGlobal MergeLabels", (bool,)),
    **_all(
        "DisplayName DisplayCollectionName Description OptionSet GlobalOptionSet CascadeConfiguration Lookup TrueOption "
        "FalseOption AssociatedMenuConfiguration Entity1AssociatedMenuConfiguration Entity2AssociatedMenuConfiguration "
        "UserLocalizedLabel IsConnectionsEnabled",
        _OBJECT,
    ),
    **_all("RequiredLevel FormatName DateTimeBehavior", _MANAGED),
    **_all("Label", _TEXT_OR_LABEL),
    **_all("Options LocalizedLabels Attributes OneToManyRelationships Entities KeyAttributes Targets Values", (list,)),
}
_ITEMS: dict[str, Kind] = {
    **_all("Options LocalizedLabels Attributes OneToManyRelationships Entities", _OBJECT),
    **_all("KeyAttributes Targets", _TEXT),
    **_all("Values", (int,)),
}


def check_shape(body: dict[str, Any]) -> None:
    """Refusal 400 0x80048d19 for the first member of the wrong kind, however deep."""
    for name, value in body.items():
        if value is None:
            continue
        kinds = _KINDS.get(name)
        if kinds is not None and not _is_one_of(value, kinds):
            raise _mistyped(name, kinds)
        if name == "LanguageCode" and not 0 < value <= _MAX_LANGUAGE:
            raise _payload(f"{value} is no language code")
        if isinstance(value, dict):
            check_shape(value)
        elif isinstance(value, list):
            _check_items(name, value)


def _check_items(name: str, items: Iterable[Any]) -> None:
    kinds = _ITEMS.get(name)
    for item in items:
        if kinds is not None and not _is_one_of(item, kinds):
            raise _mistyped(f"each of {name}", kinds)
        if isinstance(item, dict):
            check_shape(item)


def _is_one_of(value: object, kinds: Kind) -> bool:
    return isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))


def _mistyped(name: str, kinds: Kind) -> Refusal:
    words = {str: "text", int: "a number", float: "a number", bool: "true or false", dict: "an object", list: "a list"}
    return _payload(f"{name} is {' or '.join(dict.fromkeys(words[kind] for kind in kinds))}")


def _payload(detail: str) -> Refusal:
    return Refusal(400, "0x80048d19", f"Error identified in Payload provided by the user for Entity :'', {detail}")
