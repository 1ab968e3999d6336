"""Of a row with several calls one may be refused after another landed: it is told as a reject, and a rollback knows what was made."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import orjson
import pyarrow.parquet as pq
import pytest
from loading.loading_case import Case, make_case, nap, row, shared_engine

from flitstack.app.accounts import accounts_now
from flitstack.app.project import Project, ProjectSettings
from flitstack.app.store import plan_folder
from flitstack.catalogue.read import load_catalogue
from flitstack.destinations.faults import Refusal, Unanswered
from flitstack.destinations.memory.destination import MemoryDestination
from flitstack.destinations.port import Call, Done
from flitstack.journal.frames import Operation, Status
from flitstack.journal.journal import Journal
from flitstack.keys import row_id_at
from flitstack.loading.attempts import Attempts
from flitstack.loading.calls import state_calls
from flitstack.loading.refusals import save_refusals
from flitstack.loading.rows import RowBatch, make_done_view
from flitstack.loading.sending import Sender, SendOptions, Work
from flitstack.packs.read import load_pack
from flitstack.planning.document import SendTable, Step
from flitstack.planning.restore_links import write_made_links

FORBIDDEN = Refusal("0x80040220", 403, "a privilege is missing")


class Picky(MemoryDestination):
    """Refuses some calls, by kind and target or state; loses the answer to the first `lost` batches, which it carries out."""

    refuses: Mapping[str, object] = {}
    lost = 0

    async def batch(self, calls: Sequence[Call], *, continue_on_error: bool) -> list[Done]:
        if self.lost:
            self.lost -= 1
            await super().batch(calls, continue_on_error=continue_on_error)
            raise Unanswered("cut")
        answers = []
        for call in calls:
            if call.kind in self.refuses and self.refuses[call.kind] in {call.target, None}:
                answers.append(Done(FORBIDDEN))
            else:
                answers += await super().batch([call], continue_on_error=continue_on_error)
        return answers


def statuses(case_folder: Path) -> dict[str, Status]:
    """The last status of each row's links and states."""
    with Journal(case_folder / "journal", "ana", write=True) as journal:
        tables = [pq.read_table(path).to_pylist() for path in journal.rows_files()]
    return {
        str(entry["row"]): Status(entry["status"])
        for table in tables
        for entry in table
        if entry["operation"] != Operation.CREATE
    }


def linked_case(folder: Path) -> tuple[Case, Picky]:
    """Contacts that were there before us, two of which get two links each; those to the second lead are refused."""
    case = make_case(folder)
    case.memory = picky = Picky(case.memory_catalogue)
    for table in ("contact", "lead"):
        picky.stored[table] = {row(table, n): {f"{table}id": row(table, n)} for n in range(10)}
    source = f"read_parquet('{folder / 'contact.parquet'}')"
    shared_engine().write_parquet(
        f"SELECT * EXCLUDE (lastname) FROM {source} WHERE _ord IN (2, 5)", folder / "links.parquet"
    )
    send = SendTable("links", "contact", "changes", "links.parquet", 2, "", (), ("contact",), is_change=True)
    send = replace(send, was_there=True, has_links=True)
    step = Step(0, "associate", "changes", "contact", "links", "links", 2)
    case.plan = replace(case.plan, tables=(send,), steps=(step,), sha256="links")
    picky.refuses = {"associate": row("lead", 1)}
    return case, picky


def made_links(case: Case) -> dict[UUID, set[UUID]]:
    """What a rollback takes away of each row."""
    with Journal(case.folder / "journal", "ana", write=True) as journal:
        make_done_view(shared_engine(), journal)
        files = write_made_links(shared_engine(), journal, journal.standing_runs(), case.folder / "made")
    rows = pq.read_table(files["contact"]).to_pylist() if files else []
    return {found["_row"]: {link["id"] for link in found["_links"]} for found in rows}


def test_links_that_were_made_beside_a_refused_one_are_taken_back(tmp_path: Path) -> None:
    case, picky = linked_case(tmp_path)
    assert case.load().refused == 2
    assert picky.links["contactleads_association"] == {(row("contact", n), row("lead", 0)) for n in (2, 5)}
    assert {str(row("contact", n)): Status.PARTLY for n in (2, 5)} == statuses(tmp_path)
    made = made_links(case)
    assert made.keys() == {row("contact", 2), row("contact", 5)}
    assert all(row("lead", 0) in links for links in made.values())


