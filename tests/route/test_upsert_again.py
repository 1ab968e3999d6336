"""Rows that were there before, planned, loaded and taken back more than once, with people who work in Dynamics in between."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from route.rounds_case import Source, decide, take_round
from route.route_case import EXAMPLE, TO_LOAD, TO_PLAN, Migration, begin, environment, example_export, serving
from route.test_upsert_rows import MARTA, seed

APART = "keep_apart:\n  - {object: Contact, record: p01}\n"

LATER = {"firstname": "Lena", "lastname": "Spät", "emailaddress1": "lena.spaet@harbourlights.example"}


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migration]:
    folder = tmp_path_factory.mktemp("again")
    with serving(folder / "emulator") as url:
        migration = begin(folder / "acme", url, EXAMPLE)
        seed(migration)
        migration.go(TO_PLAN)
        migration.keep("planned")
        yield migration


def martas(migration: Migration) -> list[dict[str, Any]]:
    email = MARTA["emailaddress1"].lower()
    return [row for row in migration.rows("contacts") if str(row["emailaddress1"]).lower() == email]


def marta(migration: Migration) -> dict[str, Any]:
    (row,) = martas(migration)
    return row


def tags_of(migration: Migration) -> dict[str, set[str]]:
    """First name of the two rows that were there -> their tags."""
    rows = migration.rows("contacts?$expand=flit_tag_contact($select=flit_name)")
    return {
        row["firstname"]: {tag["flit_name"] for tag in row["flit_tag_contact"]}
        for row in rows
        if row["firstname"] in {"Marta", "Lena"}
    }


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("keep_apart: p01\n", "matches.yaml:1"),
        pytest.param("format: 1\nkeep-apart: []\n", "matches.yaml:2", marks=pytest.mark.slow),
        pytest.param("keep_apart:\n  - {object: Contact}\n", "matches.yaml:2", marks=pytest.mark.slow),
        pytest.param(
            "keep_apart:\n  - {object: Contact, record: p01}\n  - {object: Kontakt, record: p01}\n",
            "matches.yaml:3",
            marks=pytest.mark.slow,
        ),
        ("keep_apart:\n  - {object: Contact, record: p01}\n  - {object: Contact, record: p0l}\n", "matches.yaml:3"),
        ("keep_apart:\n  - {object: Contact, record: p02}\n", "matches.yaml:2"),  # merged into p01
    ],
)
def test_decisions_that_cannot_be_read_are_named_with_their_line(planned: Migration, text: str, where: str) -> None:
    path = planned.folder / "matches.yaml"
    path.write_text(text)
    try:
        assert planned.run("plan").errors["match-decision"]["where"] == where
    finally:
        path.unlink()


def test_a_row_that_the_sample_filled_stays_the_records_and_keeping_apart_then_is_refused_with_words(
    planned: Migration,
) -> None:
    planned.back_to("planned")
    planned.go(TO_LOAD[:3])
    decide(planned, existing_rows="create")
    planned.do("plan", code={0, 3})
    planned.go(TO_LOAD)
    loaded = planned.do("load", code={0, 3})
    assert marta(planned)["telephone1"]
    assert all(account["closes"] for account in loaded["accounts"].values())
    assert planned.do("reconcile", code={0, 3})["differences"] == 0
    (planned.folder / "matches.yaml").write_text(APART)
    problem = planned.run("plan").errors["match-settled"]
    assert "Contact p01" in problem["what"]
    assert "flitstack rollback" in problem["do"]


@pytest.mark.slow
def test_what_people_enter_after_a_rollback_is_neither_overwritten_nor_lost_by_the_next_migration(
    planned: Migration,
) -> None:
    planned.back_to("planned")
    planned.go(TO_LOAD)
    planned.do("load", code={0, 3})
    assert planned.do("rollback")["equal"]
    row = f"contacts({marta(planned)['contactid']})"
    planned.do("plan", code={0, 3})
    planned.patch(row, {"telephone1": "+1 999"})
    planned.go(TO_LOAD[:2])
    for words in (("load", "--sample"), ("load", "--sample")):
        assert planned.do(*words, code={0, 3})["load"]["refused"] == 1, "an edit is met however often the load is run"
        assert marta(planned)["telephone1"] == "+1 999"
    planned.go(TO_LOAD[3:])
    loaded = planned.do("load", code={0, 3})["accounts"]["Contact"]
    assert (loaded["rejected"], loaded["updated"], loaded["closes"]) == (1, 0, True)
    compared = planned.do("reconcile", code={0, 3})
    assert compared["differences"] == 0
    assert (compared["accounts"]["Contact"]["rejected"], compared["accounts"]["Contact"]["closes"]) == (1, True)
    # Planned anew, with what was entered meanwhile overwritten by decision; who owns the row is nobody's to change.
    decide(planned, existing_rows="source_wins")
    planned.do("plan", code={0, 3})
    planned.go(TO_LOAD)
    assert planned.do("load", code={0, 3})["accounts"]["Contact"]["updated"] == 1
    assert planned.do("reconcile", code={0, 3})["differences"] == 0
    assert marta(planned)["telephone1"] != "+1 999"
    assert planned.do("rollback")["equal"], "what was entered between the migrations was there before this one"
    assert marta(planned)["telephone1"] == "+1 999", "what the row held before the load that is taken back"


@pytest.mark.slow
def test_a_plan_from_before_a_rollback_is_not_loaded_and_edits_of_others_are_named_not_blamed_on_us(
    planned: Migration,
) -> None:
    planned.back_to("planned")
    planned.go(TO_LOAD)
    planned.do("load", code={0, 3})
    twin, other = (row for row in planned.rows("contacts") if "Tw" in str(row["lastname"]))
    planned.patch(f"contacts({twin['contactid']})", {"jobtitle": "Twin"})  # never written by us
    planned.patch(
        f"contacts({marta(planned)['contactid']})", {"description": "met at a fair"}
    )  # filled by us, elsewhere
    filled = marta(planned)
    undone = planned.do("rollback")
    assert undone["equal"]
    assert {row["row"] for row in undone["edited_rows"]} == {twin["contactid"], filled["contactid"]}
    assert undone["tables"]["contact"]["edited"] == 2
    kept = marta(planned)
    assert (kept["description"], kept["telephone1"]) == ("met at a fair", None)
    problem = planned.run("load").errors["plan-before-rollback"]
    assert "flitstack plan" in problem["do"]
    planned.do("plan", code={0, 3})
    planned.go(TO_LOAD)
    planned.do("load", code={0, 3})
    assert marta(planned)["description"] == "met at a fair"
    planned.patch(f"contacts({other['contactid']})", {"jobtitle": "Tween"})
    refusing = {"kind": "precondition412", "path": "contacts"}
    bulk, single = refusing | {"request": "UpdateMultiple"}, refusing | {"in_batch": True, "method": "PATCH"}
    planned.admin("faults", {"rules": [bulk, single]})
    refused = planned.do("rollback", code=1)
    assert (refused["failed"], refused["equal"], refused["tables"]["contact"]["changed"]) == (1, False, 1), (
        refused["failed_rows"],
        refused["tables"],
    )
    planned.admin("faults", {"rules": []})
    undone = planned.do("rollback")
    assert undone["equal"], undone["tables"]
    assert [row["row"] for row in undone["edited_rows"]] == [other["contactid"]]


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["fill_empty", "create"])
def test_a_row_that_somebody_deleted_after_the_sample_filled_it_is_told_whatever_is_decided(
    planned: Migration, policy: str
) -> None:
    planned.back_to("planned")
    planned.go(TO_LOAD[:3])
    filled = marta(planned)
    planned.delete(f"contacts({filled['contactid']})")
    decide(planned, existing_rows=policy)
    told = planned.do("plan", code={0, 3})
    assert any("match_deleted" in note for note in told["notes"])
    (finding,) = planned.do("findings", "--code", "match_deleted")
    assert (finding["object"], finding["record"]) == ("Contact", "p01")
    assert "flitstack rollback" in finding["do"]
    # What pointed to the row has lost it and counts as edited: it is taken back by force, to be made anew.
    undone = planned.do("rollback", "--force", code=5)
    assert undone["tables"]["contact"]["gone"] == 1, "what somebody deleted is nobody's to bring back"
    planned.do("plan", code={0, 3})
    assert not planned.do("findings", "--code", "match_deleted")
    planned.go(TO_LOAD[:4])


@pytest.mark.slow
def test_a_record_stays_its_row_in_later_rounds_whatever_is_decided_since(planned: Migration, tmp_path: Path) -> None:
    planned.back_to("planned")
    planned.go(TO_LOAD)
    planned.do("load", code={0, 3})
    decide(planned, existing_rows="create")
    source = Source.example(tmp_path / "later")
    source.change("contacts", "p01", LinkedIn_URL="https://www.linkedin.com/in/marta2")
    take_round(planned, source.partial(), "--partial")
    assert "https://www.linkedin.com/in/marta2" in marta(planned).values()
    assert planned.do("reconcile", code={0, 3})["differences"] == 0
    assert planned.do("rollback")["equal"]


@pytest.mark.slow
def test_tags_as_links_reach_rows_that_were_there_and_are_taken_off_them_again(
    planned: Migration, tmp_path: Path
) -> None:
    planned.back_to("planned")
    decide(planned, tag_strategy="table")
    planned.go((*TO_PLAN[3:4], *TO_PLAN[6:], *TO_LOAD, (("load",), {0, 3})))
    planned.post("contacts", LATER)
    source = Source.example(tmp_path / "later")
    source.change("contacts", "p01", Tags="VIP; Key Account; Fair")
    source.change(
        "contacts", "p95", First_Name="Lena", Last_Name="Spät", Email=LATER["emailaddress1"], Tags="VIP; Fair"
    )
    plan = take_round(planned, source.partial(), "--partial")
    linked = [step["rows"] for step in plan["steps"] if (step["kind"], step["table"]) == ("associate", "contact")]
    assert linked == [1, 1], "the row found at first, and the one found now"
    contact = planned.do("status")["accounts"]["Contact"]
    assert (contact["updated"], contact["rejected"], contact["closes"]) == (2, 0, True)
    assert planned.do("reconcile", code={0, 3})["differences"] == 0
    assert tags_of(planned) == {"Marta": {"VIP", "Key Account", "Fair"}, "Lena": {"VIP", "Fair"}}
    assert planned.do("rollback", "--last")["equal"]
    assert tags_of(planned) == {"Marta": {"VIP", "Key Account"}, "Lena": set()}
    assert planned.do("rollback")["equal"]


@pytest.mark.slow
def test_a_row_that_the_sample_filled_is_given_back_though_its_record_left_the_plan(tmp_path: Path) -> None:
    export = example_export(tmp_path / "export")
    with serving(tmp_path / "emulator") as url:
        migration = begin(tmp_path / "O'Neill & Söhne", url, export)
        seed(migration)
        before = marta(migration)
        migration.go(TO_PLAN)
        migration.go(TO_LOAD[:3])
        assert marta(migration)["telephone1"]
        contacts = export / "contacts.csv"
        lines = contacts.read_text(encoding="utf-8").splitlines(keepends=True)
        contacts.write_text("".join(line for line in lines if not line.startswith(("p01,", "p02,"))), encoding="utf-8")
        migration.go(TO_PLAN)
        assert migration.do("rollback")["equal"]
        assert marta(migration)["telephone1"] == before["telephone1"]


KILLED = """import os, sys
from flitstack.app.cli.main import run
from flitstack.journal.journal import Journal
store, left = Journal.store_keys, int(sys.argv.pop(1))
def store_or_die(self, table, complete):
    global left
    store(self, table, complete)
    left -= 1
    if not left:
        os.kill(os.getpid(), 9)
