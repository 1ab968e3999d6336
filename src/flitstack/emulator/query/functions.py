"""Dataverse query functions: `Microsoft.Dynamics.CRM.In(PropertyName='name',PropertyValues=["a","b"])` and its kin.

Source: Microsoft Learn, "Web API Query Function Reference".
"""

from collections.abc import Callable, Mapping
from datetime import timedelta

from flitstack.emulator.messages import Refusal, not_implemented
from flitstack.emulator.query.syntax import Listing, Literal, Node, Path
from flitstack.emulator.query.terms import Fragment, Reference, Scope, comparable, to_parameter
from flitstack.emulator.values import instant_text, parse_instant

Compiler = Callable[[Scope, Reference, tuple[Literal, ...]], Fragment]


def compile_function(scope: Scope, name: str, named: Mapping[str, Node]) -> Fragment:
    """The condition of one query function."""
    compiler = _FUNCTIONS.get(name)
    if compiler is None:
        raise not_implemented(f"the query function '{name}'")
    column = named.get("PropertyName")
    if not isinstance(column, Literal) or not isinstance(column.value, str):
        raise Refusal(400, "0x80060888", f"'{name}' needs PropertyName.")
    values = named.get("PropertyValues", named.get("PropertyValue"))
    items = values.items if isinstance(values, Listing) else (values,) if isinstance(values, Literal) else ()
    return compiler(scope, scope.reference(Path(tuple(column.value.split("/"))), by_logical_name=True), items)


def _in(scope: Scope, reference: Reference, values: tuple[Literal, ...]) -> Fragment:
    if not values:
        return Fragment("0")
    marks = ", ".join("?" * len(values))
    return Fragment(f"{comparable(reference)} IN ({marks})", [to_parameter(reference.column, v) for v in values])


def _not_in(scope: Scope, reference: Reference, values: tuple[Literal, ...]) -> Fragment:
    inside = _in(scope, reference, values)
    return Fragment(f"NOT coalesce(({inside.sql}), 0)", inside.parameters)


def _between(scope: Scope, reference: Reference, values: tuple[Literal, ...]) -> Fragment:
    if len(values) != 2:
        raise Refusal(400, "0x80060888", "Between takes two values.")
    parameters = [to_parameter(reference.column, v) for v in values]
    return Fragment(f"{comparable(reference)} BETWEEN ? AND ?", parameters)


def _not_between(scope: Scope, reference: Reference, values: tuple[Literal, ...]) -> Fragment:
    inside = _between(scope, reference, values)
    return Fragment(f"NOT coalesce(({inside.sql}), 0)", inside.parameters)


def _contain_values(scope: Scope, reference: Reference, values: tuple[Literal, ...]) -> Fragment:
    if reference.column.type != "MultiSelectPicklist":
        raise Refusal(400, "0x80060888", f"'{reference.column.name}' is no multi-select column.")
    tests = [f"instr(',' || {reference.sql} || ',', ?) > 0" for _ in values]
    return Fragment("(" + (" OR ".join(tests) or "0") + ")", [f",{value.value}," for value in values])


def _contain_no_values(scope: Scope, reference: Reference, values: tuple[Literal, ...]) -> Fragment:
    inside = _contain_values(scope, reference, values)
    return Fragment(f"NOT coalesce(({inside.sql}), 0)", inside.parameters)


def _day(scope: Scope, reference: Reference, values: tuple[Literal, ...], first: str, last: str) -> Fragment:
    """`first` and `last` are the comparisons with the start of the day and of the next one; "" for none."""
    moment = parse_instant(str(values[0].value)) if len(values) == 1 else None
    if moment is None or reference.column.type != "DateTime":
        raise Refusal(400, "0x80060888", "A date column and one date are expected.")
    start = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    bounds = {first: start, last: start + timedelta(days=1)}
    length = 10 if reference.column.date_behaviour == "DateOnly" else 20
    tests = [(op, instant_text(bound)[:length]) for op, bound in bounds.items() if op]
    return Fragment(" AND ".join(f"{reference.sql} {op} ?" for op, _ in tests), [text for _, text in tests])


def _on(scope: Scope, reference: Reference, values: tuple[Literal, ...]) -> Fragment:
    return _day(scope, reference, values, ">=", "<")


def _on_or_after(scope: Scope, reference: Reference, values: tuple[Literal, ...]) -> Fragment:
    return _day(scope, reference, values, ">=", "")


def _on_or_before(scope: Scope, reference: Reference, values: tuple[Literal, ...]) -> Fragment:
    return _day(scope, reference, values, "", "<")


def _today(scope: Scope, reference: Reference, values: tuple[Literal, ...]) -> Fragment:
    return _day(scope, reference, (Literal("instant", scope.work.now),), ">=", "<")


def _me(scope: Scope, reference: Reference, values: tuple[Literal, ...]) -> Fragment:
    return Fragment(f"{reference.sql} = ?", [scope.work.user])


def _not_me(scope: Scope, reference: Reference, values: tuple[Literal, ...]) -> Fragment:
    return Fragment(f"({reference.sql} <> ? OR {reference.sql} IS NULL)", [scope.work.user])


_FUNCTIONS: dict[str, Compiler] = {
    "In": _in,
    "NotIn": _not_in,
    "Between": _between,
    "NotBetween": _not_between,
    "ContainValues": _contain_values,
    "DoesNotContainValues": _contain_no_values,
    "On": _on,
    "OnOrAfter": _on_or_after,
    "OnOrBefore": _on_or_before,
    "Today": _today,
    "EqualUserId": _me,
    "NotEqualUserId": _not_me,
}
