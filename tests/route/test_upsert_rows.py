"""Records that are in Dynamics before the migration: found, filled or overwritten by decision, given back by a rollback."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from route.rounds_case import Source, decide, take_round
from route.route_case import EXAMPLE, TO_LOAD, TO_PLAN, Migration, begin, serving

MARTA = {
    "firstname": "Marta", "lastname": "Ruiz", "emailaddress1": "Marta.Ruiz@harbourlights.example", "jobtitle": "Owner & host",
}  # fmt: skip
QUARRY = {"name": "Quarry and Sons", "websiteurl": "https://www.quarrysons.example/about"}
TWINS = {"firstname": "A", "lastname": "Twin", "emailaddress1": "john@quarrysons.example"}


def as_it_was(rows: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Rows by id without what every write moves."""
    moved = {"versionnumber", "modifiedon", "_modifiedby_value"}
    return {
        key: {name: value for name, value in row.items() if name not in moved and "@" not in name}
        for key, row in rows.items()
    }


def by_id(migration: Migration, table: str, plural: str) -> dict[str, dict[str, Any]]:
    return {row[f"{table}id"]: row for row in migration.rows(plural)}


@dataclass
class Filled:
    """What stood there, what was planned, and what stands after each stage."""

    migration: Migration
    plan: dict[str, Any]
    load: dict[str, Any]
    reconciled: Any
    before: dict[str, dict[str, Any]]
    contacts: dict[str, dict[str, Any]]
    accounts: dict[str, dict[str, Any]]
    notes: list[dict[str, Any]]
    sheet: str
    findings: list[dict[str, Any]]
    delta: dict[str, Any] = field(default_factory=dict)
    later: dict[str, dict[str, Any]] = field(default_factory=dict)
    edited: list[dict[str, Any]] = field(default_factory=list)
    traced: list[dict[str, Any]] = field(default_factory=list)
    undone: dict[str, Any] = field(default_factory=dict)
    after: dict[str, dict[str, Any]] = field(default_factory=dict)


def seed(migration: Migration) -> None:
    migration.post("contacts", MARTA)
    migration.post("accounts", QUARRY)
    migration.post("contacts", TWINS)
    migration.post("contacts", TWINS | {"lastname": "Tween"})


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    folder = tmp_path_factory.mktemp("filled")
    source = Source.example(folder / "later")
    with serving(folder / "emulator") as url:
        migration = begin(folder / "acme", url, EXAMPLE)
        seed(migration)
        before = by_id(migration, "contact", "contacts") | by_id(migration, "account", "accounts")
        migration.go(TO_PLAN)
        plan = migration.do("plan", code={0, 3})
        migration.go(TO_LOAD)
        load = migration.do("load", code={0, 3})
        made = Filled(
            migration, plan, load, migration.do("reconcile", code={0, 3}), before,
            by_id(migration, "contact", "contacts"), by_id(migration, "account", "accounts"),
            migration.rows("annotations?$select=subject,_objectid_value"),
            (migration.folder / "reports" / "matches.csv").read_text(encoding="utf-8-sig"),
            migration.do("findings", "--code", "ambiguous_match"),
        )  # fmt: skip
        source.change("contacts", "p01", Title="Managing owner", LinkedIn_URL="https://www.linkedin.com/in/marta2")
        made.delta = take_round(migration, source.partial(), "--partial")
        made.later = by_id(migration, "contact", "contacts")
        made.edited = migration.do("findings", "--step", f"delta-{made.delta['snapshot']}")
        assert not migration.do("reconcile", code={0, 3})["differences"]
        one = marta(made, made.later)["contactid"]
        made.traced = [migration.do("trace", "contact", one, name) for name in ("telephone1", "jobtitle")]
        made.undone = migration.do("rollback")
        made.after = by_id(migration, "contact", "contacts") | by_id(migration, "account", "accounts")
        yield made


