"""From an expression's value to what a column takes: SQL for the value, and for everything that can be wrong with it.

Two layers: `parsed` is worked out over the record's fields, `value` and the troubles over `parsed` (named by `alias`),
so that nothing is parsed twice.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from flitstack.mapping.choices import Unsuitable, choice_values, key_sql
from flitstack.mapping.expressions import Expression, maps_of
from flitstack.mapping.maps import ColumnRule
from flitstack.mapping.target import Target
from flitstack.staging.engine.engine import literal, quoted

TEXT = frozenset(("String", "Memo", "EntityName"))
NUMBERS = frozenset(("Money", "Decimal", "Double", "Integer", "BigInt"))
CHOICES = frozenset(("Picklist", "State", "Status"))
_READ_DECIMALS = 10
_AS_READ = f"DECIMAL(38,{_READ_DECIMALS})"  # what to_number gives, as the engine spells it
DATES = frozenset(("DateTime",))


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that may be wrong with a record. `when`, `shown` and `what` are SQL; `shown` is shown as a shape."""

    code: str
    field: str
    outcome: str
    when: str
    shown: str
    what: str
    do: str


@dataclass(frozen=True, slots=True)
class Conversion:
    """`parsed` over the record's fields, `value` and `troubles` over it; `full` is the uncut text where it was cut."""

    parsed: str
    value: str
    troubles: tuple[Trouble, ...] = ()
    full: str = ""


@dataclass(frozen=True, slots=True)
class Value:
    """What is to be converted: the completed expression, its engine type, the name its parsed form will have."""

    rule: ColumnRule
    target: Target
    expression: Expression
    sql_type: str
    alias: str
    field: str
    date_order: str
    zone: str
    decisions: Mapping[str, Any]
    has_companion: bool = True  # False: the table takes no columns, so a finding keeps what is cut

    @property
    def is_text(self) -> bool:
        """Whether the expression gives text that has yet to be read."""
        return self.sql_type == "VARCHAR"

    @property
    def shown(self) -> str:
        """SQL of the text a finding shows the shape of."""
        return quoted(self.expression.fields[0]) if self.expression.fields else "''"

    def trouble(self, code: str, when: str, what: str, do: str, outcome: str = "loaded") -> Trouble:
        """A trouble of this column."""
        return Trouble(code, self.field, outcome, when, self.shown, what, do)

    def unreadable(self, code: str, what: str) -> tuple[Trouble, ...]:
        """The trouble of a text that is there and could not be read."""
        if not self.is_text:
            return ()
        when = f"{quoted(self.alias)} IS NULL AND clean(CAST({self.expression.sql} AS VARCHAR)) IS NOT NULL"
        return (self.trouble(code, when, literal(what), "correct the value in the source, or leave it empty"),)


def convert(value: Value) -> Conversion:
    """SQL of one column. Raises Unsuitable."""
    kind = value.target.type
    if kind in TEXT:
        return _text(value)
    if value.rule.choices is not None or kind in CHOICES or kind == "MultiSelectPicklist":
        return _many_choices(value) if kind == "MultiSelectPicklist" else _choice(value)
    converters: dict[str, Callable[[Value], Conversion]] = {
        "Boolean": _boolean,
        "DateTime": _date if value.target.is_date_only else _moment,
        "Uniqueidentifier": _uuid,
        **dict.fromkeys(NUMBERS, _number),
    }
    if kind not in converters:
        raise Unsuitable(f"a column of type {kind} cannot be filled from a value")
    return converters[kind](value)


def outcome_of_unknown(rule: ColumnRule, decisions: Mapping[str, Any]) -> str:
    """What `otherwise` says about a value outside the map: held or loaded (the column stays empty)."""
    otherwise = rule.otherwise
    if otherwise.startswith("decision:"):
        otherwise = str(decisions.get(otherwise.removeprefix("decision:"), ""))
    return "held" if otherwise == "hold" else "loaded"


def _text(value: Value) -> Conversion:
    parsed, name = f"edge_trim(CAST({value.expression.sql} AS VARCHAR))", quoted(value.alias)
    limit = value.target.max_length
    if limit is None:
        return Conversion(parsed, name)
    # Counting UTF-16 units costs twenty times what counting characters does, and decides only between half and whole.
    long = f"(length({name}) > {limit} OR (length({name}) * 2 > {limit} AND utf16_length({name}) > {limit}))"
    what = f"CAST(utf16_length({name}) AS VARCHAR) || ' UTF-16 units, {limit} fit'"
    if value.rule.too_long == "hold":
        trouble = value.trouble("overlong", long, what, "shorten the text in the source", outcome="held")
        return Conversion(parsed, name, (trouble,))
    trouble = value.trouble("overlong", long, what, "nothing: the start is in the column, the full text is kept")
    if not value.has_companion:
        trouble = replace(trouble, what=f"{what} || '; the full text: ' || {name}")
    cut = f"CASE WHEN {long} THEN cut_utf16({name}, {limit}) ELSE {name} END"
    return Conversion(parsed, cut, (trouble,), f"CASE WHEN {long} THEN {name} END")


