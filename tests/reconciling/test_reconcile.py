"""Loads a small plan into memory, tampers with it, and expects every tampering to be found, and nothing else."""

import asyncio
import base64
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from reconciling.migrations import CATALOGUE, WHEN, Migration, contacts, deals, row_id

from flitstack.destinations.memory.destination import ME
from flitstack.staging.engine.engine import Engine


@pytest.fixture
def migration(tmp_path: Path) -> Any:
    with Engine(tmp_path / "scratch") as engine:
        yield Migration(tmp_path, engine)


def test_a_clean_load_has_no_difference_and_closes(migration: Migration) -> None:
    contacts(migration)
    document, findings = migration.reconcile()
    assert findings == []
    assert (document.rows, document.cells, document.differences) == (5, 2 + 3 * 10, 0)
    assert document.closes
    assert [(p.phase, p.planned, p.landed) for p in document.phases] == [("accounts", 2, 2), ("contacts", 3, 3)]
    assert (document.accounts["Contact"].read, document.accounts["Contact"].created) == (3, 3)


def set_cell(**cells: Any) -> Callable[[Migration], None]:
    return lambda migration: migration.stored("contact", 10).update(cells)


@pytest.mark.parametrize(
    ("tamper", "column"),
    [
        (set_cell(firstname="Eva"), "firstname"),
        (set_cell(firstname=None), "firstname"),
        (set_cell(lastname="ode"), "lastname"),
        (set_cell(birthdate=date(1980, 2, 28)), "birthdate"),
        (set_cell(gendercode=1), "gendercode"),
        (set_cell(donotemail=False), "donotemail"),
        (set_cell(description="line line"), "description"),
        (set_cell(creditlimit=Decimal("10.27")), "creditlimit"),
        (set_cell(createdon=WHEN + timedelta(seconds=1)), "overriddencreatedon"),
        (set_cell(parentcustomerid=("account", row_id(2))), "parentcustomerid"),
        (set_cell(parentcustomerid=("contact", row_id(1))), "parentcustomerid"),
        (set_cell(parentcustomerid=None), "parentcustomerid"),
        (set_cell(ownerid=("team", ME)), "ownerid"),
    ],
)
def test_one_changed_cell_is_one_difference(migration: Migration, tamper: Any, column: str) -> None:
    contacts(migration)
    tamper(migration)
    document, findings = migration.reconcile()
    assert document.differences == 1
    assert {c.name for t in document.tables for c in t.columns if c.differences} == {column}
    [finding] = findings
    assert (finding["code"], finding["file"], finding["line"]) == ("cell_differs", "contacts.csv", 1)
    assert finding["field"] == f"Field of {column}"
    assert "Eva" not in finding["what"]  # shapes, not values


def test_a_cell_that_was_empty_in_the_source_must_stay_empty(migration: Migration) -> None:
    contacts(migration)
    migration.stored("contact", 11)["lastname"] = "Filled"
    assert migration.reconcile()[0].differences == 1


@pytest.mark.parametrize(
    "cells",
    [
        {"firstname": "Ana"},  # blanks at the end
        {"description": "line\nline"},
        {"creditlimit": Decimal("10.26")},  # the column's scale
        {"createdon": WHEN + timedelta(milliseconds=400)},
    ],
)
def test_what_the_platform_changes_by_itself_is_no_difference(migration: Migration, cells: dict[str, Any]) -> None:
    contacts(migration)
    migration.stored("contact", 10).update(cells)
    assert migration.reconcile()[0].differences == 0


def test_a_missing_row_is_found_and_opens_the_account(migration: Migration) -> None:
    contacts(migration)
    del migration.destination.stored["contact"][row_id(12)]
    document, findings = migration.reconcile()
    assert (document.rows, document.differences) == (4, 1)
    assert document.accounts["Contact"].missing == 1
    assert not document.closes
    assert [f["code"] for f in findings] == ["row_missing"]


