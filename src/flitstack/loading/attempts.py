"""Requests until they are taken: what was not executed is sent again, after the pause that was asked for."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

import pyarrow as pa

from flitstack.catalogue.types import Table
from flitstack.destinations.faults import Throttled, Unanswered, Unavailable
from flitstack.destinations.port import Destination
from flitstack.errors import Problem, StepFailed

MOST_TRIES = 12
MOST_THROTTLES = 200  # of one request: a busy environment is no broken one, and each time it says how long to wait
LONGEST_PAUSE_S = 60.0
LONGEST_SILENCE_S = 10.0
T = TypeVar("T")


@dataclass
class Counters:
    """What sending took. One event loop only, so plain additions are safe."""

    requests: int = 0
    asked: int = 0
    done: int = 0
    refused: int = 0


@dataclass
class Patience:
    """Seconds that the server may still be at work on requests that got no answer. Waiting uses it up; questions about
    requests that left together share one."""

    left_s: float


@dataclass
class Attempts:
    """The way to one destination. Nothing is sent during a pause the destination asked for."""

    destination: Destination
    counters: Counters = field(default_factory=Counters)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _open_at: float = 0.0

    async def write(self, request: Callable[[], Awaitable[T]]) -> T:
        """Send; wait and send again while nothing was done. Raises Refused, Unanswered, Fatal; StepFailed in the end."""
        loop = asyncio.get_running_loop()
        tries = throttles = 0
        while tries < MOST_TRIES and throttles < MOST_THROTTLES:
            while (pause := self._open_at - loop.time()) > 0:
                await self.sleep(pause)
            self.counters.requests += 1
            try:
                return await request()
            except Throttled as fault:
                throttles += 1
                self._open_at = max(self._open_at, loop.time() + fault.retry_after_s)
            except Unavailable:
                await self.sleep(pause_s(tries))
                tries += 1
        raise gave_up("the destination did not take the request", tries + throttles)

    async def repeat(self, request: Callable[[], Awaitable[T]]) -> T:
        """The same for what may be done twice without harm, reads above all: a lost answer is asked for again."""
        for attempt in range(MOST_TRIES):
            try:
                return await self.write(request)
            except Unanswered:
                await self.sleep(pause_s(attempt))
        raise gave_up("the destination did not answer", MOST_TRIES)

    async def until(self, ask: Callable[[], Awaitable[T]], is_settled: Callable[[T], bool], patience: Patience) -> T:
        """Ask, again and again, until the answer settles the matter or patience is used up; the last answer."""
        pause = 0.5
        while True:
            answer = await ask()
            if is_settled(answer) or patience.left_s <= 0:
                return answer
            wait_s = min(pause, patience.left_s)
            await self.sleep(wait_s)
            patience.left_s -= wait_s
            pause = min(pause * 2, LONGEST_SILENCE_S)

    async def existing(self, table: Table, ids: Sequence[UUID]) -> set[UUID]:
        """Which of these rows exist now."""
        return await self.repeat(lambda: self.destination.existing(table, ids))

    async def rows(self, table: Table, columns: Sequence[str], ids: Sequence[UUID]) -> list[pa.RecordBatch]:
        """Read rows back by id: for batches that fit memory."""
        return await self.repeat(lambda: _all(self.destination.rows(table, columns, ids=ids)))

    async def statuses(self, table: Table, ids: Sequence[UUID]) -> dict[UUID, tuple[int, int]]:
        """(statecode, statuscode) of the rows that exist."""
        found = {}
        for batch in await self.rows(table, ["statecode", "statuscode"], ids):
            for row, state, status in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                found[UUID(bytes=row)] = (state, status)
        return found


def pause_s(attempt: int) -> float:
    """Seconds before the next attempt: 1, 2, 4 ... 60."""
    return min(2.0**attempt, LONGEST_PAUSE_S)


def gave_up(what: str, tries: int) -> StepFailed:
    """The error of a destination that stays away."""
    return StepFailed(
        Problem(
            "destination-unavailable",
            f"{what} in {tries} tries",
            do="check the connection and the environment's health, then run the same command: it goes on where it stopped",
        )
    )


async def _all(batches: AsyncIterator[pa.RecordBatch]) -> list[pa.RecordBatch]:
    return [batch async for batch in batches]
