"""What is wrong with one row or one request costs no other row."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pyarrow.parquet as pq
import pytest
from loading.loading_case import ROWS, Case, make_case, row, shared_engine

from flitstack.catalogue.types import Table
from flitstack.destinations.faults import Refusal, Refused, Throttled, Unanswered
from flitstack.destinations.memory.destination import MemoryDestination
from flitstack.destinations.port import Body, Call, Done
from flitstack.journal.frames import Intent, Operation
from flitstack.journal.journal import Journal
from flitstack.loading.attempts import Attempts
from flitstack.loading.recover import settle_unsettled
from flitstack.loading.refusals import save_refusals
from flitstack.loading.rows import make_done_view
from flitstack.loading.sending import SendOptions
from flitstack.planning.document import Step


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """What a load without mishaps leaves."""
    case = make_case(tmp_path_factory.mktemp("expected"))
    case.load()
    return case


class Narrow(MemoryDestination):
    """Takes at most three rows a request: 413 above."""

    def start(self) -> "Narrow":
        self.sizes: list[int] = []
        return self

    async def create_rows(self, table: Table, body: Body, count: int) -> None:
        self._measure(count)
        await super().create_rows(table, body, count)

    async def batch(self, calls: Sequence[Call], *, continue_on_error: bool) -> list[Done]:
        self._measure(len(calls))
        return await super().batch(calls, continue_on_error=continue_on_error)

    def _measure(self, rows: int) -> None:
        self.sizes.append(rows)
        if rows > 3:
            raise Refused(Refusal("", 413, "Request Entity Too Large"))


def test_requests_that_are_too_large_become_smaller_and_no_row_is_refused_for_them(
    tmp_path: Path, expected: Case
) -> None:
    case = make_case(tmp_path)
    case.memory = narrow = Narrow(case.memory_catalogue).start()
    case.options = SendOptions(batch_rows=16, in_flight=1, server_limit_s=0.0)
    assert case.load().refused == 0
    assert case.stored() == expected.stored()
    assert narrow.sizes[0] == 16
    # After the first refusals the size has adapted within the step: most requests fit.
    contacts = narrow.sizes[-60:]
    assert sum(size <= 3 for size in contacts) > len(contacts) / 2


class Choosy(MemoryDestination):
    """Does not understand a whole batch when one certain row is in it."""

    requests = 0

    async def batch(self, calls: Sequence[Call], *, continue_on_error: bool) -> list[Done]:
        self.requests += 1
        if any(call.row == row("email", 5) for call in calls):
            raise Refused(Refusal("0x80048d19", 400, "the batch is not readable"))
        return await super().batch(calls, continue_on_error=continue_on_error)


def test_a_batch_refused_as_a_whole_costs_only_the_row_that_is_at_fault(tmp_path: Path, expected: Case) -> None:
    case = make_case(tmp_path)
    case.memory = Choosy(case.memory_catalogue)
    assert case.load().refused == 1
    assert case.refusals() == {"email 5": ("0x80048d19", "the batch is not readable")}
    assert set(expected.stored()["email"]) - set(case.stored()["email"]) == {str(row("email", 5))}


class Forbidding(MemoryDestination):
    """Allows no mail."""

    forbidden = 0

    async def batch(self, calls: Sequence[Call], *, continue_on_error: bool) -> list[Done]:
        if calls[0].table == "email":
            self.forbidden += 1
            raise Refused(Refusal("0x80040220", 403, "missing prvCreateActivity"))
        return await super().batch(calls, continue_on_error=continue_on_error)


def test_a_missing_privilege_is_not_tried_row_by_row(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    case.memory = Forbidding(case.memory_catalogue)
    assert case.load().refused == ROWS["email"]
    assert case.memory.forbidden == 2  # 7 + 1 rows


class ShortAnswers(MemoryDestination):
    """Executes and answers only the first two calls of a batch."""

    async def batch(self, calls: Sequence[Call], *, continue_on_error: bool) -> list[Done]:
        return await super().batch(calls[:2], continue_on_error=continue_on_error)


def test_rows_that_an_answer_does_not_mention_are_sent_again(tmp_path: Path, expected: Case) -> None:
    case = make_case(tmp_path)
    case.memory = ShortAnswers(case.memory_catalogue)
    assert case.load().refused == 0
    assert case.stored() == expected.stored()


class RefusesLinks(MemoryDestination):
    """Refuses the links of one contact."""

    async def batch(self, calls: Sequence[Call], *, continue_on_error: bool) -> list[Done]:
        done = await super().batch(calls, continue_on_error=continue_on_error)
        no = Done(Refusal("0x80040265", 400, "not today"))
        return [
            no if call.kind == "associate" and call.row == row("contact", 4) else d
            for call, d in zip(calls, done, strict=True)
        ]


def test_a_refused_link_is_listed_although_a_later_step_of_the_row_landed(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    case.memory = RefusesLinks(case.memory_catalogue)
    later = Step(len(case.plan.steps), "update", "history", "contact", "update contact", "contact", ROWS["contact"])
    case.plan = replace(case.plan, steps=(*case.plan.steps, later))
    assert case.load().refused == 1
    with Journal(tmp_path / "journal", "ana", write=False) as journal:
        make_done_view(shared_engine(), journal)
        save_refusals(shared_engine(), journal, case.plan, tmp_path, tmp_path / "load.parquet")
    findings = pq.read_table(tmp_path / "load.parquet").to_pylist()
    assert [(f["object"], f["record"], f["outcome"]) for f in findings] == [("contact", "4", "listed")]


class Busy(MemoryDestination):
    """Is throttled by somebody else for a long while."""

    throttles = 30

    async def create_rows(self, table: Table, body: Body, count: int) -> None:
        if self.throttles:
            self.throttles -= 1
            raise Throttled(0.001, "0x80072321")
        await super().create_rows(table, body, count)


def test_a_load_outlasts_many_pauses_that_the_server_asks_for(tmp_path: Path, expected: Case) -> None:
    case = make_case(tmp_path)
    case.memory = Busy(case.memory_catalogue)
    case.options = SendOptions(batch_rows=50, in_flight=1, server_limit_s=0.0)
    case.load()
    assert case.stored() == expected.stored()


class Lossy(MemoryDestination):
    """Loses every answer to a batch of more than two calls, before anything is done."""

    def start(self) -> "Lossy":
        self.sizes: list[int] = []
        return self

    async def batch(self, calls: Sequence[Call], *, continue_on_error: bool) -> list[Done]:
        self.sizes.append(len(calls))
        if len(calls) > 2:
            raise Unanswered("cut")
        return await super().batch(calls, continue_on_error=continue_on_error)


def test_batches_that_get_lost_become_smaller_until_they_arrive(tmp_path: Path, expected: Case) -> None:
    case = make_case(tmp_path)
    case.memory = lossy = Lossy(case.memory_catalogue).start()
    case.options = SendOptions(batch_rows=16, in_flight=1, server_limit_s=0.0)
    case.load()
    assert case.stored() == expected.stored()
    assert max(lossy.sizes) > 2
    assert lossy.sizes[-1] <= 2


def test_what_two_runs_left_undecided_waits_out_the_servers_limit_once(tmp_path: Path, expected: Case) -> None:
    """All unsettled requests left before the crash, so one wait covers them; it is not spent on rows that are there."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    def ids(table: str, first: int) -> bytes:
        return b"".join(row(table, first + place).bytes for place in range(3))

    with Journal(tmp_path, "ana", write=True) as journal:
        for table, first in (("account", 0), ("account", 5_000), ("contact", 5_000)):
            journal.intend(0, Operation.CREATE, table, ids(table, first), bytes(24))
        journal.commit_now()
        assert asyncio.run(settle_unsettled(Attempts(expected.memory, sleep=sleep), journal, 20.0)) == 3
        journal.refresh()
        assert not journal.state.unsettled
        statuses = [pq.read_table(path)["status"].to_pylist() for path in journal.rows_files()]
    assert statuses == [[0, 0, 0, 2, 2, 2, 2, 2, 2]]
    assert sum(waited) == pytest.approx(20.0)
    assert waited[:5] == [0.5, 1.0, 2.0, 4.0, 8.0]


def test_an_intent_about_a_table_that_is_gone_counts_as_not_done(tmp_path: Path, expected: Case) -> None:
    with Journal(tmp_path, "ana", write=True) as journal:
        journal.intend(0, Operation.CREATE, "ex_gone", UUID(int=1).bytes, bytes(8))
        journal.commit_now()
        unsettled: Intent = next(iter(journal.state.unsettled.values()))
        assert unsettled.rows == 1
        asyncio.run(settle_unsettled(Attempts(expected.memory), journal, 0.0))
        assert not journal.state.unsettled
