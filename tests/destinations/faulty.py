"""A destination between any two others that has mishaps, by seed: for tests of whoever writes through the port."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import pyarrow as pa

from flitstack.catalogue.types import Table
from flitstack.destinations.faults import Fault, Refusal, Refused, Throttled, Unanswered, Unavailable
from flitstack.destinations.port import Body, Call, Destination, Done, Encoder, Facts

BEFORE = ("throttled", "unavailable", "refused", "lost before")
AFTER = ("lost after",)


class FaultyDestination:
    """Each write meets a mishap with probability `rate`. `happened` counts them by name; `most` ends them.

    throttled, unavailable, refused and `lost before` leave the environment as it was; `lost after` has written.
    `kinds` chooses among them: `refused` is no mishap a loader should survive without listing rows, so it is off.
    """

    def __init__(
        self,
        inner: Destination,
        seed: int,
        rate: float = 0.2,
        kinds: Sequence[str] = ("throttled", "unavailable", "lost before", "lost after"),
        most: int = 1_000,
    ) -> None:
        self.inner = inner
        self.rate, self.kinds, self.most = rate, tuple(kinds), most
        self.happened: Counter[str] = Counter()
        self._chance = random.Random(seed)

    def _mishap(self) -> str:
        if self.happened.total() >= self.most or self._chance.random() >= self.rate:
            return ""
        kind = self._chance.choice(self.kinds)
        self.happened[kind] += 1
        return kind

    def _strike(self, kind: str, when: Sequence[str]) -> None:
        if kind in when:
            raise _fault(kind)

    async def create_rows(self, table: Table, body: Body, count: int) -> None:
        kind = self._mishap()
        self._strike(kind, BEFORE)
        await self.inner.create_rows(table, body, count)
        self._strike(kind, AFTER)

    async def update_rows(self, table: Table, rows: Sequence[tuple[UUID, bytes]]) -> None:
        kind = self._mishap()
        self._strike(kind, BEFORE)
        await self.inner.update_rows(table, rows)
        self._strike(kind, AFTER)

    async def batch(self, calls: Sequence[Call], *, continue_on_error: bool) -> list[Done]:
        kind = self._mishap()
        self._strike(kind, BEFORE)
        done = await self.inner.batch(calls, continue_on_error=continue_on_error)
        self._strike(kind, AFTER)
        return done

    async def attach(self, table: Table, row: UUID, file_name: str, mime_type: str, content: bytes) -> None:
        kind = self._mishap()
        self._strike(kind, BEFORE)
        await self.inner.attach(table, row, file_name, mime_type, content)
        self._strike(kind, AFTER)

    async def facts(self) -> Facts:
        return await self.inner.facts()

    async def table(self, name: str) -> Table | None:
        return await self.inner.table(name)

    async def apply(self, operation: Mapping[str, Any]) -> None:
        await self.inner.apply(operation)

    async def revert(self, operation: Mapping[str, Any]) -> None:
        await self.inner.revert(operation)

    def encoder(self, table: Table, columns: Sequence[str], *, with_id: bool, nulls: bool, parties: bool) -> Encoder:
        return self.inner.encoder(table, columns, with_id=with_id, nulls=nulls, parties=parties)

    async def existing(self, table: Table, ids: Sequence[UUID]) -> set[UUID]:
        return await self.inner.existing(table, ids)

    def rows(
        self,
        table: Table,
        columns: Sequence[str],
        *,
        ids: Sequence[UUID] | None = None,
        source_keyed: str | None = None,
    ) -> AsyncIterator[pa.RecordBatch]:
        return self.inner.rows(table, columns, ids=ids, source_keyed=source_keyed)

    async def related(self, table: Table, row: UUID, relationship: str, other: Table) -> set[UUID]:
        return await self.inner.related(table, row, relationship, other)

    async def close(self) -> None:
        await self.inner.close()


def _fault(kind: str) -> Fault:
    if kind == "throttled":
        return Throttled(0.01, "0x80072322 planted")
    if kind == "unavailable":
        return Unavailable("planted")
    if kind == "refused":
        return Refused(Refusal("0x80040265", 400, "planted"))
    return Unanswered(f"planted: {kind}")
