"""One request at a time, exactly once: intent on disk, request, outcome on disk with the next intent; what is unknown is asked for.

Rules (docs/loading.md):
- Throttled and Unavailable: nothing was done; wait, send the same again.
- Unanswered: ask which rows are as wanted; those that are did land. The others are sent again with the same ids once the
  server's own time limit is over, and a duplicate-key refusal then means that the first request did arrive.
- Refused after an answer to the same row was lost: the first request may have done it. Of an update the row's version tells.
- Refused bulk request: nothing landed; it is sent once more as a batch that goes on past errors, which isolates bad rows.
- Refused batch (too large, not understood): nothing of it was executed; it is sent in halves until single calls bear the reason.
"""

import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

import orjson

from flitstack.catalogue.types import Table
from flitstack.destinations.faults import NOT_THERE, Refusal, Refused, Unanswered
from flitstack.destinations.port import Call, Done
from flitstack.errors import shape_of
from flitstack.journal.frames import Operation, Outcome, Status
from flitstack.journal.journal import Journal
from flitstack.keys import BatchId
from flitstack.limits import CALLS_PER_BATCH
from flitstack.loading.attempts import MOST_TRIES, Attempts, Patience, gave_up, pause_s
from flitstack.loading.batch_size import BatchSize
from flitstack.loading.before import VERSION, Before, read_before
from flitstack.loading.rows import RowBatch

