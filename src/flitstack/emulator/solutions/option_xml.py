"""Choices: `optionset` elements and OptionSetMetadata.

Source: Microsoft Learn, "Customization solutions file schema" (optionsettype, statestype, statusestype).
"""

import xml.etree.ElementTree as ET

from flitstack.emulator.solutions.texts import Json, add, add_labels, read_labels, text_of, whole_number

_KINDS = {"Picklist": "picklist", "Boolean": "bit", "State": "state", "Status": "status"}
_ITEMS = {"picklist": ("options", "option"), "bit": ("options", "option"), "state": ("states", "state")} | {
    "status": ("statuses", "status")
}


def add_option_set(parent: ET.Element, option_set: Json) -> None:
    """One choice, global or of a column, with its options."""
    kind = _KINDS[option_set["OptionSetType"]]
    is_global = option_set["IsGlobal"]
    element = add(parent, "optionset", None, Name=option_set["Name"])
    if is_global:
        localized = (option_set["DisplayName"].get("UserLocalizedLabel") or {}).get("Label", "")
        element.set("localizedName", localized)
    add(element, "OptionSetType", kind)
    add(element, "IsGlobal", is_global)
    add(element, "IntroducedVersion", "1.0.0.0")
    add(element, "IsCustomizable", True)
    add(element, "ExternalTypeName", option_set["ExternalTypeName"])
    add_labels(element, "displaynames", "displayname", option_set["DisplayName"])
    add_labels(element, "Descriptions", "Description", option_set["Description"])
    group, tag = _ITEMS[kind]
    below = add(element, group)
    for option in _options(option_set):
        _add_option(below, tag, option)


def _options(option_set: Json) -> list[Json]:
    if option_set["OptionSetType"] == "Boolean":
        return [option_set["TrueOption"], option_set["FalseOption"]]
    return list(option_set["Options"])


def _add_option(parent: ET.Element, tag: str, option: Json) -> None:
    element = add(parent, tag, None, value=str(option["Value"]))
    if tag == "state":
        element.set("defaultstatus", str(option["DefaultStatus"]))
        element.set("invariantname", option["InvariantName"])
    else:
        element.set("ExternalValue", option["ExternalValue"] or "")
        element.set("IsHidden", "0")
    if tag == "status":
        element.set("state", str(option["State"]))
    if option["Color"]:
        element.set("Color", option["Color"])
    add_labels(element, "labels", "label", option["Label"])
    add_labels(element, "Descriptions", "Description", option["Description"])


def read_option_set(element: ET.Element) -> Json:
    """OptionSetMetadata of an `optionset`; a BooleanOptionSetMetadata for the type bit."""
    kind = text_of(element, "OptionSetType", "picklist")
    group, tag = _ITEMS.get(kind, _ITEMS["picklist"])
    options = [_read_option(option) for option in element.findall(f"{group}/{tag}")]
    found: Json = {
        "Name": element.get("Name", ""),
        "DisplayName": read_labels(element, "displaynames/displayname"),
        "Description": read_labels(element, "Descriptions/Description", keeps_empty=False),
    }
    if kind == "bit":
        by_value = {option["Value"]: option for option in options}
        return found | {"FalseOption": by_value.get(0, {}), "TrueOption": by_value.get(1, {})}
    return found | {"OptionSetType": "Picklist", "Options": options}


def _read_option(element: ET.Element) -> Json:
    found: Json = {
        "Value": whole_number(element.get("value", ""), "value"),
        "Label": read_labels(element, "labels/label"),
        "Description": read_labels(element, "Descriptions/Description", keeps_empty=False),
        "Color": element.get("Color"),
        "ExternalValue": element.get("ExternalValue"),
    }
    if element.tag == "status":
        found["State"] = whole_number(element.get("state", "0"), "state")
    if element.tag == "state" and element.get("defaultstatus"):
        found["DefaultStatus"] = whole_number(element.get("defaultstatus", ""), "defaultstatus")
    return found
