"""A destination that keeps the service protection limits, spread over its application users."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from uuid import UUID

import pyarrow as pa

from flitstack.catalogue.types import Table
from flitstack.destinations.faults import Throttled
from flitstack.destinations.pacing import Pace, choose
from flitstack.destinations.port import Body, Call, Destination, Done, Encoder, Facts, reach

T = TypeVar("T")
# A wait is cut into pieces, so that the end of another request is never overslept for long; and never shorter than a
# clock can tell apart.
_LONGEST_NAP_S, _SHORTEST_NAP_S = 5.0, 0.001


@dataclass(slots=True)
class Lane:
    """One application user and its pace. The user's client tells it what answers say (`dataverse.client.Pacer`)."""

    destination: Destination
    pace: Pace = field(default_factory=Pace)
    clock: Callable[[], float] = time.monotonic
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def paused(self, retry_after_s: float, code: str) -> None:
        """A 429 was read, of whichever of the requests that a call takes."""
        self.pace.paused(self.clock(), retry_after_s, code)

    def told(self, requests_left: float, execution_left_s: float) -> None:
        """So much is left of this user's window on the web server that answered."""
        self.pace.told(self.clock(), requests_left, execution_left_s)

    def connected(self, seconds: float) -> None:
        """The quickest connection is the network's share of an answer's time."""
        self.pace.latency_s = min(seconds, self.pace.latency_s or seconds)


