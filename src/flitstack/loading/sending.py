"""One request at a time, exactly once: intent on disk, request, outcome on disk; what is unknown is asked for.

Rules (docs/loading.md):
- Throttled and Unavailable: nothing was done; wait, send the same again.
- Unanswered: ask which rows exist; those that do landed. The others are sent again with the same ids once the server's own
  time limit is over, and a duplicate-key refusal then means that the first request did arrive.
- Refused bulk request: nothing landed; it is sent once more as a batch that goes on past errors, which isolates bad rows.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

from flitstack.catalogue.types import Table
from flitstack.destinations.faults import Refusal, Refused, Throttled, Unanswered, Unavailable
from flitstack.destinations.port import Call, Destination, Done
from flitstack.errors import Problem, StepFailed
from flitstack.journal.frames import Operation, Outcome, Status
from flitstack.journal.journal import Journal
from flitstack.keys import BatchId
from flitstack.limits import CALLS_PER_BATCH
from flitstack.loading.rows import RowBatch

DUPLICATE_KEY = "0x80040237"
NOT_THERE = "0x80040217"
NOT_EXECUTED = (429, 503)
MOST_TRIES = 12
LONGEST_PAUSE_S = 60.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SendOptions:
    """`server_limit_s`: how long the server may still work on a request whose answer was lost."""

    batch_rows: int = 500
    batch_bytes: int = 8 << 20
    in_flight: int = 4
    server_limit_s: float = 120.0


@dataclass
class Counters:
    """What sending took. One event loop only, so plain additions are safe."""

    requests: int = 0
    asked: int = 0
    done: int = 0
    refused: int = 0


@dataclass
class Sender:
    """Sends batches to one destination under one journal."""

    destination: Destination
    journal: Journal
    options: SendOptions
    counters: Counters = field(default_factory=Counters)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _open_at: float = 0.0

    async def create(self, step: int, table: Table, batch: RowBatch, head: bytes, tail: bytes, *, bulk: bool) -> None:
        """Make rows; every one ends as landed or refused."""
        batch_id = self.journal.intend(step, Operation.CREATE, table.name, batch.ids, batch.hashes)
        await self.journal.commit()
        if bulk:
            try:
                await self.attempt(lambda: self.destination.create_rows(table, batch.body(head, tail), len(batch)))
            except Refused:
                await self._create_singly(table, batch, batch_id)
            except Unanswered:
                await self._ask_then_create(table, batch, batch_id)
            else:
                await self._settle(batch_id, len(batch))
        else:
            await self._create_singly(table, batch, batch_id)

    async def calls(
        self,
        step: int,
        operation: Operation,
        table: Table,
        calls: Sequence[Call],
        hashes: bytes,
        before: bytes | None = None,
    ) -> None:
        """Writes that may safely be repeated (updates, states, links, deletes); each ends as landed or refused."""
        ids = b"".join(call.row.bytes for call in calls)
        batch_id = self.journal.intend(step, operation, table.name, ids, hashes, before)
        await self.journal.commit()
        found = await self._until_done(list(calls), operation)
        await self._settle(batch_id, len(calls), found)

    async def _create_singly(self, table: Table, batch: RowBatch, batch_id: BatchId) -> None:
        calls = [Call("create", table.name, batch.row_id(place), batch.text(place)) for place in range(len(batch))]
        found = await self._until_done(calls, Operation.CREATE, table)
        await self._settle(batch_id, len(batch), found)

    async def _ask_then_create(self, table: Table, batch: RowBatch, batch_id: BatchId) -> None:
        """The bulk request's answer was lost: it is all or nothing, so one answer tells about all rows."""
        self.counters.asked += 1
        there = await self._wait_for(table, batch.row_ids())
        absent = [place for place in range(len(batch)) if batch.row_id(place) not in there]
        calls = [Call("create", table.name, batch.row_id(place), batch.text(place)) for place in absent]
        refusals = await self._until_done(calls, Operation.CREATE, table) if calls else {}
        await self._settle(batch_id, len(batch), {absent[place]: refusal for place, refusal in refusals.items()})

    async def _wait_for(self, table: Table, ids: list[UUID]) -> set[UUID]:
        """Ask until all rows are there or the server's time limit is over; what is absent then was not done."""
        waited, pause = 0.0, 0.5
        while True:
            there = await self.attempt(lambda: self.destination.existing(table, ids))
            if len(there) == len(ids) or waited >= self.options.server_limit_s:
                return there
            step_s = min(pause, self.options.server_limit_s - waited)
            await self.sleep(step_s)
            waited, pause = waited + step_s, min(pause * 2, 10.0)

    async def _until_done(
        self, calls: list[Call], operation: Operation, table: Table | None = None
    ) -> dict[int, Refusal]:
        """Send calls as batches until each has a verdict; refusals by place."""
        refusals: dict[int, Refusal] = {}
        todo = list(range(len(calls)))
        for attempt in range(MOST_TRIES):
            todo, unanswered = await self._round(calls, todo, operation, table, refusals)
            if not todo:
                return refusals
            await self.sleep(min(2.0**attempt, LONGEST_PAUSE_S) if not unanswered else 0)
        raise _gave_up(len(todo))

    async def _round(
        self,
        calls: list[Call],
        todo: list[int],
        operation: Operation,
        table: Table | None,
        refusals: dict[int, Refusal],
    ) -> tuple[list[int], bool]:
        """One pass over what is left: (places still without verdict, whether an answer was lost)."""
        left: list[int] = []
        unanswered = False
        for start in range(0, len(todo), CALLS_PER_BATCH):
            places = todo[start : start + CALLS_PER_BATCH]
            try:
                done = await self._batch([calls[place] for place in places])
            except Unanswered:
                unanswered = True
                self.counters.asked += 1
                there = await self._wait_for(table, [calls[i].row for i in places]) if table is not None else set()
                left += [place for place in places if calls[place].row not in there]
                continue
            except Refused as fault:
                # The whole batch was refused (not its parts): each row gets the reason.
                done = [Done(fault.refusal)] * len(places)
            for place, outcome in zip(places, done, strict=False):
                refusal = outcome.refusal
                if refusal is not None and refusal.status in NOT_EXECUTED:
                    left.append(place)
                elif refusal is not None and not await self._already(calls[place], refusal, operation, table):
                    refusals[place] = refusal
        return left, unanswered

    async def _batch(self, calls: Sequence[Call]) -> list[Done]:
        return await self.attempt(lambda: self.destination.batch(calls, continue_on_error=True))

    async def _already(self, call: Call, refusal: Refusal, operation: Operation, table: Table | None) -> bool:
        """Whether a refusal only says that the wanted state is reached already."""
        if operation is Operation.DELETE:
            return refusal.status == 404 or refusal.code == NOT_THERE
        if operation is Operation.LINK:
            return refusal.code == DUPLICATE_KEY
        if operation is Operation.CREATE and refusal.code == DUPLICATE_KEY and table is not None:
            # The id is ours alone: if a row has it, an earlier request made it. An alternate key would give no row.
            return call.row in await self.attempt(lambda: self.destination.existing(table, [call.row]))
        return False

    async def attempt(self, request: Callable[[], Awaitable[T]]) -> T:
        """Send; wait and send again while nothing was done. Raises Refused and Unanswered."""
        loop = asyncio.get_running_loop()
        for attempt in range(MOST_TRIES):
            while (pause := self._open_at - loop.time()) > 0:
                await self.sleep(pause)
            self.counters.requests += 1
            try:
                return await request()
            except Throttled as fault:
                self._open_at = max(self._open_at, loop.time() + fault.retry_after_s)
            except Unavailable:
                await self.sleep(min(2.0**attempt, LONGEST_PAUSE_S))
        raise _gave_up(0)

    async def _settle(self, batch_id: BatchId, rows: int, refusals: dict[int, Refusal] | None = None) -> None:
        if refusals:
            statuses = bytearray([Status.LANDED]) * rows
            for place in refusals:
                statuses[place] = Status.REFUSED
            listed = tuple((place, refusal.code, refusal.message[:500]) for place, refusal in sorted(refusals.items()))
            self.journal.settle(Outcome(batch_id, rows, bytes(statuses), listed))
        else:
            self.journal.settle(Outcome(batch_id, rows))
        await self.journal.commit()
        self.counters.refused += len(refusals or ())
        self.counters.done += rows - len(refusals or ())


def _gave_up(rows: int) -> StepFailed:
    what = f"{rows} rows got no verdict" if rows else "the destination did not take the request"
    return StepFailed(
        Problem(
            "destination-unavailable",
            f"{what} after {MOST_TRIES} tries",
            do="check the connection and the environment's health, then run the same command again: it goes on where it stopped",
        )
    )
