"""reports/spot-check.xlsx: records for a person to compare with their own eyes, with columns to tick.

A sheet *Records* (one row a record, signed there) and a sheet for every table with each field of its records. What a person
wrote stays when the sheet is written anew, as long as the value in Dynamics is the one that was looked at.
"""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

from flitstack.errors import Problem, UsageError
from flitstack.reconciling.document import SpotCell, SpotCheck, SpotRecord
from flitstack.reporting.document import Heading
from flitstack.reporting.workbook import Cell, Column, Link, Toned, open_workbook, sheet_name

RECORDS = "Records"
_TICKS = (Column("Checked by", 16), Column("OK", 8, ("yes", "no")), Column("Remark", 36, wraps=True))
_RECORDS = (
    Column("No.", 6), Column("Object", 18), Column("Route", 16), Column("File", 24), Column("Record", 16), Column("Line", 8),
    Column("Table", 18), Column("Row", 38), Column("Open in Dynamics", 18), Column("Owner", 22),
    Column("Chosen for", 24, wraps=True), Column("Fields", 8), Column("Not equal", 10), *_TICKS,
)  # fmt: skip
_FIELDS = (
    Column("No.", 6), Column("File", 22), Column("Record", 16), Column("Line", 8), Column("Row", 38),
    Column("Source field", 22), Column("Value in the source", 34, wraps=True), Column("Field in Dynamics", 24),
    Column("Column", 24), Column("Value as planned", 34, wraps=True), Column("Value in Dynamics", 34, wraps=True),
    Column("Equal", 10), *_TICKS,
)  # fmt: skip
Wrote = tuple[str, str, str]  # checked by, ok, remark
_NOTHING: Wrote = ("", "", "")
_NOT_EQUAL = {"differs": "no", "not there": "not there", "kept": "edited there"}


@dataclass(frozen=True, slots=True)
class Earlier:
    """What lies in the sheet: `ticks` by row id and column ("" = the record as a whole), `seen` values of Dynamics likewise."""

    ticks: Mapping[tuple[str, str], Wrote] = field(default_factory=dict)
    seen: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def of_cell(self, record: SpotRecord, cell: SpotCell) -> Wrote:
        """What was written beside a field."""
        wrote = self.ticks.get((record.row, cell.column), _NOTHING)
        return wrote if self.seen.get((record.row, cell.column)) == cell.actual else _outdated(wrote)

    def of_record(self, record: SpotRecord) -> Wrote:
        """What was written beside a record."""
        wrote = self.ticks.get((record.row, ""), _NOTHING)
        same = all(self.seen.get((record.row, cell.column)) == cell.actual for cell in record.cells)
        return wrote if same else _outdated(wrote)


def _outdated(wrote: Wrote) -> Wrote:
    """Nobody has signed another value than the one that was there."""
    if not any(wrote):
        return _NOTHING
    said = ", ".join(part for part in wrote if part)
    return "", "", said if said.startswith("another value since: ") else f"another value since: {said}"


def write_spot_check(check: SpotCheck, heading: Heading, labels: Mapping[str, str], path: Path) -> Path:
    """Write the sheet; `labels` name the objects. Raises UsageError when an earlier one lies there and cannot be read."""
    earlier = read_earlier(path)
    chosen = {record.row for record in check.records}
    if any(row not in chosen for row, _ in earlier.ticks):
        # Other records were chosen (the plan is another): what was signed is kept under a name of its own.
        shutil.copyfile(path, path.with_name(f"{path.stem}-until-{heading.at.replace(':', '')}{path.suffix}"))
    with open_workbook(path, properties={"title": f"Spot check of {heading.project}"}) as book:
        book.sheet(RECORDS, _RECORDS, _record_rows(check, heading, labels, earlier))
        for table, name in _sheets(check).items():
            book.sheet(name, _FIELDS, _field_rows(check, table, earlier))
    return path


