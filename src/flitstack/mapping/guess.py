"""What a column of unknown meaning holds, told from its values; and which existing column it resembles."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from flitstack.catalogue.types import Column, Table
from flitstack.staging.engine.engine import Engine, literal, quoted, read_parquet

ENOUGH = 0.95  # share of values that must be readable as a type
SIMILAR = 0.88
_TEXT_LENGTHS = (100, 200, 400, 1_000, 4_000)
_FITS = {
    "String": {"String", "Memo"},
    "Memo": {"Memo"},
    "Integer": {"Integer", "BigInt", "Decimal", "Money", "Double", "String"},
    "Decimal": {"Decimal", "Money", "Double", "String"},
    "DateTime": {"DateTime"},
    "Boolean": {"Boolean", "String"},
}


@dataclass(frozen=True, slots=True)
class Guess:
    """`create` defines a custom column that holds the values; `filled` is how many there are."""

    filled: int
    create: dict[str, Any]
    why: str


def guess_columns(
    engine: Engine, parquet: str, columns: Sequence[str], date_order: str, zone: str, labels: Mapping[str, str]
) -> dict[str, Guess]:
    """Look at all values of these columns of a staged table."""
    found = {}
    for name in columns:
        c = quoted(name)
        row = engine.one(
            f"""SELECT count(x), count(n), count(n) FILTER (n = trunc(n) AND abs(n) < 2147483648), count(d),
                    count(d) FILTER (epoch_us(d) % 86400000000 = 0), count(b), coalesce(max(utf16_length(x)), 0),
                    count(*) FILTER (regexp_matches(x, '^[+]|^0[0-9]')), coalesce(max(scale), 0)
                FROM (SELECT clean({c}) AS x, to_number({c}) AS n, to_boolean({c}) AS b,
                        CASE WHEN NOT regexp_full_match(clean({c}), '[0-9.,]*') THEN
                            to_datetime({c}, {literal(date_order)}, {literal(zone)}) END AS d,
                        length(rtrim(split_part(CAST(to_number({c}) AS VARCHAR), '.', 2), '0')) AS scale
                      FROM {read_parquet(parquet)})"""
        )
        found[name] = _guess(*(int(value) for value in row), label=labels.get(name, name))
    return found


def similar_column(name: str, guess: Guess, table: Table | None, taken: Iterable[str]) -> tuple[Column, float] | None:
    """The writable column whose name or label is most like the header, if its type can hold the values."""
    if table is None:
        return None
    used, wanted = set(taken), plain_name(name)
    best: tuple[Column, float] | None = None
    for column in table.columns.values():
        if not column.creatable or column.name in used or column.type not in _FITS[guess.create["type"]]:
            continue
        if column.max_length is not None and column.max_length < int(guess.create.get("length", 0)):
            continue
        if column.type in {"Decimal", "Money"} and int(guess.create.get("precision", 0)) > (column.precision or 2):
            continue
        likeness = max(_likeness(wanted, plain_name(column.name)), _likeness(wanted, plain_name(column.label)))
        if likeness >= SIMILAR and (best is None or likeness > best[1]):
            best = (column, likeness)
    return best


def slug(name: str, prefix: str, taken: Iterable[str]) -> str:
    """A logical name for a custom column: letters (without accents) and digits of the header, at most 40, unlike those taken."""
    letters = unicodedata.normalize("NFKD", name.casefold().replace("ı", "i"))
    plain = re.sub(r"[^a-z0-9]", "", letters)[:40] or "field"
    used, candidate, number = set(taken), f"{prefix}_{plain}", 2
    while candidate in used:
        candidate, number = f"{prefix}_{plain}{number}", number + 1
    return candidate


def names_taken(table: str, prefix: str) -> set[str]:
    """Columns that every table made by us has: its id, its name, the source key and id."""
    return {f"{table}id", *(f"{prefix}_{name}" for name in ("name", "sourcekey", "sourceid"))}


def _guess(
    filled: int,
    numbers: int,
    whole: int,
    dates: int,
    midnights: int,
    truths: int,
    longest: int,
    padded: int,
    scale: int,
    *,
    label: str,
) -> Guess:
    enough = max(1, int(filled * ENOUGH + 0.999))
    create: dict[str, Any]
    if not filled:
        create, why = {"type": "String", "length": 100}, "no value in the export"
    elif truths >= enough and numbers < enough:
        create, why = {"type": "Boolean"}, "values are yes and no"
    elif dates >= enough:
        create = {"type": "DateTime", "format": "DateOnly"} if midnights == dates else {"type": "DateTime"}
        why = "values are dates"
    elif whole >= enough and not padded:
        create, why = {"type": "Integer", "min": -2_147_483_648, "max": 2_147_483_647}, "values are whole numbers"
    elif numbers >= enough and not padded:
        create = {
            "type": "Decimal",
            "min": -100_000_000_000,
            "max": 100_000_000_000,
            "precision": min(max(scale, 2), 10),
        }
        why = "values are numbers"
    else:
        length = next((size for size in _TEXT_LENGTHS if longest <= size), None)
        create = {"type": "Memo", "length": 1_048_576} if length is None else {"type": "String", "length": length}
        why = f"values are text of up to {longest} characters"
    return Guess(filled, {**create, "label": label[:100]}, why)


def plain_name(text: str) -> str:
    """A header as letters and digits."""
    return re.sub(r"[^\w]|_", "", text.casefold())


def _likeness(a: str, b: str) -> float:
    return SequenceMatcher(None, a, b).ratio() if a and b else 0.0