def test_a_row_with_a_refused_link_is_listed_with_its_reason_until_the_link_is_made(tmp_path: Path) -> None:
    case, picky = linked_case(tmp_path)
    case.load()
    with Journal(tmp_path / "journal", "ana", write=True) as journal:
        make_done_view(shared_engine(), journal)
        assert save_refusals(shared_engine(), journal, case.plan, tmp_path, tmp_path / "load.parquet") == 2
    assert set(case.refusals().values()) == {(FORBIDDEN.code, FORBIDDEN.message)}
    picky.refuses = {}
    assert case.load().refused == 0
    assert case.refusals() == {}
    assert len(picky.links["contactleads_association"]) == 4


def test_the_account_of_records_with_a_refused_link_closes(tmp_path: Path) -> None:
    settings = ProjectSettings(pack="klipy", export="export")
    project = Project(tmp_path, settings, load_pack("klipy"), {}, "ana", "sandbox")
    case, _ = linked_case(plan_folder(project))
    case.load()
    tables = (replace(case.plan.tables[0], was_there=False),)  # as a delta has its links
    plan = replace(case.plan, tables=tables, accounts={"contact": {"read": 2, "planned": 2}})
    with Journal(case.folder / "journal", "ana", write=True) as journal:
        make_done_view(shared_engine(), journal)
        account = accounts_now(shared_engine(), project, plan, journal)["contact"]
    assert (account["rejected"], account["pending"], account["closes"]) == (2, 0, True)


def test_a_row_of_which_every_link_is_refused_has_nothing_to_take_back(tmp_path: Path) -> None:
    case, picky = linked_case(tmp_path)
    picky.refuses = {"associate": None}
    assert case.load().refused == 2
    assert set(statuses(tmp_path).values()) == {Status.REFUSED}
    assert made_links(case) == {}


def test_a_quote_that_was_activated_and_not_won_was_changed(tmp_path: Path) -> None:
    destination = Picky(load_catalogue())
    destination.refuses = {"win": None}
    quote = row_id_at(bytes(8), 1)
    destination.stored["quote"] = {quote: {"quoteid": quote, "statecode": 0, "statuscode": 1}}
    text = orjson.dumps({"action": "win", "state": 2, "status": 4, "at": None, "value": None}) + b","

    async def run() -> None:
        table = await destination.table("quote")
        assert table is not None
        batch = RowBatch(quote.bytes, bytes(8), memoryview(text), (0, len(text)))
        with Journal(tmp_path / "journal", "ana", write=True) as journal:
            sender = Sender(Attempts(destination, sleep=nap), journal, SendOptions(server_limit_s=0.01))
            work = Work(Operation.STATE, state_calls(table, batch), sender.in_state(table))
            await sender.change(0, work, table, batch)
            await journal.commit()
            assert sender.attempts.counters.refused == 1

    asyncio.run(run())
    assert statuses(tmp_path) == {str(quote): Status.PARTLY}


@pytest.mark.parametrize("lost", [0, 1])
def test_an_update_refused_after_a_lost_answer_may_have_been_done_where_no_version_tells(
    tmp_path: Path, lost: int
) -> None:
    destination = Picky(load_catalogue())
    destination.refuses, destination.lost = {"update": None}, lost
    contact = row("contact", 1)
    destination.stored["contact"] = {contact: {"contactid": contact, "lastname": "was here"}}

    async def run() -> None:
        table = await destination.table("contact")
        assert table is not None
        batch = RowBatch(contact.bytes, bytes(8), memoryview(b"{},"), (0, 3))
        with Journal(tmp_path / "journal", "ana", write=True) as journal:
            sender = Sender(Attempts(destination, sleep=nap), journal, SendOptions(server_limit_s=0.01))
            calls = [Call("update", "contact", contact, b'{"lastname":"ours"}')]
            await sender.change(0, Work(Operation.UPDATE, calls), table, batch)
            await journal.commit()

    asyncio.run(run())
    assert destination.stored["contact"][contact]["lastname"] == ("ours" if lost else "was here")
    assert statuses(tmp_path) == {str(contact): Status.PARTLY if lost else Status.REFUSED}
