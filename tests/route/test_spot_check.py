"""The spot-check sheet of a whole load: records of every kind with both sides of each field, and a person's ticks that stay."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from route.decided_case import deciding
from route.route_case import Migration

pytestmark = pytest.mark.slow
Sheets = dict[str, list[dict[str, Any]]]


def read(path: Path) -> Sheets:
    """Every sheet as records; an empty cell is an empty text."""
    found = {}
    for sheet in openpyxl.load_workbook(path):
        heads, *rows = [["" if cell is None else cell for cell in row] for row in sheet.iter_rows(values_only=True)]
        found[sheet.title] = [dict(zip(map(str, heads), row, strict=True)) for row in rows]
    return found


def write(path: Path, sheet: str, row: dict[str, Any], column: str, text: str) -> None:
    """What a person does in Excel: write into a cell of the row with this row id and column."""
    book = openpyxl.load_workbook(path)
    heads = [cell.value for cell in book[sheet][1]]
    for cells in book[sheet].iter_rows(min_row=2):
        named = dict(zip(heads, cells, strict=True))
        if all(named[name].value == row[name] for name in ("Row", "Column") if name in heads):
            named[column].value = text
    book.save(path)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Migration, Path]]:
    folder = tmp_path_factory.mktemp("spot")
    with deciding("planports", folder) as make:
        migration = make()
        migration.do("run", "--rehearse", code=3)
        yield migration, migration.folder / "reports" / "spot-check.xlsx"


def test_every_table_and_route_is_there_and_what_is_special_comes_first(loaded: tuple[Migration, Path]) -> None:
    _, path = loaded
    records = read(path)["Records"]
    assert 25 <= len(records) <= 50
    routes = {(row["Object"], row["Route"]) for row in records}
    assert {
        ("Quote lines", "line"),
        ("Quote lines", "write_in"),
        ("Leads", "lead"),
        ("Documents of quotes", "file"),
    } <= routes
    tables = {row["Table"] for row in records}
    assert len(tables) == len(read(path)) - 1
    chosen = ", ".join(str(row["Chosen for"]) for row in records)
    assert all(word in chosen for word in ("file", "closed", "bad_date", "negative_money"))
    assert {row["Owner"] for row in records if row["Table"] == "Contact"} == {
        "Selin Ar",
        "Kerem Dal",
        "Migration Fallback",
    }
    assert all(row["Not equal"] == 0 for row in records)
    assert all(row["Checked by"] == row["OK"] == row["Remark"] == "" for row in records)


def test_each_field_shows_the_source_the_plan_and_dynamics(loaded: tuple[Migration, Path]) -> None:
    _, path = loaded
    sheets = read(path)
    deal = {row["Column"]: row for row in sheets["Opportunity"] if row["Record"] == "F-1"}
    seen = [
        deal["flit_pipelinestage"][name] for name in ("File", "Line", "Source field", "Value in the source", "Equal")
    ]
    assert seen == ["deals.csv", 2, "Stage", "Teklif Verildi", "yes"]
    assert str(deal["flit_pipelinestage"]["Value in Dynamics"]).startswith("Sağlık Turizmi / Teklif Verildi")
    assert (deal["customerid"]["Value in the source"], deal["customerid"]["Value in Dynamics"]) == (
        "K-1",
        "Defne Korkut",
    )
    notes = {(row["Record"], row["Column"]): row for row in sheets["Note"]}
    assert notes[("A-5", "objectid")]["Source field"] == "Related No", (
        "each route's own field, though routes share a table"
    )
    assert len(str(notes[("D-1", "(file)")]["Value in Dynamics"])) == 64


def test_the_same_plan_gives_the_same_records_and_ticks_stay_beside_the_value_they_were_made_for(
    loaded: tuple[Migration, Path],
) -> None:
    migration, path = loaded
    before = read(path)
    contact, other = [row for row in before["Records"] if row["Table"] == "Contact"][:2]
    write(path, "Records", contact, "OK", "yes")
    write(path, "Records", other, "OK", "yes")
    fields = {row["Column"]: row for row in before["Contact"] if row["Row"] == contact["Row"]}
    write(path, "Contact", fields["lastname"], "Checked by", "ana")
    write(path, "Contact", fields["flit_cardno"], "Remark", "good")
    migration.patch(f"contacts({contact['Row']})", {"lastname": "Edited"})
    migration.do("reconcile", code=5)
    after = read(path)
    assert [row["Row"] for row in after["Records"]] == [row["Row"] for row in before["Records"]]
    again = {row["Column"]: row for row in after["Contact"] if row["Row"] == contact["Row"]}
    assert (again["lastname"]["Value in Dynamics"], again["lastname"]["Equal"]) == ("Edited", "no")
    assert (again["lastname"]["Checked by"], again["lastname"]["Remark"]) == ("", "another value since: ana")
    assert again["flit_cardno"]["Remark"] == "good"
    signed = {row["Row"]: (row["OK"], row["Remark"], row["Not equal"]) for row in after["Records"]}
    assert signed[other["Row"]] == ("yes", "", 0)
    assert signed[contact["Row"]] == ("", "another value since: yes", 1)


def test_a_sheet_that_cannot_be_read_is_not_written_over(loaded: tuple[Migration, Path]) -> None:
    migration, path = loaded
    kept = path.with_suffix(".kept")
    shutil.copyfile(path, kept)
    path.write_bytes(b"not a workbook")
    refused = migration.run("reconcile")
    assert refused.code == 2
    assert "spot-check-unreadable" in refused.errors
    assert path.read_bytes() == b"not a workbook"
    shutil.copyfile(kept, path)
