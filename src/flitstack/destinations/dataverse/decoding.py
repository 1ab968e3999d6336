"""Pages of Web API rows become typed Arrow batches."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
import pyarrow as pa

from flitstack.catalogue.types import Column, Table
from flitstack.destinations.dataverse.encoding import LOOKUPS
from flitstack.destinations.faults import Fatal

LOOKUP_TABLE = "Microsoft.Dynamics.CRM.lookuplogicalname"
PARTIES = "_parties"
_ID = pa.binary(16)
_PARTY = pa.struct([("mask", pa.int32()), ("table", pa.string()), ("id", _ID), ("address", pa.string())])
_EXACT = frozenset({"Money", "Decimal"})
_FLOAT_DIGITS = 15  # a float holds every decimal number of so many digits
_MOST_DECIMALS = 10
_MONEY_DECIMALS = 4  # its currency's or the organization's decimals may stand for the column's own

Row = Mapping[str, Any]


def select_of(table: Table, columns: Sequence[str]) -> list[str]:
    """Property names of these columns for `$select`."""
    names = [table.id_column]
    for name in columns:
        if name != PARTIES:
            column = column_of(table, name)
            names.append(f"_{name}_value" if column.type in LOOKUPS else name)
    return list(dict.fromkeys(names))


def column_of(table: Table, name: str) -> Column:
    """The column; Fatal when the table has none of this name."""
    column = table.column(name)
    if column is None:
        raise Fatal(f"{table.name} has no column {name}")
    return column


def needs_annotations(table: Table, columns: Sequence[str]) -> bool:
    """Whether a lookup among them can point to more than one table."""
    return any(name != PARTIES and _is_polymorphic(column_of(table, name)) for name in columns)


def read_page(body: bytes, table: Table, columns: Sequence[str]) -> tuple[list[Row], str | None]:
    """Rows of a page and its next link. Numbers of Money and Decimal columns are exact."""
    page = orjson.loads(body)
    bounds = _exact_below(table, columns)
    # With larger numbers the page is parsed again, slowly and exactly.
    if any(abs(row.get(name) or 0) >= bound for name, bound in bounds.items() for row in page["value"]):
        page = json.loads(body, parse_float=Decimal)
    return page["value"], page.get("@odata.nextLink")


def to_batch(rows: Sequence[Row], table: Table, columns: Sequence[str]) -> pa.RecordBatch:
    """The port's shape of rows (see `Destination.rows`)."""
    arrays: dict[str, pa.Array] = {"_row": _ids([row[table.id_column] for row in rows])}
    for name in columns:
        if name == PARTIES:
            arrays[name] = _parties(rows, f"{table.name}_activity_parties")
            continue
        column = column_of(table, name)
        if column.type in LOOKUPS:
            arrays[name] = _ids([row.get(f"_{name}_value") for row in rows])
            arrays[f"{name}__table"] = _targets(rows, column)
        else:
            arrays[name] = _values([row.get(name) for row in rows], column)
    return pa.RecordBatch.from_pydict(arrays)


def _exact_below(table: Table, columns: Sequence[str]) -> dict[str, float]:
    """Money and Decimal columns, and below which number a float holds every value of theirs."""
    found = {}
    for name in columns:
        column = column_of(table, name) if name != PARTIES else None
        if column is not None and column.type in _EXACT:
            decimals = _MOST_DECIMALS if column.precision is None else column.precision
            decimals = max(decimals, _MONEY_DECIMALS) if column.type == "Money" else decimals
            found[name] = 10.0 ** (_FLOAT_DIGITS - decimals)
    return found


def _is_polymorphic(column: Column) -> bool:
    return column.type in LOOKUPS and len(column.targets) != 1


def _ids(values: Sequence[str | None]) -> pa.Array:
    if None not in values:
        packed = bytes.fromhex("".join(values).replace("-", ""))  # type: ignore[arg-type]
        if len(packed) == 16 * len(values):
            return pa.Array.from_buffers(_ID, len(values), [None, pa.py_buffer(packed)])
    return pa.array([None if v is None else bytes.fromhex(v.replace("-", "")) for v in values], _ID)


def _targets(rows: Sequence[Row], column: Column) -> pa.Array:
    value = f"_{column.name}_value"
    if not _is_polymorphic(column):
        return pa.array([column.targets[0] if row.get(value) else None for row in rows], pa.string())
    named = f"{value}@{LOOKUP_TABLE}"
    return pa.array([row.get(named) if row.get(value) else None for row in rows], pa.string())


def _values(values: list[Any], column: Column) -> pa.Array:
    if column.type in {"Integer", "BigInt", "Picklist", "State", "Status"}:
        return pa.array([None if v is None else int(v) for v in values], pa.int64())
    if column.type == "Boolean":
        return pa.array(values, pa.bool_())
    if column.type == "Double":
        return pa.array([None if v is None else float(v) for v in values], pa.float64())
    if column.type in _EXACT:
        return pa.array([None if v is None else plain_number(v) for v in values], pa.string())
    if column.type == "Uniqueidentifier":
        return _ids(values)
    if column.type == "DateTime" and column.date_behaviour == "DateOnly":
        return pa.array([None if v is None else v[:10] for v in values], pa.string()).cast(pa.date32())
    if column.type == "DateTime":
        return pa.array(values, pa.string()).cast(pa.timestamp("us", "UTC"))
    return pa.array([v if v is None or isinstance(v, str) else str(v) for v in values], pa.string())


def plain_number(value: float | Decimal) -> str:
    """Decimal text without exponent and without idle zeros."""
    text = format(value if isinstance(value, Decimal) else Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _parties(rows: Sequence[Row], collection: str) -> pa.Array:
    listed = [[_party(party) for party in row.get(collection) or ()] for row in rows]
    return pa.array(listed, pa.list_(_PARTY))


def _party(party: Row) -> dict[str, Any]:
    party_id = party.get("_partyid_value")
    return {
        "mask": party.get("participationtypemask"),
        "table": party.get(f"_partyid_value@{LOOKUP_TABLE}"),
        "id": UUID(party_id).bytes if party_id else None,
        "address": party.get("addressused"),
    }
