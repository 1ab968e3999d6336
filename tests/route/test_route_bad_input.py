"""Files nobody should have sent: each is told clearly in one go, nothing is lost, the exit code is the documented one."""

import csv
import random
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from route.route_case import TO_PLAN, Migration, begin, command, environment, example_export, flit, serving

from flitstack.documents import read_yaml


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One emulator with the example's users; no test of this file loads into it."""
    folder = tmp_path_factory.mktemp("emulator")
    with serving(folder) as url:
        seeded = example_export(folder / "export") / "destination"
        assert flit("emulator", "seed", str(seeded), "--url", url).code == 0
        yield url


@pytest.fixture
def export(tmp_path: Path) -> Path:
    return example_export(tmp_path / "export")


def project(export: Path, url: str, **choices: str) -> Migration:
    """A project on this export that has taken nothing yet."""
    migration = begin(export.with_name("acme"), url, export, seeded=False)
    if choices:
        decisions = migration.folder / "decisions.yaml"
        text = decisions.read_text()
        for name, option in choices.items():
            text = text.replace(f"{name}:\n    option: fallback", f"{name}:\n    option: {option}")
        decisions.write_text(text)
    return migration


def staged(export: Path, url: str, code: int = 0) -> tuple[Migration, dict[str, Any], list[dict[str, Any]]]:
    """Project, the stage command's document and its findings."""
    migration = project(export, url)
    document = migration.do("stage", code=code)
    return migration, document, migration.do("findings", "--step", "stage")


