"""Quotes are activated and then closed: two calls a row, that settle as one whatever is lost between them."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest
from loading.loading_case import nap

from flitstack.catalogue.read import load_catalogue
from flitstack.destinations.faults import Refusal, Unanswered
from flitstack.destinations.memory.destination import MemoryDestination
from flitstack.destinations.port import Call, Done
from flitstack.journal.frames import Operation
from flitstack.journal.journal import Journal
from flitstack.keys import row_id_at
from flitstack.limits import CALLS_PER_BATCH
from flitstack.loading.attempts import Attempts
from flitstack.loading.calls import state_calls
from flitstack.loading.rows import RowBatch
from flitstack.loading.sending import Sender, SendOptions, Work

WON, LOST = (2, 4), (3, 5)  # (state, status reason)
BASE = bytes([7] * 8)


class Cut(MemoryDestination):
    """Executes the first `after` calls of its first batches of states, and answers nothing, that it was busy, or that each call failed."""

    after = 0
    times = 0
    answer = "nothing"

    async def batch(self, calls: Sequence[Call], *, continue_on_error: bool) -> list[Done]:
        if calls[0].kind == "create" or not self.times:
            return await super().batch(calls, continue_on_error=continue_on_error)
        self.times -= 1
        done = await super().batch(calls[: self.after], continue_on_error=continue_on_error)
        if self.answer == "nothing":
            raise Unanswered("cut")
        if self.answer == "failed":
            return [Done(Refusal("0x80040216", 500, "An unexpected error occurred."))] * len(calls)
        # Only the next call was not executed; what follows it is refused for that.
        busy = Done(Refusal("0x80072322", 429, "busy"))
        return [*done, busy, *await super().batch(calls[self.after + 1 :], continue_on_error=continue_on_error)]


def close(folder: Path, destination: MemoryDestination, rows: int) -> tuple[list[tuple[int, int]], int, int]:
    """Make draft quotes, win the even and lose the odd; (state, status) of each, closings, refused rows."""
    ids = [row_id_at(BASE, n) for n in range(rows)]
    texts = [
        orjson.dumps({"action": "lose" if n % 2 else "win", "state": 0, "status": LOST[1] if n % 2 else WON[1], "at": None, "value": None})
        for n in range(rows)
    ]  # fmt: skip
    offsets = [0]
    for text in texts:
        offsets.append(offsets[-1] + len(text) + 1)
    packed = b"".join(text + b"," for text in texts)
    batch = RowBatch(b"".join(row.bytes for row in ids), bytes(8 * rows), memoryview(packed), tuple(offsets))

    async def run() -> int:
        table = await destination.table("quote")
        assert table is not None
        made = [Call("create", "quote", row, orjson.dumps({"_row": str(row), "name": "Q"})) for row in ids]
        assert all(done.refusal is None for done in await destination.batch(made, continue_on_error=True))
        with Journal(folder / "journal", "ana", write=True) as journal:
            options = SendOptions(server_limit_s=0.01)
            sender = Sender(Attempts(destination, sleep=nap), journal, options)
            work = Work(Operation.STATE, state_calls(table, batch), sender.in_state(table))
            await sender.change(0, work, table, batch)
            return sender.attempts.counters.refused

    refused = asyncio.run(run())
    stored = destination.stored["quote"]
    states = [(stored[row]["statecode"], stored[row]["statuscode"]) for row in ids]
    return states, len(destination.stored.get("quoteclose", {})), refused


def test_a_draft_quote_is_activated_before_it_is_won_or_lost(tmp_path: Path) -> None:
    rows = CALLS_PER_BATCH // 2 + 3  # more calls than one batch takes
    states, closings, refused = close(tmp_path, MemoryDestination(load_catalogue()), rows)
    assert (states, closings, refused) == ([LOST if n % 2 else WON for n in range(rows)], rows, 0)


@pytest.mark.parametrize("answer", ["nothing", "busy", "failed"])
@pytest.mark.parametrize("after", range(7))
def test_a_quote_that_was_activated_but_not_closed_is_closed_once_the_answer_is_missed(
    tmp_path: Path, after: int, answer: str
) -> None:
    destination = Cut(load_catalogue())
    destination.after, destination.times, destination.answer = after, 2, answer
    states, closings, refused = close(tmp_path, destination, 3)
    assert (states, closings, refused) == ([WON, LOST, WON], 3, 0)