def marta(filled: Filled, rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    (row,) = [row for row in rows.values() if str(row.get("emailaddress1")).lower() == MARTA["emailaddress1"].lower()]
    return row


def test_a_record_that_is_a_row_already_makes_no_second_one(filled: Filled) -> None:
    assert marta(filled, filled.contacts)["contactid"] in filled.before
    (quarry,) = [row for row in filled.accounts.values() if "quarrysons" in str(row["websiteurl"])]
    assert quarry["accountid"] in filled.before


def test_empty_columns_are_filled_and_what_people_entered_stays(filled: Filled) -> None:
    row = marta(filled, filled.contacts)
    assert row["jobtitle"] == MARTA["jobtitle"]
    assert row["emailaddress1"] == MARTA["emailaddress1"]
    assert row["telephone1"]
    assert row["flit_sourceid"] == "klipy/Contact/p01"
    assert row["flit_sourcekey"] is None, "a row that we did not make never looks like ours"
    assert row["_ownerid_value"] == filled.before[row["contactid"]]["_ownerid_value"]


def test_what_belongs_to_the_record_hangs_on_the_row_that_was_there(filled: Filled) -> None:
    row = marta(filled, filled.contacts)
    (quarry,) = [row for row in filled.accounts.values() if "quarrysons" in str(row["websiteurl"])]
    employees = [c for c in filled.contacts.values() if c["_parentcustomerid_value"] == quarry["accountid"]]
    assert employees
    assert any(note["_objectid_value"] == row["contactid"] for note in filled.notes)


def test_the_accounts_tell_updated_from_created_and_close(filled: Filled) -> None:
    accounts = filled.load["accounts"]
    assert accounts["Contact"]["updated"] == 1
    assert accounts["Company"]["updated"] == 1
    assert all(account["closes"] for account in accounts.values())
    reconciled = filled.reconciled["accounts"]
    assert (reconciled["Contact"]["updated"], reconciled["Company"]["updated"]) == (1, 1)
    assert filled.reconciled["differences"] == 0


def test_a_record_that_fits_several_rows_matches_none_and_is_listed(filled: Filled) -> None:
    assert [finding["record"] for finding in filled.findings] == ["p04"]  # the survivor of p03 and p04
    assert "fits 2 rows of contact" in filled.findings[0]["what"]


def test_the_list_names_who_was_found_what_is_filled_and_what_stays(filled: Filled) -> None:
    (line,) = [line for line in filled.sheet.splitlines() if ",p01," in line]
    assert "email_key(emailaddress1)" in line
    assert "telephone1" in line
    assert line.count("jobtitle") == 1


def test_a_later_export_changes_what_is_ours_and_tells_a_conflict_where_it_is_not(filled: Filled) -> None:
    row = marta(filled, filled.later)
    assert row["jobtitle"] == MARTA["jobtitle"]
    (column,) = [name for name, value in row.items() if value == "https://www.linkedin.com/in/marta2"]
    assert filled.contacts[row["contactid"]][column] != row[column]
    told = {(f["record"], f["code"]) for f in filled.edited}
    assert ("p01", "edit_conflict") in told, filled.edited


def test_a_cell_is_traced_after_a_delta_and_what_stays_dynamics_own_is_not_told_as_sent(filled: Filled) -> None:
    sent, kept = (traced["planned"] for traced in filled.traced)
    assert sent["sent"], "this round changed another column; what an earlier one sent stands"
    assert (kept["sent"], "what it holds here stays" in kept["kept"]) == (False, True)


def test_rollback_gives_the_rows_back_as_they_were_and_deletes_none_of_them(filled: Filled) -> None:
    assert filled.undone["equal"]
    before, after = as_it_was(filled.before), as_it_was(filled.after)
    assert after.keys() == before.keys()
    for key, row in before.items():
        assert {name: after[key][name] for name in row} == row
        assert not any(after[key][name] for name in after[key].keys() - row.keys()), "columns that the load made"


@pytest.mark.slow
def test_a_person_keeps_a_namesake_apart_and_overwriting_is_a_decision(tmp_path: Path) -> None:
    with serving(tmp_path / "emulator") as url:
        migration = begin(tmp_path / "acme", url, EXAMPLE)
        seed(migration)
        before = by_id(migration, "contact", "contacts") | by_id(migration, "account", "accounts")
        decide(migration, existing_rows="source_wins")
        migration.go(TO_PLAN)
        (migration.folder / "matches.yaml").write_text("keep_apart:\n  - {object: Company, record: c04, by: ana}\n")
        migration.do("plan", code={0, 3})
        migration.go(TO_LOAD[:3])
        # A sample that was loaded is taken back before any load came to its end: the row is as it was.
        assert migration.do("rollback")["equal"]
        sampled = by_id(migration, "contact", "contacts") | by_id(migration, "account", "accounts")
        assert {k: v["jobtitle"] for k, v in sampled.items() if "jobtitle" in v} == {
            k: v["jobtitle"] for k, v in before.items() if "jobtitle" in v
        }
        migration.do("plan", code={0, 3})
        migration.go(TO_LOAD)
        migration.do("load", code={0, 3})
        contacts, accounts = by_id(migration, "contact", "contacts"), by_id(migration, "account", "accounts")
        (row,) = [r for r in contacts.values() if "marta.ruiz" in str(r["emailaddress1"]).lower()]
        assert (row["jobtitle"], row["contactid"] in before) == ("Owner", True)
        assert sum("quarrysons" in str(a["websiteurl"]) for a in accounts.values()) == 2
        assert migration.do("reconcile", code={0, 3})["differences"] == 0
        # A record that leaves the source takes rows along that the load made, never one that was there before.
        decide(migration, delta_absent="delete")
        source = Source.example(tmp_path / "later")
        for record in ("p01", "p02", "p09", "p14"):
            del source.records["contacts"][record]
        take_round(migration, source.full(), "--full")
        left = by_id(migration, "contact", "contacts")
        assert row["contactid"] in left
        assert len(left) < len(contacts)
        assert migration.do("rollback")["equal"]
