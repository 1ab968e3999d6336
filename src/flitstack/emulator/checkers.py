"""One checker per column: takes a JSON value that is not null, gives the stored form or raises Refusal.

Codes: reference of Dataverse web service error codes (Microsoft Learn, "Web service error codes").
"""

from collections.abc import Callable

from flitstack.catalogue.types import Column
from flitstack.emulator.messages import Refusal, not_implemented
from flitstack.emulator.values import guid_blob, instant_text, is_date, is_stored_instant, parse_instant, utf16_length

Stored = str | int | float | bytes | None
Checker = Callable[[object], Stored]

_INT_RANGE = (-2147483648, 2147483647)


def checker_for(table: str, entity_set: str, column: Column) -> Checker:
    """The checker of a column, made once from its metadata."""
    maker = _MAKERS.get(column.type)
    if maker is None:
        raise not_implemented(f"a column of type {column.type}")
    return maker(table, entity_set, column)


def wrong_type(entity_set: str, name: str, value: object, expected: str) -> Refusal:
    """400 for a value whose JSON type is not the column's."""
    return Refusal(
        400,
        "0x80048d19",
        f"Error identified in Payload provided by the user for Entity :'{entity_set}', For more information on this "
        f"error please follow this help link https://go.microsoft.com/fwlink/?linkid=2195293  ---->  "
        f"InnerException : Cannot convert a value of type '{type(value).__name__}' to the expected type "
        f"'{expected}' of property '{name}'.",
    )


def _text(table: str, entity_set: str, column: Column) -> Checker:
    name, limit = column.name, column.max_length or 1_073_741_823
    surely_short = limit // 2

    def check(value: object) -> Stored:
        if type(value) is not str:
            raise wrong_type(entity_set, name, value, "Edm.String")
        if len(value) > surely_short and utf16_length(value) > limit:
            raise Refusal(
                400,
                "0x80044331",
                f"A validation error occurred.  The length of the '{name}' attribute of the '{table}' entity exceeded "
                f"the maximum allowed length of '{limit}'.",
            )
        return value

    return check


def whole_range(column: Column) -> tuple[int, int]:
    """Smallest and largest value of an Integer or BigInt column."""
    if column.type != "Integer":
        return -(2**63), 2**63 - 1  # catalogue limits of BigInt columns are doubles and would round past the range
    low, high = _INT_RANGE
    return (
        max(low, int(column.min_value)) if column.min_value is not None else low,
        min(high, int(column.max_value)) if column.max_value is not None else high,
    )


def number_range(column: Column) -> tuple[float, float]:
    """Smallest and largest value of a Decimal, Double or Money column."""
    return (
        column.min_value if column.min_value is not None else -1e11,
        column.max_value if column.max_value is not None else 1e11,
    )


def number_digits(column: Column) -> int:
    """Decimals that are kept."""
    digits = column.precision if column.precision is not None else 10
    # Precision sources 1 and 2 take their decimals from settings; four is what SQL Server's money keeps.
    return max(digits, 4) if column.type == "Money" and column.precision_source not in (0, None) else digits


def _whole(table: str, entity_set: str, column: Column) -> Checker:
    name, (low, high) = column.name, whole_range(column)

    def check(value: object) -> Stored:
        if type(value) is not int:
            raise wrong_type(entity_set, name, value, "Edm.Int32")
        if not low <= value <= high:
            raise _out_of_range("0x8004432F", table, name, value, low, high)
        return value

    return check


def _number(table: str, entity_set: str, column: Column) -> Checker:
    name, (low, high), digits = column.name, number_range(column), number_digits(column)
    code = "0x80040317" if column.type == "Money" else "0x80044330"

    def check(value: object) -> Stored:
        if type(value) is not float and type(value) is not int:
            raise wrong_type(entity_set, name, value, "Edm.Decimal")
        if not low <= value <= high:
            raise _out_of_range(code, table, name, value, low, high)
        return round(float(value), digits)

    return check