def _number(value: Value) -> Conversion:
    sql, name, target = value.expression.sql, quoted(value.alias), value.target
    parsed = f"to_number({sql})" if value.is_text else f"TRY_CAST({sql} AS {_AS_READ})"
    fits = [f"{name} = trunc({name})"] if target.type in {"Integer", "BigInt"} else []
    if target.minimum is not None and target.maximum is not None:
        fits.append(f"{name} BETWEEN {_plain(target.minimum)} AND {_plain(target.maximum)}")
    condition = " AND ".join(fits) or "TRUE"
    result = {
        "Integer": f"CAST({name} AS BIGINT)",
        "BigInt": f"CAST({name} AS BIGINT)",
        "Double": f"CAST({name} AS DOUBLE)",
    }.get(target.type, f"CAST(round({name}, {target.precision}) AS DECIMAL(38, {target.precision}))")
    wide = value.trouble(
        "bad_number",
        f"NOT ({condition})",
        literal(f"not a number that {target.type} {_range(target)} can hold"),
        "correct the value in the source, or widen the column",
    )
    troubles = (*value.unreadable("bad_number", "no number"), *((wide,) if fits else ()))
    # What is worked out has as many decimals as it happens to have; a number of the source has those somebody wrote.
    is_written = value.is_text or value.sql_type == _AS_READ
    if is_written and target.type in {"Money", "Decimal"} and target.precision < _READ_DECIMALS:
        what = literal(f"more decimals than {value.rule.name} keeps: rounded to {target.precision}")
        longer = f"({condition}) AND {name} <> round({name}, {target.precision})"
        do = "nothing, or map the field to a column of more decimals (precision under create)"
        troubles += (value.trouble("rounded", longer, what, do),)
    return Conversion(parsed, f"CASE WHEN {condition} THEN {result} END", troubles)


def _boolean(value: Value) -> Conversion:
    name = quoted(value.alias)
    if value.sql_type == "BOOLEAN":
        return Conversion(value.expression.sql, name)
    parsed = f"to_boolean(CAST({value.expression.sql} AS VARCHAR))"
    return Conversion(parsed, name, value.unreadable("unknown_choice", "neither yes nor no"))


def _moment(value: Value) -> Conversion:
    sql, name = value.expression.sql, quoted(value.alias)
    zone = literal(value.zone)
    parsed = {
        "TIMESTAMP WITH TIME ZONE": sql,
        "TIMESTAMP": f"timezone({zone}, {sql})",
        "DATE": f"timezone({zone}, CAST({sql} AS TIMESTAMP))",
    }.get(value.sql_type, f"to_datetime(CAST({sql} AS VARCHAR), {literal(value.date_order)}, {zone})")
    return Conversion(parsed, name, value.unreadable("bad_date", "no date that can be read with certainty"))


def _date(value: Value) -> Conversion:
    sql, name = value.expression.sql, quoted(value.alias)
    parsed = {
        "TIMESTAMP WITH TIME ZONE": f"CAST(timezone({literal(value.zone)}, {sql}) AS DATE)",
        "TIMESTAMP": f"CAST({sql} AS DATE)",
        "DATE": sql,
    }.get(value.sql_type, f"to_date(CAST({sql} AS VARCHAR), {literal(value.date_order)})")
    return Conversion(parsed, name, value.unreadable("bad_date", "no date that can be read with certainty"))


def _uuid(value: Value) -> Conversion:
    parsed = f"CAST(TRY_CAST({value.expression.sql} AS UUID) AS VARCHAR)"
    return Conversion(parsed, quoted(value.alias), value.unreadable("bad_number", "no unique identifier"))


def _choice(value: Value) -> Conversion:
    name = quoted(value.alias)
    known = choice_values(value.rule, value.target)
    parsed = key_sql(f"CAST({value.expression.sql} AS VARCHAR)", known)
    sql_type = "BOOLEAN" if value.target.type == "Boolean" else "BIGINT"
    branches = "".join(f" WHEN {literal(key)} THEN {_constant(found)}" for key, found in known.items())
    result = f"CAST(CASE {name}{branches} END AS {sql_type})" if branches else f"CAST(NULL AS {sql_type})"
    listed = ", ".join(map(literal, known))
    unknown = f"{name} NOT IN ({listed})" if known else f"{name} IS NOT NULL"
    return Conversion(parsed, result, (_unknown(value, unknown),))


def _many_choices(value: Value) -> Conversion:
    name = quoted(value.alias)
    known = choice_values(value.rule, value.target)
    separator = literal(value.rule.separator or ";")
    parts = f"split_list(CAST({value.expression.sql} AS VARCHAR), {separator})"
    parsed = f"list_transform({parts}, lambda v: {key_sql('v', known)})"
    branches = "".join(f" WHEN {literal(key)} THEN {_constant(found)}" for key, found in known.items())
    one = f"CAST(CASE v{branches} END AS BIGINT)" if branches else "CAST(NULL AS BIGINT)"
    chosen = f"list_filter(list_transform({name}, lambda v: {one}), lambda v: v IS NOT NULL)"
    result = f"nullif(array_to_string(list_sort(list_distinct({chosen})), ','), '')"
    listed = ", ".join(map(literal, known)) or "''"
    unknown = f"len(list_filter({name}, lambda v: v NOT IN ({listed}))) > 0"
    return Conversion(parsed, result, (_unknown(value, unknown),))


def _unknown(value: Value, when: str) -> Trouble:
    outcome = outcome_of_unknown(value.rule, value.decisions)
    what = literal(f"not a known value of {value.rule.name}")
    listed = " or ".join(maps_of(value.rule.source)) if value.rule.source else ""
    place = f"{listed} in decisions.yaml" if listed else f"choices of {value.rule.name} in the map"
    do = f"add the value under {place}, or correct it in the source"
    return value.trouble("unknown_choice", when, what, do, outcome=outcome)


def _constant(value: int | bool | None) -> str:
    return "NULL" if value is None else str(value).upper()


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else format(number, "f")


def _range(target: Target) -> str:
    if target.minimum is None or target.maximum is None:
        return ""
    return f"from {_plain(target.minimum)} to {_plain(target.maximum)}"
