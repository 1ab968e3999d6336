"""Stopped by its user (Ctrl-C cancels the main task) in the middle of requests: the journal stays whole, the next run goes on."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from loading.loading_case import Case, Silent, make_case, nap, shared_engine

from flitstack.catalogue.types import Table
from flitstack.destinations.memory.destination import MemoryDestination
from flitstack.destinations.port import Body, Call, Done
from flitstack.journal.journal import Journal
from flitstack.loading.load import Load, execute
from flitstack.loading.sending import SendOptions

NEVER = 1_000_000


class Interrupting(MemoryDestination):
    """Cancels the load just before or after its n-th write; the answer would have taken a moment longer."""

    main: "asyncio.Task[object] | None" = None
    left = NEVER

    async def create_rows(self, table: Table, body: Body, count: int) -> None:
        await self._moment()
        await super().create_rows(table, body, count)
        await self._moment()

    async def batch(self, calls: Sequence[Call], *, continue_on_error: bool) -> list[Done]:
        await self._moment()
        done = await super().batch(calls, continue_on_error=continue_on_error)
        await self._moment()
        return done

    async def _moment(self) -> None:
        self.left -= 1
        if self.left == 0 and self.main is not None:
            self.main.cancel()
        await asyncio.sleep(0)


def interrupting_case(folder: Path, left: int = NEVER) -> tuple[Case, Interrupting]:
    case = make_case(folder, bad=("contact 3",))
    case.options = SendOptions(batch_rows=20, server_limit_s=0.0, in_flight=3)
    case.memory = destination = Interrupting(case.memory_catalogue)
    destination.left = left
    return case, destination


async def load_cancellable(case: Case, destination: Interrupting, journal: Journal) -> None:
    destination.main = asyncio.current_task()
    await execute(
        Load(case.plan, case.folder, destination, journal, shared_engine(), Silent(), case.options, sleep=nap), "load"
    )


def test_cancelled_around_any_write_the_same_process_can_go_on(tmp_path: Path) -> None:
    whole, counting = interrupting_case(tmp_path / "whole")
    whole.load()
    moments = NEVER - counting.left
    assert moments > 20
    for left in range(1, moments + 1, 2):
        case, destination = interrupting_case(tmp_path / str(left), left)
        with Journal(case.folder / "journal", "ana", write=True) as journal:
            with pytest.raises(asyncio.CancelledError):
                asyncio.run(load_cancellable(case, destination, journal))
            # The engine is free and nothing runs on: the same journal and engine take up where it stopped.
            asyncio.run(load_cancellable(case, destination, journal))
            assert not journal.state.unsettled
            assert journal.verify()[1] == []
        assert case.stored() == whole.stored(), f"cancelled at moment {left}"
        assert case.refusals() == whole.refusals()


def test_a_cancelled_request_is_asked_about_by_the_next_process(tmp_path: Path) -> None:
    case, destination = interrupting_case(tmp_path, left=4)
    with Journal(case.folder / "journal", "ana", write=True) as journal, pytest.raises(asyncio.CancelledError):
        asyncio.run(load_cancellable(case, destination, journal))
    with Journal(case.folder / "journal", "ana", write=False) as journal:
        assert journal.state.unsettled
    case.load()
    with Journal(case.folder / "journal", "ana", write=False) as journal:
        assert not journal.state.unsettled
