"""What every reader of a file gives: a header, records with their place, and what could not be read."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from flitstack.staging.encodings import UNREADABLE


@dataclass(slots=True)
class Record:
    """One record: 1-based number in its file, physical line (None where the format has none), one text a column."""

    number: int
    line: int | None
    values: list[str | None]


@dataclass(slots=True)
class Reject:
    """A record that could not be read, with its raw text. `outcome`: held, or excluded for a totals row.

    `values` are the cells as far as they could be told apart, only good for naming the record.
    """

    number: int
    line: int | None
    code: str
    reason: str
    raw: str
    values: Sequence[str | None] = ()
    outcome: str = "held"


@dataclass
class Remarks:
    """What a reader noticed about the file as a whole: code and text."""

    found: list[tuple[str, str]] = field(default_factory=list)

    def add(self, code: str, text: str) -> None:
        """Note something once."""
        if (code, text) not in self.found:
            self.found.append((code, text))


class Source(Protocol):
    """An opened tabular source: a CSV file, a sheet, a JSON list."""

    header: list[str]
    remarks: Remarks

    def records(self) -> Iterator[Record | Reject]:
        """All records in order; every one is either a Record or a Reject."""


def unique_names(cells: Sequence[str], remarks: Remarks) -> list[str]:
    """Column names from a header row: blanks become "Column 3", a second "Email" becomes "Email (2)".

    Names that differ in case only count as the same, since the engine takes them for one.
    """
    names: list[str] = []
    taken: set[str] = set()
    for place, cell in enumerate(cells, start=1):
        name = " ".join(cell.split())
        if not name:
            name = f"Column {place}"
            remarks.add("unnamed_column", f"column {place} has no name and is read as {name!r}")
        if UNREADABLE in name:
            name = name.replace(UNREADABLE, "\ufffd")
            remarks.add(
                "unreadable_column", f"column name {name!r} holds bytes that are no text in the file's encoding"
            )
        if name.casefold() in taken:
            number = 2
            while f"{name} ({number})".casefold() in taken:
                number += 1
            later = f"{name} ({number})"
            remarks.add("duplicate_column", f"column name {name!r} stands twice; the later one is read as {later!r}")
            name = later
        names.append(name)
        taken.add(name.casefold())
    return names


def numbered_names(width: int, remarks: Remarks) -> list[str]:
    """Names for the columns of a file that names none."""
    remarks.add("header_missing", "the file names no columns: they are numbered and known by their values only")
    return [f"Column {place}" for place in range(1, width + 1)]


TOTALS = ("total", "totals", "grand total", "sum", "summe", "gesamt", "итого", "всього", "toplam", "razem")
_DIGIT = re.compile(r"\d")
_SUM = re.compile(r"\s*(?:[^\w\s]|[A-Z]{3})?\s*[-(]?[\d.,'\s]*\)?\s*\S{0,4}\s*")


def is_totals_row(values: Sequence[str | None]) -> bool:
    """Whether this looks like a line of sums: "Total" first, then a number or more and nothing else."""
    first = values[0] if values else None
    if not first or first.isspace():
        first = next((value for value in values if value and not value.isspace()), None)
    if first is None or first.strip().rstrip(":").lower() not in TOTALS:
        return False
    others = [value for value in values if value and value is not first]
    return any(map(_DIGIT.search, others)) and all(map(_SUM.fullmatch, others))


def without_sums(records: Iterable[Record | Reject], width: int) -> Iterator[Record | Reject]:
    """Lines of sums stand under a table, or several times in it; a lone one among the records is a company called Total.

    It comes last, since only then is this known.
    """
    sums: list[Reject] = []
    goes_on = False
    for record in records:
        if isinstance(record, Reject) and record.code == "totals_row":
            sums.append(record)
            continue
        # A line below the sums may say who made the list; a record says more than one thing.
        if sums and not goes_on and isinstance(record, Record):
            goes_on = sum(value is not None for value in record.values) > 1
        yield record
    for line in sums:
        is_record = goes_on and len(sums) == 1 and len(line.values) == width
        yield Record(line.number, line.line, list(line.values)) if is_record else line
