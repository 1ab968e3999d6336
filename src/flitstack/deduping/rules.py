"""The rules of one object: what makes two records the same, who survives, what is only alike (docs/deduping.md)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flitstack.deduping.expressions import problems_of
from flitstack.errors import Problem, UsageError

TAKES = ("first_filled", "survivor", "best", "earliest", "latest", "largest", "smallest", "union")
OUTCOMES = ("listed", "held", "excluded")


@dataclass(frozen=True, slots=True)
class IdentityRule:
    """Records with the same key are one. `only_unkeyed`: for records that no other rule gave a key.

    Such a record joins the one group that has its value; if several groups have it, it joins none of them, and records
    like it form a group of their own.
    """

    name: str
    key: str
    only_unkeyed: bool = False


@dataclass(frozen=True, slots=True)
class RequiredKey:
    """A record without this key is held: `missing` when the field is empty, `unreadable` when it holds no such key."""

    key: str
    field: str
    missing: str
    unreadable: str


@dataclass(frozen=True, slots=True)
class Membership:
    """`value` occurs as `theirs` in another object, in at least so many of its records."""

    value: str
    object: str
    theirs: str
    at_least: int = 1


@dataclass(frozen=True, slots=True)
class Flag:
    """Something a record is: by a condition, or by what it shares with another object.

    `outcome` stands, unless the decision `excluded_by` says exclude.
    """

    code: str
    when: str = ""
    among: tuple[Membership, ...] = ()
    outcome: str = "listed"
    excluded_by: str = ""
    field: str = ""
    what: str = ""
    do: str = ""


@dataclass(frozen=True, slots=True)
class Archive:
    """A record is history by the latest of these dates, or when the record of another object that it belongs to is:
    `among` meets records of it that are (their own `dates` decide)."""

    dates: tuple[str, ...] = ()
    among: tuple[Membership, ...] = ()


@dataclass(frozen=True, slots=True)
class Preference:
    """A step of the survivor order: the record with the most (or least) of this comes first."""

    value: str  # "" = number of filled fields
    most: bool = True


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """How the merged record gets the value of these fields. Fields of one `best` rule come from the same record."""

    fields: tuple[str, ...]
    take: str
    by: str = ""
    separator: str = ";"


@dataclass(frozen=True, slots=True)
class Alike:
    """Groups that share this key are flagged, never merged without a signature."""

    key: str
    what: str


@dataclass(frozen=True, slots=True)
class ObjectRules:
    """All rules of one object; the defaults are those of an object that has none."""

    required: RequiredKey | None = None
    identity: tuple[IdentityRule, ...] = ()
    flags: tuple[Flag, ...] = ()
    survivor: tuple[Preference, ...] = ()
    columns: tuple[ColumnRule, ...] = ()
    otherwise: str = "first_filled"
    alike: tuple[Alike, ...] = ()
    archive: Archive | None = None  # None: records of this object are never history


Fields = Mapping[str, Sequence[str]]  # object -> its fields


def read_rules(declared: Mapping[str, Any], fields: Fields) -> dict[str, ObjectRules]:
    """Rules by object from the playbook's `dedupe` part. Raises UsageError naming every problem in it."""
    problems: list[Problem] = []
    rules: dict[str, ObjectRules] = {}
    for name, part in declared.items():
        if name == "format":
            continue
        if name not in fields:
            problems.append(_problem(name, "the pack has no such object", known=", ".join(fields)))
            continue
        try:
            rules[name] = _object_rules(part)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            problems.append(_problem(name, f"not a rule of the language: {error}"))
            continue
        problems += [_problem(name, text) for text in _check(rules[name], name, fields)]
    if problems:
        raise UsageError(*problems)
    return rules


def _problem(name: str, what: str, known: str = "") -> Problem:
    return Problem(
        "dedupe-rule", what, where=f"dedupe.{name}", known=known, do="correct the pack's rule (docs/deduping.md)"
    )


def _object_rules(part: Mapping[str, Any]) -> ObjectRules:
    required = part.get("required")
    return ObjectRules(
        required=RequiredKey(**required) if required else None,
        identity=tuple(
            IdentityRule(entry["rule"], entry["key"], bool(entry.get("only_unkeyed")))
            for entry in part.get("identity", ())
        ),
        flags=tuple(_flag(entry) for entry in part.get("flags", ())),
        survivor=tuple(_preference(entry) for entry in part.get("survivor", ())),
        columns=tuple(_column(entry) for entry in part.get("columns", ())),
        otherwise=part.get("otherwise", "first_filled"),
        alike=tuple(Alike(**entry) for entry in part.get("alike", ())),
        archive=_archive(part["archive"]) if "archive" in part else None,
    )


def _archive(entry: Mapping[str, Any]) -> Archive:
    return Archive(tuple(entry.get("dates", ())), tuple(Membership(**one) for one in entry.get("among", ())))


def _flag(entry: Mapping[str, Any]) -> Flag:
    given = {**entry, "among": tuple(Membership(**one) for one in entry.get("among", ()))}
    flag = Flag(**given)
    if flag.outcome not in OUTCOMES:
        raise ValueError(f"outcome {flag.outcome!r} of {flag.code}; known: {', '.join(OUTCOMES)}")
    return flag


def _preference(entry: Any) -> Preference:
    if entry == "most_filled":
        return Preference("")
    ((direction, value),) = entry.items()
    if direction not in {"most", "least"}:
        raise ValueError(f"survivor: {direction}; known: most, least, most_filled")
    return Preference(value, most=direction == "most")


def _column(entry: Mapping[str, Any]) -> ColumnRule:
    rule = ColumnRule(tuple(entry["fields"]), entry["take"], entry.get("by", ""), entry.get("separator", ";"))
    if rule.take not in TAKES or (rule.take == "best" and not rule.by):
        raise ValueError(f"take: {rule.take}; known: {', '.join(TAKES)}; best needs `by`")
    return rule


def _check(rules: ObjectRules, name: str, fields: Fields) -> Iterable[str]:
    own = fields[name]
    expressions = [rule.key for rule in rules.identity] + [rule.key for rule in rules.alike]
    expressions += [flag.when for flag in rules.flags if flag.when]
    expressions += [one.value for flag in rules.flags for one in flag.among]
    expressions += [step.value for step in rules.survivor if step.value] + [
        rule.by for rule in rules.columns if rule.by
    ]
    archived = rules.archive or Archive()
    expressions += [one.value for one in archived.among]
    if rules.required:
        expressions.append(rules.required.key)
    for expression in expressions:
        yield from problems_of(expression, own)
    members = [(flag.code, one) for flag in rules.flags for one in flag.among]
    for code, one in members + [("archive", one) for one in archived.among]:
        if one.object not in fields:
            yield f"{code}: the pack has no object {one.object}"
        else:
            yield from problems_of(one.theirs, fields[one.object])
    named = [field for rule in rules.columns for field in rule.fields]
    named += [flag.field for flag in rules.flags if flag.field] + ([rules.required.field] if rules.required else [])
    named += archived.dates
    yield from (f"no field {field!r}" for field in named if field not in own)
