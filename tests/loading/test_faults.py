"""Mishaps on the way: whatever happens to requests, every row ends up there once."""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import pyarrow.parquet as pq
import pytest
from destinations.faulty import FaultyDestination
from hypothesis import given, settings
from hypothesis import strategies as st
from loading.loading_case import Case, make_case, row

from flitstack.catalogue.types import Table
from flitstack.destinations.faults import Refusal, Throttled, Unanswered, Unavailable
from flitstack.destinations.memory.destination import MemoryDestination
from flitstack.destinations.port import Body, Call, Done
from flitstack.errors import StepFailed
from flitstack.journal.journal import Journal
from flitstack.loading.attempts import Attempts, pause_s
from flitstack.loading.sending import message_shape

BAD = ("contact 3", "opportunity 4", "email 1")


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """What a load without mishaps leaves."""
    case = make_case(tmp_path_factory.mktemp("expected"), bad=BAD)
    case.load()
    return case


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), rate=st.sampled_from([0.1, 0.3, 0.5]))
def test_lost_throttled_and_refused_requests_leave_every_row_once(expected: Case, seed: int, rate: float) -> None:
    with tempfile.TemporaryDirectory() as name:
        case = make_case(Path(name), bad=BAD)
        faulty = FaultyDestination(case.memory, seed, rate)
        document = case.load(faulty)
        assert case.stored() == expected.stored()
        assert {n: code for n, (code, _) in case.refusals().items()} == {
            n: code for n, (code, _) in expected.refusals().items()
        }
        lost = faulty.happened["lost after"] + faulty.happened["lost before"]
        assert bool(document.asked) <= bool(lost)


@pytest.mark.parametrize("kind", ["lost after", "lost before"])
def test_a_refusal_planted_on_whole_requests_costs_no_good_row_in_bulk(
    tmp_path: Path, expected: Case, kind: str
) -> None:
    """Every bulk request is refused or lost once: the batch that follows isolates the bad rows."""
    case = make_case(tmp_path, bad=BAD)
    case.load(FaultyDestination(case.memory, 1, 1.0, [kind], most=12))
    assert case.stored() == expected.stored()


class LateServer(MemoryDestination):
    """Cuts the connection and finishes the request only after the client has asked once."""

    late: Body = ()
    asked = 0

    async def create_rows(self, table: Table, body: Body, count: int) -> None:
        if table.name == "account" and not self.asked:
            self.late = body
            raise Unanswered("cut")
        await super().create_rows(table, body, count)

    async def existing(self, table: Table, ids: Sequence[UUID]) -> set[UUID]:
        there = await super().existing(table, ids)
        self.asked += 1
        if self.late:
            body, self.late = self.late, ()
            await super().create_rows(table, body, b"".join(body).count(b'"_row"'))
        return there


def test_rows_the_server_finishes_after_the_first_question_are_not_made_twice(tmp_path: Path, expected: Case) -> None:
    case = make_case(tmp_path, bad=BAD)
    case.memory = LateServer(case.memory_catalogue)
    case.load()
    assert case.stored() == expected.stored()


class LosesClosings(MemoryDestination):
    """Closes opportunities and loses every first answer about it; quietly closes again when asked to."""

    lost = 0

    async def batch(self, calls: Sequence[Call], *, continue_on_error: bool) -> list[Done]:
        done = await super().batch(calls, continue_on_error=continue_on_error)
        if calls[0].kind in {"win", "lose"} and self.lost < 2:
            self.lost += 1
            raise Unanswered("cut")
        return done


def test_an_opportunity_whose_closing_got_no_answer_is_not_closed_twice(tmp_path: Path, expected: Case) -> None:
    case = make_case(tmp_path, bad=BAD)
    case.memory = LosesClosings(case.memory_catalogue)
    case.load()
    assert case.stored()["opportunityclose"] == expected.stored()["opportunityclose"]
    assert {n for n in case.refusals() if n.startswith("opportunity")} == {"opportunity 4"}


class BusyParts(MemoryDestination):
    """Answers a batch whose parts were partly not executed: 429 inside."""

    busy = 3

    async def batch(self, calls: Sequence[Call], *, continue_on_error: bool) -> list[Done]:
        if self.busy and len(calls) > 1:
            self.busy -= 1
            first = await super().batch(calls[:1], continue_on_error=continue_on_error)
            return [*first, *[Done(Refusal("0x80072322", 429, "busy"))] * (len(calls) - 1)]
        return await super().batch(calls, continue_on_error=continue_on_error)


def test_parts_that_were_not_executed_are_sent_again(tmp_path: Path, expected: Case) -> None:
    case = make_case(tmp_path, bad=BAD)
    case.memory = BusyParts(case.memory_catalogue)
    case.load()
    assert case.stored() == expected.stored()


