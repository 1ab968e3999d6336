"""Condition operators of FetchXML as SQL; most are query functions of the Web API under another name.

Negative operators take rows whose column is null, as they do in `$filter`.
Source: Microsoft Learn, "condition operator values".
"""

import re

from flitstack.emulator.messages import Refusal, not_implemented
from flitstack.emulator.query.compile import family, text_match
from flitstack.emulator.query.fetchxml import faults
from flitstack.emulator.query.fiscal import NAMES as FISCAL
from flitstack.emulator.query.functions import FUNCTIONS
from flitstack.emulator.query.moments import COUNTED
from flitstack.emulator.query.syntax import Literal
from flitstack.emulator.query.terms import (
    OPERATORS,
    TEXTS,
    Fragment,
    Reference,
    Scope,
    comparable,
    compare_literal,
)
from flitstack.emulator.schema import UNBOUND_LOOKUPS
from flitstack.emulator.values import fold

_ONE_VALUE = {"eq": "eq", "ne": "ne", "neq": "ne", "gt": "gt", "ge": "ge", "lt": "lt", "le": "le"}
_MATCHES = {"begins-with": "startswith", "ends-with": "endswith"}
_NOT_MATCHES = {"not-begin-with": "startswith", "not-end-with": "endswith"}
_FUNCTIONS = {
    "in": "In",
    "not-in": "NotIn",
    "between": "Between",
    "not-between": "NotBetween",
    "contain-values": "ContainValues",
    "not-contain-values": "DoesNotContainValues",
    "on": "On",
    "on-or-after": "OnOrAfter",
    "on-or-before": "OnOrBefore",
    "eq-userid": "EqualUserId",
    "ne-userid": "NotEqualUserId",
    "eq-businessid": "EqualBusinessId",
    "ne-businessid": "NotEqualBusinessId",
    "eq-userteams": "EqualUserTeams",
    "eq-useroruserteams": "EqualUserOrUserTeams",
    "eq-userlanguage": "EqualUserLanguage",
    "above": "Above",
    "eq-or-above": "AboveOrEqual",
    "under": "Under",
    "eq-or-under": "UnderOrEqual",
    "not-under": "NotUnder",
    "last-seven-days": "Last7Days",
    "next-seven-days": "Next7Days",
    **{name: name.title() for name in ("yesterday", "today", "tomorrow")},
}
_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]|$)")
_WINDOW = re.compile(r"(?:last|this|next)-(?:week|month|year)|(?:last|next|olderthan)-x-[a-z]+|[a-z-]*fiscal-[a-z-]+")
# These need the hierarchy of managers.
_NAMES_ONLY = frozenset({"eq-useroruserhierarchy", "eq-useroruserhierarchyandteams"})


def compare(scope: Scope, reference: Reference, operator: str, values: tuple[str, ...]) -> Fragment:
    """`column operator values`; 400 for values that do not fit, 501 for what Dataverse knows and the emulator not."""
    if operator in {"null", "not-null"}:
        return Fragment(f"{reference.sql} IS {'NOT ' if operator == 'not-null' else ''}NULL")
    try:
        if operator in _ONE_VALUE:
            return _compare_one(scope, reference, _ONE_VALUE[operator], _only(operator, values))
        if operator in {"like", "not-like", *_MATCHES, *_NOT_MATCHES}:
            return _match(reference, operator, _only(operator, values))
        name = _function_name(operator)
        make = _number if name in COUNTED or name in FISCAL else _literal
        return FUNCTIONS[name](scope, reference, tuple(make(reference, value) for value in values))
    except Refusal as refusal:
        if refusal.code != "0x80060888":
            raise
        # The code of `$filter`: a condition of FetchXML says the same with another.
        raise faults.invalid_argument(f"Condition for attribute '{reference.column.name}': {refusal.message}") from None


def compare_columns(first: Reference, operator: str, second: Reference) -> Fragment:
    """`column operator column` (valueof), for six operators and columns of one family."""
    op = _ONE_VALUE.get(operator)
    if op is None or operator == "neq":
        raise faults.invalid_operator(operator)
    if family(first.column.type) != family(second.column.type):
        raise faults.invalid_argument(
            f"Columns of different types cannot be compared: '{first.column.name}', '{second.column.name}'."
        )
    return Fragment(f"{comparable(first)} {OPERATORS[op]} {comparable(second)}")


def _only(operator: str, values: tuple[str, ...]) -> str:
    if len(values) != 1:
        raise faults.invalid_argument(f"The condition operator '{operator}' takes one value, not {len(values)}.")
    return values[0]


def _compare_one(scope: Scope, reference: Reference, op: str, value: str) -> Fragment:
    if op == "eq" and reference.column.type in UNBOUND_LOOKUPS:
        scope.store.ensure_index(reference.table, reference.column.name)
    return compare_literal(reference, op, _literal(reference, value))


def _literal(reference: Reference, value: str) -> Literal:
    if reference.column.type == "DateTime" and re.search(r"\d[^\d-]\d", value) and not _ISO.match(value):
        # .NET reads many forms of a date, by the culture of the server.
        raise not_implemented(f"the date '{value}', which is not written as in ISO 8601,")
    if reference.column.type == "Boolean":
        value = value.lower()
    return Literal("text", value)


def _number(reference: Reference, value: str) -> Literal:
    """How many days, weeks ...; what is no number is refused by the function."""
    return Literal("number", int(value) if re.fullmatch(r"\d{1,9}", value) else None)


def _match(reference: Reference, operator: str, value: str) -> Fragment:
    if reference.column.type not in TEXTS:
        raise not_implemented(f"the condition operator '{operator}' on '{reference.column.name}', which is no text,")
    if operator in {"like", "not-like"}:
        inner = Fragment(f"matches({comparable(reference)}, ?)", [fold(value)])
    else:
        inner = text_match(reference, _MATCHES.get(operator) or _NOT_MATCHES[operator], value)
    if operator == "like" or operator in _MATCHES:
        return inner
    return Fragment(f"NOT coalesce(({inner.sql}), 0)", inner.parameters)


def _function_name(operator: str) -> str:
    name = _FUNCTIONS.get(operator)
    if name is None and _WINDOW.fullmatch(operator):
        name = "".join(word.title() for word in operator.split("-")).replace("Olderthan", "OlderThan")
    if name in FUNCTIONS:
        return name
    if operator in _NAMES_ONLY:
        raise not_implemented(f"the condition operator '{operator}'")
    raise faults.invalid_operator(operator)
