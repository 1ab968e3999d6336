"""Excel and CSV documents: sheets of rows, written row by row, in which no value can run as a formula."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import xlsxwriter


@dataclass(frozen=True, slots=True)
class Link:
    """A cell that opens an address."""

    url: str
    text: str


Cell = str | int | float | bool | Link | None
# Excel's own limits: rows a sheet (less the header), characters a cell.
MAX_ROWS = 1_048_575
MAX_TEXT = 32_767
# First characters that make a spreadsheet take a text for a formula.
FORMULA_STARTS = frozenset("=+-@\t\r\n")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: heading, width in characters, the choices a person may make in it, whether long texts take several lines."""

    heading: str
    width: int = 16
    choices: tuple[str, ...] = ()
    wraps: bool = False


@dataclass(frozen=True, slots=True)
class Toned:
    """A row that stands out: `bad` is red, `first` has a line above it."""

    cells: Sequence[Cell]
    tone: str


_TONES: Mapping[str, Mapping[str, object]] = {"": {}, "first": {"top": 1}, "bad": {"bg_color": "#fbe3e1"}}


class Workbook:
    """An .xlsx file under way. Texts are marked as texts, so that neither opening nor editing a cell runs them."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        self._styles: dict[tuple[str, str, bool], Any] = {}

    def sheet(self, name: str, columns: Sequence[Column], rows: Iterable[Sequence[Cell] | Toned]) -> int:
        """Add a sheet with a filter on its header; returns the rows written (no more than a sheet holds)."""
        sheet = self._book.add_worksheet(sheet_name(name))
        for index, column in enumerate(columns):
            sheet.set_column(index, index, column.width)
            sheet.write_string(0, index, column.heading, self._head)
        written = 0
        for number, row in enumerate(rows, start=1):
            if number > MAX_ROWS:
                break
            cells, tone = (row.cells, row.tone) if isinstance(row, Toned) else (row, "")
            for index, cell in enumerate(cells):
                self._write(sheet, number, index, cell, tone, wraps=columns[index].wraps)
            written = number
        sheet.freeze_panes(1, 0)
        sheet.autofilter(0, 0, max(written, 1), len(columns) - 1)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(0)
        for index, column in enumerate(columns):
            if column.choices:
                rule = {"validate": "list", "source": list(column.choices), "ignore_blank": True}
                sheet.data_validation(1, index, max(written, 1), index, rule)
        return written

    def _write(self, sheet: Any, number: int, index: int, cell: Cell, tone: str, *, wraps: bool) -> None:
        if cell is None or cell == "":
            if tone:
                sheet.write_blank(number, index, None, self._style("text", tone, wraps=False))
        elif isinstance(cell, bool):
            sheet.write_string(number, index, "yes" if cell else "no", self._style("text", tone, wraps=wraps))
        elif isinstance(cell, int | float):
            sheet.write_number(number, index, cell, self._style("number", tone, wraps=False))
        elif isinstance(cell, Link):
            sheet.write_url(number, index, cell.url, self._style("link", tone, wraps=False), cell.text)
        else:
            kind = "quoted" if cell[0] in FORMULA_STARTS else "text"
            sheet.write_string(number, index, cell[:MAX_TEXT], self._style(kind, tone, wraps=wraps))

    def _style(self, kind: str, tone: str, *, wraps: bool) -> Any:
        """One format for each combination, made when it is first used."""
        key = (kind, tone, wraps)
        if key not in self._styles:
            given: dict[str, object] = {"valign": "top", "text_wrap": wraps, **_TONES[tone]}
            if kind == "number":
                given["num_format"] = "#,##0.####"
            elif kind == "link":
                given |= {"font_color": "#0563c1", "underline": 1}
            self._styles[key] = self._book.add_format(given)
            if kind == "quoted":
                self._styles[key].set_quote_prefix()
        return self._styles[key]


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
