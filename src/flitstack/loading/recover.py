"""What a crash left undecided is settled by asking, before anything new is sent."""

import asyncio
import time
from uuid import UUID

from flitstack.destinations.faults import Throttled, Unavailable
from flitstack.destinations.port import Destination
from flitstack.errors import Problem, StepFailed
from flitstack.journal.frames import ID_BYTES, Intent, Operation, Outcome, Status
from flitstack.journal.journal import Journal

POLL_S = 0.5


async def settle_unsettled(destination: Destination, journal: Journal, server_limit_s: float) -> int:
    """Give every intent without outcome one; returns how many there were.

    Creates and deletes are settled by which rows exist. The server may still be at work on the last request, so absent rows
    count as not done only after its time limit. Every other operation may be repeated without harm: it counts as not done.
    """
    unsettled = list(journal.state.unsettled.values())
    deadline = time.monotonic() + server_limit_s
    for intent in unsettled:
        statuses = await _statuses(destination, intent, deadline)
        if set(statuses) == {Status.LANDED}:
            journal.settle(Outcome(intent.batch, intent.rows))
        else:
            journal.settle(Outcome(intent.batch, intent.rows, statuses))
    await journal.commit()
    return len(unsettled)


async def _statuses(destination: Destination, intent: Intent, deadline: float) -> bytes:
    if intent.operation not in {Operation.CREATE, Operation.DELETE}:
        return bytes([Status.ABSENT]) * intent.rows
    table = await destination.table(intent.table)
    if table is None:
        return bytes([Status.ABSENT]) * intent.rows
    ids = [UUID(bytes=intent.ids[at : at + ID_BYTES]) for at in range(0, len(intent.ids), ID_BYTES)]
    wanted_there = intent.operation is Operation.CREATE
    while True:
        try:
            there = await destination.existing(table, ids)
        except Throttled as fault:
            await asyncio.sleep(fault.retry_after_s)
            continue
        except Unavailable as fault:
            raise StepFailed(
                Problem(
                    "destination-unavailable",
                    f"{len(ids)} rows of {intent.table} cannot be asked for: {fault}",
                    do="run the same command again",
                )
            ) from fault
        done = [(row in there) == wanted_there for row in ids]
        if all(done) or time.monotonic() >= deadline:
            return bytes(Status.LANDED if is_done else Status.ABSENT for is_done in done)
        await asyncio.sleep(POLL_S)
