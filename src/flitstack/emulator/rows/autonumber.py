"""Values of custom autonumber columns.

Source: Microsoft Learn, "Create auto-number columns": `{SEQNUM:length}`, `{RANDSTRING:length}`, `{DATETIMEUTC:format}`
and plain text between them; a sequence starts at 1000 unless its seed is set.
"""

import random
import re
import string
from collections.abc import Callable

from flitstack.emulator.messages import Refusal, not_implemented
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.store import Store
from flitstack.emulator.work import Change

FIRST = 1000
_PART = re.compile(r"\{(SEQNUM|RANDSTRING|DATETIMEUTC)(?::([^{}]+))?\}")
_LETTERS = string.ascii_uppercase + string.digits
_LONGEST_RANDOM = 6
# Parts of .NET's custom date formats -> where they stand in `YYYY-MM-DDTHH:MM:SSZ`.
_DATE = {"yyyy": (0, 4), "yy": (2, 4), "MM": (5, 7), "dd": (8, 10), "HH": (11, 13), "mm": (14, 16), "ss": (17, 19)}
_DATE_PART = re.compile("|".join(_DATE) + "|[A-Za-z]")


def numbered_columns(model: EntityModel) -> tuple[str, ...]:
    """Custom columns with a format; the standard ones number themselves (see numbering.py)."""
    columns = model.stored.values()
    return tuple(column.name for column in columns if column.autonumber and column.name in model.custom_columns)


def autonumber_rule(model: EntityModel) -> Callable[[Change], None]:
    """Fills the autonumber columns that a new row leaves out."""
    formats = {name: model.columns[name].autonumber or "" for name in numbered_columns(model)}

    def fill(change: Change) -> None:
        for name, pattern in formats.items():
            if change.before is None and change.values.get(name) is None:
                change.values[name] = _written(change, name, pattern)

    return fill


def seed_name(table: str, column: str) -> str:
    """The counter that holds the next number of a column."""
    return f"autonumber${table}.{column}"


def check_format(pattern: str) -> None:
    """Refusal 400 for braces that are no part of a format, 501 for a date format the emulator cannot write."""
    rest = _PART.sub("", pattern)
    if "{" in rest or "}" in rest:
        raise Refusal(400, "0x80040203", f"The AutoNumberFormat '{pattern}' is not valid.")
    for kind, detail in _PART.findall(pattern):
        if kind == "DATETIMEUTC":
            _date("0000-00-00T00:00:00Z", detail)
        elif not detail.isdecimal() or (kind == "RANDSTRING" and not 1 <= int(detail) <= _LONGEST_RANDOM):
            raise Refusal(400, "0x80040203", f"The AutoNumberFormat '{pattern}' is not valid.")


def _written(change: Change, column: str, pattern: str) -> str:
    def part(found: re.Match[str]) -> str:
        kind, detail = found[1], found[2]
        if kind == "SEQNUM":
            return str(_next(change.work.store, change.model.name, column)).zfill(int(detail))
        if kind == "RANDSTRING":
            return "".join(random.choices(_LETTERS, k=int(detail)))
        return _date(change.work.now, detail)

    return _PART.sub(part, pattern)


def _next(store: Store, table: str, column: str) -> int:
    name = seed_name(table, column)
    number = int(str(store.counter(name) or FIRST))
    store.set_counter(name, number + 1)
    return number


def _date(now: str, pattern: str) -> str:
    def part(found: re.Match[str]) -> str:
        place = _DATE.get(found[0])
        if place is None:
            raise not_implemented(f"'{found[0]}' in a date of an AutoNumberFormat")
        return now[slice(*place)]

    return _DATE_PART.sub(part, pattern)