class FailsInside(MemoryDestination):
    """Fails while it executes parts of a batch: the first `fails` times at the row `at`, having done it or not."""

    at, fails, has_done_it = row("email", 2), 2, False

    async def batch(self, calls: Sequence[Call], *, continue_on_error: bool) -> list[Done]:
        done: list[Done] = []
        for call in calls:
            if call.row == self.at and self.fails:
                self.fails -= 1
                if self.has_done_it:
                    await super().batch([call], continue_on_error=True)
                done.append(Done(Refusal("0x80044150", 500, "Generic SQL error. Sql Number: 1205")))
            else:
                done += await super().batch([call], continue_on_error=True)
        return done


@pytest.mark.parametrize("has_done_it", [False, True])
def test_a_part_at_which_the_service_failed_is_asked_for_and_sent_again(
    tmp_path: Path, expected: Case, has_done_it: bool
) -> None:
    case = make_case(tmp_path, bad=BAD)
    case.memory = failing = FailsInside(case.memory_catalogue)
    failing.has_done_it = has_done_it
    case.load()
    assert failing.fails == (1 if has_done_it else 0), "what was done is not sent again"
    assert case.stored() == expected.stored()
    assert case.refusals() == expected.refusals()


def test_a_part_at_which_the_service_fails_each_time_is_told_with_its_reason(tmp_path: Path, expected: Case) -> None:
    case = make_case(tmp_path, bad=BAD)
    case.memory = failing = FailsInside(case.memory_catalogue)
    failing.fails = 1_000
    case.load()
    assert {n: code for n, (code, _) in case.refusals().items() if n not in BAD} == {"email 2": "0x80044150"}
    missing = expected.stored()["email"].keys() - case.stored()["email"].keys()
    assert missing == {str(row("email", 2))}


class Away(MemoryDestination):
    """Takes nothing any more."""

    async def create_rows(self, table: Table, body: Body, count: int) -> None:
        raise Unavailable("gone")


def test_a_destination_that_stays_away_ends_the_load_with_what_to_do(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    case.memory = Away(case.memory_catalogue)
    with pytest.raises(StepFailed, match="did not take the request in 12 tries") as caught:
        case.load()
    assert "goes on where it stopped" in caught.value.render()
    case.memory = MemoryDestination(case.memory_catalogue)
    assert case.load().refused == 0


class GoneLater(MemoryDestination):
    """Takes three requests of rows and no more."""

    taken = 0

    async def create_rows(self, table: Table, body: Body, count: int) -> None:
        if self.taken == 3:
            raise Unavailable("gone")
        self.taken += 1
        await super().create_rows(table, body, count)


def test_a_load_that_gives_up_leaves_no_answered_request_in_doubt(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    case.memory = GoneLater(case.memory_catalogue)
    with pytest.raises(StepFailed, match="did not take the request"):
        case.load()
    landed = sum(map(len, case.memory.stored.values()))
    with Journal(tmp_path / "journal", "ana", write=False) as journal:
        in_doubt = sum(len(intent.ids) // 16 for intent in journal.state.unsettled.values())
        journal.refresh()
        settled = sum(pq.read_metadata(path).num_rows for path in journal.rows_files())
    assert settled == landed > 0
    assert 0 < in_doubt <= case.options.in_flight * case.options.batch_rows


def test_nothing_is_sent_during_a_pause_the_server_asked_for() -> None:
    sent: list[float] = []

    async def check() -> None:
        loop = asyncio.get_running_loop()
        attempts = Attempts(MemoryDestination.__new__(MemoryDestination))

        async def throttled_once() -> None:
            sent.append(loop.time())
            if len(sent) == 1:
                raise Throttled(0.05, "slow down")

        async def other() -> None:
            await asyncio.sleep(0.01)
            await attempts.write(throttled_once)

        await asyncio.gather(attempts.write(throttled_once), other())

    asyncio.run(check())
    assert len(sent) == 3
    assert sent[1] - sent[0] >= 0.05
    assert [pause_s(n) for n in (0, 1, 5, 6, 60)] == [1, 2, 32, 60, 60]


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("lead With Id = 01010101-0101-8101-8000-000000000003 Does Not Exist",) * 2,
        ("The length of the 'subject' attribute of the 'email' entity exceeded '800'.",) * 2,
        ("A record with Ana.K@Example.com already exists", "A record with Aaa.A@Aaaaaaa.aaa already exists"),
        ("number +380 44 123 45 67 is taken", "number +999 99 999 99 99 is taken"),
    ],
)
def test_the_journal_keeps_the_shape_of_personal_values(message: str, kept: str) -> None:
    assert message_shape(message) == kept


def test_a_row_of_the_case_has_the_id_the_journal_would_give(expected: Case) -> None:
    assert row("contact", 3) not in expected.memory.stored["contact"]
