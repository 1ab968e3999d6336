"""Expressions of the map: checked against an allow-list and the object's own fields, then completed for the engine.

A scalar SQL expression over one record. Completed means: `to_datetime(x)`, `to_date(x)` and `plus_seconds(x, s)` get the
date order and the zone, `decision('name')` becomes the option taken.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar

import sqlglot
from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.simplify import simplify
from sqlglot.parsers.duckdb import DuckDBParser

from flitstack.mapping.choices import EXACT, by_key, choice_key
from flitstack.staging.engine.labels import label_key

VALUE_FUNCTIONS = frozenset(
    (
        "choice_key", "clean", "company_key", "cut_utf16", "decision", "edge_trim", "email_host", "email_key",
        "family_name", "file_label", "first_of", "given_name", "host_key", "html_text", "inline_files", "inline_marked", "is_agreed",
        "is_npi", "is_unsafe_html", "json_items", "json_text", "label_key", "mapped", "name_rank", "path_part",
        "phone_key", "plus_seconds", "rtf_text", "safe_html", "session_dates", "split_list", "to_boolean", "to_date", "to_datetime", "to_number",
        "utf16_length",
    )
)  # fmt: skip
SQL_FUNCTIONS = frozenset(
    (
        "abs", "array_to_string", "ceil", "coalesce", "concat_ws", "contains", "date_diff", "date_part", "date_trunc",
        "ends_with", "floor", "greatest", "if", "ifnull", "least", "left", "len", "length", "list_contains",
        "list_distinct", "list_extract", "list_filter", "list_max", "list_position", "list_sort", "list_transform",
        "list_value", "lower", "lpad", "ltrim", "md5",
        "nullif", "regexp_extract", "regexp_full_match", "regexp_matches", "regexp_replace", "replace", "reverse",
        "right", "round", "rpad", "rtrim", "split_part", "starts_with", "string_split", "strip_accents", "substring",
        "trim", "upper", "year", "month", "day",
    )
)  # fmt: skip
ALLOWED = VALUE_FUNCTIONS | SQL_FUNCTIONS
PROVENANCE = ("_file", "_record", "_line", "_id")
# Calls with a grammar of their own, which the parser does not leave anonymous.
_GRAMMAR = (
    exp.And, exp.Or, exp.Xor, exp.Case, exp.If, exp.Cast, exp.TryCast, exp.Ceil, exp.Floor, exp.Trim, exp.Substring,
    exp.Extract, exp.Array, exp.Anonymous,
)  # fmt: skip


class MapDialect(DuckDB):
    """DuckDB's grammar in which every call keeps its name: sqlglot would rewrite those it thinks it knows."""

    class Parser(DuckDBParser):
        """All functions are anonymous, but those with a grammar of their own (CAST, EXTRACT ...)."""

        FUNCTIONS: ClassVar[dict[str, Callable[..., Any]]] = {}


class ExpressionError(ValueError):
    """The expression cannot stand in a map; the text says why."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression may see. `zones`: field -> IANA zone of its local times, where the pack says one."""

    fields: Sequence[str]
    decisions: Mapping[str, Any]
    date_order: str = "DMY"
    zone: str = "UTC"
    zones: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Expression:
    """A completed expression. `fields`: source fields it reads, in order. `readings`: (number | date, SQL of a field)
    for every field that is read as such: a text there that cannot be read is a finding."""

    sql: str
    fields: tuple[str, ...]
    is_field: bool
    readings: tuple[tuple[str, str], ...] = ()
    constant: bool | None = None  # TRUE or FALSE whatever the record


def fields_of(text: str, fields: Sequence[str]) -> tuple[str, ...]:
    """Names of the fields an expression reads, as the pack spells them, in order."""
    spelled = {name.casefold(): name for name in fields}
    found = [spelled.get(c.name.casefold(), c.name) for c in parse_expression(text).find_all(exp.Column, bfs=False)]
    return tuple(dict.fromkeys(name for name in found if name.casefold() in spelled))


def maps_of(text: str) -> tuple[str, ...]:
    """Names of the decisions of kind map that an expression looks its values up in, in order."""
    calls = parse_expression(text).find_all(exp.Anonymous, bfs=False)
    return tuple(dict.fromkeys(_decision_name(call) for call in calls if _is_call(call, "mapped")))