Journal.store_keys = store_or_die
run()
"""


def test_a_record_kept_apart_in_the_csv_gets_a_row_of_its_own(planned: Migration) -> None:
    planned.back_to("planned")
    sheet = planned.folder / "reports" / "matches.csv"
    first, *lines = sheet.read_text(encoding="utf-8-sig").splitlines()
    decided = [line + "keep apart" if line.startswith("Contact,p01,") else line for line in lines]
    sheet.write_text("\n".join((first, *decided)), encoding="utf-8-sig")
    planned.do("plan", code={0, 3})
    assert "record: p01" in (planned.folder / "matches.yaml").read_text()
    assert "Contact,p01," not in sheet.read_text(encoding="utf-8-sig")


@pytest.mark.slow
@pytest.mark.parametrize("stores", [1, 2])
def test_a_plan_killed_while_it_notes_who_was_found_takes_no_row_of_others_for_its_own(
    planned: Migration, stores: int
) -> None:
    planned.back_to("planned")
    (state,) = {path.parent for path in (planned.folder / ".flitstack").glob("*/journal")}
    shutil.rmtree(state)  # as before the first plan
    words = [sys.executable, "-c", KILLED, str(stores), "plan", "--project", str(planned.folder)]
    assert subprocess.run(words, env=environment(), capture_output=True, timeout=120, check=False).returncode == -9
    planned.do("plan", code={0, 3})
    sheet = (planned.folder / "reports" / "matches.csv").read_text(encoding="utf-8-sig")
    assert "Contact,p01,contact," in sheet
    assert "Company,c04,account," in sheet
