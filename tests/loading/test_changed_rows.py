"""Rows that a plan changed itself are no longer the version it saw: carried out again it neither rejects nor repeats them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from loading.loading_case import Case, make_case, row, shared_engine

from flitstack.catalogue.types import Table
from flitstack.destinations.memory.destination import MemoryDestination
from flitstack.destinations.port import Call, Done
from flitstack.journal.journal import Journal
from flitstack.loading.changes import EDITED_SINCE_PLAN
from flitstack.loading.sending import SendOptions
from flitstack.planning.document import SendColumn, SendTable, Step
from flitstack.staging.engine.engine import Engine

ROWS, PER_REQUEST = 18, 6


class Ended(Exception):
    """The loader's process ends."""


class Versioned(MemoryDestination):
    """Rows have versions, which move with each update; the loader's process ends before it has the answer to request `last`."""

    last = 0
    sent = 0

    async def update_rows(self, table: Table, rows: Sequence[tuple[UUID, bytes]]) -> None:
        await super().update_rows(table, rows)
        for changed, _ in rows:
            self.stored[table.name][changed]["versionnumber"] = 2
        self.sent += 1
        if self.sent == self.last:
            raise Ended


def change_case(folder: Path, at: str = "", *, was_there: bool) -> tuple[Case, Versioned]:
    """A plan that changes the names of contacts in three requests."""
    case = make_case(folder)
    case.memory = versioned = Versioned(case.memory_catalogue)
    versioned.stored["contact"] = {
        row("contact", n): {"contactid": row("contact", n), "lastname": "was here", "versionnumber": 1}
        for n in range(ROWS)
    }
    shared_engine().write_parquet(
        "SELECT * EXCLUDE (lastname), 'changed' AS lastname, ['lastname'] AS _changed, 1::BIGINT AS _version "
        f"FROM read_parquet('{folder / 'contact.parquet'}') WHERE _ord < {ROWS}",
        folder / "update.parquet",
    )
    names = (SendColumn("lastname", "String", "lastname", "lastname"),)
    send = SendTable("update", "contact", "changes", "update.parquet", ROWS, "", names, ("contact",), is_change=True)
    step = Step(0, "update", "changes", "contact", "update", "update", ROWS)
    send = replace(send, was_there=was_there)
    case.plan = replace(case.plan, tables=(send,), steps=(step,), sha256="changes", at=at)
    case.options = SendOptions(batch_rows=PER_REQUEST, in_flight=1, server_limit_s=0.0)
    return case, versioned


@pytest.fixture
def most_rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows the engine handed out as Python objects, query by query."""
    seen: list[int] = []
    rows = Engine.rows

    def counted(engine: Engine, *asked: Any) -> list[tuple[Any, ...]]:
        found = rows(engine, *asked)
        seen.append(len(found))
        return found

    monkeypatch.setattr(Engine, "rows", counted)
    return seen


@pytest.mark.parametrize("at", ["", "2100-01-01T00:00:00Z"], ids=["clock goes on", "clock was set back"])
def test_rows_that_landed_are_not_taken_for_edited_whatever_the_clock_says(tmp_path: Path, at: str) -> None:
    case, _ = change_case(tmp_path, at, was_there=True)
    assert case.load().refused == 0
    again = case.load()
    assert (again.refused, again.steps[0].done, again.steps[0].before) == (0, 0, ROWS)


@pytest.mark.parametrize("was_there", [True, False])
def test_after_a_crash_only_what_others_edited_is_rejected_and_no_set_of_rows_is_made(
    tmp_path: Path, most_rows: list[int], was_there: bool
) -> None:
    case, versioned = change_case(tmp_path, was_there=was_there)
    versioned.last = 2
    with pytest.raises(Ended):
        case.load()
    contacts = versioned.stored["contact"]
    by_others = next(place for place, found in contacts.items() if found["versionnumber"] == 1)
    contacts[by_others]["versionnumber"] = 7
    most_rows.clear()
    again = case.load()
    assert (again.steps[0].done, again.steps[0].refused) == (2 * PER_REQUEST - 1, 1)
    assert {verdict[0] for verdict in case.refusals().values()} == {EDITED_SINCE_PLAN}
    assert [place for place, found in contacts.items() if found["lastname"] == "was here"] == [by_others]
    assert max(most_rows, default=0) < PER_REQUEST


@pytest.mark.parametrize("was_there", [True, False])
def test_an_edit_that_was_met_before_a_crash_is_still_there_after_it(tmp_path: Path, was_there: bool) -> None:
    case, versioned = change_case(tmp_path, was_there=was_there)
    edited = versioned.stored["contact"][row("contact", 0)]
    edited |= {"lastname": "Ana's", "versionnumber": 7}
    versioned.last = 1
    with pytest.raises(Ended):
        case.load()
    assert case.load().refused == 1
    assert edited["lastname"] == "Ana's"
    assert {verdict[0] for verdict in case.refusals().values()} == {EDITED_SINCE_PLAN}
    with Journal(tmp_path / "journal", "ana", write=False) as journal:
        images = b"".join(lines for _, lines in journal.before_images())
    assert str(row("contact", 0)).encode() not in images


def test_states_whose_answer_is_missing_are_asked_for_and_no_set_of_rows_is_made(
    tmp_path: Path, most_rows: list[int]
) -> None:
    case = make_case(tmp_path)
    case.options = SendOptions(batch_rows=100, in_flight=1, server_limit_s=0.0)

    class Closing(MemoryDestination):
        async def batch(self, calls: Sequence[Call], *, continue_on_error: bool) -> list[Done]:
            done = await super().batch(calls, continue_on_error=continue_on_error)
            if calls[0].kind in {"win", "lose"}:
                raise Ended
            return done

    closing = Closing(case.memory_catalogue)
    with pytest.raises(Ended):
        case.load(closing)
    case.memory.stored, case.memory.links = closing.stored, closing.links
    most_rows.clear()
    assert case.load().refused == 0
    assert len(case.memory.stored["opportunityclose"]) == 8
    assert max(most_rows, default=0) < 8
