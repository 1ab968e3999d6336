"""Excel and CSV documents: sheets of rows, written row by row, in which no value can run as a formula."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import xlsxwriter

Cell = str | int | float | bool | None
# Excel's own limits: rows a sheet (less the header), characters a cell.
MAX_ROWS = 1_048_575
MAX_TEXT = 32_767
# First characters that make a spreadsheet take a text for a formula.
FORMULA_STARTS = frozenset("=+-@\t\r\n")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: heading, width in characters, and the choices a person may make in it."""

    heading: str
    width: int = 16
    choices: tuple[str, ...] = ()


class Workbook:
    """An .xlsx file under way. Texts are marked as texts, so that neither opening nor editing a cell runs them."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        self._text = book.add_format({"valign": "top"})
        self._quoted = book.add_format({"valign": "top"})
        self._quoted.set_quote_prefix()
        self._number = book.add_format({"num_format": "#,##0.####", "valign": "top"})

    def sheet(self, name: str, columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> int:
        """Add a sheet with a filter on its header; returns the rows written (no more than a sheet holds)."""
        sheet = self._book.add_worksheet(sheet_name(name))
        for index, column in enumerate(columns):
            sheet.set_column(index, index, column.width)
            sheet.write_string(0, index, column.heading, self._head)
        written = 0
        for number, row in enumerate(rows, start=1):
            if number > MAX_ROWS:
                break
            for index, cell in enumerate(row):
                self._write(sheet, number, index, cell)
            written = number
        sheet.freeze_panes(1, 0)
        sheet.autofilter(0, 0, max(written, 1), len(columns) - 1)
        for index, column in enumerate(columns):
            if column.choices:
                rule = {"validate": "list", "source": list(column.choices), "ignore_blank": True}
                sheet.data_validation(1, index, max(written, 1), index, rule)
        return written

    def _write(self, sheet: Any, number: int, index: int, cell: Cell) -> None:
        if cell is None or cell == "":
            return
        if isinstance(cell, bool):
            sheet.write_string(number, index, "yes" if cell else "no", self._text)
        elif isinstance(cell, int | float):
            sheet.write_number(number, index, cell, self._number)
        else:
            style = self._quoted if cell[0] in FORMULA_STARTS else self._text
            sheet.write_string(number, index, cell[:MAX_TEXT], style)


@contextmanager
def open_workbook(path: Path, *, properties: Mapping[str, str] | None = None) -> Iterator[Workbook]:
    """Write `path` beside and rename it into place when the block ends without an exception."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.stem}.{uuid4().hex}.xlsx")
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(str(beside), options)
    book.set_properties(dict(properties or {}))
    try:
        try:
            yield Workbook(book)
        finally:
            book.close()
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_csv(path: Path, headings: Sequence[str], rows: Iterable[Sequence[Cell]]) -> int:
    """Write a CSV with a byte-order mark (so that Excel reads UTF-8); texts that look like formulas get an apostrophe."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid4().hex}")
    written = 0
    try:
        with beside.open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.writer(file)
            writer.writerow(headings)
            for row in rows:
                writer.writerow([guarded(cell) for cell in row])
                written += 1
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return written


def guarded(cell: Cell) -> Cell:
    """A text that a spreadsheet would run gets an apostrophe in front."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in FORMULA_STARTS and cell else cell


def sheet_name(name: str) -> str:
    """A name that Excel takes: 31 characters at most, without []:*?/ and backslash, no apostrophe at either end."""
    kept = "".join("-" if character in "[]:*?/\\" else character for character in name)
    return kept[:31].strip("'") or "Sheet"
