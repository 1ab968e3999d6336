"""Changes go in bulk where the table's messages allow it; a bad row costs the others nothing, what rows held stays journalled."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import orjson
import pytest
from loading.loading_case import Case, make_case, row, shared_engine

from flitstack.catalogue.types import Table
from flitstack.destinations.faults import Refusal, Unanswered
from flitstack.destinations.memory.destination import MemoryDestination
from flitstack.destinations.port import Call, Done
from flitstack.journal.journal import Journal
from flitstack.loading.sending import SendOptions
from flitstack.planning.document import SendColumn, SendTable, Step


class Counting(MemoryDestination):
    """Counts requests by kind; loses the answers to the first `lost` bulk updates."""

    lost = 0

    def start(self) -> "Counting":
        self.sent: Counter[str] = Counter()
        return self

    async def update_rows(self, table: Table, rows: Sequence[tuple[UUID, bytes]]) -> None:
        self.sent["bulk"] += 1
        await super().update_rows(table, rows)
        if self.sent["bulk"] <= self.lost:
            raise Unanswered("the connection was cut")

    async def batch(self, calls: Sequence[Call], *, continue_on_error: bool) -> list[Done]:
        self.sent["batch"] += 1
        return await super().batch(calls, continue_on_error=continue_on_error)


def changed_case(folder: Path, bad: int = -1) -> tuple[Case, Counting]:
    """A loaded case whose plan changes 40 contacts' names; the one with the number `bad` gets a name that is too long."""
    case = make_case(folder)
    counting = Counting(case.memory_catalogue).start()
    case.memory = counting
    case.load()
    counting.sent.clear()
    shared_engine().write_parquet(
        f"SELECT * EXCLUDE (lastname), CASE WHEN _ord = {bad} THEN repeat('x', 60) ELSE 'changed' END AS lastname, "
        f"['lastname'] AS _changed, NULL::BIGINT AS _version FROM read_parquet('{folder / 'contact.parquet'}') WHERE _ord < 40",
        folder / "update.parquet",
    )
    names = (SendColumn("lastname", "String", "lastname", "lastname"),)
    send = SendTable("update", "contact", "changes", "update.parquet", 40, "", names, ("contact",), is_change=True)
    step = Step(0, "update", "changes", "contact", "update", "update", 40)
    case.plan = replace(case.plan, kind="delta", tables=(send,), steps=(step,), phases=(), sha256="changes")
    case.options = SendOptions(batch_rows=20, in_flight=1, server_limit_s=0.0)
    return case, counting


def names_now(case: Case) -> Counter[str]:
    return Counter(str(found["lastname"]) for found in case.memory.stored["contact"].values())


def test_changes_take_one_request_for_many_rows(tmp_path: Path) -> None:
    case, counting = changed_case(tmp_path)
    assert case.load().refused == 0
    assert counting.sent == {"bulk": 2}
    assert names_now(case)["changed"] == 40


def test_a_bad_row_is_isolated_by_one_more_request_and_named(tmp_path: Path) -> None:
    case, counting = changed_case(tmp_path, bad=3)
    assert case.load().refused == 1
    assert counting.sent == {"bulk": 2, "batch": 1}
    assert names_now(case)["changed"] == 39
    assert case.memory.stored["contact"][row("contact", 3)]["lastname"] == "contact 3"
    assert case.refusals()["contact 3"][0] == "0x80044331"


def test_a_lost_answer_is_sent_again_and_the_oldest_image_counts(tmp_path: Path) -> None:
    case, counting = changed_case(tmp_path)
    counting.lost = 1
    assert case.load().refused == 0
    assert names_now(case)["changed"] == 40
    with Journal(case.folder / "journal", "ana", write=False) as journal:
        lines = [orjson.loads(line) for _, image in journal.before_images() for line in image.splitlines()]
    assert {line["_row"]: line["lastname"] for line in lines} == {
        str(row("contact", n)): f"contact {n}" for n in range(40)
    }


@pytest.mark.parametrize("with_bulk", [True, False])
def test_only_a_table_whose_messages_name_it_takes_bulk_updates(tmp_path: Path, with_bulk: bool) -> None:
    case, counting = changed_case(tmp_path)
    contact = counting.tables["contact"]
    if not with_bulk:
        counting.tables["contact"] = replace(contact, messages=contact.messages - {"UpdateMultiple"})
    case.load()
    assert counting.sent == ({"bulk": 2} if with_bulk else {"batch": 2})
    assert names_now(case)["changed"] == 40


class Relapsing(Counting):
    """Refuses every call that comes after the lost bulk update, though that one was done. Versions move with each update."""

    async def update_rows(self, table: Table, rows: Sequence[tuple[UUID, bytes]]) -> None:
        try:
            await super().update_rows(table, rows)
        finally:
            for place, _ in rows:
                self.stored[table.name][place]["versionnumber"] = self.sent["bulk"]

    async def batch(self, calls: Sequence[Call], *, continue_on_error: bool) -> list[Done]:
        self.sent["batch"] += 1
        return [Done(Refusal("0x80060882", 412, "A precondition failed.")) for _ in calls]


@pytest.mark.parametrize("lost", [1, 0])
def test_a_refusal_after_a_lost_answer_counts_only_where_nothing_was_changed(tmp_path: Path, lost: int) -> None:
    case, counting = changed_case(tmp_path, bad=-1 if lost else 3)
    case.memory = relapsing = Relapsing(case.memory_catalogue).start()
    relapsing.stored, relapsing.lost = counting.stored, lost
    assert case.load().refused == (0 if lost else 20)
    assert names_now(case)["changed"] == (40 if lost else 20)
    assert len(case.refusals()) == (0 if lost else 20)


def test_a_row_that_was_deleted_meanwhile_is_no_row_that_was_changed(tmp_path: Path) -> None:
    case, counting = changed_case(tmp_path)
    gone = row("contact", 3)

    class Losing(Relapsing):
        async def batch(self, calls: Sequence[Call], *, continue_on_error: bool) -> list[Done]:
            self.stored["contact"].pop(gone, None)
            return await super().batch(calls, continue_on_error=continue_on_error)

    case.memory = losing = Losing(case.memory_catalogue).start()
    losing.stored, losing.lost = counting.stored, 1
    assert case.load().refused == 1
    assert list(case.refusals()) == ["contact 3"]
