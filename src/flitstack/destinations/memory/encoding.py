"""The memory destination's body text: JSON with the port's own names, so that nothing of OData is needed here.

A row is `{"_row": id, "firstname": "Ana", "parentcustomerid": ["account", id], "_parties": [...]}`; decimals are text.
"""

from collections.abc import Sequence

from flitstack.catalogue.types import Column, Table
from flitstack.destinations.faults import Fatal
from flitstack.destinations.port import Encoder

LOOKUPS = frozenset({"Lookup", "Customer", "Owner"})


def create_encoder(table: Table, columns: Sequence[str], *, with_id: bool, nulls: bool, parties: bool) -> Encoder:
    """See `Destination.encoder`."""
    members = ["'\"_row\":\"' || CAST(_row AS VARCHAR) || '\"'"] if with_id else []
    for name in columns:
        column = table.column(name)
        if column is None:
            raise Fatal(f"{table.name} has no column {name}")
        value = f"CAST({_value(column)} AS VARCHAR)"
        members.append(f"'\"{name}\":' || " + (f"coalesce({value}, 'null')" if nulls else value))
    if parties:
        members.append("'\"_parties\":' || CAST(to_json(_parties) AS VARCHAR)")
    listed = ", ".join(members) or "NULL"
    return Encoder(f"'{{' || concat_ws(',', {listed}) || '}},'", b"[", b"]")


def _value(column: Column) -> str:
    name = f'"{column.name}"'
    if column.type in LOOKUPS:
        return f'CASE WHEN {name} IS NOT NULL THEN to_json(["{column.name}__table", CAST({name} AS VARCHAR)]) END'
    if column.type in {"Money", "Decimal", "Double"}:
        return f"to_json(CAST({name} AS VARCHAR))"
    if column.type == "DateTime" and column.date_behaviour != "DateOnly":
        return f"epoch_us({name})"
    return f"to_json({name})"