class ThrottledDestination:
    """Wraps one destination an application user, all to the same environment.

    A call waits until a user's budget allows it; a throttled one (nothing was executed) waits out the pause and is
    sent again, by whichever user may. `Throttled` therefore leaves this wrapper only out of `rows`.

    `trial`: the factor on the documented limits to begin with; an emulator without limits is worth a high one, since
    the first refusal falls back to 1.
    """

    def __init__(
        self,
        destinations: Sequence[Destination],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        trial: float = 1.0,
    ) -> None:
        self.lanes = [Lane(destination, Pace(now=clock(), factor=trial), clock) for destination in destinations]
        self._clock, self._sleep = clock, sleep
        self._tables: dict[str, Table] = {}
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()

    @property
    def parallelism(self) -> int:
        """How many calls at once are worth having under way."""
        return sum(int(lane.pace.most_concurrent) for lane in self.lanes)

    @property
    def pauses(self) -> int:
        """How often the service has made one of the users wait."""
        return sum(lane.pace.pauses for lane in self.lanes)

    async def facts(self) -> Facts:
        """See the port. Of several users what each of them may do, since any of them may send a row."""
        facts = await self._call("facts", 6, lambda d: d.facts(), self.lanes[0])
        for lane in self.lanes[1:]:
            other = await self._call("facts", 6, lambda d: d.facts(), lane)
            both = facts.is_administrator and other.is_administrator
            facts = replace(facts, privileges=_common(facts.privileges, other.privileges), is_administrator=both)
        return facts

    async def table(self, name: str) -> Table | None:
        """See the port. What was read once stands until this command changes the schema: metadata answers slowly, and a
        rollback asks for each table in each of its phases. The first user reads and changes it, whose encoder binds lookups.
        """
        if name not in self._tables:
            found = await self._call("table", 10, lambda d: d.table(name), self.lanes[0])
            if found is None:
                return None
            self._tables[name] = found
        return self._tables[name]

    async def apply(self, operation: Mapping[str, Any]) -> None:
        """See the port."""
        try:
            await self._call("schema", 1, lambda d: d.apply(operation), self.lanes[0])
        finally:
            self._tables.clear()

    async def revert(self, operation: Mapping[str, Any]) -> None:
        """See the port."""
        try:
            await self._call("schema", 1, lambda d: d.revert(operation), self.lanes[0])
        finally:
            self._tables.clear()

    def encoder(self, table: Table, columns: Sequence[str], *, with_id: bool, nulls: bool, parties: bool) -> Encoder:
        """See the port."""
        return self.lanes[0].destination.encoder(table, columns, with_id=with_id, nulls=nulls, parties=parties)

    async def create_rows(self, table: Table, body: Body, count: int) -> None:
        """See the port."""
        await self._call(("create_rows", table.name), count, lambda d: d.create_rows(table, body, count))

    async def update_rows(self, table: Table, rows: Sequence[tuple[UUID, bytes]]) -> None:
        """See the port."""
        await self._call(("update_rows", table.name), len(rows), lambda d: d.update_rows(table, rows))

    async def batch(self, calls: Sequence[Call], *, continue_on_error: bool) -> list[Done]:
        """See the port."""
        kind = ("batch", calls[0].kind, calls[0].table) if calls else ("batch",)
        return await self._call(kind, len(calls), lambda d: d.batch(calls, continue_on_error=continue_on_error))

    async def attach(self, table: Table, row: UUID, file_name: str, mime_type: str, content: bytes) -> None:
        """See the port."""
        await self._call("attach", 1, lambda d: d.attach(table, row, file_name, mime_type, content))

    async def existing(self, table: Table, ids: Sequence[UUID]) -> set[UUID]:
        """See the port."""
        return await self._call("existing", len(ids), lambda d: d.existing(table, ids))

    async def rows(
        self,
        table: Table,
        columns: Sequence[str],
        *,
        ids: Sequence[UUID] | None = None,
        source_keyed: str | None = None,
    ) -> AsyncIterator[pa.RecordBatch]:
        """See the port. One user reads all pages; each page takes its turn."""
        lane = self.lanes[choose([lane.pace for lane in self.lanes], self._clock())[1]]
        pages = lane.destination.rows(table, columns, ids=ids, source_keyed=source_keyed)

        async def next_page(destination: Destination) -> pa.RecordBatch | None:
            return await anext(pages, None)

        while (page := await self._send(lane, ("rows", table.name), 1, next_page)) is not None:
            yield page

    async def related(self, table: Table, row: UUID, relationship: str, other: Table) -> set[UUID]:
        """See the port."""
        return await self._call("related", 1, lambda d: d.related(table, row, relationship, other))

    async def close(self) -> None:
        """See the port."""
        for lane in self.lanes:
            await lane.destination.close()

    async def _call(
        self, kind: Hashable, units: int, work: Callable[[Destination], Awaitable[T]], only: Lane | None = None
    ) -> T:
        while True:
            try:
                return await self._send(only, kind, units, work)
            except Throttled:
                continue  # the lane is paused: the next turn comes when it, or another one, is free

    async def _send(
        self, only: Lane | None, kind: Hashable, units: int, work: Callable[[Destination], Awaitable[T]]
    ) -> T:
        lane, expected = await self._admit(only, kind, units)
        started, pauses = self._clock(), lane.pace.pauses
        throttled: Throttled | None = None
        try:
            return await work(lane.destination)
        except Throttled as fault:
            throttled = fault
            raise
        finally:
            now = self._clock()
            if throttled is not None:
                lane.pace.refuse(now, expected, throttled.retry_after_s, str(throttled))
            else:
                # A read that waited out a pause inside took that long for no fault of its rows.
                took_s = now - started if lane.pace.pauses == pauses else expected + lane.pace.latency_s
                lane.pace.end(now, expected, kind, units, took_s)
            self._freed.set()

    async def _admit(self, only: Lane | None, kind: Hashable, units: int) -> tuple[Lane, float]:
        """First come, first served: whoever holds the turn waits for the earliest lane. What only one of several may do takes
        that one's turn: while it is paused, the others go on."""
        async with self._turn if only is None or len(self.lanes) == 1 else only.turn:
            while True:
                now = self._clock()
                self._freed.clear()
                lanes = self.lanes if only is None else [only]
                wait_s, at = choose([lane.pace for lane in lanes], now)
                if wait_s <= 0:
                    return lanes[at], lanes[at].pace.begin(now, kind, units)
                if wait_s == float("inf"):
                    await self._freed.wait()
                else:
                    await self._sleep(max(_SHORTEST_NAP_S, min(wait_s, _LONGEST_NAP_S)))


def _common(one: Mapping[str, str] | None, other: Mapping[str, str] | None) -> Mapping[str, str] | None:
    """Privileges that both hold, at the lesser depth; nothing is known when one of them cannot be asked."""
    if one is None or other is None:
        return None
    return {name: min(one[name], other[name], key=reach) for name in one.keys() & other.keys()}