def read_earlier(path: Path) -> Earlier:
    """The sheet that lies there; nothing when there is none. Raises UsageError when it cannot be read."""
    if not path.exists():
        return Earlier()
    ticks: dict[tuple[str, str], Wrote] = {}
    seen: dict[tuple[str, str], str] = {}
    try:
        book = CalamineWorkbook.from_path(str(path))
        for name in book.sheet_names:
            for row in _rows_of(book.get_sheet_by_name(name).to_python()):
                key = (row["Row"], row.get("Column", ""))
                seen[key] = row.get("Value in Dynamics", "")
                wrote = (row.get("Checked by", ""), row.get("OK", ""), row.get("Remark", ""))
                if any(wrote):
                    ticks[key] = wrote
    except (CalamineError, OSError) as error:
        problem = Problem(
            "spot-check-unreadable", f"the spot check that lies there cannot be read: {error}", where=str(path),
            do="close it in Excel, or move it away, then run `flitstack reconcile` again",
        )  # fmt: skip
        raise UsageError(problem) from error
    return Earlier(ticks, seen)


def _rows_of(rows: list[list[Any]]) -> Iterator[dict[str, str]]:
    """The rows of a sheet of ours, by heading; a sheet that somebody added has no column of row ids."""
    heads = [str(cell) for cell in rows[0]] if rows else []
    if "Row" in heads:
        for row in rows[1:]:
            yield {heading: str(cell) for heading, cell in zip(heads, row, strict=False)}


def _record_rows(
    check: SpotCheck, heading: Heading, labels: Mapping[str, str], earlier: Earlier
) -> Iterator[list[Cell] | Toned]:
    for number, record in enumerate(check.records, start=1):
        unequal = sum(cell.verdict in {"differs", "not there"} for cell in record.cells)
        row: list[Cell] = [
            number, labels.get(record.object, record.object), record.route, record.file, record.record, record.line,
            record.table_label, record.row, _link(heading.url, record), record.owner, ", ".join(record.why),
            len(record.cells), unequal, *earlier.of_record(record),
        ]  # fmt: skip
        yield Toned(row, "bad") if unequal else row


def _field_rows(check: SpotCheck, table: str, earlier: Earlier) -> Iterator[Toned]:
    for number, record in enumerate(check.records, start=1):
        if record.table != table:
            continue
        for place, cell in enumerate(record.cells):
            yield Toned(
                _field_row(number, record, cell, earlier.of_cell(record, cell)), _tone(cell, is_first=place == 0)
            )


def _field_row(number: int, record: SpotRecord, cell: SpotCell, wrote: Wrote) -> list[Cell]:
    return [
        number, record.file, record.record, record.line, record.row, cell.field, cell.source, cell.label, cell.column,
        cell.meant, cell.actual, _NOT_EQUAL.get(cell.verdict, "yes"), *wrote,
    ]  # fmt: skip


def _tone(cell: SpotCell, *, is_first: bool) -> str:
    if cell.verdict in {"differs", "not there"}:
        return "bad"
    return "first" if is_first else ""


def _link(url: str, record: SpotRecord) -> Cell:
    """The form of a row in a model-driven app. Source: Microsoft Learn, "Open apps, forms, views, dialogs, and reports with a URL"."""
    if record.outcome != "there":
        return "not there"
    return Link(f"{url.rstrip('/')}/main.aspx?pagetype=entityrecord&etn={record.table}&id={record.row}", "open")


def _sheets(check: SpotCheck) -> dict[str, str]:
    """The sheet of each table: its label, or its logical name where that label is taken."""
    names: dict[str, str] = {}
    taken = {RECORDS.casefold()}
    for record in check.records:
        if record.table not in names:
            numbered = (f"{record.table[:28]}-{number}" for number in count(2))
            ways = (sheet_name(name) for name in chain((record.table_label, record.table), numbered))
            names[record.table] = next(name for name in ways if name.casefold() not in taken)
            taken.add(names[record.table].casefold())
    return names
