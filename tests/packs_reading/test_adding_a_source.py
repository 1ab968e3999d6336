"""docs/adding-a-source.md: its worked example is a pack that checks, loads and is taken back; spoiled, all is told at once."""

import json
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest
from mapping.pack_example import prepare
from route.route_case import flit

from flitstack.packs.read import load_pack
from flitstack.staging.engine.engine import Engine

DOCS = Path(__file__).parents[2] / "docs"
BEACON = DOCS / "examples" / "beacon"

# file, what stands there, what a careless author writes, and the code and words this is told with
MISTAKES = [
    ("pack.yaml", "type: money}", "type: cash}", "pack-unknown-word", "'cash' is no type"),
    ("pack.yaml", "      Day: ", "      Seats:  {type: number}\n      Day: ", "", ""),
    ("playbook.yaml", "phase: accounts\n", "phase: venues\n", "pack-unknown-word", "phase 'venues'"),
    ("playbook.yaml", "- table: contact\n", "- table: contacts\n", "table-unknown", "there is no table contacts"),
    ("playbook.yaml", "parentaccountid:", "parentacountid:", "column-unknown", "parentacountid"),
    ("playbook.yaml", "by: Venue}]", "by: Venues}]", "expression-refused", "no field Venues"),
    ("playbook.yaml", "by: upper(clean(Money))", "by: upper(clean(Money)", "expression-refused", "not an SQL expression"),
    ("playbook.yaml", "= 'load'\"", "= 'yes'\"", "decision-option", "lost_bookings has no option 'yes'"),
    ("playbook.yaml", "question: Do bookings", "# question: Do bookings", "decision-question", "lost_bookings asks nothing"),
    ("playbook.yaml", "  fallback_owner: {", "  fallback: {", "decision-missing", "nobody asks fallback_owner"),
    ("playbook.yaml", "fallback: {question", "fallback: {question", "decision-unused", "fallback changes nothing"),
    ("playbook.yaml", ", field: State, outcome", ", field: Stage, outcome", "field-unknown", "no field 'Stage'"),
    ("playbook.yaml", "    by_hand: texts", "    # by_hand: texts", "automation-part", "says no by_hand"),
    ("dedupe.yaml", "email_key(Mail)", "email_key(Email)", "dedupe-rule", "no field 'Email'"),
    ("checklist.yaml", "    open: Beacon", "    # open: Beacon", "checklist-untested", "B3 is shown by no test"),
    ("checklist.yaml", "is_loaded_proven", "is_not_there", "checklist-test", "is_not_there"),
]  # fmt: skip


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A copy of the worked example below a `tests` of its own."""
    folder = tmp_path / "beacon"
    shutil.copytree(BEACON, folder)
    (tmp_path / "tests" / "route").mkdir(parents=True)
    return folder


def test_the_worked_example_has_nothing_to_put_right() -> None:
    answer = flit("packs", "check", str(BEACON))
    assert (answer.code, answer.document["wrong"], answer.document["advice"]) == (0, [], [])
    accounts = answer.document["example"]["accounts"]
    assert {name: account["planned"] for name, account in accounts.items() if account["planned"]} == {
        "Venue": 1, "Guest": 2, "Booking": 3,
    }  # fmt: skip


def test_the_worked_example_is_loaded_proven_and_taken_back() -> None:
    answer = flit("demo", str(BEACON))
    told = answer.document
    assert (answer.code, told["reconcile"]["differences"], told["rollback"]["equal"]) == (0, 0, True)
    assert told["tables"] == {"account": 1, "contact": 2, "opportunity": 3}
    assert told["findings"] == {
        "duplicate_merged": 1, "orphan_parent": 1, "owner_blank": 1, "owner_unmatched": 1, "unknown_choice": 1, "unresolved_lookup": 1,
    }  # fmt: skip


@pytest.mark.parametrize(("option", "rows", "excluded"), [("load", 3, 0), ("leave", 2, 1)])
def test_both_outcomes_of_the_decision_are_seen(tmp_path: Path, option: str, rows: int, excluded: int) -> None:
    export = tmp_path / "export"
    shutil.copytree(BEACON / "example", export)
    (export / "scoping.json").write_text(json.dumps({"lost_bookings": option}))
    with Engine(tmp_path / "scratch", memory_mb=128) as engine:
        document, _ = prepare(load_pack(BEACON), export, tmp_path, engine).run()
    assert sum(route.rows for route in document.routes if route.table == "opportunity") == rows
    assert document.excluded.get("Booking", 0) == excluded


def test_the_page_shows_the_files_as_they_are() -> None:
    text = (DOCS / "adding-a-source.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"^`([\w./]+)`\n\n```\w*\n(.*?)```$", text, re.MULTILINE | re.DOTALL))
    assert {"pack.yaml", "playbook.yaml", "dedupe.yaml", "checklist.yaml"} < shown.keys()
    assert shown == {name: (BEACON / name).read_text(encoding="utf-8") for name in shown}


def test_every_mistake_is_told_in_one_go(pack: Path) -> None:
    (pack / "example" / "destination" / "org.json").unlink()
    for file, old, new, _, _ in MISTAKES:
        path = pack / file
        path.write_text(path.read_text().replace(old, new, 1))
    answer = flit("packs", "check", str(pack))
    wrong = [(problem["code"], problem["what"]) for problem in answer.document["wrong"]]
    assert answer.code == 1
    for _, _, _, code, words in MISTAKES:
        assert not code or any(found == code and words in what for found, what in wrong), (code, words, wrong)
    assert ("example-missing", "the example has no destination/org.json") in wrong
    assert ["Booking.Seats" in problem["what"] for problem in answer.document["advice"]].count(True) == 1
    assert all(problem["do"] and problem["where"] for problem in answer.document["wrong"])
    assert max(Counter(wrong).values()) == 1


def test_an_example_that_cannot_be_planned_is_told(pack: Path) -> None:
    shutil.rmtree(pack.parent / "tests")
    (pack / "example" / "venues.csv").unlink()
    answer = flit("packs", "check", str(pack))
    assert answer.code == 1
    assert "Venue" in answer.document["wrong"][0]["what"]


def test_a_folder_without_a_pack_is_refused(tmp_path: Path) -> None:
    answer = flit("packs", "check", str(tmp_path))
    assert (answer.code, list(answer.errors)) == (2, ["pack-unknown"])
