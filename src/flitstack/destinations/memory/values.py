"""What the memory destination accepts in a column, and how it gives it back."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa

from flitstack.catalogue.types import Column, Table
from flitstack.destinations.faults import Refusal, Refused
from flitstack.destinations.memory.encoding import LOOKUPS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ID = pa.binary(16)
_PARTY = pa.struct([("mask", pa.int32()), ("table", pa.string()), ("id", _ID), ("address", pa.string())])
Row = dict[str, Any]


def refuse(code: str, status: int, message: str) -> Refused:
    """A refusal in Dataverse's codes."""
    return Refused(Refusal(code, status, message))


def checked(table: Table, column: Column, value: Any) -> Any:
    """The stored value: lookups (table, UUID), moments datetime, decimals Decimal. Raises Refused."""
    if value is None:
        return None
    if column.type in LOOKUPS:
        target, target_id = value
        if column.targets and target not in column.targets:
            raise refuse("0x80048d19", 400, f"{column.name} does not take a row of {target}")
        return target, UUID(target_id)
    if column.type in {"String", "Memo"}:
        return _text(table, column, value)
    if column.type in {"Picklist", "State", "Status", "MultiSelectPicklist"}:
        _check_options(table, column, value)
        return value
    if column.type == "DateTime":
        return date.fromisoformat(value) if isinstance(value, str) else _EPOCH + timedelta(microseconds=value)
    if column.type in {"Money", "Decimal", "Double", "Integer"}:
        return _number(table, column, value)
    if column.type == "Uniqueidentifier":
        return UUID(value)
    return value


def _text(table: Table, column: Column, value: str) -> str:
    if column.max_length is not None and len(value.encode("utf-16-le")) // 2 > column.max_length:
        raise refuse(
            "0x80044331",
            400,
            f"A validation error occurred.  The length of the '{column.name}' attribute of the '{table.name}' entity "
            f"exceeded the maximum allowed length of '{column.max_length}'.",
        )
    return value


def _check_options(table: Table, column: Column, value: int | str) -> None:
    asked = {int(part) for part in value.split(",")} if isinstance(value, str) else {value}
    unknown = asked - {option.value for option in column.options}
    if unknown:
        named = f"{sorted(unknown)} of '{column.name}' on '{table.name}'"
        raise refuse("0x8004431A", 400, f"A validation error occurred.  The value {named} is outside the valid range.")


def _number(table: Table, column: Column, value: Any) -> Any:
    number = Decimal(str(value))
    low, high = column.min_value, column.max_value
    if (low is not None and number < Decimal(str(low))) or (high is not None and number > Decimal(str(high))):
        codes = {"Money": "0x80040317", "Integer": "0x8004432F"}
        named = f"'{column.name}' on record of type '{table.name}'"
        raise refuse(codes.get(column.type, "0x80044330"), 400, f"The value of {named} is outside the valid range.")
    if column.type == "Integer":
        return int(number)
    if column.precision is not None and column.precision_source in (0, None):
        number = round(number, column.precision)
    return float(number) if column.type == "Double" else number


def to_batch(table: Table, columns: Sequence[str], rows: Mapping[UUID, Row]) -> pa.RecordBatch:
    """The port's shape of rows."""
    arrays = {"_row": pa.array([row_id.bytes for row_id in rows], _ID)}
    for name in columns:
        values = [row.get(name) for row in rows.values()]
        column = table.columns.get(name)
        if name == "_parties":
            arrays[name] = pa.array([[_party(p) for p in v or ()] for v in values], pa.list_(_PARTY))
        elif column is not None and column.type in LOOKUPS:
            arrays[name] = pa.array([v[1].bytes if v else None for v in values], _ID)
            arrays[f"{name}__table"] = pa.array([v[0] if v else None for v in values], pa.string())
        elif column is not None:
            arrays[name] = _array(column, values)
    return pa.RecordBatch.from_pydict(arrays)


def _array(column: Column, values: list[Any]) -> pa.Array:
    if column.type == "DateTime":
        return pa.array(values, pa.date32() if column.date_behaviour == "DateOnly" else pa.timestamp("us", "UTC"))
    kind, convert = _ARROW.get(column.type, (pa.string(), str))
    return pa.array([None if v is None else convert(v) for v in values], kind)


def _plain(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _uuid_bytes(value: UUID) -> bytes:
    return value.bytes


_ARROW: Mapping[str, tuple[pa.DataType, Callable[[Any], Any]]] = {
    **{kind: (pa.int64(), int) for kind in ("Integer", "BigInt", "Picklist", "State", "Status")},
    "Boolean": (pa.bool_(), bool),
    "Double": (pa.float64(), float),
    "Money": (pa.string(), _plain),
    "Decimal": (pa.string(), _plain),
    "Uniqueidentifier": (_ID, _uuid_bytes),
}


def _party(party: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "mask": party["mask"],
        "table": party.get("table"),
        "id": UUID(party["id"]).bytes if party.get("id") else None,
        "address": party.get("address"),
    }
