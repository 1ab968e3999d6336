"""A destination that reads for real and writes nowhere: what would be written is checked and counted.

Schema operations change a copy of the metadata only, so that a plan which makes columns can be run to its end. Rows are
checked against that metadata (lengths, ranges, options); what only the environment knows (existing rows, keys,
privileges) is not asked.
"""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
import pyarrow as pa

from flitstack.catalogue.types import Table
from flitstack.destinations.faults import Fatal, Refusal, Refused
from flitstack.destinations.memory.encoding import create_encoder
from flitstack.destinations.memory.schema import change
from flitstack.destinations.memory.values import checked
from flitstack.destinations.port import Body, Call, Destination, Done, Encoder, Facts


class DryRunDestination:
    """`written` counts rows by (kind of write, table); `operations` lists the schema operations asked for."""

    def __init__(self, inner: Destination) -> None:
        self._inner = inner
        self._tables: dict[str, Table] = {}
        self._removed: set[str] = set()
        self.written: Counter[tuple[str, str]] = Counter()
        self.operations: list[Mapping[str, Any]] = []

    async def facts(self) -> Facts:
        """See the port: the real ones."""
        return await self._inner.facts()

    async def table(self, name: str) -> Table | None:
        """See the port: as it would be."""
        if name not in self._tables and name not in self._removed:
            found = await self._inner.table(name)
            if found is None:
                return None
            self._tables[name] = found
        return self._tables.get(name)

    async def apply(self, operation: Mapping[str, Any]) -> None:
        """See the port."""
        await self._change(operation, undo=False)

    async def revert(self, operation: Mapping[str, Any]) -> None:
        """See the port."""
        await self._change(operation, undo=True)

    async def _change(self, operation: Mapping[str, Any], *, undo: bool) -> None:
        self.operations.append(operation)
        name = operation.get("table", "")
        if name:
            await self.table(name)
        change(self._tables, operation, undo=undo)
        if operation["kind"] == "create_table":
            (self._removed.add if undo else self._removed.discard)(name)

    def encoder(self, table: Table, columns: Sequence[str], *, with_id: bool, nulls: bool, parties: bool) -> Encoder:
        """See the port: neutral text, good for checking."""
        return create_encoder(table, columns, with_id=with_id, nulls=nulls, parties=parties)

    async def create_rows(self, table: Table, body: Body, count: int) -> None:
        """See the port."""
        for row in orjson.loads(b"".join(body)):
            _check(table, row)
        self.written["create", table.name] += count

    async def update_rows(self, table: Table, rows: Sequence[tuple[UUID, bytes]]) -> None:
        """See the port."""
        for _, text in rows:
            _check(table, orjson.loads(text))
        self.written["update", table.name] += len(rows)

    async def batch(self, calls: Sequence[Call], *, continue_on_error: bool) -> list[Done]:
        """See the port."""
        outcomes: list[Done] = []
        for call in calls:
            outcomes.append(Done(await self._refusal_of(call)))
            if outcomes[-1].refusal is not None and not continue_on_error:
                break
        return outcomes

    async def _refusal_of(self, call: Call) -> Refusal | None:
        if call.kind in {"create", "update"}:
            table = await self.table(call.table)
            if table is None:
                raise Fatal(f"the environment has no table {call.table}")
            try:
                _check(table, orjson.loads(call.body))
            except Refused as fault:
                return fault.refusal
        self.written[call.kind, call.table] += 1
        return None

    async def attach(self, table: Table, row: UUID, file_name: str, mime_type: str, content: bytes) -> None:
        """See the port."""
        self.written["attach", table.name] += 1

    async def existing(self, table: Table, ids: Sequence[UUID]) -> set[UUID]:
        """See the port: the real ones; rows of this dry run are not among them."""
        return await self._inner.existing(table, ids)

    def rows(
        self,
        table: Table,
        columns: Sequence[str],
        *,
        ids: Sequence[UUID] | None = None,
        source_keyed: str | None = None,
    ) -> AsyncIterator[pa.RecordBatch]:
        """See the port: the real ones."""
        return self._inner.rows(table, columns, ids=ids, source_keyed=source_keyed)

    async def related(self, table: Table, row: UUID, relationship: str, other: Table) -> set[UUID]:
        """See the port: the real ones."""
        return await self._inner.related(table, row, relationship, other)

    async def close(self) -> None:
        """See the port."""
        await self._inner.close()


def _check(table: Table, row: Mapping[str, Any]) -> None:
    for name, value in row.items():
        if not name.startswith("_"):
            checked(table, table.columns[name], value)
