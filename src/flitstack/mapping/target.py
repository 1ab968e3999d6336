"""What a column of the destination takes: from live metadata, else from the map's own definition of a custom column."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flitstack.catalogue.read import load_catalogue
from flitstack.catalogue.types import Column, Table, behaviour_of
from flitstack.mapping.maps import ColumnRule

CUSTOM_STRING_LENGTH = 100  # the platform's own default for a new text column
PRIMARY_NAME_LENGTH = 400
MEMO_LENGTH = 1_048_576
_MONEY_LIMIT = 922_337_203_685_477.0
_DECIMAL_LIMIT = 100_000_000_000.0
_WHOLE_LIMIT = 2_147_483_647.0


class NoSuchColumn(LookupError):
    """The table has no such column and the map does not define one."""


@dataclass(frozen=True, slots=True)
class Target:
    """Type and limits of a column. `options`: value -> label; `max_length` in UTF-16 units."""

    type: str
    max_length: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    precision: int = 0
    is_date_only: bool = False
    options: Mapping[int, str] | None = None
    targets: tuple[str, ...] = ()
    label: str = ""


def describe_table(table: str, live: Mapping[str, Table | None]) -> Table | None:
    """The table as the environment has it; without an environment, as the catalogue knows it."""
    if table in live:
        return live[table]
    return load_catalogue().tables.get(table)


def takes_columns(table: Table | None) -> bool:
    """Whether custom columns can be made; a table that is yet to be made takes them."""
    return table is None or table.is_customizable


def target_of(rule: ColumnRule, table: Table | None, prefix: str) -> Target:
    """What the column of a rule takes. Raises NoSuchColumn."""
    column = table.column(rule.name) if table else None
    if column is not None:
        return _of_column(column, rule.create)
    if rule.create is not None:
        return _of_definition(rule.create)
    if table is None and rule.name in {f"{prefix}_name", "ownerid", "overriddencreatedon"}:
        return {
            f"{prefix}_name": Target("String", PRIMARY_NAME_LENGTH),
            "ownerid": Target("Owner"),
            "overriddencreatedon": Target("DateTime"),
        }[rule.name]
    raise NoSuchColumn(rule.name)


def _of_column(column: Column, create: Mapping[str, Any] | None) -> Target:
    options = {option.value: option.label for option in column.options}
    options |= {int(value): str(label) for value, label in (create or {}).get("options", ())}
    low, high = _limits(column.type)
    return Target(
        type=column.type,
        max_length=column.max_length,
        minimum=low if column.min_value is None else column.min_value,
        maximum=high if column.max_value is None else column.max_value,
        precision=_precision(column.type, column.precision),
        is_date_only=column.date_behaviour == "DateOnly",
        options=options or None,
        targets=column.targets,
        label=column.label,
    )


def _of_definition(create: Mapping[str, Any]) -> Target:
    kind = str(create["type"])
    low, high = _limits(kind)
    lengths = {"String": CUSTOM_STRING_LENGTH, "Memo": MEMO_LENGTH}
    return Target(
        type=kind,
        max_length=int(create["length"]) if "length" in create else lengths.get(kind),
        minimum=float(create["min"]) if "min" in create else low,
        maximum=float(create["max"]) if "max" in create else high,
        precision=_precision(kind, create.get("precision")),
        is_date_only=kind == "DateTime" and behaviour_of(create) == "DateOnly",
        options={int(value): str(label) for value, label in create.get("options", ())} or None,
        targets=tuple(create.get("targets", ())),
        label=str(create.get("label", "")),
    )


def _precision(kind: str, given: int | None) -> int:
    if given is not None:
        return int(given)
    return 2 if kind in {"Money", "Decimal"} else 0


def _limits(kind: str) -> tuple[float | None, float | None]:
    limit = {"Money": _MONEY_LIMIT, "Decimal": _DECIMAL_LIMIT, "Integer": _WHOLE_LIMIT}.get(kind)
    return (None, None) if limit is None else (-limit, limit)
