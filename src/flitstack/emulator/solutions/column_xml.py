"""Columns: `attribute` elements and AttributeMetadata.

Source: Microsoft Learn, "Customization solutions file schema"; the order of the children is the one of exports.
"""

import xml.etree.ElementTree as ET

from flitstack.emulator.messages import not_implemented
from flitstack.emulator.solutions.faults import invalid
from flitstack.emulator.solutions.option_xml import add_option_set, read_option_set
from flitstack.emulator.solutions.texts import (
    Json,
    add,
    add_labels,
    flag_of,
    read_labels,
    required_text,
    text_of,
    whole_number,
)

# AttributeTypeName without "Type" -> text of `Type`.
_TYPES = {
    "String": "nvarchar", "Memo": "ntext", "Integer": "int", "BigInt": "bigint", "Decimal": "decimal",
    "Double": "float", "Money": "money", "Boolean": "bit", "Picklist": "picklist",
    "MultiSelectPicklist": "multiselectpicklist", "State": "state", "Status": "status", "DateTime": "datetime",
    "Lookup": "lookup", "Customer": "customer", "Owner": "owner", "PartyList": "partylist",
    "Uniqueidentifier": "uniqueidentifier", "Virtual": "virtual", "Image": "image", "File": "file",
    "EntityName": "entityname", "ManagedProperty": "managedproperty",
}  # fmt: skip
_KINDS = {text: kind for kind, text in _TYPES.items()} | {"primarykey": "Uniqueidentifier"}
_LEVELS = {
    "None": "none", "Recommended": "recommended", "ApplicationRequired": "required",
    "SystemRequired": "systemrequired",
}  # fmt: skip
_READ_LEVELS = {text: level for level, text in _LEVELS.items()} | {"applicationrequired": "ApplicationRequired"}
_TEXT_FORMATS = ("Text", "TextArea", "Email", "Phone", "Url", "TickerSymbol", "VersionNumber", "RichText", "Json")
_WHOLE_FORMATS = ("None", "Duration", "TimeZone", "Language", "Locale")
_FORMATS = {name.lower(): name for name in (*_TEXT_FORMATS, *_WHOLE_FORMATS)}
_BEHAVIOURS = ("UserLocal", "DateOnly", "TimeZoneIndependent")  # 1, 2, 3
_CHOICES = frozenset({"Boolean", "Picklist", "MultiSelectPicklist", "State", "Status"})
_OF_IMAGES = ("IsPrimaryImage", "CanStoreFullImage")  # after the members of ImageAttributeMetadata
LOOKUPS = frozenset({"Lookup", "Customer", "Owner"})


def kind_of_column(document: Json) -> str:
    """`Picklist` of an AttributeMetadata document."""
    return str(document["AttributeTypeName"]["Value"]).removesuffix("Type")


def add_column(parent: ET.Element, document: Json) -> None:
    """One column."""
    kind = kind_of_column(document)
    element = add(parent, "attribute", None, PhysicalName=document["SchemaName"])
    add(element, "Type", "primarykey" if document["IsPrimaryId"] else _TYPES[kind])
    add(element, "Name", document["LogicalName"])
    add(element, "LogicalName", document["LogicalName"])
    add(element, "RequiredLevel", _LEVELS[document["RequiredLevel"]["Value"]])
    mask = "ValidForAdvancedFind|ValidForForm|ValidForGrid"
    add(element, "DisplayMask", f"PrimaryName|{mask}" if document["IsPrimaryName"] else mask)
    add(element, "ImeMode", str(document.get("ImeMode", "Auto")).lower())
    add(element, "ValidForUpdateApi", document["IsValidForUpdate"])
    add(element, "ValidForReadApi", document["IsValidForRead"])
    add(element, "ValidForCreateApi", document["IsValidForCreate"])
    add(element, "IsCustomField", document["IsCustomAttribute"])
    add(element, "IsAuditEnabled", document["IsAuditEnabled"]["Value"])
    add(element, "IsSecured", document["IsSecured"])
    add(element, "IntroducedVersion", "1.0.0.0")
    for name in ("IsCustomizable", "IsRenameable", "CanModifySearchSettings", "CanModifyRequirementLevelSettings"):
        add(element, name, True)
    add(element, "CanModifyAdditionalSettings", True)
    add(element, "SourceType", document["SourceType"] or 0)
    for name in ("IsSearchable", "IsFilterable", "IsRetrievable"):
        add(element, name, document[name])
    add(element, "IsLocalizable", document.get("IsLocalizable", False))
    _add_details(element, kind, document)
    add_labels(element, "displaynames", "displayname", document["DisplayName"])
    add_labels(element, "Descriptions", "Description", document["Description"])


