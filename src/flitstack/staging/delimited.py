"""Reads delimited text record by record, with true physical lines; what is malformed becomes a reject, never a crash.

The fast way for large clean files is `delimited_fast.py`; both give the same records.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from flitstack.staging.dialect import Dialect
from flitstack.staging.encodings import UNREADABLE, Lines
from flitstack.staging.source import Record, Reject, Remarks, is_totals_row, numbered_names, unique_names, without_sums

# A record longer than this is taken for one whose quote never closes.
MAX_RECORD_CHARACTERS = 16 << 20
HEAD_ROWS = 20


@dataclass(frozen=True, slots=True)
class _Row:
    """One record as it stands: first physical line, raw text, cells, what is wrong with it (or nothing)."""

    line: int
    raw: str
    cells: list[str]
    problem: str = ""


class DelimitedSource:
    """One delimited text file. `header_row`: 0-based record with the column names; None where the file has none."""

    def __init__(self, path: Path, dialect: Dialect, header_row: int | None = 0) -> None:
        self.path = path
        self.dialect = dialect
        self.remarks = Remarks()
        self.header_row = header_row
        rows = self.first_rows()
        if header_row is None:
            widths = Counter(map(len, rows)).most_common(1)
            self.header = numbered_names(widths[0][0] if widths else 0, self.remarks)
        else:
            self.header = unique_names(rows[header_row] if header_row < len(rows) else [], self.remarks)

    def records(self) -> Iterator[Record | Reject]:
        """All records after the header that are not blank."""
        return without_sums(self._judged(len(self.header)), len(self.header))

    def _judged(self, width: int) -> Iterator[Record | Reject]:
        skipped = 0 if self.header_row is None else self.header_row + 1
        with Lines(self.path, self.dialect.encoding) as lines:
            for number, row in enumerate(islice(_rows(lines, self.dialect, width), skipped, None), start=1):
                yield _judge(number, row, width, self.dialect.encoding)

    def first_rows(self) -> list[list[str]]:
        """Cells of the first records, the header among them: for finding the header."""
        with Lines(self.path, self.dialect.encoding) as lines:
            return [row.cells for row in islice(_rows(lines, self.dialect), HEAD_ROWS)]


class _Taken:
    """Hands lines to the csv reader and remembers those of the current record."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self.lines: list[str] = []
        self._size = 0

    def __iter__(self) -> "_Taken":
        return self

    def __next__(self) -> str:
        if self._size > MAX_RECORD_CHARACTERS:
            raise csv.Error("no end of the quoted text")
        line = next(self._lines)
        self.lines.append(line)
        self._size += len(line)
        return line

    def begin(self) -> int:
        """A new record starts: its line number."""
        self.lines, self._size = [], 0
        return self._lines.number + 1

    def keep_first(self) -> str:
        """Only the first line belonged to the record; the others are read again."""
        self._lines.give_back(self.lines[1:])
        return self.lines[0]


def _rows(lines: Lines, dialect: Dialect, width: int = 0) -> Iterator[_Row]:
    """Every record that is not blank.

    Where quotes do not fit, a stray quote opened the record: only its first line is malformed, those behind it are
    read again by themselves. Lines right behind it with an odd number of quotes, or not `width` cells, are what is
    left of a record over several lines, so they are malformed as well.
    """
    taken = _Taken(lines)
    reader = dialect.reader(taken)
    after_stray = False
    while True:
        first = taken.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            after_stray = len(taken.lines) > 1
            raw = taken.keep_first()
            reader = dialect.reader(taken)
            if tidied := _tidied(raw, dialect):
                after_stray = False
                yield _Row(first, raw, tidied)
                continue
            loose = raw.replace(dialect.quote, "").rstrip("\r\n").split(dialect.delimiter)
            yield _Row(first, raw, loose, "a quote stands inside quoted text or is never closed")
            continue
        if not any(cell.strip() for cell in cells):
            continue
        raw = taken.lines[0] if len(taken.lines) == 1 else "".join(taken.lines)
        after_stray = after_stray and (raw.count(dialect.quote) % 2 == 1 or len(cells) != width)
        yield _Row(first, raw, cells, "left over from a record whose quotes do not fit" if after_stray else "")


def _tidied(raw: str, dialect: Dialect) -> list[str]:
    """Cells of a line in which nothing is wrong but blanks behind closing quotes; empty where more is."""
    end = rf"(?={re.escape(dialect.delimiter)}|[\r\n]|$)"
    try:
        return next(dialect.reader([re.sub(rf"{dialect.quote}[ \t]+{end}", dialect.quote, raw)]), [])
    except csv.Error:
        return []


def _cut(cells: list[str], width: int) -> list[str]:
    """Empty cells beyond the header are nothing (trailing delimiters)."""
    end = len(cells)
    while end > width and not cells[end - 1].strip():
        end -= 1
    return cells[:end]


def _judge(number: int, row: _Row, width: int, encoding: str) -> Record | Reject:
    cells = row.cells if len(row.cells) == width else _cut(row.cells, width)
    filled = [cell or None for cell in cells]
    problem = row.problem
    if not problem and is_totals_row(filled):
        return Reject(number, row.line, "totals_row", "a line of sums, not a record", row.raw, filled, "excluded")
    if not problem and UNREADABLE in row.raw:
        problem = f"holds bytes that are no {encoding} text"
    if not problem and len(cells) != width:
        problem = f"{len(cells)} fields where the header has {width}"
    if problem:
        return Reject(number, row.line, "bad_row", problem, row.raw, filled)
    return Record(number, row.line, filled)
