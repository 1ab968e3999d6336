"""What single columns must be: settable, of a fitting type, filled by something, made in a way that can be made."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flitstack.errors import Problem
from flitstack.mapping.check_links import alternative_problems
from flitstack.mapping.maps import ColumnRule
from flitstack.mapping.surroundings import Spot
from flitstack.mapping.target import NoSuchColumn, target_of

# What can be made, and how long it may be. Source: Microsoft Learn, "Column data types", "Create a column".
CREATABLE = {
    "String": 4_000,
    "Memo": 1_048_576,
    **dict.fromkeys(("Integer", "BigInt", "Decimal", "Double", "Money", "Boolean", "DateTime"), 0),
    **dict.fromkeys(("Picklist", "MultiSelectPicklist", "Lookup", "Customer"), 0),
}
_POINTING = frozenset(("Lookup", "Customer", "Owner"))
# Lookups of standard tables that take rows of a custom table, where its definition says so.
_GAINED = {
    "objectid": "notes",
    "regardingobjectid": "activities",
    "record1id": "connections",
    "record2id": "connections",
}
# Lookups to which an administrator of the environment adds tables one by one (document management): planning looks.
_DECIDED_THERE = frozenset({("sharepointdocumentlocation", "regardingobjectid")})
_WORDS = {
    "missing": ("", "hold", "blank", "skip"),
    "too_long": ("", "hold", "truncate_keep_full"),
    "status": ("proposed", "confirmed"),
}


def column_problems(spot: Spot, rule: ColumnRule, fields: Sequence[str]) -> Iterator[Problem]:
    """One column, its expressions aside."""
    name, table = f"{spot.route.table}.{rule.name}", spot.around.table(spot.route.table)
    column = table.column(rule.name) if table else None
    yield from _word_problems(spot, rule)
    if column is not None and not column.creatable:
        what = f"{name} cannot be set when a row is made"
        yield spot.problem("column-closed", what, "map the field to another column")
    if rule.field and rule.field not in fields:
        what = f"{name}: there is no field {rule.field!r}"
        yield spot.inside("field").problem("field-unknown", what, "name a field of the object", ", ".join(fields))
    if rule.instead_of and spot.route.columns.get(rule.instead_of, rule).kind != "lookup":
        what = f"{name} stands in for {rule.instead_of!r}, which is no lookup of this route"
        yield spot.inside("instead_of").problem("column-unknown", what, "name a lookup column of the route")
    if rule.kind in {"lookup", "id_text"}:
        yield from _lookup_problems(spot, rule, name)
        return
    yield from _choice_problems(spot, rule)


def definition_problems(spot: Spot, rule: ColumnRule) -> Iterator[Problem]:
    """A definition under `create` that no column could be made from, a column that nothing fills."""
    name = f"{spot.route.table}.{rule.name}"
    for what, do in _definition_mistakes(rule.create) if rule.create is not None else ():
        yield spot.inside("create").problem("create-refused", f"{name}: {what}", do)
    if rule.create is not None and rule.name == f"{spot.route.table}id":
        what = f"{name} is the id that the platform gives the table's rows"
        yield spot.inside("create").problem("create-refused", what, "name the column otherwise")
    if rule.kind not in {"lookup", "id_text"}:
        if not rule.source:
            yield spot.problem("column-empty", f"nothing fills {name}", "write from: with an expression")
        return
    if not rule.alternatives:
        yield spot.problem("lookup-empty", f"{name} names no table to look in", "write lookup: with a table")
    for one in rule.alternatives:
        if not one.by and not one.each:
            what = f"{name} looks in {', '.join(one.tables)} by nothing"
            yield spot.inside("lookup").problem("lookup-key", what, "write by: with an expression")


def _word_problems(spot: Spot, rule: ColumnRule) -> Iterator[Problem]:
    decisions = tuple(f"decision:{name}" for name in spot.around.pack.decisions)
    for word, known in {**_WORDS, "otherwise": ("", "hold", "blank", *decisions)}.items():
        given = str(getattr(rule, word))
        if given not in known:
            what = f"{rule.name}: {given!r} is no way to say {word}"
            listed = ", ".join(one for one in known if one)
            yield spot.inside(word).problem("map-word", what, "use one of the known words", listed)


def _lookup_problems(spot: Spot, rule: ColumnRule, name: str) -> Iterator[Problem]:
    table = spot.around.table(spot.route.table)
    column = table.column(rule.name) if table else None
    kind = column.type if column else str((rule.create or {}).get("type", "Lookup"))
    if rule.kind == "lookup" and kind not in _POINTING:
        what = f"{name} is a {kind}, which points to no row"
        yield spot.problem("column-unsuitable", what, "write from: instead of lookup:")
    targets = column.targets if column else tuple((rule.create or {}).get("targets", ()))
    if (spot.route.table, rule.name) in _DECIDED_THERE:
        targets = ()
    gained = _GAINED.get(rule.name) if column else None
    if gained and targets:
        targets += tuple(name for name, made in spot.around.made_tables.items() if made.get(gained))
    for one in rule.alternatives:
        yield from alternative_problems(spot.inside("lookup"), name, one, targets if rule.kind == "lookup" else ())


def _choice_problems(spot: Spot, rule: ColumnRule) -> Iterator[Problem]:
    """Option numbers that the column does not have; labels are looked up by the compiler."""
    table = spot.around.table(spot.route.table)
    try:
        target = target_of(rule, table, spot.route.table.partition("_")[0])
    except (NoSuchColumn, KeyError, TypeError, ValueError):
        return  # the compiler says so, or definition_problems
    if target.options is None or rule.choices is None:
        return
    known = ", ".join(f"{label} = {value}" for value, label in target.options.items())
    for value, option in rule.choices.items():
        if isinstance(option, int) and not isinstance(option, bool) and option not in target.options:
            what = f"{option} is not an option of {spot.route.table}.{rule.name}"
            do = f"name an option for {value!r}, or take it out"
            yield spot.inside("choices", value).problem("choice-unknown", what, do, known)


def _definition_mistakes(create: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    kind = str(create.get("type", ""))
    if kind not in CREATABLE:
        yield f"{kind or 'nothing'} is no type of column that can be made", f"write type: {' | '.join(CREATABLE)}"
        return
    longest = CREATABLE[kind]
    if longest and "length" in create and not _is_within(create["length"], 1, longest):
        yield f"length {create['length']!r} of a {kind}", f"write a length from 1 to {longest}"
    for word in ("min", "max"):
        if word in create and not isinstance(create[word], int | float):
            yield f"{word} {create[word]!r} is no number", "write a number"
    if "precision" in create and not _is_within(create["precision"], 0, 10):
        yield f"precision {create['precision']!r}", "write a precision from 0 to 10"
    options = create.get("options") or ()
    if any(not _is_option(option) for option in options):
        yield "an option is not [number, label]", "write options as [[727000000, Label], ...]"
    elif len({option[0] for option in options}) < len(options):
        yield "two options share a number", "give every option a number of its own"


def _is_within(given: Any, low: int, high: int) -> bool:
    return isinstance(given, int) and low <= given <= high


def _is_option(option: Any) -> bool:
    return isinstance(option, list | tuple) and len(option) == 2 and isinstance(option[0], int)
