"""Reads Excel workbooks through calamine: each sheet is a source of its own (`book.xlsx#Sheet`)."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

from flitstack.staging.source import Record, Reject, Remarks, is_totals_row, unique_names

SUFFIXES = frozenset((".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"))


class SheetSource:
    """One sheet. Rows are physical sheet rows, so `_line` is what Excel shows at the left."""

    def __init__(self, rows: list[list[Any]], header_row: int = 0) -> None:
        self.remarks = Remarks()
        self._rows = rows
        self.header_row = header_row
        cells = [cell_text(cell) or "" for cell in rows[header_row]] if rows else []
        while cells and not cells[-1] and all(_is_blank(row, len(cells) - 1) for row in rows):
            cells.pop()
        self.header = unique_names(cells, self.remarks)

    def records(self) -> Iterator[Record | Reject]:
        """Every row under the header that is not blank."""
        width, number = len(self.header), 0
        for line, row in enumerate(self._rows[self.header_row + 1 :], start=self.header_row + 2):
            values = [cell_text(cell) for cell in row[:width]]
            values += [None] * (width - len(values))
            if not any(values):
                continue
            number += 1
            if is_totals_row(values):
                raw = " | ".join(value or "" for value in values)
                yield Reject(number, line, "totals_row", "a line of sums, not a record", raw, "excluded")
            else:
                yield Record(number, line, values)


def read_sheets(path: Path) -> dict[str, list[list[Any]]]:
    """Sheet name -> rows of cells, from the first used cell's row on. Raises ValueError for what is no workbook."""
    try:
        workbook = CalamineWorkbook.from_path(str(path))
        return {
            name: workbook.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in workbook.sheet_names
        }
    except (CalamineError, OSError, ValueError) as error:
        raise ValueError(str(error)) from error


def cell_text(cell: Any) -> str | None:
    """A cell as text: dates ISO, whole numbers without ".0", truth values "true"/"false", blank None."""
    match cell:
        case None | "":
            return None
        case bool():
            return "true" if cell else "false"
        case float():
            return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
        case datetime():
            return cell.strftime("%Y-%m-%d") if cell.time() == time() else cell.isoformat(" ", "seconds")
        case date() | time():
            return cell.isoformat()
        case timedelta():
            return str(int(cell.total_seconds()))
    return str(cell)


def _is_blank(row: list[Any], place: int) -> bool:
    return len(row) <= place or cell_text(row[place]) is None
