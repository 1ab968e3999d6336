"""The Excel and CSV documents, and the merge list that comes back with decisions."""

import csv
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reporting.report_case import migration, proof, quality

from flitstack.deduping.document import DedupeDocument
from flitstack.deduping.review import Pair, read_review
from flitstack.errors import FINDING_COLUMNS, Finding
from flitstack.reporting.groups import group_findings
from flitstack.reporting.merges import write_merges
from flitstack.reporting.quality import write_quality
from flitstack.reporting.reconciliation import write_reconciliation
from flitstack.reporting.workbook import Column, open_workbook, sheet_name, write_csv
from flitstack.staging.engine.engine import Engine
from flitstack.staging.engine.findings import FindingsWriter

DANGEROUS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", '=HYPERLINK("http://x.example")']


def test_no_text_of_a_sheet_is_a_formula(tmp_path: Path) -> None:
    with open_workbook(tmp_path / "book.xlsx") as book:
        book.sheet("S", [Column("Text")], ([text] for text in DANGEROUS))
    sheet = openpyxl.load_workbook(tmp_path / "book.xlsx")["S"]
    cells = [sheet.cell(row, 1) for row in range(2, len(DANGEROUS) + 2)]
    assert [cell.value for cell in cells] == DANGEROUS
    assert {cell.data_type for cell in cells} == {"s"}
    # Quote prefix: Excel keeps the cell a text when somebody edits it.
    assert all(cell.quotePrefix for cell in cells)


def test_texts_of_a_csv_that_would_run_get_an_apostrophe(tmp_path: Path) -> None:
    write_csv(tmp_path / "list.csv", ["Text", "Number"], [[text, -1] for text in DANGEROUS])
    rows = list(csv.reader((tmp_path / "list.csv").open(newline="", encoding="utf-8-sig")))
    assert [row[0] for row in rows[1:]] == [f"'{text}" for text in DANGEROUS]
    assert rows[1][1] == "-1"


def test_a_workbook_that_fails_half_way_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), open_workbook(path) as book:
        book.sheet("S", [Column("n")], ([1 // n] for n in (1, 0)))
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["book.xlsx"]


@pytest.mark.parametrize(
    ("name", "kept"), [("a/b:c", "a-b-c"), ("x" * 40, "x" * 31), ("'quoted'", "quoted"), ("", "Sheet")]
)
def test_sheet_names_are_what_excel_takes(name: str, kept: str) -> None:
    assert sheet_name(name) == kept


def test_the_report_workbooks_hold_the_same_numbers_as_the_pages(tmp_path: Path) -> None:
    book = openpyxl.load_workbook(write_quality(quality(), tmp_path)[1])
    assert book.sheetnames == ["Objects", "Open points", "Findings", "Fields", "Files"]
    assert [cell.value for cell in book["Objects"][2]] == ["Contact", 10, 8, 1, 1, 1, 0, 1]
    assert book["Fields"]["Q3"].value == "=1+1 (2)"
    book = openpyxl.load_workbook(write_reconciliation(migration(rollback=proof()), tmp_path)[1])
    assert book.sheetnames == ["Accounts", "Tables", "Columns", "Findings", "Differences", "Rollback"]
    assert [cell.value for cell in book["Accounts"][2]] == ["Contacts", 10, 8, 0, 0, 1, 1, 0, 0, 0, "yes"]


def test_findings_are_grouped_worst_first_with_three_examples(tmp_path: Path) -> None:
    with Engine(tmp_path / "scratch") as engine:
        findings = FindingsWriter(engine, "test")
        findings.add(
            [Finding("bad_date", "Deal", "d.csv", f"d{n}", "listed", line=n, do="fix it") for n in range(5, 0, -1)]
        )
        findings.add([Finding("orphan_parent", "Note", "n.csv", "n1", "held")])
        groups = group_findings(engine, findings.table)
    assert [(g.code, g.outcome, g.count, g.do) for g in groups] == [
        ("orphan_parent", "held", 1, ""),
        ("bad_date", "listed", 5, "fix it"),
    ]
    assert [example.place for example in groups[1].examples] == [f"d.csv, record d{n} (line {n})" for n in (1, 2, 3)]
    assert len(FINDING_COLUMNS) == 10


def test_decisions_written_into_the_merge_list_are_read_back(tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"object": ["Contact"], "loser_file": ["c.csv"], "loser_id": ["=b"], "loser_line": pa.array([3]),
                  "survivor_id": ["a"], "cluster": pa.array([0]), "rule": ["email"]}),
        tmp_path / "survivors.parquet",
    )  # fmt: skip
    pq.write_table(
        pa.table({"object": ["Company"], "id": ["0017"], "other_id": ["0016"], "what": ["same name"]}),
        tmp_path / "alike.parquet",
    )
    document = DedupeDocument("", "", {}, "survivors.parquet", "sources.parquet", "")
    with Engine(tmp_path / "scratch") as engine:
        path = write_merges(engine, document, tmp_path, tmp_path / "merges.xlsx")
    assert read_review(path).keep_apart == read_review(path).merge == frozenset()
    book = openpyxl.load_workbook(path)
    sheet = book["Merges"]
    assert [cell.value for cell in sheet[2]] == ["Company", "0017", "0016", "alike", "same name", None]
    sheet["F2"], sheet["F3"] = "merge", "keep apart"
    book.save(path)
    decided = read_review(path)
    assert decided.merge == {Pair("Company", "0016", "0017")}
    assert decided.keep_apart == {Pair("Contact", "=b", "a")}
    listed = (tmp_path / "merges.csv").read_text(encoding="utf-8-sig").splitlines()
    assert listed[2] == "Contact,'=b,a,merged,same email,"
