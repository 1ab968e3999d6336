"""What rows held before a change, as JSON lines for the journal's before-images."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson

from flitstack.catalogue.types import Table
from flitstack.loading.attempts import Attempts

VERSION = "versionnumber"  # moves with every change of a row, whoever makes it
_LOOKUPS = frozenset({"Lookup", "Customer", "Owner"})


@dataclass(frozen=True, slots=True)
class Before:
    """Rows as they were. `ids`: those asked for, in order; `found`: by id, what was there (column -> plain value)."""

    ids: tuple[UUID, ...]
    found: Mapping[UUID, Mapping[str, Any]]

    def lines(self, only: Mapping[UUID, Sequence[str]]) -> bytes:
        """One line a row: `_row`, then the columns (of `only`, where it names the row); lookups with `<column>__table`;
        `_absent` where the row does not exist.

        A crash between a change and its outcome makes a second image that already holds our values: of several images
        of a row in one plan the oldest counts.
        """
        return b"".join(orjson.dumps(self._line(row, only.get(row))) + b"\n" for row in self.ids)

    def without(self, rows: Container[UUID]) -> "Before":
        """The same without some rows."""
        return Before(tuple(row for row in self.ids if row not in rows), self.found)

    def versions(self) -> dict[UUID, int | None]:
        """Each row's version, where it was read."""
        return {row: held.get(VERSION) for row, held in self.found.items()}

    def _line(self, row: UUID, only: Sequence[str] | None) -> Mapping[str, Any]:
        held = self.found.get(row)
        if held is None:
            return {"_row": str(row), "_absent": True}
        if only is None:
            return held
        names = {"_row", *only, *(f"{name}__table" for name in only)}
        return {name: value for name, value in held.items() if name in names}


async def read_before(attempts: Attempts, table: Table, columns: Sequence[str], ids: Sequence[UUID]) -> Before:
    """Read the columns of these rows now."""
    found: dict[UUID, dict[str, Any]] = {}
    columns = [name for name in columns if name != VERSION or VERSION in table.columns]
    names = [name for name in columns if name == "_parties" or table.columns[name].readable]
    ids_too = {"_row", *(name for name in names if name != "_parties" and _is_id(table, name))}
    for batch in await attempts.rows(table, names, ids):
        for row in batch.to_pylist():
            held = {name: _plain(value, is_id=name in ids_too) for name, value in row.items()}
            found[UUID(held["_row"])] = held
    return Before(tuple(ids), found)


def _is_id(table: Table, name: str) -> bool:
    return table.columns[name].type in _LOOKUPS or table.columns[name].type == "Uniqueidentifier"


def _plain(value: Any, *, is_id: bool) -> Any:
    if is_id and isinstance(value, bytes):
        return str(UUID(bytes=value))
    if isinstance(value, list):
        return [{**party, "id": str(UUID(bytes=party["id"])) if party["id"] else None} for party in value]
    return value.isoformat() if isinstance(value, date | datetime) else value