def contact_rows(export: Path) -> list[list[str]]:
    with (export / "contacts.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def write_contacts(export: Path, rows: list[list[str]]) -> None:
    with (export / "contacts.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def test_an_empty_file_keeps_the_export_gate_shut_until_there_is_one(export: Path, url: str) -> None:
    (export / "contacts.csv").write_bytes(b"")
    migration, _, found = staged(export, url)
    (finding,) = [each for each in found if each["file"] == "contacts.csv"]
    assert (finding["code"], finding["object"]) == ("empty_export_file", "Contact")
    assert finding["do"]
    answer = migration.run("approve", "export")
    assert answer.code == 4
    assert "Contact" in answer.errors["gate-not-ready"]["what"]


def test_an_empty_file_beside_a_full_one_is_listed_and_no_more(export: Path, url: str) -> None:
    (export / "contacts_2.csv").write_bytes(b"")
    migration, document, found = staged(export, url)
    assert [each["file"] for each in found if each["code"] == "empty_export_file"] == ["contacts_2.csv"]
    assert document["objects"]["Contact"]["records"] == 14
    assert migration.run("approve", "export").code == 0


def test_a_binary_file_named_csv_is_held_as_a_whole(export: Path, url: str) -> None:
    (export / "contacts.csv").write_bytes(random.Random(1).randbytes(50_000))
    migration, _, found = staged(export, url, code=3)
    (finding,) = [each for each in found if each["file"] == "contacts.csv"]
    assert (finding["code"], finding["outcome"]) == ("not_text", "held")
    assert "binary" in finding["what"]
    assert migration.run("approve", "export").code == 4


def test_a_sheet_with_merged_headers_is_read_under_its_own_names(export: Path, url: str) -> None:
    rows = contact_rows(export)
    (export / "contacts.csv").unlink()
    with xlsxwriter.Workbook(export / "contacts.xlsx") as book:
        sheet = book.add_worksheet("Contacts")
        sheet.merge_range(0, 0, 0, 2, "Person")
        sheet.merge_range(0, 3, 0, 5, "Reach")
        for place, row in enumerate(rows, start=1):
            sheet.write_row(place, 0, row)
    _, document, _ = staged(export, url)
    assert document["objects"]["Contact"] == {"records": 14, "unknown": [], "missing": [], "found": False}


def test_a_header_merged_over_two_columns_loses_neither(export: Path, url: str) -> None:
    rows = contact_rows(export)
    (export / "contacts.csv").unlink()
    with xlsxwriter.Workbook(export / "contacts.xlsx") as book:
        sheet = book.add_worksheet("Contacts")
        for place, row in enumerate(rows):
            sheet.write_row(place, 0, row)
        sheet.merge_range(0, 8, 0, 9, "Notes")
    _, document, found = staged(export, url)
    contact = document["objects"]["Contact"]
    assert contact["records"] == 14
    assert (contact["unknown"], contact["missing"]) == (["Notes (2)"], ["Tags"])
    assert [each["code"] for each in found if each["file"].startswith("contacts.xlsx")] == ["duplicate_column"]


def test_a_column_name_that_stands_twice_is_kept_apart_and_named(export: Path, url: str) -> None:
    header, *rows = contact_rows(export)
    header[header.index("Title")] = "Email"
    write_contacts(export, [header, *rows])
    _, document, found = staged(export, url)
    assert document["objects"]["Contact"]["unknown"] == ["Email (2)"]
    (finding,) = [each for each in found if each["code"] == "duplicate_column"]
    assert finding["file"] == "contacts.csv"
    assert "'Email'" in finding["what"]


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory, url: str) -> Migration:
    """Planned: the example with 1,000 unreadable dates, a field of 5 MB, a stage and an owner nobody knows, all blocked."""
    export = example_export(tmp_path_factory.mktemp("dirty") / "export")
    rows = contact_rows(export)
    for n in range(1000):
        address, date = f"ann{n}@harbourlights.example", f"the {n}th of May"
        rows.append([f"q{n}", "Ann", f"Long{n}", address, "", "", "", "", "", "", "", date, ""])
    text = "x " * 2_500_000 + "end"
    rows.append(
        ["big", "Ann", "Big", "big@harbourlights.example", "", "", "", "", text, "", "", "2024-01-01 10:00", ""]
    )
    write_contacts(export, rows)
    migration = project(export, url, owner_unmatched="block", owner_inactive="block")
    migration.go(TO_PLAN)
    return migration


def test_nothing_is_lost_however_dirty_the_records_are(dirty: Migration) -> None:
    account = dirty.do("status")["accounts"]["Contact"]
    assert account["read"] == 1015
    assert account["read"] == sum(account[word] for word in ("merged", "held", "excluded", "pending"))


def test_a_thousand_unreadable_dates_are_each_named_and_three_are_shown(dirty: Migration) -> None:
    found = [each for each in dirty.do("findings", "--code", "bad_date") if each["object"] == "Contact"]
    assert len({each["record"] for each in found}) == len(found) == 1000
    assert {(each["file"], each["field"], each["outcome"]) for each in found} == {
        ("contacts.csv", "Created At", "loaded")
    }
    told = read_by_a_person(dirty, "findings", "--code", "bad_date")
    assert told.startswith("bad_date: 1001 ")
    assert len(told.splitlines()) == 6
    assert "flitstack findings --code bad_date --all" in told


def test_a_field_of_five_megabytes_is_told_by_its_shape(dirty: Migration) -> None:
    (finding,) = [each for each in dirty.do("findings", "--code", "overlong") if each["record"] == "big"]
    assert finding["field"] == "Notes"
    assert len(finding["shape"]) < 100


def test_an_unknown_choice_is_held_with_its_field_and_the_remedy(dirty: Migration) -> None:
    (finding,) = [each for each in dirty.do("findings", "--code", "unknown_choice") if each["object"] == "Deal"]
    assert (finding["record"], finding["field"], finding["outcome"]) == ("d07", "Stage", "held")
    assert finding["do"]
    assert dirty.do("status")["accounts"]["Deal"]["held"] == 3


def test_an_owner_nobody_knows_keeps_the_owners_gate_shut_until_settled(dirty: Migration) -> None:
    answer = dirty.run("approve", "owners")
    assert answer.code == 4
    for email in ("cara@northbeam.example", "dmytro@northbeam.example", "gone@northbeam.example"):
        assert email in answer.errors["gate-not-ready"]["what"]
    assert dirty.run("load", "--sample").code == 4
    owners = dirty.folder / "owners.yaml"
    text = owners.read_text()
    assert text.count("to: block") == 3
    owners.write_text(re.sub(r"(?m)^fallback:.*$", "fallback: ana@northbeam.example", text))
    assert "fallback_owner: ana@northbeam.example" in dirty.run("plan").errors["owner-fallback"]["do"]
    owners.write_text(text.replace("to: block", "to: ana@northbeam.example"))
    assert dirty.run("approve", "owners").code == 4, "the plan does not know the new owners yet"
    dirty.do("plan", code=3)
    assert owners.read_text().count("by: ") == 3
    assert dirty.run("approve", "owners").code == 0


def test_an_owner_that_only_an_expression_of_the_map_names_is_settled_too(export: Path, url: str) -> None:
    migration = project(export, url)
    migration.go(TO_PLAN[:4])
    path = migration.folder / "mapping" / "Deal.yaml"
    said = path.read_text()
    made = """CASE WHEN Id <> ''d01'' AND "Owner Email" IS NOT NULL THEN ''Eve@else.example '' END"""
    path.write_text(said.replace("""from: '"Owner Email"'""", f"from: '{made}'"))
    assert path.read_text() != said
    migration.do("map", "--confirm", "all")
    migration.go(TO_PLAN[4:])
    owners, _ = read_yaml(migration.folder / "owners.yaml")
    deals = migration.do("findings", "--code", "owner_unmatched")
    mine = {each["record"] for each in deals if each["object"] == "Deal" and "fallback@" in each["what"]}
    assert owners["owners"]["eve@else.example"]["to"] == "fallback"
    assert len(mine) >= owners["owners"]["eve@else.example"]["records"] > 0
    assert ("Deal", "d01") in {
        (each["object"], each["record"]) for each in migration.do("findings", "--code", "owner_blank")
    }


def test_everything_wrong_at_once_is_told_in_one_go(export: Path, url: str) -> None:
    (export / "companies.csv").write_bytes(b"")
    (export / "deals.csv").write_bytes(random.Random(2).randbytes(9_000))
    (export / "minutes.csv").write_text("what,when\nweekly,monday\n")
    _, document, found = staged(export, url, code=3)
    assert {each["code"] for each in found} >= {"empty_export_file", "not_text"}
    assert document["objects"]["Minutes"] == {"records": 1, "unknown": [], "missing": [], "found": True}


def read_by_a_person(migration: Migration, *words: str) -> str:
    """What the command prints without --json."""
    line = command(*words, "--project", str(migration.folder))
    return subprocess.run(line, capture_output=True, text=True, env=environment(), timeout=300).stdout