DUPLICATE_KEY = "0x80040237"
NOT_EXECUTED = (429, 503)
# A row of a batch that met a deadlock or a time-out of the database: it may well go through the next time.
# Source: Microsoft Learn, "Web service error codes" (SqlError, with Sql Number 1205; SqlTimeout).
_PASSING = frozenset({"0x80044150", "0x80044151"})
_MOST_FAILURES = 3  # of one call; then its reason is told
_ANSWERED = (501, *NOT_EXECUTED)
NOT_ALLOWED = (401, 403)  # the request as a whole, so each half of it too
TOO_LARGE = 413
# One call a row, and a lost one is asked for, or answers for itself when it is made again.
_TOLD = frozenset({Operation.CREATE, Operation.DELETE})
_PERSONAL = re.compile(r"[^\s'\"<>]+@[^\s'\"<>]+|(?<![\w-])\+?\d[\d ().]{6,}\d(?![\w-])")
Reached = Callable[[Sequence[Call]], Awaitable[set[UUID]]]
Bulk = Callable[[Sequence[Call]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class SendOptions:
    """`server_limit_s`: how long the server may still work on a request whose answer was lost."""

    batch_rows: int = 500
    batch_bytes: int = 8 << 20
    in_flight: int = 4
    server_limit_s: float = 120.0


@dataclass(frozen=True, slots=True)
class Work:
    """Calls about rows of one table that settle together. `reached`: asks which rows already are as the calls want them;
    None for what may simply be done again. `changed`: asks which rows are no longer as they were before the first request."""

    operation: Operation
    calls: Sequence[Call]
    reached: Reached | None = None
    bulk: Bulk | None = None  # sends them all in one bulk request, all or nothing
    changed: Reached | None = None


@dataclass
class _Verdicts:
    """What is known of the calls of one intent: rows of which an answer was lost, rows of which a call landed, the first refusal
    of each row; the calls refused and whether a request was lost since the last round."""

    doubtful: set[UUID] = field(default_factory=set)
    landed: set[UUID] = field(default_factory=set)
    refusals: dict[UUID, Refusal] = field(default_factory=dict)
    refused: list[Call] = field(default_factory=list)
    was_lost: bool = False
    failures: Counter[Call] = field(default_factory=Counter)

    def may_pass(self, call: Call, refusal: Refusal) -> bool:
        """Whether the service failed at the call, instead of refusing it, and not yet too often."""
        if refusal.code not in _PASSING and (refusal.status < 500 or refusal.status in _ANSWERED):
            return False
        self.failures[call] += 1
        return self.failures[call] <= _MOST_FAILURES

    def partly(self, work: Work) -> set[UUID]:
        """Refused rows of which something was done, or may have been: what a rollback must not pass over."""
        is_told = work.changed is not None or work.operation in _TOLD
        return self.refusals.keys() & (self.landed if is_told else self.landed | self.doubtful)


@dataclass
class Sender:
    """Sends batches to one destination under one journal."""

    attempts: Attempts
    journal: Journal
    options: SendOptions
    size: BatchSize = field(default_factory=BatchSize)

    async def create(self, step: int, table: Table, batch: RowBatch, head: bytes, tail: bytes, *, bulk: bool) -> None:
        """Make rows; every one ends as landed or refused."""
        batch_id = self.journal.intend(step, Operation.CREATE, table.name, batch.ids, batch.hashes)
        await self.journal.commit()
        if bulk and await self._create_bulk(table, batch, head, tail):
            self._settle(batch_id, batch, {})
        else:
            self._settle(batch_id, batch, await self._create_singly(table, batch))

    async def change(
        self,
        step: int,
        work: Work,
        table: Table,
        batch: RowBatch,
        before: bytes | None = None,
        doubtful: frozenset[UUID] = frozenset(),
    ) -> None:
        """Updates, states, links, deletes: one or more calls a row. `doubtful` rows may be as wanted: they are asked for first."""
        batch_id = self.journal.intend(step, work.operation, table.name, batch.ids, batch.hashes, before)
        await self.journal.commit()
        asked = [call for call in work.calls if call.row in doubtful]
        there = await work.reached(asked) if asked and work.reached else set()
        calls = [call for call in work.calls if call.row not in there]
        verdicts = _Verdicts()
        if not (calls and work.bulk is not None and await self._change_bulk(work.bulk, calls, verdicts)):
            await self._until_done(replace(work, calls=calls, bulk=None), verdicts)
        self._settle(batch_id, batch, verdicts.refusals, verdicts.partly(work))

    def refuse(
        self, step: int, operation: Operation, table: Table, batch: RowBatch, reasons: Mapping[UUID, Refusal]
    ) -> None:
        """Rows that are not sent, each with its reason. Their intent and outcome are one write: with rows that are sent a crash could
        leave them undecided, and then they would count as perhaps changed by us."""
        self._settle(self.journal.intend(step, operation, table.name, batch.ids, batch.hashes), batch, reasons)

    def existing(self, table: Table) -> Reached:
        """Whether rows are there at all: what a create wants."""
        return lambda calls: self.attempts.existing(table, [call.row for call in calls])

    def in_state(self, table: Table) -> Reached:
        """Whether rows are in the state their calls want."""

        async def ask(calls: Sequence[Call]) -> set[UUID]:
            # A quote is activated and then closed: it is as wanted when the last of its calls is fulfilled.
            last = {call.row: call for call in calls}
            found = await self.attempts.statuses(table, list(last))
            return {row for row, call in last.items() if row in found and _is_state(call, *found[row])}

        return ask

    def no_longer(self, table: Table, before: Before) -> Reached | None:
        """Whether rows have another version than before; None for a table without versions. A row that is gone was not changed."""
        if VERSION not in table.columns:
            return None

        async def ask(calls: Sequence[Call]) -> set[UUID]:
            now = await read_before(self.attempts, table, [VERSION], list({call.row for call in calls}))
            versions = before.versions()
            return {row for row, version in now.versions().items() if version != versions.get(row)}

        return ask

    async def _create_bulk(self, table: Table, batch: RowBatch, head: bytes, tail: bytes) -> bool:
        """One bulk request, all or nothing; whether all rows are there."""
        started = time.monotonic()
        destination, body = self.attempts.destination, batch.body(head, tail)
        try:
            await self.attempts.write(lambda: destination.create_rows(table, body, len(batch)))
        except Refused as fault:
            if fault.refusal.status == TOO_LARGE:
                self.size.lost(len(batch))
            return False
        except Unanswered:
            self.size.lost(len(batch))
            calls = [Call("create", table.name, row) for row in batch.row_ids()]
            return len(await self._wait_for(self.existing(table), calls)) == len(batch)
        self.size.answered(len(batch), time.monotonic() - started)
        return True

    async def _change_bulk(self, bulk: Bulk, calls: Sequence[Call], verdicts: _Verdicts) -> bool:
        """One bulk request for changes that may be made twice; whether it was answered, and so changed every row."""
        started = time.monotonic()
        try:
            await self.attempts.write(lambda: bulk(calls))
        except (Refused, Unanswered) as fault:
            if isinstance(fault, Unanswered):
                verdicts.doubtful |= {call.row for call in calls}
            if isinstance(fault, Unanswered) or fault.refusal.status == TOO_LARGE:
                self.size.lost(len(calls))
            return False
        self.size.answered(len(calls), time.monotonic() - started)
        return True

    async def _create_singly(self, table: Table, batch: RowBatch) -> dict[UUID, Refusal]:
        """Rows that are there already answer with a duplicate key, which counts as landed."""
        calls = [Call("create", table.name, batch.row_id(place), batch.text(place)) for place in range(len(batch))]
        verdicts = _Verdicts()
        await self._until_done(Work(Operation.CREATE, calls, self.existing(table)), verdicts)
        return verdicts.refusals

    async def _wait_for(self, reached: Reached, calls: Sequence[Call]) -> set[UUID]:
        """Ask until all is as wanted or the server's time limit is over; what is not then was not done."""
        self.attempts.counters.asked += 1
        rows = len({call.row for call in calls})
        patience = Patience(self.options.server_limit_s)
        return await self.attempts.until(lambda: reached(calls), lambda there: len(there) == rows, patience)

    async def _until_done(self, work: Work, verdicts: _Verdicts) -> None:
        """Send calls as batches until each has a verdict."""
        todo, most = list(work.calls), CALLS_PER_BATCH
        for attempt in range(MOST_TRIES):
            left: list[Call] = []
            for start in range(0, len(todo), most):
                left += await self._send(work, todo[start : start + most], verdicts)
            if not left:
                return
            await self.attempts.sleep(pause_s(attempt))
            if verdicts.was_lost:
                most, verdicts.was_lost = max(1, min(most, len(left)) // 2), False
            todo = _again(todo, left, verdicts)
        raise gave_up(f"{len({call.row for call in todo})} rows got no verdict", MOST_TRIES)

    async def _send(self, work: Work, calls: Sequence[Call], verdicts: _Verdicts) -> list[Call]:
        """One batch; returns the calls that are still without verdict."""
        destination, started = self.attempts.destination, time.monotonic()
        try:
            done = await self.attempts.write(lambda: destination.batch(calls, continue_on_error=True))
        except Unanswered:
            self.size.lost(len(calls))
            verdicts.was_lost = True
            verdicts.doubtful |= {call.row for call in calls}
            if work.reached is None:
                return list(calls)
            there = await self._wait_for(work.reached, calls)
            return [call for call in calls if call.row not in there]
        except Refused as fault:
            if len(calls) > 1 and fault.refusal.status not in NOT_ALLOWED:
                return await self._send_halves(work, calls, verdicts, fault.refusal)
            done = [Done(fault.refusal)] * len(calls)
        else:
            self.size.answered(len(calls), time.monotonic() - started)
        refused = [(call, d.refusal) for call, d in zip(calls, done, strict=False) if d.refusal is not None]
        # In their order: of a row with several calls the last one tells whether it is as wanted (`in_state`).
        failed = [call for call, refusal in refused if verdicts.may_pass(call, refusal)]
        verdicts.doubtful |= {call.row for call in failed}
        landed = await work.reached(failed) if failed and work.reached else set()
        again = {call for call, refusal in refused if refusal.status in NOT_EXECUTED}
        again |= {call for call in failed if call.row not in landed}
        left = [*calls[len(done) :], *(call for call in calls if call in again)]
        passing = again.union(failed)
        final = [(call, refusal) for call, refusal in refused if call not in passing]
        asked = [call for call, refusal in final if _may_be_reached(work.operation, refusal)]
        there = await work.reached(asked) if asked and work.reached else set()
        lost = [call for call, _ in final if call.row in verdicts.doubtful]
        there |= await self._wait_for(work.changed, lost) if lost and work.changed else set()
        verdicts.landed |= {
            call.row
            for call, one in zip(calls, done, strict=False)
            if one.refusal is None or _says_done(work.operation, one.refusal)
        }
        for call, refusal in final:
            if call.row not in there and not _says_done(work.operation, refusal):
                verdicts.refusals.setdefault(call.row, refusal)
                verdicts.refused.append(call)
        return left

    async def _send_halves(
        self, work: Work, calls: Sequence[Call], verdicts: _Verdicts, refusal: Refusal
    ) -> list[Call]:
        """A batch refused as a whole names no row: what is wrong with one call must not cost the others."""
        if refusal.status == TOO_LARGE:
            self.size.lost(len(calls))
        middle = len(calls) // 2
        left = await self._send(work, calls[:middle], verdicts)
        return left + await self._send(work, calls[middle:], verdicts)

    def _settle(
        self, batch_id: BatchId, batch: RowBatch, refusals: Mapping[UUID, Refusal], partly: Container[UUID] = ()
    ) -> None:
        """Write down what became of a batch. It reaches the disk with the intent that follows, at the latest when the journal is
        refreshed: a crash before that leaves each worker one request to ask about, as a crash before the answer does."""
        rows = len(batch)
        outcome = outcome_of(batch_id, batch.row_ids(), refusals, partly) if refusals else Outcome(batch_id, rows)
        self.journal.settle(outcome)
        self.attempts.counters.refused += len(refusals)
        self.attempts.counters.done += rows - len(refusals)


def _again(todo: Sequence[Call], left: Sequence[Call], verdicts: _Verdicts) -> list[Call]:
    """The calls of the next round, in their order.

    A refused call of a row of which another call is left goes again, its refusal forgotten: a quote whose activation was
    not executed cannot be won, which says nothing of the quote (tests/loading/test_quote_states.py).
    """
    waiting = {call.row for call in left}
    for row in waiting:
        verdicts.refusals.pop(row, None)
    wanted = {*left, *(call for call in verdicts.refused if call.row in waiting)}
    verdicts.refused.clear()
    return [call for call in todo if call in wanted]


def _may_be_reached(operation: Operation, refusal: Refusal) -> bool:
    """Whether a refusal may only mean that an earlier request did it.

    A created row's id is ours alone: if a row has it, we made it. An alternate key that is taken gives no such row.
    """
    return operation is Operation.STATE or (operation is Operation.CREATE and refusal.code == DUPLICATE_KEY)


def _says_done(operation: Operation, refusal: Refusal) -> bool:
    if operation is Operation.DELETE:
        return refusal.status == 404 or refusal.code == NOT_THERE
    if operation is Operation.UNLINK:
        return refusal.code == NOT_THERE  # a link ends with either of its rows
    return operation is Operation.LINK and refusal.code == DUPLICATE_KEY


def _is_state(call: Call, state: int, status: int) -> bool:
    wanted = orjson.loads(call.body)
    return all(wanted.get(name, value) == value for name, value in (("state", state), ("status", status)))


def message_shape(message: str) -> str:
    """A server's message fit for the journal: addresses and telephone numbers as shapes, at most 500 characters."""
    # A value that is cut through no longer looks like one, so the end is cut after the shapes are made.
    return _PERSONAL.sub(lambda found: shape_of(found[0]), message[:5_000])[:500]


def outcome_of(
    batch: BatchId, rows: Sequence[UUID], refusals: Mapping[UUID, Refusal], partly: Container[UUID] = ()
) -> Outcome:
    """A batch's outcome: every row landed but those refused; `partly`: those of them of which something was done."""
    refused = {row: Status.PARTLY if row in partly else Status.REFUSED for row in refusals}
    statuses = bytes(refused.get(row, Status.LANDED) for row in rows)
    listed = tuple(
        (place, refusals[row].code, message_shape(refusals[row].message))
        for place, row in enumerate(rows)
        if row in refusals
    )
    return Outcome(batch, len(rows), statuses, listed)