def _choice(table: str, entity_set: str, column: Column) -> Checker:
    name, known = column.name, frozenset(option.value for option in column.options)

    def check(value: object) -> Stored:
        if type(value) is not int:
            raise wrong_type(entity_set, name, value, "Edm.Int32")
        if value not in known:
            raise _unknown_option(table, name, value, known)
        return value

    return check


def _choices(table: str, entity_set: str, column: Column) -> Checker:
    name, known = column.name, frozenset(option.value for option in column.options)

    def check(value: object) -> Stored:
        if type(value) is not str:
            raise wrong_type(entity_set, name, value, "Edm.String")
        parts = [part.strip() for part in value.split(",")] if value.strip() else []
        if not all(part.lstrip("-").isdecimal() and part.isascii() for part in parts):
            raise wrong_type(entity_set, name, value, "Edm.String")
        for part in parts:
            if int(part) not in known:
                raise _unknown_option(table, name, int(part), known)
        return ",".join(str(number) for number in dict.fromkeys(map(int, parts))) or None

    return check


def _boolean(table: str, entity_set: str, column: Column) -> Checker:
    name = column.name

    def check(value: object) -> Stored:
        if value is True:
            return 1
        if value is False:
            return 0
        raise wrong_type(entity_set, name, value, "Edm.Boolean")

    return check


def _instant(table: str, entity_set: str, column: Column) -> Checker:
    name, is_day = column.name, column.date_behaviour == "DateOnly"
    expected = "Edm.Date" if is_day else "Edm.DateTimeOffset"

    def check(value: object) -> Stored:
        if type(value) is not str or len(value) < 10 or not value[4] == value[7] == "-":
            raise wrong_type(entity_set, name, value, expected)
        if value[:4].isdecimal() and value[:4] < "1753":
            raise _too_early(value)
        if is_day:
            if not is_date(value):
                raise wrong_type(entity_set, name, value, expected)
            return value
        instant = parse_instant(value)
        if instant is None:
            raise wrong_type(entity_set, name, value, expected)
        return value if is_stored_instant(value) else instant_text(instant)

    return check


def _guid(table: str, entity_set: str, column: Column) -> Checker:
    name = column.name

    def check(value: object) -> Stored:
        blob = guid_blob(value) if type(value) is str else None
        if blob is None:
            raise wrong_type(entity_set, name, value, "Edm.Guid")
        return blob

    return check


def _too_early(value: str) -> Refusal:
    return Refusal(
        400,
        "0x80040239",
        f"DateTime is less than minimum value supported by CrmDateTime. Actual value: {value}, "
        "Minimum value supported: 01/01/1753 00:00:00",
    )


def _out_of_range(code: str, table: str, name: str, value: float, low: float, high: float) -> Refusal:
    return Refusal(
        400,
        code,
        f"A validation error occurred.  The value of '{name}' on record of type '{table}' is outside the valid range: "
        f"{value} is not between {low} and {high}.",
    )


def _unknown_option(table: str, name: str, value: int, known: frozenset[int]) -> Refusal:
    accepted = ",".join(map(str, sorted(known)))
    return Refusal(
        400,
        "0x8004431A",
        f"A validation error occurred.  The value '{value}' of '{name}' on record of type '{table}' is outside the "
        f"valid range. Accepted Values: {accepted}",
    )


_MAKERS: dict[str, Callable[[str, str, Column], Checker]] = {
    "String": _text,
    "Memo": _text,
    "EntityName": _text,
    "Integer": _whole,
    "BigInt": _whole,
    "Decimal": _number,
    "Double": _number,
    "Money": _number,
    "Picklist": _choice,
    "State": _choice,
    "Status": _choice,
    "MultiSelectPicklist": _choices,
    "Boolean": _boolean,
    "DateTime": _instant,
    "Uniqueidentifier": _guid,
    "Lookup": _guid,
    "Customer": _guid,
    "Owner": _guid,
}
