"""How a text file is cut into cells: its delimiter and the way it quotes, decided once a file on its beginning.

Whether backslashes escape is asked of all of it: where one is a plain character, reading it so would lose it.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path

from flitstack.staging.encodings import sample_text

DELIMITERS = (",", ";", "\t", "|")
QUOTING_SAMPLE = 1 << 18
ESCAPED_LINES = 20

# The largest cell; Python's own limit is 131,072 characters.
csv.field_size_limit((1 << 31) - 1)

_DECLARED = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How to read a delimited file. `encoding` is a Python codec name; the rest defaults to what spreadsheets write."""

    encoding: str
    delimiter: str
    quote: str = '"'
    escapes: bool = False  # \" instead of ""
    skips_blank: bool = False  # a, "b": the blank behind the delimiter is no part of the cell

    @property
    def is_usual(self) -> bool:
        """Whether it differs from RFC 4180 in nothing but encoding and delimiter."""
        return self.quote == '"' and not self.escapes and not self.skips_blank

    def reader(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """Cells of each record; raises csv.Error for quotes that do not fit."""
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=self.quote,
            doublequote=not self.escapes,
            escapechar="\\" if self.escapes else None,
            skipinitialspace=self.skips_blank,
            strict=True,
        )


def find_dialect(path: Path, encoding: str) -> Dialect:
    """Delimiter and quoting of a file. Other quoting than the usual is taken only where it reads more rows whole."""
    text = sample_text(path, encoding)
    declared = _DECLARED.match(text)
    usual = Dialect(encoding, declared[1] if declared else find_delimiter(text))
    sample = text[: text.rfind("\n", 0, QUOTING_SAMPLE) + 1] if len(text) > QUOTING_SAMPLE else text
    sample = sample[declared.end() :] if declared else sample
    choices = [usual, replace(usual, skips_blank=True)]
    if _quotes_with("'", sample, usual.delimiter) and not _quotes_with('"', sample, usual.delimiter):
        choices.append(replace(usual, quote="'"))
    if escaped := _first_escaped(path, encoding, usual.delimiter):
        choices.append(replace(usual, escapes=True))
        sample += "" if "\\" in sample else escaped
    return min(choices, key=lambda dialect: _misfits(sample, dialect))


def find_delimiter(text: str) -> str:
    """The delimiter that cuts the first lines most evenly; a comma when nothing does."""
    lines = [line for line in re.split(r"\r\n|\r|\n", _outside_quotes(text[:QUOTING_SAMPLE])) if line][:50]
    best, score = ",", 0.0
    for delimiter in DELIMITERS:
        counts = [line.count(delimiter) for line in lines]
        often = Counter(counts).most_common()
        usual = max((count for count, times in often if times == often[0][1]), default=0)
        found = counts.count(usual) / len(counts) * (1 + usual / 1000) if counts and usual else 0.0
        if found > score:
            best, score = delimiter, found
    return best


def _misfits(sample: str, dialect: Dialect) -> int:
    """Rows of the sample that this dialect cuts unevenly or not at all; a header left in its quotes spoils all of them."""
    reader = dialect.reader(StringIO(sample, newline=""))
    rows: list[list[str]] = []
    errors = 0
    while True:
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error:
            errors += 1
            continue
        if any(cell.strip() for cell in row):
            rows.append(row)
    if not rows:
        return errors
    usual = Counter(map(len, rows)).most_common(1)[0][0]
    uneven = sum(len(row) != usual for row in rows)
    wrapped = any(re.fullmatch(r"""\s*(["']).*\1\s*""", cell, re.DOTALL) for cell in rows[0])
    return errors + uneven + (len(rows) if wrapped else 0)


def _quotes_with(mark: str, sample: str, delimiter: str) -> bool:
    """Whether cells begin and end with this mark."""
    side = rf"(?:^|$|{re.escape(delimiter)})"
    return bool(re.search(rf"{side}{mark}[^{mark}]*{mark}{side}", sample, re.MULTILINE))


def _first_escaped(path: Path, encoding: str, delimiter: str) -> str:
    """Lines from the first backslash on, where every backslash of the whole file escapes something; else nothing."""
    with path.open("rb") as raw:
        # Most files hold none, which bytes tell ten times as fast as text.
        if not any(b"\\" in block for block in iter(lambda: raw.read(1 << 20), b"")):
            return ""
    found = ""
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        while block := file.read(1 << 20) + file.readline():
            place = block.find("\\")
            if place >= 0 and not _escapes_well(block, delimiter):
                return ""
            if place >= 0 and not found:
                found = "".join(block[block.rfind("\n", 0, place) + 1 :].splitlines(keepends=True)[:ESCAPED_LINES])
    return found


def _escapes_well(sample: str, delimiter: str) -> bool:
    """Whether every backslash of whole lines escapes something: a path like C:\\new shows that backslashes are plain characters."""
    behind = re.findall(r"\\(.|\n|$)", sample)
    return bool(behind) and all(char in f'"\\\n\r{delimiter}' for char in behind)


def _outside_quotes(text: str) -> str:
    """The text without quoted parts, so that delimiters and newlines inside quotes do not count."""
    return "".join(part for place, part in enumerate(text.split('"')) if place % 2 == 0)
