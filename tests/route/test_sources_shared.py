"""Each shared export meets its known truth through the commands: counts, findings, owners, accounts, every cell, rollback."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from route.planports_facts import PLANPORTS
from route.route_case import Migration, begin, serving

from flitstack.documents import read_yaml
from flitstack.packs.read import pack_names

pytestmark = pytest.mark.shared
# Klipy's own facts stand in test_route_shared.py.
SOURCES = [name for name in pack_names() if name != "klipy"]
# These take three minutes together; test_pack_examples.py and test_solution.py go most of their way in every run.
LONG = {"planports", "interactive", "voopty"}
PARAMS = [pytest.param(name, marks=[pytest.mark.slow] * (name in LONG)) for name in SOURCES]
# What the known truth calls a table -> how the destination tells it. Words without an entry are tables' names.
WORDS = {
    "clinic": {
        "insurance": "flit_clinicinsurance",
        "encounter": "flit_clinicencounter",
        "prescription": "flit_clinicprescription",
        "referral": "flit_clinicreferral",
        "claim_rows_in_dataverse": "",
    },
    "planports": {"account_new": "account"},
    "voopty": {
        "course": "product",
        "enrollment": "flit_enrollment",
        "session_slot": "flit_session",
        "attendance": "flit_attendance",
        "subscription": "opportunity",
        "payment": "flit_payment",
    },
    "interactive": {"matter": "flit_matter", "asset": "flit_asset"},
}
# Codes that tell more than the known truth asks for.
MORE = {
    "voopty": {"same_person", "not_enrolled"},
    "interactive": {"kept_as_lookup"},
    "planports": {"joined_lead", "joined_chat"},
}
# Rows that a decision adds to those of the known truth: word -> where the known truth tells how many.
ADDED = {
    "planports": {
        "note": ("notes when whatsapp bodies load (added to the note count)", "one_per_chat_and_day"),
    },
}

# What else each known truth tells, checked against the destination.
FACTS = {"planports": PLANPORTS}


@dataclass(frozen=True)
class Loaded:
    source: str
    migration: Migration
    expected: dict[str, Any]
    before: dict[str, Any]


@pytest.fixture(scope="module", params=PARAMS)
def loaded(request: pytest.FixtureRequest, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    export = shared / "data" / "exports" / request.param
    folder = tmp_path_factory.mktemp(request.param)
    with serving(folder / "emulator") as url:
        migration = begin(folder / "acme", url, export, pack=request.param)
        before = migration.admin("fingerprint")
        migration.do("run", "--rehearse", code=3)
        yield Loaded(request.param, migration, json.loads((export / "expected.json").read_text()), before)


def test_each_table_holds_the_expected_rows(loaded: Loaded) -> None:
    tables = loaded.migration.do("status")["tables"]
    words = WORDS.get(loaded.source, {})
    expected = dict(loaded.expected["tables"])
    for word, (name, choice) in ADDED.get(loaded.source, {}).items():
        expected[word] += loaded.expected["alternatives"][name][choice]
    assert {word: tables.get(words.get(word, word), 0) for word in expected} == expected


def test_each_expected_finding_is_there_and_no_other(loaded: Loaded) -> None:
    """Owners are compared by distinct owner, see below: the known truth lists a part of the records they are named by."""
    found: dict[str, Counter[str]] = {}
    for finding in loaded.migration.do("findings"):
        code = finding["code"]
        if finding["record"] and not code.startswith("owner_") and code not in MORE.get(loaded.source, ()):
            found.setdefault(finding["code"], Counter())[finding["record"]] = 1
    expected = {
        code: Counter({row["id"]: 1 for row in issue["rows"]})
        for code, issue in loaded.expected["issues"].items()
        if not code.startswith("owner_")
    }
    assert found == expected


def test_held_are_exactly_the_records_that_must_not_load(loaded: Loaded) -> None:
    findings = loaded.migration.do("findings")
    kept = {f["record"] for f in findings if f["outcome"] in {"held", "excluded"} and f["record"]}
    expected = {row["id"] for issue in loaded.expected["issues"].values() for row in issue["rows"] if row.get("held")}
    assert kept == expected


def test_every_distinct_owner_is_settled_as_expected(loaded: Loaded) -> None:
    owners, _ = read_yaml(loaded.migration.folder / "owners.yaml")
    named = {email: owner for email, owner in owners["owners"].items() if email != "(none)"}
    expected = loaded.expected["owners"]
    assert len(named) == expected["distinct"]
    for status in ("matched", "inactive", "unmatched"):
        assert sorted(email for email, owner in named.items() if owner["status"] == status) == expected[status], status


def test_every_account_closes_and_every_cell_is_verified(loaded: Loaded) -> None:
    assert all(account["closes"] for account in loaded.migration.do("status")["accounts"].values())
    told = loaded.migration.do("reconcile", code={0, 3})
    assert told["differences"] == 0


def test_facts_and_samples_of_the_known_truth_hold(loaded: Loaded) -> None:
    for check in FACTS.get(loaded.source, ()):
        check(loaded.migration, loaded.expected)


def test_rollback_leaves_the_destination_as_it_was(loaded: Loaded) -> None:
    assert loaded.migration.do("rollback", "--force", "--schema")["equal"]
    assert loaded.migration.admin("fingerprint") == loaded.before