def problems_of(text: str, scope: Scope) -> Iterator[str]:
    """What is wrong with an expression, in words; nothing when it is right."""
    try:
        tree = parse_expression(text)
    except ExpressionError as error:
        yield str(error)
        return
    if tree.find(
        exp.Query, exp.Table, exp.Command, exp.DDL, exp.DML, exp.Star, exp.Window, exp.Parameter, exp.Placeholder
    ):
        yield f"only a scalar expression over the record's own fields can stand in a map: {text}"
        return
    known = {name.casefold() for name in (*scope.fields, *PROVENANCE)}
    lambdas = {name.name.casefold() for found in tree.find_all(exp.Lambda) for name in found.expressions}
    for column in tree.find_all(exp.Column):
        if column.table or column.name.casefold() not in known | lambdas:
            yield f"no field {column.sql(MapDialect)} in: {text}"
    for call in tree.find_all(exp.Func):
        name = call.name.casefold() if isinstance(call, exp.Anonymous) else ""
        if name not in ALLOWED and (name or not isinstance(call, _GRAMMAR)):
            yield f"function {name or call.sql_name()} is not allowed in a map: {text}"
        if name in {"decision", "mapped", "is_agreed"} and _decision_name(call) not in scope.decisions:
            yield f"no decision {_decision_name(call)!r} in: {text}"


def compile_expression(text: str, scope: Scope, *, moment: str = "") -> Expression:
    """Complete an expression. `moment`: "to_datetime" or "to_date" reads the fields it stands for as such.

    Raises ExpressionError with the first thing that is wrong.
    """
    for problem in problems_of(text, scope):
        raise ExpressionError(problem)
    tree = parse_expression(text).copy()
    is_field = isinstance(tree, exp.Column)
    fields = fields_of(text, scope.fields)
    if moment:
        tree = _read_moments(tree, moment)
    readings = tuple(_readings(tree, scope))
    tree = tree.transform(lambda node: _completed(node, scope))
    tree = simplify(tree, dialect=MapDialect)
    constant = bool(tree.this) if isinstance(tree, exp.Boolean) else None
    return Expression(expression_sql(tree), fields, is_field, readings, constant)


@cache
def parse_expression(text: str) -> exp.Expression:
    """The tree of an expression, shared between callers: copy before changing. Raises ExpressionError."""
    try:
        tree = sqlglot.parse_one(text, dialect=MapDialect)
    except SqlglotError as error:
        raise ExpressionError(f"not an SQL expression: {text} ({str(error).splitlines()[0]})") from error
    if not isinstance(tree, exp.Expression):
        raise ExpressionError(f"not an SQL expression: {text}")
    return tree


def expression_sql(tree: exp.Expression) -> str:
    """SQL for the engine."""
    return tree.sql(MapDialect, normalize_functions=False)


def _decision_name(call: exp.Func) -> str:
    given = call.expressions[0] if call.expressions else None
    return str(given.this) if isinstance(given, exp.Literal) else ""


def _is_call(node: exp.Expression, *names: str) -> bool:
    return isinstance(node, exp.Anonymous) and node.name.casefold() in names


def _read_moments(node: exp.Expression, function: str) -> exp.Expression:
    """Wrap the fields that an expression of dates stands for: itself, or what coalesce and CASE hand on."""
    if isinstance(node, exp.Column):
        return exp.Anonymous(this=function, expressions=[node.copy()])
    if isinstance(node, exp.Paren):
        node.set("this", _read_moments(node.this, function))
    elif _is_call(node, "coalesce", "ifnull", "greatest", "least"):
        node.set("expressions", [_read_moments(part, function) for part in node.expressions])
    elif isinstance(node, exp.Case):
        for branch in node.args.get("ifs") or ():
            branch.set("true", _read_moments(branch.args["true"], function))
        if node.args.get("default") is not None:
            node.set("default", _read_moments(node.args["default"], function))
    return node


def _readings(tree: exp.Expression, scope: Scope) -> Iterator[tuple[str, str]]:
    for call in tree.find_all(exp.Anonymous):
        name, given = call.name.casefold(), call.expressions
        kinds = {
            "to_number": ("number",),
            "to_datetime": ("date",),
            "to_date": ("date",),
            "plus_seconds": ("date", "number"),
        }
        for kind, argument in zip(kinds.get(name, ()), given, strict=False):
            if isinstance(argument, exp.Column):
                yield kind, argument.name


