"""Columns in the shape of AttributeMetadata and its concrete types.

Source: Microsoft Learn, "AttributeMetadata EntityType" and the pages of the derived types.
"""

from collections.abc import Callable, Mapping

from flitstack.catalogue.types import Column
from flitstack.emulator.core import EntityModel
from flitstack.emulator.metadata.file_columns import attribute_of, image_json
from flitstack.emulator.metadata.identity import metadata_id
from flitstack.emulator.metadata.labels import label_json, managed
from flitstack.emulator.metadata.live import Live
from flitstack.emulator.metadata.option_sets import CRM, column_option_set
from flitstack.emulator.metadata.system_columns import is_system_column

Json = dict[str, object]

# Column type -> concrete metadata type, AttributeType; AttributeTypeName is the column type + "Type".
CASTS: Mapping[str, tuple[str, str]] = {
    "String": ("String", "String"),
    "Memo": ("Memo", "Memo"),
    "Picklist": ("Picklist", "Picklist"),
    "MultiSelectPicklist": ("MultiSelectPicklist", "Virtual"),
    "State": ("State", "State"),
    "Status": ("Status", "Status"),
    "Boolean": ("Boolean", "Boolean"),
    "Integer": ("Integer", "Integer"),
    "BigInt": ("BigInt", "BigInt"),
    "Decimal": ("Decimal", "Decimal"),
    "Double": ("Double", "Double"),
    "Money": ("Money", "Money"),
    "DateTime": ("DateTime", "DateTime"),
    "Lookup": ("Lookup", "Lookup"),
    "Customer": ("Lookup", "Customer"),
    "Owner": ("Lookup", "Owner"),
    "PartyList": ("Lookup", "PartyList"),
    "Uniqueidentifier": ("UniqueIdentifier", "Uniqueidentifier"),
    "EntityName": ("EntityName", "EntityName"),
    "ManagedProperty": ("ManagedProperty", "ManagedProperty"),
    "Image": ("Image", "Virtual"),
    "File": ("File", "Virtual"),
    "Virtual": ("", "Virtual"),
}
CHOICES = frozenset({"Picklist", "MultiSelectPicklist", "State", "Status", "Boolean"})


def attribute_json(live: Live, model: EntityModel, column: Column) -> Json:
    """One column; `OptionSet` and `GlobalOptionSet` are there too, for `$expand` to pick."""
    extra = live.extra("column", f"{model.name}.{column.name}")
    cast, kind = CASTS[column.type]
    document: Json = {
        "@odata.type": f"{CRM}{cast}AttributeMetadata",
        "MetadataId": metadata_id("column", f"{model.name}.{column.name}"),
        "HasChanged": None,
        "LogicalName": column.name,
        "SchemaName": column.schema_name,
        "EntityLogicalName": model.name,
        "AttributeOf": attribute_of(model, column),
        "AttributeType": kind,
        "AttributeTypeName": {"Value": f"{column.type}Type"},
        "ColumnNumber": model.positions[column.name],
        "DisplayName": label_json(live.labels(extra, column.label), live.language),
        "Description": label_json(live.descriptions(extra), live.language),
        "RequiredLevel": managed(column.required, "canmodifyrequirementlevelsettings"),
        "IsCustomizable": managed(True, "iscustomizable"),
        "IsRenameable": managed(True, "isrenameable"),
        "IsValidForAdvancedFind": managed(True, "canmodifysearchsettings"),
        "IsAuditEnabled": managed(False, "canmodifyauditsettings"),
        "IsCustomAttribute": not is_system_column(model, column.name),
        "IsManaged": column.name not in model.custom_columns,
        "IsPrimaryId": column.name == model.table.id_column,
        "IsPrimaryName": column.name == model.table.name_column,
        "IsValidForCreate": column.creatable,
        "IsValidForRead": column.readable,
        "IsValidForUpdate": column.updatable,
        "IsValidODataAttribute": column.is_web_api,
        "IsLogical": column.is_logical,
        "IsSecured": False,
        "IsFilterable": False,
        "IsSearchable": False,
        "IsRetrievable": False,
        "SourceType": 1 if column.is_calculated else None if column.type == "Virtual" else 0,
        "InheritsFrom": None,
        "LinkedAttributeId": None,
        "ExternalName": None,
        "DeprecatedVersion": None,
        "IntroducedVersion": "1.0",
    }
    document |= _DETAILS.get(column.type, _nothing)(column)
    if column.type == "Image":
        document |= image_json(live, model, column)
    if column.type in CHOICES:
        option_set = column_option_set(live, model, column, extra)
        document["OptionSet"] = option_set
        document["GlobalOptionSet"] = option_set if column.is_global_choice else None
    return document


def _nothing(column: Column) -> Json:
    return {}


def _string(column: Column) -> Json:
    length = column.max_length or 100
    known = column.format or "Text"
    return {
        "Format": known if known in {"Text", "Email", "Url", "TextArea", "TickerSymbol", "Phone"} else "Text",
        "FormatName": {"Value": known},
        "MaxLength": length,
        "DatabaseLength": length * 2,
        "AutoNumberFormat": column.autonumber or "",
        "ImeMode": "Auto",
        "IsLocalizable": False,
        "YomiOf": None,
    }


def _memo(column: Column) -> Json:
    known = column.format or "TextArea"
    return {
        "Format": known if known in {"Text", "TextArea", "Email"} else "TextArea",
        "FormatName": {"Value": known},
        "MaxLength": column.max_length,
        "ImeMode": "Auto",
        "IsLocalizable": False,
    }


def _range(column: Column) -> Json:
    return {"MinValue": column.min_value, "MaxValue": column.max_value}


def _integer(column: Column) -> Json:
    return {**_range(column), "Format": column.format or "None", "FormulaDefinition": ""}


def _number(column: Column) -> Json:
    return {**_range(column), "Precision": column.precision, "ImeMode": "Auto"}


def _money(column: Column) -> Json:
    return {
        **_number(column),
        "PrecisionSource": column.precision_source,
        "CalculationOf": column.base_of,
        "IsBaseCurrency": column.base_of is not None,
    }


def _date_time(column: Column) -> Json:
    return {
        "Format": column.format or "DateAndTime",
        "DateTimeBehavior": {"Value": column.date_behaviour or "UserLocal"},
        "CanChangeDateTimeBehavior": managed(True, "canchangedatetimebehavior"),
        "MinSupportedValue": "1753-01-01T00:00:00Z",
        "MaxSupportedValue": "9999-12-30T23:59:59Z",
        "ImeMode": "Inactive",
    }


def _boolean(column: Column) -> Json:
    return {"DefaultValue": bool(column.default)}


def _choice(column: Column) -> Json:
    return {"DefaultFormValue": -1 if column.default is None else int(column.default)}


def _lookup(column: Column) -> Json:
    return {"Targets": list(column.targets), "Format": "None"}


def _file(column: Column) -> Json:
    return {"MaxSizeInKB": column.max_kb or 32_768}


_DETAILS: Mapping[str, Callable[[Column], Json]] = {
    "String": _string,
    "Memo": _memo,
    "Integer": _integer,
    "BigInt": _range,
    "Decimal": _number,
    "Double": _number,
    "Money": _money,
    "DateTime": _date_time,
    "Boolean": _boolean,
    "Picklist": _choice,
    "MultiSelectPicklist": _choice,
    "State": _choice,
    "Status": _choice,
    "Lookup": _lookup,
    "Customer": _lookup,
    "Owner": _lookup,
    "PartyList": _lookup,
    "File": _file,
    "Image": _file,
}
