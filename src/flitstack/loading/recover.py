"""What a crash left undecided is settled by asking, before anything new is sent."""

from uuid import UUID

from flitstack.journal.frames import ID_BYTES, Intent, Operation, Outcome, Status
from flitstack.journal.journal import Journal
from flitstack.loading.attempts import Attempts, Patience


async def settle_unsettled(attempts: Attempts, journal: Journal, server_limit_s: float) -> int:
    """Give every intent without outcome one; returns how many there were.

    Creates and deletes are settled by which rows exist. The server may still be at work on the last request, so absent
    rows count as not done only after its time limit. Other operations count as not done: repeating them does no harm,
    and states are asked for before they are repeated.
    """
    unsettled = list(journal.state.unsettled.values())
    patience = Patience(server_limit_s)
    for intent in unsettled:
        statuses = await _statuses(attempts, intent, patience)
        if set(statuses) == {Status.LANDED}:
            journal.settle(Outcome(intent.batch, intent.rows))
        else:
            journal.settle(Outcome(intent.batch, intent.rows, statuses))
    await journal.commit()
    return len(unsettled)


async def _statuses(attempts: Attempts, intent: Intent, patience: Patience) -> bytes:
    nothing_done = bytes([Status.ABSENT]) * intent.rows
    if intent.operation not in {Operation.CREATE, Operation.DELETE}:
        return nothing_done
    table = await attempts.repeat(lambda: attempts.destination.table(intent.table))
    if table is None:
        return nothing_done
    ids = [UUID(bytes=intent.ids[at : at + ID_BYTES]) for at in range(0, len(intent.ids), ID_BYTES)]
    wanted_there = intent.operation is Operation.CREATE

    def as_wanted(there: set[UUID]) -> list[bool]:
        return [(row in there) == wanted_there for row in ids]

    there = await attempts.until(lambda: attempts.existing(table, ids), lambda found: all(as_wanted(found)), patience)
    return bytes(Status.LANDED if is_done else Status.ABSENT for is_done in as_wanted(there))
