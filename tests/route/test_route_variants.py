"""The example as other customers would have it: other formats, headers, owners and paths, objects that are not there."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from route.route_case import LABEL, Migration, begin, example_export, record_of, serving

GERMAN = {
    "Id": "Kennung", "First Name": "Vorname", "Last Name": "Nachname", "Email": "Dienstliche Adresse", "Company": "Firma", "Phone": "Telefon",
    "Notes": "Notizen", "Tags": "Schlagwörter", "Owner Email": "Besitzer", "Created At": "Erstellt am",
}  # fmt: skip
TRICKS = {
    "t1": "../outside.txt", "t2": "/etc/passwd", "t3": "attachments\\f06.png", "t4": "Attachments/F06.PNG",
    "t5": "attachments/../../outside.txt", "t6": "C:\\klipy\\contacts.csv", "t7": "",
}  # fmt: skip


def read(export: Path, name: str) -> list[dict[str, str]]:
    with (export / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(export: Path, name: str, records: list[dict[str, str]], encoding: str = "utf-8", mark: str = ",") -> None:
    with (export / f"{name}.csv").open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(records[0]), delimiter=mark)
        writer.writeheader()
        writer.writerows(records)


def mixed_export(export: Path) -> Path:
    """Contacts in UTF-16 with German headers, own columns and owners by name, and a second file of them; activities in
    windows-1252; deals as JSON lines; companies as a sheet; no notes; attachments whose paths would lead elsewhere."""
    first, second, *_, nadia = read(export, "contacts")[:8]
    new = {**nadia, "Id": "p99", "Email": "new@nowhere-listed.example"}
    write(export, "contacts_2", [first, second, {**nadia, "Title": "Head of design"}, new])
    western = [
        {f: v.encode("cp1252", "replace").decode("cp1252") for f, v in a.items()} for a in read(export, "activities")
    ]
    write(export, "activities", western, "cp1252", "\t")
    names = {member["Email"]: member["Name"] for member in read(export, "members")}
    contacts = []
    for number, contact in enumerate(read(export, "contacts")):
        contact["Owner Email"] = names.get(contact["Owner Email"], contact["Owner Email"])
        contact["Tags"] = "; ".join(f"Tag {4 * number + place}" for place in range(4))
        del contact["LinkedIn URL"], contact["Relationship Strength"]
        contacts.append(
            {GERMAN.get(field, field): value for field, value in contact.items()} | {"Größe": f"{number} cm"}
        )
    write(export, "contacts", contacts, "utf-16", ";")
    deals: list[dict[str, Any]] = [
        {f.lower().replace(" ", "_"): v or None for f, v in d.items()} for d in read(export, "deals")
    ]
    for deal in deals:
        del deal["probability"]  # the pack knows the field, this customer has none
        deal["contact_email"] = [deal["contact_email"]]
    (export / "deals.csv").unlink()
    (export / "deals.jsonl").write_text("\n".join(json.dumps(deal, ensure_ascii=False) for deal in deals))
    companies = read(export, "companies")
    (export / "companies.csv").unlink()
    with xlsxwriter.Workbook(export / "klipy.xlsx") as book:
        sheet = book.add_worksheet("Companies")
        for row, values in enumerate([list(companies[0]), *(list(company.values()) for company in companies)]):
            sheet.write_row(row, 0, values)
    (export / "notes.csv").unlink()
    files = read(export, "attachments")
    last = next(file for file in files if file["Id"] == "f06")
    files += [{**last, "Id": key, "File": path} for key, path in TRICKS.items()]
    write(export, "attachments", files)
    (export.parent / "outside.txt").write_text("no part of the export")
    return export


@dataclass(frozen=True)
class Walk:
    """A loaded, reconciled and rolled back migration, and what it looked like in between."""

    staged: list[dict[str, Any]]
    refused: dict[str, str]
    findings: list[dict[str, Any]]
    contacts: dict[str, dict[str, Any]]
    status: dict[str, Any]
    reconciled: dict[str, Any]
    is_restored: bool


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    folder = tmp_path_factory.mktemp("mixed")
    with serving(folder / "emulator") as url:
        migration = begin(folder / "acme", url, mixed_export(example_export(folder / "export")))
        before = migration.admin("fingerprint")
        migration.do("stage")
        staged = migration.do("findings", "--step", "stage")
        refused = migration.run("approve", "export").errors["gate-not-ready"]
        settle(migration)
        reconciled = migration.do("run", "--rehearse", code=3)["reconcile"]
        contacts = {record_of(row): row for row in migration.rows("contacts")}
        findings, status = migration.do("findings"), migration.do("status")
        undone = migration.do("rollback", "--schema")
        is_restored = undone["equal"] and migration.admin("fingerprint") == before
        yield Walk(staged, refused, findings, contacts, status, reconciled, is_restored)


def settle(migration: Migration) -> None:
    """Say what the findings and the gate asked for."""
    file = migration.folder / "flitstack.yaml"
    text = file.read_text().replace("absent: []", "absent: [Note]")
    file.write_text(text.replace("headers: {}", "headers: {Contact: {Kennung: Id}}"))


def test_a_column_nobody_recognises_is_named_with_the_line_to_write(walk: Walk) -> None:
    (missing,) = [each for each in walk.staged if each["code"] == "field_missing"]
    assert (missing["file"], missing["object"], missing["field"]) == ("contacts.csv", "Contact", "Id")
    assert "Kennung" in missing["what"]
    assert "headers: {Contact:" in missing["do"]


def test_an_object_that_is_not_there_is_asked_for_or_given_up(walk: Walk) -> None:
    assert "absent: [Note] in flitstack.yaml" in walk.refused["what"]
    assert "Note" not in walk.status["accounts"]


def test_every_record_is_accounted_for_and_every_field_arrives(walk: Walk) -> None:
    accounts = walk.status["accounts"]
    assert {name: (accounts[name]["read"], accounts[name]["created"]) for name in ("Contact", "Company", "Deal")} == {
        "Contact": (18, 11), "Company": (8, 6), "Deal": (9, 6),
    }  # fmt: skip
    assert all(account["closes"] for account in accounts.values())
    assert walk.reconciled["differences"] == 0
    assert walk.is_restored


def test_a_column_of_the_customers_own_becomes_one_and_many_tags_a_choice(walk: Walk) -> None:
    klaus = walk.contacts["p07"]
    assert klaus["flit_grosse"] == "6 cm"
    assert klaus[f"flit_tags{LABEL}"] == "Tag 24; Tag 25; Tag 26; Tag 27"


def test_the_same_id_in_two_files_is_one_record(walk: Walk) -> None:
    merged = [
        each["record"] for each in walk.findings if each["code"] == "duplicate_merged" and each["object"] == "Contact"
    ]
    assert sorted(merged) == ["p01", "p02", "p02", "p03", "p08"]
    assert walk.contacts["p99"]["emailaddress1"] == "new@nowhere-listed.example"


def test_owners_by_name_are_met_by_the_list_of_members(walk: Walk) -> None:
    owners = {key: row[f"_ownerid_value{LABEL}"] for key, row in walk.contacts.items()}
    assert (owners["p05"], owners["p06"], owners["p07"]) == ("Ben Öztürk", "Migration Fallback", "Migration Fallback")


def test_a_path_never_leads_out_of_the_attachments(walk: Walk) -> None:
    found = {each["record"]: each["code"] for each in walk.findings if each["record"] in TRICKS}
    assert found == dict.fromkeys(("t1", "t2", "t5", "t6", "t7"), "file_missing")
