"""Rows of send tables for tests: strategies, an Arrow table as planning/document.py says, and a slow encoder."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa
from hypothesis import strategies as st

from flitstack.catalogue.types import Column, Table
from flitstack.destinations.dataverse.encoding import LOOKUPS, navigation_of

_SQL_SERVER_YEARS = (datetime.fromisoformat("1753-01-01"), datetime.fromisoformat("9999-12-31"))
PARTY = pa.struct([("mask", pa.int32()), ("table", pa.string()), ("id", pa.string()), ("address", pa.string())])


def value_strategy(column: Column) -> st.SearchStrategy[Any]:
    """Values of a column as the engine holds them, None among them."""
    texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    moments = st.datetimes(*_SQL_SERVER_YEARS, timezones=st.just(UTC))
    by_type: dict[str, st.SearchStrategy[Any]] = {
        "String": texts,
        "Memo": texts,
        "MultiSelectPicklist": st.lists(st.integers(1, 9), min_size=1, max_size=3).map(lambda v: ",".join(map(str, v))),
        "Integer": st.integers(-(2**31), 2**31 - 1),
        "BigInt": st.integers(-(2**63), 2**63 - 1),
        "Picklist": st.integers(0, 10**9),
        "Boolean": st.booleans(),
        "Money": st.decimals(-(10**12), 10**12, places=4),
        "Decimal": st.decimals(-(10**11), 10**11, places=4),
        "Double": st.decimals(-(10**9), 10**9, places=5).map(float),
        "DateTime": st.one_of(moments, moments.map(lambda m: m.replace(microsecond=0))),
    }
    found = st.dates(date(1753, 1, 1)) if column.date_behaviour == "DateOnly" else by_type[column.type]
    return st.none() | found


def row_strategy(table: Table, columns: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    """A row with `_row`, the columns, and targets of its lookups."""
    parts: dict[str, st.SearchStrategy[Any]] = {"_row": st.uuids()}
    for name in columns:
        column = table.columns[name]
        if column.type in LOOKUPS:
            parts[name] = st.none() | st.tuples(st.sampled_from(sorted(column.targets)), st.uuids())
        else:
            parts[name] = value_strategy(column)
    return st.fixed_dictionaries(parts)


def arrow_rows(table: Table, columns: list[str], rows: list[dict[str, Any]]) -> pa.Table:
    """The rows as Arrow; ids as text (cast to UUID by `TYPED`)."""
    arrays: dict[str, pa.Array] = {"_row": pa.array([str(r["_row"]) for r in rows])}
    for name in columns:
        column, values = table.columns[name], [r[name] for r in rows]
        if column.type in LOOKUPS:
            arrays[name] = pa.array([str(v[1]) if v else None for v in values], pa.string())
            arrays[f"{name}__table"] = pa.array([v[0] if v else None for v in values], pa.string())
        else:
            arrays[name] = pa.array(values, arrow_type(column))
    if rows and "_parties" in rows[0]:
        arrays["_parties"] = pa.array([r["_parties"] for r in rows], pa.list_(PARTY))
    return pa.table(arrays)


def arrow_type(column: Column) -> pa.DataType:
    """Arrow type of a value column in a send table."""
    if column.date_behaviour == "DateOnly":
        return pa.date32()
    return {
        "Boolean": pa.bool_(),
        "Money": pa.decimal128(38, 4),
        "Decimal": pa.decimal128(38, 4),
        "Double": pa.float64(),
        "DateTime": pa.timestamp("us", "UTC"),
        "Integer": pa.int64(),
        "BigInt": pa.int64(),
        "Picklist": pa.int64(),
    }.get(column.type, pa.string())


def reference_object(
    table: Table, columns: list[str], row: Mapping[str, Any], entity_sets: Mapping[str, str]
) -> dict[str, Any]:
    """What the row's JSON must mean, said in plain Python; numbers as Decimal."""
    made: dict[str, Any] = {
        "@odata.type": f"Microsoft.Dynamics.CRM.{table.name}",
        table.id_column: str(row["_row"]),
    }
    for name in columns:
        column, value = table.columns[name], row[name]
        if value is None:
            continue
        if column.type in LOOKUPS:
            target, target_id = value
            made[f"{navigation_of(column)[target]}@odata.bind"] = f"/{entity_sets[target]}({target_id})"
        else:
            made[name] = _plain(column, value)
    return made


def _plain(column: Column, value: Any) -> Any:
    if isinstance(value, datetime):
        text = value.astimezone(UTC).strftime("%m-%dT%H:%M:%S")
        fraction = f".{value.microsecond:06d}".rstrip("0") if value.microsecond else ""
        return f"{value.year:04d}-{text}{fraction}Z"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (float, Decimal)):
        return Decimal(repr(value) if isinstance(value, float) else str(value))
    return value


def parsed(text: str) -> dict[str, Any]:
    """JSON with exact numbers; a name that appears twice is an error."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        assert len(found) == len(pairs), text
        return found

    loaded: dict[str, Any] = json.loads(text, parse_float=Decimal, object_pairs_hook=unique)
    return loaded


def as_decimals(value: Any) -> Any:
    """Whole numbers compare equal to Decimals, booleans stay themselves."""
    return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value


def some_id(number: int) -> UUID:
    """A readable id."""
    return UUID(int=(0x8000 << 64) | number | 8 << 76)
