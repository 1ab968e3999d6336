"""The spot-check sheet as a file: one sheet a table, no formulas, and nothing that a person signed is lost."""

from pathlib import Path

import openpyxl

from flitstack.reconciling.document import SpotCell, SpotCheck, SpotRecord
from flitstack.reporting.document import Heading
from flitstack.reporting.spot_check import write_spot_check

HEADING = Heading("acme", "Example CRM", "2026-11-21T10:00:00Z", "production", "https://acme.crm4.dynamics.com/", "ana")


def record(row: str, *, table: str = "contact", label: str = "Contact", outcome: str = "there") -> SpotRecord:
    cell = SpotCell(
        "lastname", "Last Name", "Name", "=1+1", "=1+1", "=1+1", "equal" if outcome == "there" else "not there"
    )
    return SpotRecord(
        table, label, row, "Person", "contact", "people.csv", "p1", 2, "Ana", outcome, ("closed",), (cell,)
    )


def test_tables_of_one_label_have_a_sheet_each_and_rows_a_link(tmp_path: Path) -> None:
    records = (
        record("a"),
        record("b", table="new_contact"),
        record("c", table="records", label="Records", outcome="rejected"),
    )
    path = write_spot_check(SpotCheck("plan", 9, records), HEADING, {"Person": "People"}, tmp_path / "spot-check.xlsx")
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["Records", "Contact", "new_contact", "records-2"]
    first, _, refused = list(book["Records"].iter_rows(min_row=2))
    address = "https://acme.crm4.dynamics.com/main.aspx?pagetype=entityrecord&etn=contact&id=a"
    assert (
        first[8].hyperlink.target + ("#" + first[8].hyperlink.location if first[8].hyperlink.location else "")
        == address
    )
    assert (refused[8].value, refused[12].value) == ("not there", 1)
    assert all(cell.data_type != "f" for sheet in book for row in sheet.iter_rows() for cell in row)


def test_what_was_signed_of_records_no_longer_chosen_stays_in_a_file_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "spot-check.xlsx"
    write_spot_check(SpotCheck("plan", 9, (record("a"), record("b"))), HEADING, {}, path)
    book = openpyxl.load_workbook(path)
    book["Records"]["O2"] = "yes"
    book.save(path)
    write_spot_check(SpotCheck("other", 9, (record("b"),)), HEADING, {}, path)
    kept = openpyxl.load_workbook(tmp_path / "spot-check-until-2026-11-21T100000Z.xlsx")
    assert kept["Records"]["O2"].value == "yes"
    assert openpyxl.load_workbook(path)["Records"]["H2"].value == "b"
