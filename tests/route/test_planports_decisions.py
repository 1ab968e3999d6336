"""Planports' decisions taken the other way, on the pack's example: what lands then, verified and rolled back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from route.decided_case import Decided, deciding, loaded
from route.route_case import LABEL, TO_PLAN

pytestmark = pytest.mark.slow


@pytest.fixture
def decided(tmp_path: Path) -> Iterator[Decided]:
    with deciding("planports", tmp_path) as make:
        yield make


def test_orders_become_invoices_cards_tasks_chats_one_note_and_unknown_stages_load_empty(decided: Decided) -> None:
    migration = decided(order_target="invoice", card_rule="task", whatsapp_bodies="chat", unknown_stage="blank")
    rows = loaded(migration)
    assert (rows["invoice"], rows["invoicedetail"], rows.get("salesorder", 0)) == (2, 2, 0)
    invoices = migration.rows("invoices?$select=name,totalamount,flit_paidamount,_opportunityid_value,flit_quoteno")
    told = {row["name"]: (row["totalamount"], row["flit_paidamount"], row["flit_quoteno"]) for row in invoices}
    assert told == {"SIP-1": (1900, 950, "T-1"), "SIP-2": (250, 0, None)}
    assert sum(row["_opportunityid_value"] is not None for row in invoices) == 1
    assert rows["task"] == 3  # both cards and the task among the activities
    assert rows["note"] == 5  # two chats, two comments, the note among the activities
    assert (rows["opportunity"], rows["quote"]) == (4, 4)  # F-3 with its quote
    stages = {
        row["name"]: row[f"flit_pipelinestage{LABEL}"] if row["flit_pipelinestage"] else None
        for row in migration.rows("opportunities?$select=name,flit_pipelinestage")
    }
    assert stages["Stage of another pipeline is held"] is None
    assert migration.do("rollback", "--force", "--schema")["equal"]


def test_no_status_makes_a_contact_no_stage_wins_and_every_message_is_a_note(decided: Decided) -> None:
    migration = decided(whatsapp_bodies="message", qualified_statuses=[], won_stages=[], done_columns=[])
    rows = loaded(migration)
    assert (rows["contact"], rows["lead"], rows["account"]) == (
        4,
        8,
        2,
    )  # K-2 and K-4 are leads, nobody is an individual
    assert rows["note"] == 10  # six messages that people wrote, two comments, a card, a note
    states = {row["name"]: row["statecode"] for row in migration.rows("opportunities?$select=name,statecode")}
    assert (states["Won villa"], states["Lost campaign with a broken date"]) == (0, 2)
    assert all(row["statecode"] == 0 for row in migration.rows("tasks?$select=statecode&$filter=flit_cardid ne null"))


def test_chats_stay_where_they_are_and_owners_without_a_user_shut_the_gate(decided: Decided) -> None:
    migration = decided(whatsapp_bodies="none", owner_unmatched="block", owner_inactive="block")
    migration.go(TO_PLAN)
    notes = [f for f in migration.do("findings") if f["object"] == "ChatMessage"]
    assert {f["outcome"] for f in notes} == {"merged"}
    refused = migration.run("approve", "owners")
    assert refused.code == 4
    assert "gone@bosphor.example" in refused.errors["gate-not-ready"]["what"]