def test_a_rejected_row_is_accounted_for_and_no_difference(migration: Migration) -> None:
    rows = [{"_row": row_id(n), "name": "x" * (161 if n == 2 else 1)} for n in (1, 2, 3)]
    migration.send("account", "Company", rows)
    document, findings = migration.reconcile()
    account = document.accounts["Company"]
    assert (account.read, account.created, account.rejected, account.closes) == (3, 2, 1, True)
    assert (document.rows, document.differences, findings) == (2, 0, [])


def test_a_row_with_our_source_key_that_nobody_sent_is_too_much(migration: Migration) -> None:
    operation = {"kind": "add_column", "table": "account", "name": "cr1_sourcekey", "type": "String", "length": 100}
    asyncio.run(migration.destination.apply(operation))
    rows = [{"_row": row_id(n), "name": "x", "cr1_sourcekey": f"{n}"} for n in (1, 2)]
    migration.send("account", "Company", rows)
    stray = dict(migration.stored("account", 1), accountid=row_id(99), cr1_sourcekey="99")
    migration.destination.stored["account"][row_id(99)] = stray
    document, findings = migration.reconcile()
    assert (document.differences, document.tables[0].extra) == (1, 1)
    assert [f["code"] for f in findings] == ["row_extra"]

    known = migration.folder / "keys.parquet"
    migration.engine.write_parquet(f"SELECT '99' AS digest, UUID '{row_id(99)}' AS \"row\"", known)
    migration.known["account"] = known
    assert migration.reconcile()[0].differences == 0  # an earlier plan made it


def test_a_row_whose_source_key_was_cleared_is_still_compared(migration: Migration) -> None:
    operation = {"kind": "add_column", "table": "account", "name": "cr1_sourcekey", "type": "String", "length": 100}
    asyncio.run(migration.destination.apply(operation))
    migration.send("account", "Company", [{"_row": row_id(1), "name": "x", "cr1_sourcekey": "1"}])
    migration.stored("account", 1)["cr1_sourcekey"] = None
    document, _ = migration.reconcile()
    assert (document.rows, document.differences) == (1, 1)


def test_a_sample_looks_at_its_own_rows_only(migration: Migration) -> None:
    contacts(migration)
    assert migration.reconcile("sample")[0].differences == 0


def test_states_are_compared(migration: Migration) -> None:
    deals(migration)
    assert migration.reconcile()[0].differences == 0
    migration.stored("opportunity", 20)["statuscode"] = 4
    migration.stored("opportunity", 22)["statecode"] = 1
    document, _ = migration.reconcile()
    assert {c.name: c.differences for c in document.tables[0].columns} == {"name": 0, "(state)": 2}


def test_parties_are_compared_as_sets_without_the_platforms_own(migration: Migration) -> None:
    migration.send("contact", "Contact", [{"_row": row_id(1), "firstname": "A"}])
    parties = [
        {"mask": 1, "table": "systemuser", "id": str(ME), "address": None},
        {"mask": 2, "table": "contact", "id": str(row_id(1)), "address": None},
        {"mask": 2, "table": None, "id": None, "address": "Odd@b.example"},
    ]
    migration.send("email", "Mail", [{"_row": row_id(30), "subject": "Hi", "_parties": parties}], has_parties=True)
    stored = migration.stored("email", 30)
    owner = {"mask": 9, "table": "systemuser", "id": str(ME), "address": None}
    found = {"mask": 2, "table": "contact", "id": str(row_id(5)), "address": "odd@b.example"}
    stored["_parties"] = [owner, parties[1], found, parties[0]]  # any order; an address whose contact was found
    assert migration.reconcile()[0].differences == 0
    stored["_parties"] = parties[:2]
    assert migration.reconcile()[0].differences == 1
    stored["_parties"] = [*parties, {"mask": 3, "table": None, "id": None, "address": "more@b.example"}]
    assert migration.reconcile()[0].differences == 1


