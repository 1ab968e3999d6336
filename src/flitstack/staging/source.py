"""What every reader of a file gives: a header, records with their place, and what could not be read."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Record:
    """One record: 1-based number in its file, physical line (None where the format has none), one text a column."""

    number: int
    line: int | None
    values: list[str | None]


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that could not be read, with its raw text kept. `outcome`: held, or excluded for a totals row."""

    number: int
    line: int | None
    code: str
    reason: str
    raw: str
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


def unique_names(cells: list[str], remarks: Remarks) -> list[str]:
    """Column names from a header row: blanks become "Column 3", a second "Email" becomes "Email (2)"."""
    names: list[str] = []
    for place, cell in enumerate(cells, start=1):
        name = " ".join(cell.split())
        if not name:
            name = f"Column {place}"
            remarks.add("unnamed_column", f"column {place} has no name and is read as {name!r}")
        if name in names:
            number = 2
            while f"{name} ({number})" in names:
                number += 1
            remarks.add(
                "duplicate_column",
                f"column name {name!r} stands twice; the later one is read as {name + f' ({number})'!r}",
            )
            name = f"{name} ({number})"
        names.append(name)
    return names


TOTALS = ("total", "totals", "grand total", "sum", "summe", "gesamt", "итого", "всього", "toplam", "razem")


def is_totals_row(values: list[str | None]) -> bool:
    """Whether this is the sums line that spreadsheets put under a table."""
    filled = [value.strip() for value in values if value and value.strip()]
    return bool(filled) and len(filled) * 2 < len(values) and filled[0].rstrip(":").lower() in TOTALS
