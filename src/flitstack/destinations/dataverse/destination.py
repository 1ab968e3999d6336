"""Dataverse as a destination: the port over the Web API."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence, Set
from typing import Any
from uuid import UUID, uuid4

import pyarrow as pa

from flitstack.catalogue.types import Catalogue, Table
from flitstack.destinations.dataverse.calls import outcomes, part_of, target_of
from flitstack.destinations.dataverse.client import Client, fault_of
from flitstack.destinations.dataverse.encoding import create_encoder, navigation_of
from flitstack.destinations.dataverse.facts import read_facts
from flitstack.destinations.dataverse.files import attach_file
from flitstack.destinations.dataverse.metadata import StandardSets, read_entity_sets, read_table
from flitstack.destinations.dataverse.multipart import read_batch, write_batch
from flitstack.destinations.dataverse.reading import read_existing, read_ids, read_rows
from flitstack.destinations.dataverse.schema import SchemaWriter
from flitstack.destinations.faults import NOT_THERE, Fatal, Refused, Unanswered
from flitstack.destinations.port import Body, Call, Done, Encoder, Facts
from flitstack.limits import CALLS_PER_BATCH


class DataverseDestination:
    """One environment, one application user. Safe for many concurrent calls of one event loop."""

    def __init__(
        self, client: Client, catalogue: Catalogue, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._client, self._catalogue, self._sleep = client, catalogue, sleep
        self._entity_sets: Mapping[str, str] = StandardSets(catalogue)
        self._live_sets = False
        self._schema: SchemaWriter | None = None

    async def facts(self) -> Facts:
        """See the port."""
        return await read_facts(self._client)

    async def table(self, name: str) -> Table | None:
        """See the port. The first call also learns the entity sets that `encoder` binds lookups to."""
        if not self._live_sets:
            await self._read_sets()
        return await read_table(self._client, self._catalogue, name)

    async def apply(self, operation: Mapping[str, Any]) -> None:
        """See the port."""
        await (await self._writer()).apply(operation)
        self._live_sets = self._live_sets and operation["kind"] != "create_table"

    async def revert(self, operation: Mapping[str, Any]) -> None:
        """See the port."""
        await (await self._writer()).revert(operation)
        self._live_sets = self._live_sets and operation["kind"] != "create_table"

    def encoder(self, table: Table, columns: Sequence[str], *, with_id: bool, nulls: bool, parties: bool) -> Encoder:
        """See the port."""
        party = self._catalogue.tables["activityparty"].columns["partyid"] if parties else None
        return create_encoder(
            table,
            columns,
            self._entity_sets,
            navigation_of(party) if party else {},
            with_id=with_id,
            nulls=nulls,
            parties=parties,
        )

    async def create_rows(self, table: Table, body: Body, count: int) -> None:
        """See the port: CreateMultiple."""
        path = f"{table.entity_set}/Microsoft.Dynamics.CRM.CreateMultiple"
        answer = await self._client.post(path, body, self._client.write_headers)
        ids = answer.json().get("Ids", ())
        if len(ids) != count:
            raise Unanswered(f"{count} rows were sent to {table.name}, the answer names {len(ids)}")

    async def update_rows(self, table: Table, rows: Sequence[tuple[UUID, bytes]]) -> None:
        """See the port: UpdateMultiple."""
        path = f"{table.entity_set}/Microsoft.Dynamics.CRM.UpdateMultiple"
        body = b'{"Targets":[%b]}' % b",".join(target_of(table, row, text) for row, text in rows)
        await self._client.post(path, body, self._client.write_headers)

    async def batch(self, calls: Sequence[Call], *, continue_on_error: bool) -> list[Done]:
        """See the port."""
        if len(calls) > CALLS_PER_BATCH:
            raise Fatal(f"{len(calls)} calls do not fit one batch of {CALLS_PER_BATCH}")
        if not calls:
            return []
        entity_sets = await self._sets_with({call.table for call in calls} | {c.target_table for c in calls} - {""})
        boundary = f"batch_{uuid4()}"
        write_headers = tuple(self._client.write_headers.items())
        parts = [part_of(call, entity_sets, self._client.url, write_headers) for call in calls]
        headers = {"Content-Type": f'multipart/mixed; boundary="{boundary}"'}
        if continue_on_error:
            headers["Prefer"] = "odata.continue-on-error"
        # A batch that stopped answers with the status of the failed part and still lists the outcomes.
        accept = frozenset(range(400, 600)) - {401, 429, 503}
        answer = await self._client.send("POST", "$batch", write_batch(parts, boundary), headers, accept)
        content_type = answer.headers.get("Content-Type", "")
        if answer.status >= 400 and "multipart" not in content_type.lower():
            raise fault_of(answer)
        answers, is_whole = read_batch(content_type, answer.body)
        return outcomes(answers, is_whole, len(calls), continue_on_error=continue_on_error)

    async def attach(self, table: Table, row: UUID, file_name: str, mime_type: str, content: bytes) -> None:
        """See the port."""
        await attach_file(self._client, table, row, file_name, mime_type, content)

    async def existing(self, table: Table, ids: Sequence[UUID]) -> set[UUID]:
        """See the port."""
        return await read_existing(self._client, table, ids)

    def rows(
        self,
        table: Table,
        columns: Sequence[str],
        *,
        ids: Sequence[UUID] | None = None,
        source_keyed: str | None = None,
    ) -> AsyncIterator[pa.RecordBatch]:
        """See the port."""
        return read_rows(self._client, table, columns, ids, source_keyed)

    async def related(self, table: Table, row: UUID, relationship: str, other: Table) -> set[UUID]:
        """See the port."""
        try:
            return await read_ids(self._client, f"{table.entity_set}({row})/{relationship}", other.id_column)
        except Refused as fault:
            if fault.refusal.code == NOT_THERE:
                return set()
            raise

    async def close(self) -> None:
        """See the port."""
        await self._client.close()

    async def _sets_with(self, tables: Set[str]) -> Mapping[str, str]:
        """Entity sets; asked anew when a table is not among them (another user of the environment may have made it)."""
        if not tables <= self._entity_sets.keys():
            await self._read_sets()
        return self._entity_sets

    async def _read_sets(self) -> None:
        self._entity_sets = await read_entity_sets(self._client)
        self._live_sets = True

    async def _writer(self) -> SchemaWriter:
        """Labels are written in the environment's base language."""
        if self._schema is None:
            self._schema = SchemaWriter(self._client, (await self.facts()).language, self._sleep)
        return self._schema
