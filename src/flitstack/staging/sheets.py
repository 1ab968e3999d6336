"""Reads Excel workbooks through calamine: each sheet is a source of its own (`book.xlsx#Sheet`)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

from flitstack.staging.source import Record, Reject, Remarks, is_totals_row, numbered_names, unique_names, without_sums

SUFFIXES = frozenset((".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"))
HEAD_ROWS = 20
_LAST_SECOND = datetime.fromisoformat("9999-12-31T23:59:59")


@dataclass(frozen=True, slots=True)
class Sheet:
    """Rows of cells from the sheet's first row on. `merged`: ((top, left), (bottom, right)) ranges, 0-based."""

    name: str
    rows: list[list[Any]]
    merged: Sequence[tuple[tuple[int, int], tuple[int, int]]] = field(default=())

    def head(self) -> list[list[str]]:
        """The first rows as text, each merged range filled with its text: for finding the header."""
        rows = [[cell_text(cell) or "" for cell in row] for row in self.rows[:HEAD_ROWS]]
        for (top, left), (bottom, right) in self.merged:
            if top >= len(rows) or left >= len(rows[top]):
                continue  # it stands beside all that is written
            for row in rows[top : bottom + 1]:
                row[left : right + 1] = [rows[top][left]] * len(row[left : right + 1])
        return rows


class SheetSource:
    """One sheet. `_line` is what Excel shows at the left. `header_row`: 0-based; None where there are no names."""

    def __init__(self, sheet: Sheet, header_row: int | None = 0) -> None:
        self.remarks = Remarks()
        self._rows = sheet.rows
        if header_row is None:
            self._first = 0
            self.header = numbered_names(max(map(len, sheet.rows), default=0), self.remarks)
            return
        bottom = min(_lowest_header_row(sheet, header_row), HEAD_ROWS - 1, len(sheet.rows) - 1)
        head = sheet.head()
        cells = _two_level_names(head[header_row], head[bottom]) if bottom > header_row else head[header_row]
        while cells and not cells[-1] and all(_is_blank(row, len(cells) - 1) for row in sheet.rows[bottom:]):
            cells.pop()
        self._first = bottom + 1
        self.header = unique_names(cells, self.remarks)

    def records(self) -> Iterator[Record | Reject]:
        """Every row under the header that is not blank."""
        return without_sums(self._judged(len(self.header)), len(self.header))

    def _judged(self, width: int) -> Iterator[Record | Reject]:
        number = 0
        for line, row in enumerate(self._rows[self._first :], start=self._first + 1):
            values = [cell_text(cell) for cell in row[:width]]
            values += [None] * (width - len(values))
            if not any(value and value.strip() for value in values):
                continue
            number += 1
            if is_totals_row(values):
                raw = " | ".join(value or "" for value in values)
                yield Reject(number, line, "totals_row", "a line of sums, not a record", raw, values, "excluded")
            else:
                yield Record(number, line, values)


def read_sheets(path: Path) -> Iterator[Sheet]:
    """The sheets one by one. Raises ValueError for what is no workbook."""
    try:
        workbook = CalamineWorkbook.from_path(str(path))
        for name in workbook.sheet_names:
            sheet = workbook.get_sheet_by_name(name)
            rows = sheet.to_python(skip_empty_area=False)
            yield Sheet(name, rows, tuple(sheet.merged_cell_ranges or ()) if path.suffix.lower() == ".xlsx" else ())
    except (CalamineError, OSError) as error:
        raise ValueError(str(error)) from error


def cell_text(cell: Any) -> str | None:
    """A cell as text: dates ISO, numbers plain decimals without ".0", truth values "true"/"false", blank None."""
    match cell:
        case None | "":
            return None
        case bool():
            return "true" if cell else "false"
        case int():
            return str(cell)
        case float():
            return str(int(cell)) if cell.is_integer() else format(Decimal(repr(cell)), "f")
        case datetime():
            # Serial numbers are binary fractions of a day: 10:30:00 may come as 10:29:59.9999.
            moment = (min(cell, _LAST_SECOND) + timedelta(milliseconds=500)).replace(microsecond=0)
            return moment.date().isoformat() if moment.time() == time() else moment.isoformat(" ")
        case date() | time():
            return cell.isoformat()
        case timedelta():
            return str(round(cell.total_seconds()))
    return str(cell) or None


def _lowest_header_row(sheet: Sheet, header_row: int) -> int:
    """A header has several rows where one name is merged over columns, a heading, and others down to its lowest row. What is
    merged further down is a box beside the table."""
    has_heading = any(t <= header_row <= b and left < right for (t, left), (b, right) in sheet.merged)
    lower = [b for (t, left), (b, right) in sheet.merged if t <= header_row < b and left == right]
    return min(lower, default=header_row) if has_heading else header_row


def _two_level_names(upper: Sequence[str], lower: Sequence[str]) -> list[str]:
    """Names of a header over several rows: the lowest one's, with the upper one before it where it alone is not unique."""
    return [
        f"{above} {below}" if below != above and lower.count(below) > 1 else below
        for above, below in zip(upper, lower, strict=True)
    ]


def _is_blank(row: Sequence[Any], place: int) -> bool:
    return len(row) <= place or cell_text(row[place]) is None
