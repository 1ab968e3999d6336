"""Planports' cards split by active business alone, while the source goes on living: cards change sides, and back again by rollback."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from route.decided_case import deciding, loaded
from route.rounds_case import decide, take_round
from route.route_case import Migration, record_of

pytestmark = pytest.mark.slow
EXPORT = {"deals.csv": "Deal No", "orders.csv": "Order No"}


def later(export: Path, folder: Path, changes: dict[str, dict[str, dict[str, str]]]) -> Path:
    """A later export: the changed records of these files."""
    folder.mkdir()
    for name, changed in changes.items():
        with (export / name).open(encoding="utf-8", newline="") as file:
            records = {record[EXPORT[name]]: record for record in csv.DictReader(file)}
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(next(iter(records.values()))))
            writer.writeheader()
            writer.writerows(records[key] | values for key, values in changed.items())
    return folder


def by_card(migration: Migration, table: str, columns: str) -> dict[str, dict[str, Any]]:
    """Rows that cards became, by card."""
    found = migration.rows(f"{table}?$select={columns},statecode,flit_sourceid")
    return {record_of(row): row for row in found if "/Contact/" in str(row["flit_sourceid"])}


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Migration, dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("split")
    with deciding("planports", folder) as make:
        migration = make(split_rule="active")
        before = migration.admin("fingerprint")
        seen: dict[str, Any] = {"before": before, "tables": loaded(migration)}
        seen["first"] = [
            sorted(by_card(migration, *which)) for which in (("contacts", "contactid"), ("leads", "leadid"))
        ]
        # The only order of K-5 is paid in full; the lost deal of K-7 is negotiated again.
        export = later(
            folder / "export",
            folder / "later",
            {"orders.csv": {"S-2": {"Paid": "250"}}, "deals.csv": {"F-4": {"Stage": "Teklif"}}},
        )
        decide(migration, delta_rerouted={"contact": "deactivate"})
        seen["plan"] = take_round(migration, export)
        yield migration, seen


def test_cards_change_sides_with_their_business(split: tuple[Migration, dict[str, Any]]) -> None:
    migration, seen = split
    assert seen["first"] == [["K-1", "K-2", "K-3", "K-4", "K-5"], ["K-6", "K-7"]]
    contacts = by_card(migration, "contacts", "contactid")
    leads = by_card(migration, "leads", "leadid")
    assert {card for card, row in contacts.items() if row["statecode"] == 0} == {"K-1", "K-2", "K-3", "K-4", "K-7"}
    assert {card for card, row in leads.items() if row["statecode"] == 0} == {"K-5", "K-6"}
    assert (contacts["K-5"]["statecode"], leads["K-7"]["statecode"]) == (1, 1), "closed by decision, and qualified"
    assert sorted(found["record"] for found in migration.do("findings", "--code", "rerouted")) == ["K-5", "K-7"]


def test_what_they_bought_follows_them(split: tuple[Migration, dict[str, Any]]) -> None:
    migration, _ = split
    contacts = by_card(migration, "contacts", "contactid,_parentcustomerid_value")
    leads = by_card(migration, "leads", "leadid")
    orders = {
        row["name"]: row
        for row in migration.rows("salesorders?$select=name,_customerid_value,_flit_originatingleadid_value")
    }
    assert orders["SIP-2"]["_customerid_value"] == contacts["K-5"]["_parentcustomerid_value"]
    assert orders["SIP-2"]["_flit_originatingleadid_value"] == leads["K-5"]["leadid"]
    query = "opportunities?$select=statecode,_customerid_value,_originatingleadid_value,flit_sourceid"
    deal = next(row for row in migration.rows(query) if record_of(row) == "F-4")
    assert (deal["statecode"], deal["_customerid_value"]) == (0, contacts["K-7"]["contactid"])
    assert deal["_originatingleadid_value"] is None


def test_nothing_differs_and_rollback_takes_both_sides_back(split: tuple[Migration, dict[str, Any]]) -> None:
    migration, _ = split
    assert migration.do("reconcile", code={0, 3})["differences"] == 0
    assert all(account["closes"] for account in migration.do("status")["accounts"].values())
    undone = migration.do("rollback", "--force", "--schema")
    assert (undone["kept"], undone["failed"], undone["equal"]) == (0, 0, True)
