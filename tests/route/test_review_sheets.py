"""Decisions about merges in the list for review, CSV as a spreadsheet saves it."""

from pathlib import Path

import pytest
from route.route_case import EXAMPLE, Migration, begin

from flitstack.deduping.review import Pair, read_decisions


@pytest.fixture
def deduped(tmp_path: Path) -> Migration:
    made = begin(tmp_path / "acme", "http://127.0.0.1:9", EXAMPLE, seeded=False)
    made.do("stage", code={0, 3})
    made.do("dedupe")
    return made


def write_decision(migration: Migration, word: str, **changed: str) -> Pair:
    """Decide about the first merged contact in reports/merges.csv and save it with semicolons; that pair."""
    sheet = migration.folder / "reports" / "merges.csv"
    first, *lines = (line.split(",") for line in sheet.read_text(encoding="utf-8-sig").splitlines())
    line = next(line for line in lines if line[0] == "Contact" and line[3] == "merged")
    line[1:2] = [changed.get("record", line[1])]
    line[-1] = word
    sheet.write_text("".join(";".join(cells) + "\r\n" for cells in (first, *lines)), encoding="utf-8-sig")
    return Pair("Contact", line[1], line[2]).sorted()


def test_a_decision_in_the_csv_is_applied_and_kept_as_text(deduped: Migration) -> None:
    merged = deduped.do("dedupe")["tables"]["Contact"]["merged"]
    pair = write_decision(deduped, "Keep apart")
    assert deduped.do("dedupe")["tables"]["Contact"]["merged"] == merged - 1
    assert pair in read_decisions(deduped.folder / "merges.yaml").keep_apart
    assert deduped.do("dedupe")["tables"]["Contact"]["merged"] == merged - 1


def test_a_pair_that_is_not_listed_is_told_for_spreadsheets_change_ids(deduped: Migration) -> None:
    pair = write_decision(deduped, "keep apart", record="17")
    answer = deduped.run("dedupe")
    assert answer.code == 2
    assert answer.errors["merge-decision"]["what"] == f"no such pair is listed: Contact {pair.a} and {pair.b}"
    assert not (deduped.folder / "merges.yaml").exists()
