"""The checkers of `checkers.py` for all values of a column at once.

A quick check looks at the column as a set; what it cannot vouch for goes value by value through the checker of the column,
which alone says what is refused and how.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from typing import Any

from flitstack.catalogue.types import Column
from flitstack.emulator.checkers import Checker, Stored, number_digits, number_range, whole_range
from flitstack.emulator.guid_columns import TEXT_SIZE, read_guids
from flitstack.emulator.values import FIRST_YEAR, utf16_length

ColumnChecker = Callable[[Sequence[object]], Sequence[Stored]]
# Gets values without nulls and their types; gives the stored forms, None when it cannot tell.
_Quick = Callable[[Sequence[Any], set[type]], Sequence[Stored] | None]

_NULL = type(None)
_EARLIEST = str(FIRST_YEAR)


def column_checker(column: Column, check: Checker) -> ColumnChecker:
    """The checker of a whole column; raises the Refusal of one of its wrong values, not always of the first."""
    maker = _QUICK.get(column.type)
    quick = maker(column) if maker else _never

    def check_column(values: Sequence[object]) -> Sequence[Stored]:
        types = set(map(type, values))
        if _NULL not in types:
            found = quick(values, types)
            return [check(value) for value in values] if found is None else found
        types.discard(_NULL)
        if not types:
            return [None] * len(values)
        present = [value for value in values if value is not None]
        found = quick(present, types)
        return with_nulls(values, map(check, present) if found is None else iter(found))

    return check_column


class Sparse(list[Stored]):
    """A column known to hold nulls."""


def with_nulls(values: Sequence[object], present: Iterator[Stored]) -> Sparse:
    """What became of the present ones, at their places."""
    return Sparse([None if value is None else next(present) for value in values])


def _never(values: Sequence[Any], types: set[type]) -> None:
    return None


def _text(column: Column) -> _Quick:
    limit = column.max_length or 1_073_741_823

    def quick(values: Sequence[Any], types: set[type]) -> Sequence[Stored] | None:
        if types != {str}:
            return None
        longest = max(map(len, values))
        # A character takes one or two UTF-16 code units.
        is_short = longest * 2 <= limit or all(len(text) * 2 <= limit or utf16_length(text) <= limit for text in values)
        return values if is_short else None

    return quick


def _whole(column: Column) -> _Quick:
    low, high = whole_range(column)

    def quick(values: Sequence[Any], types: set[type]) -> Sequence[Stored] | None:
        return values if types == {int} and low <= min(values) and max(values) <= high else None

    return quick


def _number(column: Column) -> _Quick:
    (low, high), digits = number_range(column), number_digits(column)

    def quick(values: Sequence[Any], types: set[type]) -> Sequence[Stored] | None:
        if not (types <= {int, float} and low <= min(values) and max(values) <= high):
            return None
        return [round(float(value), digits) for value in values]

    return quick


def _choice(column: Column) -> _Quick:
    known = frozenset(option.value for option in column.options)

    def quick(values: Sequence[Any], types: set[type]) -> Sequence[Stored] | None:
        return values if types == {int} and known.issuperset(values) else None

    return quick


def _boolean(column: Column) -> _Quick:
    def quick(values: Sequence[Any], types: set[type]) -> Sequence[Stored] | None:
        return [1 if value else 0 for value in values] if types == {bool} else None

    return quick


def _instant(column: Column) -> _Quick:
    return _quick_day if column.date_behaviour == "DateOnly" else _quick_instant


def _quick_day(values: Sequence[Any], types: set[type]) -> Sequence[Stored] | None:
    if types != {str} or not _has_form("".join(values), values, 10, {4: "-", 7: "-"}):
        return None
    return values if _all_read(date.fromisoformat, values) and min(values) >= _EARLIEST else None


def _quick_instant(values: Sequence[Any], types: set[type]) -> Sequence[Stored] | None:
    marks = {4: "-", 7: "-", 10: "T", 13: ":", 16: ":", 19: "Z"}
    if types != {str} or not _has_form("".join(values), values, 20, marks):
        return None
    return values if _all_read(datetime.fromisoformat, values) and min(values) >= _EARLIEST else None


def _has_form(joined: str, values: Sequence[str], size: int, marks: dict[int, str]) -> bool:
    """Whether all texts have this length and these characters: one slice of all of them for each mark."""
    if set(map(len, values)) != {size}:
        return False
    return all(joined[place::size] == mark * len(values) for place, mark in marks.items())


def _all_read(read: Callable[[str], object], values: Sequence[str]) -> bool:
    try:
        deque(map(read, values), maxlen=0)
    except ValueError:
        return False
    return True


def _guid(column: Column) -> _Quick:
    def quick(values: Sequence[Any], types: set[type]) -> Sequence[Stored] | None:
        if types != {str} or set(map(len, values)) != {TEXT_SIZE}:
            return None
        joined = "".join(values)
        return read_guids(joined.encode(), TEXT_SIZE, 0) if joined.isascii() else None

    return quick


_QUICK: dict[str, Callable[[Column], _Quick]] = {
    "String": _text,
    "Memo": _text,
    "EntityName": _text,
    "Integer": _whole,
    "BigInt": _whole,
    "Decimal": _number,
    "Double": _number,
    "Money": _number,
    "Picklist": _choice,
    "State": _choice,
    "Status": _choice,
    "Boolean": _boolean,
    "DateTime": _instant,
    "Uniqueidentifier": _guid,
    "Lookup": _guid,
    "Customer": _guid,
    "Owner": _guid,
}