def test_an_organizer_that_the_platform_added_is_none_of_ours(migration: Migration) -> None:
    migration.send("contact", "Contact", [{"_row": row_id(1), "firstname": "A"}])
    guest = {"mask": 5, "table": "contact", "id": str(row_id(1)), "address": None}
    organizer = {"mask": 7, "table": "systemuser", "id": str(ME), "address": None}
    rows = [
        {"_row": row_id(30), "subject": "without", "_parties": [guest]},
        {"_row": row_id(31), "subject": "with", "_parties": [guest, organizer]},
    ]
    migration.send("appointment", "Meeting", rows, has_parties=True)
    migration.stored("appointment", 30)["_parties"] = [guest, organizer]
    assert migration.reconcile()[0].differences == 0
    migration.stored("appointment", 31)["_parties"] = [guest]
    assert migration.reconcile()[0].differences == 1


def test_files_are_compared_by_their_bytes(migration: Migration) -> None:
    export = migration.folder / "export" / "files"
    export.mkdir(parents=True)
    (export / "a.bin").write_bytes(b"\x00\x01a")
    rows = [
        {"_row": row_id(40), "subject": "File", "_content": "files/a.bin"},
        {"_row": row_id(41), "subject": "No file", "_content": None},
    ]
    migration.send("annotation", "File", rows, has_files=True)
    table = CATALOGUE.tables["annotation"]
    asyncio.run(migration.destination.attach(table, row_id(40), "a.bin", "application/octet-stream", b"\x00\x01a"))
    assert migration.reconcile()[0].differences == 0
    migration.stored("annotation", 40)["documentbody"] = base64.b64encode(b"\x00\x01b").decode()
    document, _ = migration.reconcile()
    assert {c.name: c.differences for c in document.tables[0].columns} == {"subject": 0, "(file)": 1}


def test_links_are_compared_row_by_row(migration: Migration) -> None:
    migration.send("contact", "Contact", [{"_row": row_id(n), "firstname": "A"} for n in (1, 2)])
    links = [{"relationship": "listcontact_association", "table": "contact", "id": str(row_id(1))}]
    migration.send("list", "List", [{"_row": row_id(50), "listname": "L", "_links": links}], has_links=True)
    pairs = migration.destination.links.setdefault("listcontact_association", set())
    pairs.add((row_id(50), row_id(1)))
    assert migration.reconcile()[0].differences == 0
    pairs.add((row_id(50), row_id(2)))
    document, [finding] = migration.reconcile()
    assert document.differences == 1
    assert finding["record"] == str(row_id(50))


def test_the_links_of_a_row_that_is_not_there_are_told_once_as_a_missing_row(migration: Migration) -> None:
    migration.send("contact", "Contact", [{"_row": row_id(1), "firstname": "A"}])
    links = [{"relationship": "listcontact_association", "table": "contact", "id": str(row_id(1))}]
    migration.send("list", "List", [{"_row": row_id(50), "listname": "L", "_links": links}], has_links=True)
    del migration.destination.stored["list"][row_id(50)]
    document, [finding] = migration.reconcile()
    assert (document.differences, finding["code"]) == (1, "row_missing")
    assert [(table.table, table.missing) for table in document.tables] == [("contact", 0), ("list", 1)]


def test_markup_that_the_platform_rewrote_is_the_same_text(migration: Migration) -> None:
    migration.send("email", "Mail", [{"_row": row_id(30), "description": "<p>Hello <b>you</b></p>"}])
    migration.stored("email", 30)["description"] = "<div><p>Hello <strong>you</strong></p></div>"
    assert migration.reconcile()[0].differences == 0
    migration.stored("email", 30)["description"] = "<p>Hello <b>me</b></p>"
    assert migration.reconcile()[0].differences == 1


def test_an_update_to_nothing_must_leave_nothing(migration: Migration) -> None:
    migration.update = True
    rows = [{"_row": row_id(n), "firstname": "A", "donotemail": None} for n in (1, 2)]
    migration.send("contact", "Contact", rows)
    migration.stored("contact", 1)["donotemail"] = False
    document, _ = migration.reconcile()
    assert document.accounts["Contact"].updated == 2
    assert document.differences == 1
