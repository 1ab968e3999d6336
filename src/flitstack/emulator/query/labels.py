"""Formatted values: labels of choices, names of lookups, numbers and dates as an English (US) user sees them."""

from collections.abc import Callable, Iterable

from flitstack.catalogue.types import Column
from flitstack.emulator.ddl import quoted
from flitstack.emulator.values import parse_instant
from flitstack.emulator.work import Work

_CHUNK = 500


def formatter(work: Work, column: Column) -> Callable[[object], str] | None:
    """What turns a stored value into its formatted text; None for columns that have none (text, GUIDs)."""
    if column.type in {"Picklist", "State", "Status", "Boolean"}:
        labels: dict[object, str] = {option.value: option.label for option in column.options}
        return lambda value: labels.get(value, str(value))
    if column.type == "MultiSelectPicklist":
        names = {str(option.value): option.label for option in column.options}
        return lambda value: "; ".join(names.get(part, part) for part in str(value).split(","))
    if column.type == "Money":
        digits = column.precision if column.precision_source == 0 and column.precision is not None else 2
        return lambda value: f"${_number(value):,.{digits}f}"
    if column.type in {"Decimal", "Double"}:
        digits = column.precision if column.precision is not None else 2
        return lambda value: f"{_number(value):,.{digits}f}"
    if column.type in {"Integer", "BigInt"}:
        return lambda value: f"{value:,}"
    if column.type == "DateTime":
        is_day = column.format == "DateOnly" or column.date_behaviour == "DateOnly"
        return lambda value: _date(str(value), is_day=is_day)
    return None


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def _date(text: str, *, is_day: bool) -> str:
    moment = parse_instant(text)
    if moment is None:
        return text
    day = f"{moment.month}/{moment.day}/{moment.year}"
    return day if is_day else f"{day} {(moment.hour + 11) % 12 + 1}:{moment:%M} {'AM' if moment.hour < 12 else 'PM'}"


class LookupNames:
    """Primary names of rows that lookups point to, read set-wise."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def of(self, wanted: Iterable[tuple[str, object]]) -> dict[bytes, str]:
        """Names by stored id; rows without name, and tables without names, are left out."""
        by_table: dict[str, set[bytes]] = {}
        for table, id_ in wanted:
            if isinstance(id_, bytes):
                by_table.setdefault(table, set()).add(id_)
        found: dict[bytes, str] = {}
        for table, ids in by_table.items():
            found.update(self._names(table, sorted(ids)))
        return found

    def _names(self, table: str, ids: list[bytes]) -> dict[bytes, str]:
        store = self._work.store
        model = store.schema.tables.get(table)
        if model is None or not model.table.name_column or model.table.name_column not in model.stored:
            return {}
        id_column, name_column = quoted(model.table.id_column), quoted(model.table.name_column)
        found: dict[bytes, str] = {}
        for start in range(0, len(ids), _CHUNK):
            chunk = ids[start : start + _CHUNK]
            marks = ",".join("?" * len(chunk))
            sql = f"SELECT {id_column}, {name_column} FROM {store.ensure(model)} WHERE {id_column} IN ({marks})"
            found.update((id_, name) for id_, name in store.connection.execute(sql, chunk) if name is not None)
        return found