def _completed(node: exp.Expression, scope: Scope) -> exp.Expression:
    if not isinstance(node, exp.Anonymous):
        return node
    name, given = node.name.casefold(), node.expressions
    order = exp.Literal.string(scope.date_order)
    if name in {"json_items", "json_text"}:
        # Text that is no JSON gives nothing; DuckDB would stop the whole query.
        function = "json_extract" if name == "json_items" else "json_extract_string"
        path = exp.Literal.string("$[*]") if name == "json_items" else given[1]
        return _if_json(given[0], exp.Anonymous(this=function, expressions=[given[0].copy(), path]))
    if name == "decision":
        return _constant(scope.decisions[_decision_name(node)])
    if name == "list_contains" and len(given) == 2 and _is_call(given[0], "decision"):
        return _is_among(scope.decisions[_decision_name(given[0])], given[1]) or node
    if name == "mapped" and len(given) == 2:
        return _mapped(scope.decisions[_decision_name(node)], given[1])
    if name == "is_agreed" and len(given) == 2:
        return _is_agreed(scope.decisions[_decision_name(node)], given[1])
    if name == "to_datetime" and len(given) == 1:
        return exp.Anonymous(this="to_datetime", expressions=[*given, order, _zone(given[0], scope)])
    if name == "to_date" and len(given) == 1:
        return exp.Anonymous(this="to_date", expressions=[*given, order])
    if name == "session_dates" and len(given) == 3:
        return exp.Anonymous(this="session_dates_at", expressions=[*given, order])
    if name == "plus_seconds" and len(given) == 2:
        return exp.Anonymous(this="plus_seconds_at", expressions=[*given, order, _zone(given[0], scope)])
    return node


def _mapped(entries: Any, value: exp.Expression) -> exp.Expression:
    """What a decision of kind map says for a value, compared as choices are; a value it does not name stays.

    An entry for the empty text is what no value means.
    """
    if not isinstance(entries, Mapping) or not entries:
        return value
    key_of = _key_among(entries)
    key = key_of(value.copy())
    if "" in entries:
        key = exp.Anonymous(this="coalesce", expressions=[key, _constant("")])
    keys = by_key((str(source), wanted) for source, wanted in entries.items())
    branches = [
        exp.If(this=key_of(_constant(str(source))) if source else _constant(""), true=_constant(wanted))
        for source, wanted in entries.items()
        if not source or choice_key(str(source)) in keys
    ]
    exact = [
        exp.If(this=_label_key(_constant(str(source))), true=_constant(wanted))
        for source, wanted in entries.items()
        if EXACT + label_key(str(source)) in keys
    ]
    named = exp.Case(this=key, ifs=branches, default=value) if branches else value
    return exp.Case(this=_label_key(value.copy()), ifs=exact, default=named) if exact else named


def _is_agreed(entries: Any, value: exp.Expression) -> exp.Expression:
    """Whether a decision of kind map names a value, as what is mapped or as what it is mapped to; no value needs none."""
    names = [str(name) for pair in entries.items() for name in pair if name] if isinstance(entries, Mapping) else []
    key_of = _key_among(names)
    keys = [key_of(_constant(name)) for name in dict.fromkeys(names)]
    among = exp.In(this=key_of(value.copy()), expressions=keys) if keys else exp.Boolean(this=False)
    return exp.Paren(this=exp.Or(this=exp.Is(this=key_of(value), expression=exp.Null()), expression=among))


def _is_among(values: Any, wanted: exp.Expression) -> exp.Expression | None:
    """Whether a list that was decided holds a constant: known before any record is read. None: it has to be asked."""
    if not isinstance(values, list | tuple) or not isinstance(wanted, exp.Literal):
        return None
    return exp.Boolean(this=str(wanted.this).casefold() in {str(one).strip().casefold() for one in values})


def _key_among(names: Iterable[Any]) -> Callable[[exp.Expression], exp.Expression]:
    """How values are compared with these names: by choice_key, which sees nothing in a mark such as "-" for absent."""
    has_marks = any(name and not str(name).strip(" _.#/-") for name in names)
    return _mark_key if has_marks else _choice_key


def _choice_key(value: exp.Expression) -> exp.Expression:
    return exp.Anonymous(this="choice_key", expressions=[value])


def _label_key(value: exp.Expression) -> exp.Expression:
    return exp.Anonymous(this="label_key", expressions=[value])


def _mark_key(value: exp.Expression) -> exp.Expression:
    """choice_key; of what is nothing but punctuation the mark itself."""
    calls = [exp.Anonymous(this=name, expressions=[value.copy()]) for name in ("choice_key", "label_key")]
    return exp.Anonymous(this="coalesce", expressions=calls)


def _if_json(text: exp.Expression, value: exp.Expression) -> exp.Expression:
    is_json = exp.Anonymous(this="json_valid", expressions=[text.copy()])
    return exp.Case(ifs=[exp.If(this=is_json, true=value)])


def _zone(node: exp.Expression, scope: Scope) -> exp.Expression:
    zone = scope.zones.get(node.name, scope.zone) if isinstance(node, exp.Column) else scope.zone
    return exp.Literal.string(zone)


def _constant(value: Any) -> exp.Expression:
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    if isinstance(value, int | float):
        return exp.Literal.number(value)
    if isinstance(value, list | tuple):
        return exp.Anonymous(this="list_value", expressions=[_constant(one) for one in value])
    return exp.Null() if value is None else exp.Literal.string(str(value))
