"""Choices in the shape of OptionSetMetadata and its kin."""

from collections.abc import Iterable

from flitstack.catalogue.types import Column, Option
from flitstack.emulator.core import Document, EntityModel
from flitstack.emulator.messages import Refusal
from flitstack.emulator.metadata.identity import metadata_id
from flitstack.emulator.metadata.labels import label_json, managed
from flitstack.emulator.metadata.live import Live
from flitstack.emulator.metadata.system_columns import is_system_column

CRM = "#Microsoft.Dynamics.CRM."
_FALSE_TRUE = (Option(0, "No"), Option(1, "Yes"))


def column_option_set(live: Live, model: EntityModel, column: Column, extra: Document) -> dict[str, object]:
    """The option set of a choice, state, status or boolean column."""
    table = model.table
    name = column.option_set or f"{table.name}_{column.name}"
    kind = column.type if column.type in {"Boolean", "State", "Status"} else "Picklist"
    is_custom = (
        name in live.documents("global_choice") if column.is_global_choice else not is_system_column(model, column.name)
    )
    is_global = column.is_global_choice
    head = _head(live, name, kind, extra, is_global=is_global, is_custom=is_custom, label=column.label)
    if kind == "Boolean":
        options = {option.value: option for option in (*_FALSE_TRUE, *column.options)}
        no, yes = (_option(live, options[value], extra) for value in (0, 1))
        return {"@odata.type": f"{CRM}BooleanOptionSetMetadata", **head, "FalseOption": no, "TrueOption": yes}
    if kind == "State":
        found = [
            {
                "@odata.type": f"{CRM}StateOptionMetadata",
                **_option(live, Option(state.value, state.label), extra),
                "DefaultStatus": state.default_status,
                "InvariantName": state.label,
            }
            for state in sorted(table.states, key=lambda state: state.value)
        ]
        return {"@odata.type": f"{CRM}OptionSetMetadata", **head, "Options": found}
    options_json = [_option(live, option, extra) for option in column.options]
    if kind == "Status":
        for option, document in zip(column.options, options_json, strict=True):
            document |= {"State": option.state, "TransitionData": None}
            document["@odata.type"] = f"{CRM}StatusOptionMetadata"
    return {"@odata.type": f"{CRM}OptionSetMetadata", **head, "Options": options_json}


def global_choice(live: Live, name: str, options: Iterable[Option], extra: Document, label: str) -> dict[str, object]:
    """A global choice."""
    head = _head(live, name, "Picklist", extra, is_global=True, is_custom=bool(extra), label=label)
    found = [_option(live, option, extra) for option in options]
    return {"@odata.type": f"{CRM}OptionSetMetadata", **head, "ParentOptionSetName": None, "Options": found}


def global_choices(live: Live) -> dict[str, tuple[tuple[Option, ...], Document, str]]:
    """Every global choice by name: options, what is kept beside it, label."""
    found: dict[str, tuple[tuple[Option, ...], Document, str]] = {}
    for model in live.environment.tables.values():
        for column in model.columns.values():
            is_choice = column.type in {"Picklist", "MultiSelectPicklist"}
            if is_choice and column.is_global_choice and column.option_set and column.option_set not in found:
                found[column.option_set] = (column.options, {}, column.label)
    for name, document in live.documents("global_choice").items():
        raw = document["values"]
        options = tuple(Option(item["value"], item["label"]) for item in raw) if isinstance(raw, list) else ()
        found[name] = (options, document, str(document.get("label", name)))
    return found


def find_global_choice(live: Live, key: object) -> str:
    """The name of the global choice with this name or MetadataId. Refusal 404."""
    for name in global_choices(live):
        if key in (name, metadata_id("choice", name)):
            return name
    raise Refusal(404, "0x8004024A", f"Could not find an optionset with key {key}.")


def _head(
    live: Live, name: str, kind: str, extra: Document, *, is_global: bool, is_custom: bool, label: str
) -> dict[str, object]:
    return {
        "MetadataId": metadata_id("choice", name),
        "HasChanged": None,
        "Name": name,
        "DisplayName": label_json(live.labels(extra, label), live.language),
        "Description": label_json(live.descriptions(extra), live.language),
        "OptionSetType": kind,
        "IsGlobal": is_global,
        "IsCustomOptionSet": is_custom,
        "IsManaged": False,
        "IsCustomizable": managed(True, "iscustomizable"),
        "ExternalTypeName": "",
        "IntroducedVersion": "1.0",
    }


def _option(live: Live, option: Option, extra: Document) -> dict[str, object]:
    kept = extra.get("options")
    own = kept.get(str(option.value)) if isinstance(kept, dict) else None
    own = own if isinstance(own, dict) else {}
    return {
        "Value": option.value,
        "Label": label_json(live.labels(own, option.label), live.language),
        "Description": label_json(live.descriptions(own), live.language),
        "Color": own.get("color"),
        "IsManaged": False,
        "ExternalValue": own.get("external_value", ""),
        "ParentValues": [],
        "Tag": None,
        "IsHidden": False,
        "MetadataId": None,
        "HasChanged": None,
    }
