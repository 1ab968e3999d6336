"""Rows that a plan changed itself are no longer the version it saw: carried out again it neither rejects nor repeats them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from loading.loading_case import Case, make_case, row, shared_engine

from flitstack.catalogue.types import Table
from flitstack.destinations.memory.destination import MemoryDestination
from flitstack.loading.sending import SendOptions
from flitstack.planning.document import SendColumn, SendTable, Step

ROWS = 20


class Versioned(MemoryDestination):
    """Rows have versions, which move with each update; the process ends after `until` requests."""

    until = 1_000

    async def update_rows(self, table: Table, rows: Sequence[tuple[UUID, bytes]]) -> None:
        if not self.until:
            raise KeyboardInterrupt
        self.until -= 1
        await super().update_rows(table, rows)
        for changed, _ in rows:
            self.stored[table.name][changed]["versionnumber"] = 2


def change_case(folder: Path, at: str = "", *, was_there: bool) -> tuple[Case, Versioned]:
    """A plan that changes the names of contacts in two requests."""
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
    case.options = SendOptions(batch_rows=ROWS // 2, in_flight=1, server_limit_s=0.0)
    return case, versioned


def names_now(case: Case) -> list[object]:
    return [found["lastname"] for found in case.memory.stored["contact"].values()]


@pytest.mark.parametrize("at", ["", "2100-01-01T00:00:00Z"], ids=["clock goes on", "clock was set back"])
def test_rows_that_landed_are_not_taken_for_edited_whatever_the_clock_says(tmp_path: Path, at: str) -> None:
    case, _ = change_case(tmp_path, at, was_there=True)
    assert case.load().refused == 0
    again = case.load()
    assert (again.refused, again.steps[0].done, again.steps[0].before) == (0, 0, ROWS)
