"""AttributeMetadata bodies to columns.

Limits: Microsoft Learn, "Column data types in Dataverse" and "AttributeMetadata EntityType" with its derived types.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flitstack.catalogue.types import Column, Option
from flitstack.emulator.core import Document
from flitstack.emulator.messages import Refusal
from flitstack.emulator.metadata.bodies import Body, inner, kind_of, number, out_of_range, texts_of, whole, wrong
from flitstack.emulator.metadata.choice_parse import option_texts, read_options
from flitstack.emulator.metadata.file_columns import MAX_KB
from flitstack.emulator.metadata.identity import metadata_id
from flitstack.emulator.metadata.labels import base_text, read_label
from flitstack.emulator.metadata.live import Live
from flitstack.emulator.metadata.names import checked_name
from flitstack.emulator.metadata.option_sets import find_global_choice, global_choices
from flitstack.emulator.paths import parse_path
from flitstack.emulator.rows.autonumber import check_format
from flitstack.emulator.values import guid_text

_REQUIRED = frozenset({"None", "Recommended", "ApplicationRequired", "SystemRequired"})
_MAX_INT = 2_147_483_647
_MAX_DECIMAL = 100_000_000_000
_MAX_MONEY = 922_337_203_685_477
_STRING_FORMATS = frozenset(
    {"Text", "TextArea", "Email", "Phone", "Url", "TickerSymbol", "VersionNumber", "RichText", "Json"}
)
_BEHAVIOURS = frozenset({"UserLocal", "DateOnly", "TimeZoneIndependent"})


@dataclass(frozen=True, slots=True)
class NewColumn:
    """A column and what is kept beside it."""

    column: Column
    extra: Document


def read_column(live: Live, body: Body) -> NewColumn:
    """A column from its definition; Refusal for what the API does not make."""
    kind = kind_of(body).removesuffix("AttributeMetadata")
    details = _DETAILS.get(kind)
    if details is None:
        raise Refusal(400, "0x80048403", f"Attribute of type {kind}AttributeMetadata cannot be created through the SDK")
    schema_name = checked_name(body.get("SchemaName"), "column")
    extra = texts_of(body, live.language)
    facts = details(live, body, extra)
    return NewColumn(_column(live, body, schema_name, kind, facts), extra)


def lookup_column(live: Live, body: Body, targets: tuple[str, ...], navigation: dict[str, str]) -> NewColumn:
    """The lookup of a new relationship."""
    schema_name = checked_name(body.get("SchemaName"), "column")
    facts: dict[str, Any] = {"targets": targets, "navigation": navigation}
    return NewColumn(_column(live, body, schema_name, "Lookup", facts), texts_of(body, live.language))


def _column(live: Live, body: Body, schema_name: str, kind: str, facts: Mapping[str, Any]) -> Column:
    required = inner(body, "RequiredLevel") or "None"
    if required not in _REQUIRED:
        raise wrong(f"'{required}' is no RequiredLevel.")
    return Column(
        name=schema_name.lower(),
        schema_name=schema_name,
        type=kind,
        label=base_text(read_label(body.get("DisplayName"), live.language), live.language, schema_name),
        required=required,
        creatable=True,
        readable=True,
        updatable=True,
        **facts,
    )


def _string(live: Live, body: Body, extra: Document) -> dict[str, Any]:
    known = inner(body, "FormatName") or body.get("Format") or "Text"
    if known not in _STRING_FORMATS:
        raise wrong(f"'{known}' is no format of a string column.")
    check_format(str(body.get("AutoNumberFormat") or ""))
    return {
        "max_length": whole(body, "MaxLength", 100, 1, 4000),
        "format": known,
        "autonumber": body.get("AutoNumberFormat") or None,
    }


def _memo(live: Live, body: Body, extra: Document) -> dict[str, Any]:
    known = inner(body, "FormatName") or body.get("Format") or "TextArea"
    return {"max_length": whole(body, "MaxLength", 2000, 1, 1_048_576), "format": known}


def _integer(live: Live, body: Body, extra: Document) -> dict[str, Any]:
    low = whole(body, "MinValue", -_MAX_INT - 1, -_MAX_INT - 1, _MAX_INT)
    high = whole(body, "MaxValue", _MAX_INT, -_MAX_INT - 1, _MAX_INT)
    return {**_ordered(low, high), "format": body.get("Format") or "None"}


def _big_int(live: Live, body: Body, extra: Document) -> dict[str, Any]:
    return {"min_value": -9223372036854775808, "max_value": 9223372036854775807}


def _fraction(limit: float, max_precision: int) -> Callable[[Live, Body, Document], dict[str, Any]]:
    def read(live: Live, body: Body, extra: Document) -> dict[str, Any]:
        low = number(body, "MinValue", -limit, -limit, limit)
        high = number(body, "MaxValue", limit, -limit, limit)
        return {**_ordered(low, high), "precision": whole(body, "Precision", 2, 0, max_precision)}

    return read


def _money(live: Live, body: Body, extra: Document) -> dict[str, Any]:
    facts = _fraction(_MAX_MONEY, 4)(live, body, extra)
    return {**facts, "precision_source": whole(body, "PrecisionSource", 2, 0, 2)}


def _ordered(low: float, high: float) -> dict[str, Any]:
    if low > high:
        raise out_of_range(f"MinValue {low} is greater than MaxValue {high}.")
    return {"min_value": low, "max_value": high}


def _date_time(live: Live, body: Body, extra: Document) -> dict[str, Any]:
    behaviour = inner(body, "DateTimeBehavior") or "UserLocal"
    known = body.get("Format") or ("DateOnly" if behaviour == "DateOnly" else "DateAndTime")
    if behaviour not in _BEHAVIOURS or known not in {"DateOnly", "DateAndTime"}:
        raise wrong(f"'{behaviour}' and '{known}' are no behaviour and format of a date column.")
    if behaviour == "DateOnly" and known != "DateOnly":
        raise wrong("a column of behaviour DateOnly has the format DateOnly.")
    return {"format": known, "date_behaviour": behaviour}


def _boolean(live: Live, body: Body, extra: Document) -> dict[str, Any]:
    option_set = body.get("OptionSet") or {}
    options, kept = [], {}
    for value, member, text in ((0, "FalseOption", "No"), (1, "TrueOption", "Yes")):
        item = option_set.get(member) or {}
        if item.get("Value", value) != value:
            raise Refusal(400, "0x8004431C", "The options of a Boolean column are 0 and 1.")
        options.append(Option(value, base_text(read_label(item.get("Label"), live.language), live.language, text)))
        kept[str(value)] = option_texts(live, item)
    extra["options"] = kept
    return {"options": tuple(options), "default": bool(body.get("DefaultValue", False))}


def _choice(live: Live, body: Body, extra: Document) -> dict[str, Any]:
    facts = _shared_choice(live, body) or _own_choice(live, body, extra)
    default = body.get("DefaultFormValue")
    if isinstance(default, int) and default != -1:
        if default not in {option.value for option in facts["options"]}:
            raise wrong(f"the default value {default} is not one of the options.")
        facts["default"] = default
    return facts


def _own_choice(live: Live, body: Body, extra: Document) -> dict[str, Any]:
    option_set = body.get("OptionSet") or {}
    if option_set.get("IsGlobal"):
        raise Refusal(
            400,
            "0x80048403",
            "Only local option set can be created through the attribute create. IsGlobal flag must be set to false.",
        )
    options, kept = read_options(live, option_set.get("Options") or [])
    extra["options"] = kept
    return {"options": options, "option_set": option_set.get("Name") or None}


def _shared_choice(live: Live, body: Body) -> dict[str, Any] | None:
    """The options of the global choice that `GlobalOptionSet@odata.bind` names."""
    bound = body.get("GlobalOptionSet@odata.bind")
    if bound is None:
        return None
    segment = parse_path(str(bound).rpartition("/")[2])[0]
    key = guid_text(segment.id) if segment.id is not None else (segment.key or {}).get("Name")
    name = find_global_choice(live, key)
    return {"options": global_choices(live)[name][0], "option_set": name, "is_global_choice": True}


def _file(live: Live, body: Body, extra: Document) -> dict[str, Any]:
    return {"max_kb": whole(body, "MaxSizeInKB", 32_768, 1, MAX_KB["File"])}


def _image(live: Live, body: Body, extra: Document) -> dict[str, Any]:
    extra["can_store_full_image"] = bool(body.get("CanStoreFullImage"))
    return {"max_kb": whole(body, "MaxSizeInKB", 10_240, 1, MAX_KB["Image"])}


_DETAILS: Mapping[str, Callable[[Live, Body, Document], dict[str, Any]]] = {
    "String": _string,
    "Memo": _memo,
    "Integer": _integer,
    "BigInt": _big_int,
    "Decimal": _fraction(_MAX_DECIMAL, 10),
    "Double": _fraction(_MAX_DECIMAL, 5),
    "Money": _money,
    "DateTime": _date_time,
    "Boolean": _boolean,
    "Picklist": _choice,
    "MultiSelectPicklist": _choice,
    "File": _file,
    "Image": _image,
}


def column_id(table: str, column: str) -> str:
    """The MetadataId of a column."""
    return metadata_id("column", f"{table}.{column}")
