"""Reads delimited text record by record, with true physical lines; what is malformed becomes a reject, never a crash.

The fast way for large clean files is `delimited_fast.py`; both give the same records.
"""

import csv
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from flitstack.staging.dialect import Dialect
from flitstack.staging.source import Record, Reject, Remarks, is_totals_row, unique_names

csv.field_size_limit(1 << 31)

# A record longer than this is an unclosed quote that swallowed its neighbours.
MAX_LINES_PER_RECORD = 20_000
RAW_LIMIT = 100_000


class DelimitedSource:
    """One delimited text file. `header_row` is the 0-based record that holds the column names."""

    def __init__(self, path: Path, dialect: Dialect, header_row: int = 0) -> None:
        self.path = path
        self.dialect = dialect
        self.remarks = Remarks()
        self.header_row = header_row
        self.header = unique_names(self._header_cells(), self.remarks)

    def records(self) -> Iterator[Record | Reject]:
        """All records after the header."""
        width = len(self.header)
        for number, (line, raw, values) in enumerate(self._data_rows(width), start=1):
            yield _judge(number, line, raw, values, width)

    def first_rows(self) -> Iterator[list[str]]:
        """Rows from the file's beginning, the header among them: for finding the header."""
        with self._open() as lines:
            for _, _, values in _rows(lines, self.dialect.delimiter):
                yield values

    def _header_cells(self) -> list[str]:
        return next((cells for place, cells in enumerate(self.first_rows()) if place == self.header_row), [])

    def _data_rows(self, width: int) -> Iterator[tuple[int, str, list[str]]]:
        with self._open() as lines:
            for place, row in enumerate(_rows(lines, self.dialect.delimiter, width)):
                if place > self.header_row:
                    yield row

    def _open(self) -> "_Lines":
        return _Lines(self.path, self.dialect.encoding)


class _Lines:
    """Physical lines with their numbers, some of which can be pushed back."""

    def __init__(self, path: Path, encoding: str) -> None:
        self._path, self._encoding = path, encoding
        self._back: deque[str] = deque()
        self.number = 0
        self.taken: list[str] = []

    def __enter__(self) -> "_Lines":
        self._file = self._path.open(encoding=self._encoding, errors="replace", newline="")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if len(self.taken) >= MAX_LINES_PER_RECORD:
            raise _RunawayRecord
        line = self._back.popleft() if self._back else next(self._file)
        self.number += 1
        self.taken.append(line)
        return line

    def push_back_all_but_first(self) -> None:
        """Give back every line of the current record but its first."""
        rest = self.taken[1:]
        self._back.extendleft(reversed(rest))
        self.number -= len(rest)


class _RunawayRecord(Exception):
    """A record took too many lines."""


def _rows(lines: _Lines, delimiter: str, width: int = 0) -> Iterator[tuple[int, str, list[str]]]:
    """(first line, raw text, cells) of every record that is not blank.

    A record over several lines that has the wrong number of cells began with a stray quote: only its first line is
    taken as malformed, the others are read again by themselves.
    """
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        lines.taken = []
        first = lines.number + 1
        try:
            values = next(reader)
        except StopIteration:
            return
        except (csv.Error, _RunawayRecord):
            values = [lines.taken[0]] if lines.taken else []
            lines.push_back_all_but_first()
            yield first, lines.taken[0], values
            continue
        if not any(value.strip() for value in values):
            continue
        if width and len(lines.taken) > 1 and len(_cut(values, width)) != width:
            raw = lines.taken[0]
            lines.push_back_all_but_first()
            yield first, raw, next(csv.reader([raw.rstrip("\r\n").replace('"', "")], delimiter=delimiter), [])
            continue
        yield first, "".join(lines.taken), values


def _cut(values: list[str], width: int) -> list[str]:
    """Empty cells beyond the header are nothing (trailing delimiters)."""
    end = len(values)
    while end > width and not values[end - 1].strip():
        end -= 1
    return values[:end]


def _judge(number: int, line: int, raw: str, values: list[str], width: int) -> Record | Reject:
    cells = _cut(values, width)
    filled: list[str | None] = [cell if cell != "" else None for cell in cells]
    if is_totals_row([*filled, *([None] * (width - len(filled)))]):
        return Reject(number, line, "totals_row", "a line of sums, not a record", raw[:RAW_LIMIT], "excluded")
    if len(cells) != width:
        reason = f"{len(cells)} fields where the header has {width}"
        return Reject(number, line, "bad_row", reason, raw[:RAW_LIMIT])
    return Record(number, line, filled)
