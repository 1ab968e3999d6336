"""Dataverse query functions: `Microsoft.Dynamics.CRM.In(PropertyName='name',PropertyValues=["a","b"])` and its kin.

Source: Microsoft Learn, "Web API Query Function Reference".
"""

from collections.abc import Callable, Mapping
from datetime import timedelta

from flitstack.emulator.messages import Refusal, not_implemented
from flitstack.emulator.query import fiscal, moments, relatives
from flitstack.emulator.query.syntax import Listing, Literal, Node, Path
from flitstack.emulator.query.terms import Fragment, Reference, Scope, comparable, to_parameter
from flitstack.emulator.values import instant_text, parse_instant

Compiler = Callable[[Scope, Reference, tuple[Literal, ...]], Fragment]
_VALUES = ("PropertyValues", "PropertyValue", "PropertyValue1", "PropertyValue2")


def compile_function(scope: Scope, name: str, named: Mapping[str, Node]) -> Fragment:
    """The condition of one query function."""
    compiler = FUNCTIONS.get(name)
    if compiler is None and name in _NAMES_ONLY:
        raise not_implemented(f"the query function '{name}'")
    if compiler is None:
        raise Refusal(400, "0x80060888", f"An unknown function with name 'Microsoft.Dynamics.CRM.{name}' was found.")
    column = named.get("PropertyName")
    if not isinstance(column, Literal) or not isinstance(column.value, str):
        raise Refusal(400, "0x80060888", f"'{name}' needs PropertyName.")
    items = tuple(item for name in _VALUES if name in named for item in _items(named[name]))
    return compiler(scope, scope.reference(Path(tuple(column.value.split("/"))), by_logical_name=True), items)


def _items(node: Node) -> tuple[Literal, ...]:
    return node.items if isinstance(node, Listing) else (node,) if isinstance(node, Literal) else ()


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


def _in_window(name: str) -> Compiler:
    def compile_window(scope: Scope, reference: Reference, values: tuple[Literal, ...]) -> Fragment:
        count = values[0].value if len(values) == 1 else None
        if name in moments.COUNTED and (type(count) is not int or count < 1):
            raise Refusal(400, "0x80060888", f"'{name}' takes one positive whole number.")
        if reference.column.type != "DateTime":
            raise Refusal(400, "0x80060888", f"'{reference.column.name}' is no date column.")
        if reference.column.date_behaviour == "DateOnly" and moments.needs_time_of_day(name):
            raise not_implemented(f"'{name}' on '{reference.column.name}', a column without time of day")
        now = parse_instant(scope.work.now)
        assert now is not None
        try:
            start, end = moments.window(name, now, count if type(count) is int else 0, _first_weekday(scope))
        except (OverflowError, ValueError) as error:
            raise Refusal(400, "0x80060888", f"'{name}' with {count} leaves the calendar.") from error
        return _inside(reference, (start, end))

    return compile_window


def _inside(reference: Reference, window: moments.Window) -> Fragment:
    is_day = reference.column.date_behaviour == "DateOnly"
    column = f"({reference.sql} || 'T00:00:00Z')" if is_day else reference.sql
    bounds = [(op, instant_text(bound)) for op, bound in zip((">=", "<"), window, strict=True) if bound is not None]
    return Fragment(" AND ".join(f"{column} {op} ?" for op, _ in bounds), [text for _, text in bounds])


def _in_fiscal(name: str) -> Compiler:
    def compile_fiscal(scope: Scope, reference: Reference, values: tuple[Literal, ...]) -> Fragment:
        wanted = fiscal.WINDOWS[name][0] if name in fiscal.WINDOWS else 1
        numbers = [value.value for value in values if type(value.value) is int and value.value >= 1]
        if len(numbers) != wanted or len(values) != wanted:
            raise Refusal(400, "0x80060888", f"'{name}' takes {wanted} positive whole numbers.")
        if reference.column.type != "DateTime":
            raise Refusal(400, "0x80060888", f"'{reference.column.name}' is no date column.")
        calendar = _fiscal_calendar(scope)
        if name == fiscal.IN_PERIOD:
            first = instant_text(calendar.first)
            return Fragment(f"fiscal_period({reference.sql}, ?, ?) = ?", [first, calendar.kind, numbers[0]])
        now = parse_instant(scope.work.now)
        assert now is not None
        try:
            return _inside(reference, fiscal.WINDOWS[name][1](calendar, now, numbers))
        except (OverflowError, ValueError) as error:
            raise Refusal(400, "0x80060888", f"'{name}' with {numbers} leaves the calendar.") from error

    return compile_fiscal


def _fiscal_calendar(scope: Scope) -> fiscal.FiscalCalendar:
    organization = scope.work.find(scope.store.schema.tables["organization"], scope.store.organization) or {}
    start = parse_instant(str(organization.get("fiscalcalendarstart") or "2000-01-01"))
    kind = organization.get("fiscalperiodtype")
    assert start is not None
    return fiscal.FiscalCalendar(start, kind if isinstance(kind, int) and kind in fiscal.KINDS else fiscal.QUARTERLY)


def _first_weekday(scope: Scope) -> int:
    """Sunday, unless the organization's weekstartdaycode says otherwise."""
    organization = scope.work.find(scope.store.schema.tables["organization"], scope.store.organization)
    code = organization.get("weekstartdaycode") if organization else None
    return code if isinstance(code, int) and 0 <= code <= 6 else 0


def _full_text(scope: Scope, reference: Reference, values: tuple[Literal, ...]) -> Fragment:
    """Only columns with a full-text index know it, and no table here has one."""
    raise Refusal(
        500, "0x80044150", f"Generic SQL error. The column '{reference.column.name}' is not full-text indexed."
    )


FUNCTIONS: dict[str, Compiler] = {
    "In": _in,
    "NotIn": _not_in,
    "Between": _between,
    "NotBetween": _not_between,
    "Contains": _full_text,
    "ContainValues": _contain_values,
    "DoesNotContainValues": _contain_no_values,
    "On": _on,
    "OnOrAfter": _on_or_after,
    "OnOrBefore": _on_or_before,
    "EqualUserId": relatives.equals_user,
    "NotEqualUserId": relatives.not_user,
    "EqualBusinessId": relatives.equals_unit,
    "NotEqualBusinessId": relatives.not_unit,
    "EqualUserTeams": relatives.equals_teams,
    "EqualUserOrUserTeams": relatives.equals_user_or_teams,
    "EqualUserLanguage": relatives.equals_language,
    "Above": relatives.above,
    "AboveOrEqual": relatives.above_or_equal,
    "Under": relatives.under,
    "UnderOrEqual": relatives.under_or_equal,
    "NotUnder": relatives.not_under,
    **{name: _in_window(name) for name in sorted(moments.PLAIN | moments.COUNTED)},
    **{name: _in_fiscal(name) for name in sorted(fiscal.NAMES)},
}
# These need the hierarchy of managers.
_NAMES_ONLY = frozenset({"EqualUserOrUserHierarchy", "EqualUserOrUserHierarchyAndTeams"})