def _add_details(element: ET.Element, kind: str, document: Json) -> None:
    if kind in {"String", "Memo"}:
        if document.get("AutoNumberFormat"):
            add(element, "AutoNumberFormat", document["AutoNumberFormat"])
        add(element, "Format", document["FormatName"]["Value"].lower())
        add(element, "MaxLength", document["MaxLength"])
        add(element, "Length", 2 * (document["MaxLength"] or 0))
    elif kind == "Integer":
        add(element, "Format", "" if document["Format"] == "None" else document["Format"].lower())
    elif kind == "DateTime":
        add(element, "Format", "date" if document["Format"] == "DateOnly" else "datetime")
        add(element, "CanChangeDateTimeBehavior", True)
        add(element, "Behavior", _BEHAVIOURS.index(document["DateTimeBehavior"]["Value"]) + 1)
    elif kind in {"File", "Image"}:
        add(element, "MaxValue", document["MaxSizeInKB"])
        for name in _OF_IMAGES if kind == "Image" else ():
            add(element, name, document[name])
    elif kind in LOOKUPS:
        add(element, "LookupStyle", "single")
        add(element, "LookupTypes")
    if kind in {"Integer", "Decimal", "Double", "Money"}:
        for name in ("MinValue", "MaxValue"):
            if document[name] is not None:
                add(element, name, repr(document[name]))
    if "Precision" in document:
        add(element, "Accuracy", document["Precision"])
    if kind == "Money":
        add(element, "AccuracySource", document["PrecisionSource"])
        if document["CalculationOf"]:
            add(element, "CalculationOf", document["CalculationOf"])
    if kind in _CHOICES:
        _add_choice(element, kind, document)


def _add_choice(element: ET.Element, kind: str, document: Json) -> None:
    default = int(document["DefaultValue"]) if kind == "Boolean" else document["DefaultFormValue"]
    add(element, "AppDefaultValue", default)
    if document["OptionSet"]["IsGlobal"]:
        add(element, "OptionSetName", document["OptionSet"]["Name"])
    else:
        add_option_set(element, document["OptionSet"])


def read_column(element: ET.Element) -> Json:
    """AttributeMetadata as the metadata API takes it.

    Beside its members: `Kind` (type without suffix), `LogicalName`, `IsCustomAttribute`, `CalculationOf`, `OptionSetName`.
    """
    name = element.get("PhysicalName")
    if not name:
        raise invalid("The required attribute 'PhysicalName' of 'attribute' is missing.")
    text = required_text(element, "Type")
    kind = _KINDS.get(text)
    if kind is None:
        raise invalid(f"The value '{text}' of the element 'Type' of {name} is not a known type.")
    if text_of(element, "SourceType") in {"1", "2"} or element.find("FormulaDefinitionFileName") is not None:
        raise not_implemented(f"importing the calculated column {name}")
    level = _READ_LEVELS.get(text_of(element, "RequiredLevel", "none").lower())
    if level is None:
        raise invalid(f"The value of the element 'RequiredLevel' of {name} is not known.")
    document: Json = {
        "@odata.type": f"Microsoft.Dynamics.CRM.{kind}AttributeMetadata",
        "Kind": kind,
        "SchemaName": name,
        "LogicalName": text_of(element, "LogicalName", name).lower(),
        "DisplayName": read_labels(element, "displaynames/displayname"),
        "Description": read_labels(element, "Descriptions/Description", keeps_empty=False),
        "RequiredLevel": {"Value": level},
        "IsPrimaryId": text == "primarykey",
        "IsPrimaryName": "PrimaryName" in text_of(element, "DisplayMask").split("|"),
        "IsCustomAttribute": element.find("IsCustomField") is None or flag_of(element, "IsCustomField"),
        "CalculationOf": text_of(element, "CalculationOf") or None,
        "OptionSetName": text_of(element, "OptionSetName") or None,
    }
    _read_details(element, document)
    return document


def _read_details(element: ET.Element, document: Json) -> None:
    kind, known = document["Kind"], text_of(element, "Format").lower()
    if kind in {"String", "Memo", "Integer"} and known:
        if known not in _FORMATS:
            raise invalid(f"The value '{known}' of the element 'Format' of {document['SchemaName']} is not known.")
        document["Format" if kind == "Integer" else "FormatName"] = (
            _FORMATS[known] if kind == "Integer" else {"Value": _FORMATS[known]}
        )
    if kind == "String":
        document["AutoNumberFormat"] = text_of(element, "AutoNumberFormat") or None
    if kind == "DateTime":
        document["Format"] = "DateOnly" if known == "date" else "DateAndTime"
        behaviour = whole_number(text_of(element, "Behavior", "1"), "Behavior")
        if not 1 <= behaviour <= len(_BEHAVIOURS):
            raise invalid(f"The value '{behaviour}' of the element 'Behavior' is not known.")
        document["DateTimeBehavior"] = {"Value": _BEHAVIOURS[behaviour - 1]}
    largest = "MaxSizeInKB" if kind in {"File", "Image"} else "MaxValue"
    for tag, member in (("MinValue", "MinValue"), ("MaxValue", largest)):
        if text_of(element, tag):
            document[member] = _number(text_of(element, tag), tag)
    for tag, member in (("MaxLength", "MaxLength"), ("Accuracy", "Precision"), ("AccuracySource", "PrecisionSource")):
        if text_of(element, tag):
            document[member] = whole_number(text_of(element, tag), tag)
    for name in _OF_IMAGES if kind == "Image" else ():
        document[name] = flag_of(element, name)
    if kind in _CHOICES:
        _read_choice(element, document)


def _read_choice(element: ET.Element, document: Json) -> None:
    default = text_of(element, "AppDefaultValue")
    if default and document["Kind"] == "Boolean":
        document["DefaultValue"] = default == "1"
    elif default:
        document["DefaultFormValue"] = whole_number(default, "AppDefaultValue")
    own = element.find("optionset")
    if own is not None:
        document["OptionSet"] = read_option_set(own)
    elif document["OptionSetName"] is None:
        raise invalid(f"{document['SchemaName']} has neither 'OptionSetName' nor 'optionset'.")


def _number(text: str, what: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError as error:
        raise invalid(f"The value '{text}' of '{what}' is no number.") from error
