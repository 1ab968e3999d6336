"""What rows held before an update, as JSON lines for the journal's before-images."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson

from flitstack.catalogue.types import Table
from flitstack.loading.attempts import Attempts

_LOOKUPS = frozenset({"Lookup", "Customer", "Owner"})


async def read_before(attempts: Attempts, table: Table, columns: Sequence[str], ids: Sequence[UUID]) -> bytes:
    """One line a row: `_row`, then the columns; lookups with `<column>__table`; `_absent` where the row does not exist.

    A crash between an update and its outcome makes a second image that already holds our values: of several images
    of a row the oldest counts.
    """
    found: dict[UUID, dict[str, Any]] = {}
    ids_too = {"_row", *(name for name in columns if _is_id(table, name))}
    for batch in await attempts.rows(table, [name for name in columns if table.columns[name].readable], ids):
        for row in batch.to_pylist():
            held = {name: _plain(value, is_id=name in ids_too) for name, value in row.items()}
            found[UUID(held["_row"])] = held
    lines = [found.get(row) or {"_row": str(row), "_absent": True} for row in ids]
    return b"".join(orjson.dumps(line) + b"\n" for line in lines)


def _is_id(table: Table, name: str) -> bool:
    return table.columns[name].type in _LOOKUPS or table.columns[name].type == "Uniqueidentifier"


def _plain(value: Any, *, is_id: bool) -> Any:
    if is_id and isinstance(value, bytes):
        return str(UUID(bytes=value))
    return value.isoformat() if isinstance(value, date | datetime) else value
