"""The day's own budget: the load stops with nothing under way, says when it may go on, and goes on."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from loading.loading_case import Case, Silent, make_case, nap, shared_engine

from flitstack.errors import StepFailed
from flitstack.journal.journal import Journal
from flitstack.loading.allowance import Allowance
from flitstack.loading.document import LoadDocument
from flitstack.loading.load import Load, execute


def test_a_new_day_brings_the_requests_back() -> None:
    noon = datetime(2026, 5, 1, 12, tzinfo=UTC)
    allowance = Allowance(100, 90, noon.replace(hour=0))
    assert allowance.take(10, noon)
    assert not allowance.take(1, noon)
    assert "2026-05-02T00:00Z" in allowance.exhausted().render()
    assert allowance.take(100, noon + timedelta(days=1))


def load(case: Case, a_day: int) -> LoadDocument:
    """A load with so many requests left for today; nothing may be undecided when it ends."""
    with Journal(case.folder / "journal", "ana", write=True) as journal:
        work = Load(case.plan, case.folder, case.memory, journal, shared_engine(), Silent(), case.options, sleep=nap)
        work.allowance = Allowance(a_day, 0, datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0))
        try:
            return asyncio.run(execute(work, "load"))
        finally:
            assert not journal.state.unsettled


def test_a_load_stops_before_the_budget_is_passed_and_the_next_one_goes_on(tmp_path: Path) -> None:
    whole = make_case(tmp_path / "whole")
    whole.load()
    case = make_case(tmp_path / "case")
    with pytest.raises(StepFailed) as stopped:
        load(case, 40)
    assert "of the day's 40 requests are used" in str(stopped.value)
    assert 0 < sum(len(rows) for rows in case.memory.stored.values()) <= 40
    load(case, 10_000)
    assert case.stored() == whole.stored()
