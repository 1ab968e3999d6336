"""Which object a file holds and which field a column is: by name, by other headers, by what the values look like."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import PurePosixPath

from flitstack.packs.types import Field, Pack, SourceObject

# A file no pattern names still belongs to an object when it has its key and this share of its fields.
CONTENT_SHARE = 0.6


@dataclass(frozen=True, slots=True)
class Match:
    """Column place -> the field it is; `how` says what made it recognised (name | header | values)."""

    fields: dict[int, Field]
    how: dict[int, str]

    @property
    def score(self) -> int:
        """Number of recognised columns."""
        return len(self.fields)


def header_key(text: str) -> str:
    """A header without case, accents, blanks and punctuation."""
    folded = unicodedata.normalize("NFKD", text.casefold().replace("ı", "i"))
    plain = "".join(c for c in folded if not unicodedata.combining(c))
    return "".join(c for c in plain if c.isalnum())


def match_columns(header: Sequence[str], source: SourceObject) -> Match:
    """Meet columns and fields. A field is taken once; the exact name wins over other headers."""
    fields: dict[int, Field] = {}
    how: dict[int, str] = {}
    taken: set[str] = set()
    for kind, names in (("name", _own_names(source)), ("header", _other_names(source))):
        for place, column in enumerate(header):
            field = names.get(header_key(column))
            if field is not None and place not in fields and field.name not in taken:
                fields[place], how[place] = field, kind
                taken.add(field.name)
    return Match(fields, how)


def match_by_values(
    header: Sequence[str], sample: Sequence[Sequence[str | None]], source: SourceObject, match: Match
) -> Match:
    """Recognise a renamed column by its values: an address column when one address field is missing, and so on."""
    fields, how = dict(match.fields), dict(match.how)
    for kind, pattern in _VALUE_PATTERNS.items():
        missing = [
            f for f in source.fields.values() if f.type == kind and f.name not in {g.name for g in fields.values()}
        ]
        alike = [p for p in range(len(header)) if p not in fields and _looks_like(pattern, (row[p] for row in sample))]
        if len(missing) == 1 and len(alike) == 1:
            fields[alike[0]], how[alike[0]] = missing[0], "values"
    return Match(fields, how)


def object_of(path: str, header: Sequence[str], pack: Pack) -> tuple[SourceObject | None, str]:
    """The object a file holds and how that was seen ("pattern", "content" or "").

    Where patterns of several objects fit, the one whose fields the header has most of is taken. What the customer says
    goes before what the pack says.
    """
    told = [source for source in pack.objects.values() if any(fits(path, pattern) for pattern in source.told)]
    if told:
        return max(told, key=lambda source: match_columns(header, source).score), "pattern"
    named = [source for source in pack.objects.values() if any(fits(path, pattern) for pattern in source.files)]
    if named:
        likeliest = max(named, key=lambda source: match_columns(header, source).score)
        is_other = match_columns(header, likeliest).score <= 1 and _goes_on(path, likeliest.files)
        if not header or not is_other:
            return likeliest, "pattern"
    best, share = None, 0.0
    for source in pack.objects.values():
        match = match_columns(header, source)
        has_key = any(field.name == source.key for field in match.fields.values())
        found = match.score / max(1, len(source.fields))
        if has_key and match.score >= 3 and found > share:
            best, share = source, found
    return (best, "content") if share >= CONTENT_SHARE else (None, "")


def _goes_on(path: str, patterns: Iterable[str]) -> bool:
    """Whether a file's name only begins like the patterns that fit it: studentsectionmark.csv for students*.csv."""
    name = PurePosixPath(path.lower()).name
    begun = [p.lower().partition("*")[0] for p in patterns if fits(path, p)]
    return all(begin and name.startswith(begin) and name[len(begin) :][:1].isalpha() for begin in begun)


def header_row(rows: Sequence[Sequence[str | None]], pack: Pack, path: str) -> int:
    """Which of the first rows holds the column names: the one with most recognised ones, else the first with two cells."""
    best, score = 0, 0
    for place, row in enumerate(rows[:20]):
        cells = [cell or "" for cell in row]
        source, _ = object_of(path, cells, pack)
        found = match_columns(cells, source).score if source else 0
        if found > score:
            best, score = place, found
    if score:
        return best
    return next(
        (place for place, row in enumerate(rows[:20]) if sum(bool(cell and cell.strip()) for cell in row) > 1), 0
    )


def lacks_header(rows: Sequence[Sequence[str | None]], place: int, pack: Pack, path: str) -> bool:
    """Whether the row taken for the header is a record: no field is recognised in it and a cell holds a value.

    Of a table that no object is in, half of the cells must: it may well have a column called 2025.
    """
    if place >= len(rows):
        return False
    cells = [cell or "" for cell in rows[place]]
    source, seen = object_of(path, cells, pack)
    if source is None:
        filled = [cell.strip() for cell in cells if cell.strip()]
        return bool(filled) and sum(bool(_VALUE.fullmatch(cell)) for cell in filled) * 2 >= len(filled)
    if seen != "pattern" or source is None or match_columns(cells, source).score:
        return False
    return any(_VALUE.fullmatch(cell.strip()) for cell in cells)


_VALUE_PATTERNS: Mapping[str, re.Pattern[str]] = {
    "email": re.compile(r"\s*[^@\s]+@[^@\s]+\.[^@\s]{2,}\s*"),
    "phone": re.compile(r"\s*\+?[\d\s()./-]{7,20}\s*"),
    "url": re.compile(r"\s*(?:https?://|www\.)\S+\s*"),
}
# What no column is called: an address, a link, a number, a date.
_VALUE = re.compile(r"[^@\s]+@[^@\s]+\.\w{2,}|https?://\S+|[-+(]?\d[\d.,:/ T()+-]*Z?")


def _looks_like(pattern: re.Pattern[str], values: Iterable[str | None]) -> bool:
    filled = [value for value in values if value and value.strip()]
    return len(filled) >= 3 and sum(bool(pattern.fullmatch(value)) for value in filled) >= 0.8 * len(filled)


def _own_names(source: SourceObject) -> dict[str, Field]:
    return {header_key(name): field for name, field in source.fields.items()}


def _other_names(source: SourceObject) -> dict[str, Field]:
    names: dict[str, Field] = {}
    for field in source.fields.values():
        for other in field.headers:
            names.setdefault(header_key(other), field)
    return names


def fits_path(path: str, pack: Pack) -> bool:
    """Whether a pattern names this very path, not only the file's name wherever it lies."""
    patterns = (pattern for source in pack.objects.values() for pattern in (*source.told, *source.files))
    return any(fnmatch(path.lower(), pattern.lower()) for pattern in patterns)


def fits(path: str, pattern: str) -> bool:
    """Whether a pattern names a file, by its path or by its name; of a workbook also its sheets."""
    lowered, wanted = path.lower(), pattern.lower()
    if "#" not in wanted:
        # A pattern for the file fits each sheet of it by the sheet's own name as well: contacts.xlsx, book.xlsx#Contacts.
        file, _, sheet = lowered.partition("#")
        names = [file, PurePosixPath(file).name]
        if sheet:
            names.append(f"{sheet}{PurePosixPath(file).suffix}")
        return any(fnmatch(name, wanted) for name in names)
    return fnmatch(lowered, wanted) or fnmatch(PurePosixPath(lowered).name, wanted)
