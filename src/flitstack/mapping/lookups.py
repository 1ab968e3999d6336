"""Lookups as joins: the first way that leads to exactly one row wins."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from flitstack.mapping.indexes import Indexes
from flitstack.mapping.program import LookupPlan, Program, Way
from flitstack.staging.engine.engine import literal, quoted


@dataclass
class Joins:
    """Joins of a relation `r` (with `_n` and the key columns of `key_columns`) to match indexes.

    The same key into the same index is joined once, however many columns ask for it.
    """

    indexes: Indexes
    sql: list[str] = field(default_factory=list)
    found: dict[tuple[object, ...], str] = field(default_factory=dict)

    def alias(self, way: Way, key: str, source: str) -> str:
        """Alias of the index joined by this way. `key` is the column of `r` with the key (or list of keys)."""
        identity = (way.tables, way.via, way.is_live, way.but, way.key)
        if identity in self.found:
            return self.found[identity]
        alias = f"_j{len(self.found)}"
        relation = self.indexes.relation(way)
        if way.is_list:
            self.sql.append(f" LEFT JOIN ({_first_fitting(relation, key, source)}) {alias} ON {alias}._n = r._n")
        else:
            self.sql.append(f' LEFT JOIN {relation} {alias} ON {alias}."key" = r.{quoted(key)}')
        self.found[identity] = alias
        return alias


def key_columns(plans: Sequence[LookupPlan]) -> list[tuple[str, str]]:
    """(name, SQL over the record) of the keys and of what the findings of these lookups need."""
    columns = []
    for plan in plans:
        columns += [(key_name(plan, number), way.key) for number, way in enumerate(plan.ways)]
        columns.append((f"_present{plan.place}", f"({plan.present})"))
        columns.append((f"_shown{plan.place}", f"CAST({plan.shown} AS VARCHAR)"))
        if plan.awaited:
            columns.append((f"_awaited{plan.place}", f"({plan.awaited})"))
    return columns


def key_name(plan: LookupPlan, way: int) -> str:
    """Name of the column that holds the key of a way."""
    return f"_key{plan.place}_{way}"


@dataclass(frozen=True, slots=True)
class Resolved:
    """SQL of a resolved lookup over the joins."""

    digest: str
    table: str
    live: str  # "" when no way leads to rows of the environment
    ambiguous: str

    def columns(self, name: str) -> list[tuple[str, str]]:
        """The columns of the mapped table."""
        found = [(name, self.digest), (f"{name}__table", self.table)]
        return [*found, (f"{name}__live", self.live)] if self.live else found


def resolve(plan: LookupPlan, joins: Joins, source: str) -> Resolved:
    """The first way whose key is one row's; SQL over `r` and the joins."""
    aliases = [joins.alias(way, key_name(plan, number), source) for number, way in enumerate(plan.ways)]
    if not aliases:
        return Resolved("NULL::VARCHAR", "NULL::VARCHAR", "", "FALSE")
    hits = [f"({alias}.digest IS NOT NULL AND NOT {alias}.is_ambiguous)" for alias in aliases]

    def first(values: Sequence[str]) -> str:
        branches = " ".join(f"WHEN {hit} THEN {value}" for hit, value in zip(hits, values, strict=True))
        return f"CASE {branches} END"

    digest = first(
        [
            f"CAST({alias}.digest AS VARCHAR)" if way.is_live else f"replace(CAST({alias}.digest AS VARCHAR), '-', '')"
            for way, alias in zip(plan.ways, aliases, strict=True)
        ]
    )
    live = first([str(way.is_live).upper() for way in plan.ways]) if any(way.is_live for way in plan.ways) else ""
    ambiguous = " OR ".join(f"coalesce({alias}.is_ambiguous, FALSE)" for alias in aliases)
    return Resolved(digest, first([f'{alias}."table"' for alias in aliases]), live, f"({ambiguous})")


def troubles(plan: LookupPlan, resolved: Resolved, instead: Sequence[Resolved] = ()) -> list[str]:
    """SQL of the findings of a lookup: structs or NULL, as `holds.trouble_struct` gives them.

    `instead`: lookups of other columns that stand in for this one; where one of them finds its row, nothing is missing.
    """
    empty = " AND ".join(f"({one.digest}) IS NULL" for one in (resolved, *instead))
    outcome = "held" if plan.missing == "hold" else "loaded"
    if plan.missing == "skip":
        return []
    shown = f"r._shown{plan.place}"
    ambiguous = struct(
        "ambiguous_match",
        plan.field,
        outcome,
        shown,
        "'fits more than one row'",
        "make the value unique in the source, or sign the merge of the rows it fits",
    )
    what = "'no row that this names is there'"
    do = "bring the record it points to into the export, or correct the value"
    code = plan.code if plan.missing == "hold" else "unresolved_lookup"
    nothing = struct(code, plan.field, outcome, shown, what, do)
    if plan.awaited:
        later = struct(
            "awaiting_batch",
            plan.field,
            outcome,
            shown,
            "'what this names comes with a later batch of the export'",
            "stage the later batch: flitstack stage --export PATH --partial, then flitstack plan --delta",
        )
        nothing = f"CASE WHEN r._awaited{plan.place} THEN {later} ELSE {nothing} END"
    # An optional reference that the source leaves empty is no finding; a required one is.
    wanted = "TRUE" if plan.missing == "hold" else f"r._present{plan.place}"
    return [f"CASE WHEN {empty} AND {resolved.ambiguous} THEN {ambiguous} WHEN {empty} AND {wanted} THEN {nothing} END"]


def struct(code: str, field_name: str, outcome: str, shown: str, what: str, do: str) -> str:
    """SQL struct of one finding of a record; `shown` and `what` are SQL."""
    return (
        f"{{'code': {literal(code)}, 'field': {literal(field_name)}, 'outcome': {literal(outcome)},"
        f" 'shape': coalesce(shape(CAST({shown} AS VARCHAR)), ''), 'what': {what}, 'do': {literal(do)}}}"
    )


def _first_fitting(relation: str, key: str, source: str) -> str:
    """SQL giving, by record, the row of the first element of a list of keys that names exactly one."""
    return f"""
        SELECT _n, arg_min(i.digest, place) AS digest, arg_min(i."table", place) AS "table", FALSE AS is_ambiguous
        FROM (SELECT _n, unnest({quoted(key)}) AS "key", generate_subscripts({quoted(key)}, 1) AS place FROM {source}) e
        JOIN {relation} i ON i."key" = e."key" AND NOT i.is_ambiguous
        GROUP BY _n"""


def early(program: Program) -> list[LookupPlan]:
    """Lookups that decide whether a record makes a row."""
    return [plan for plan in program.lookups if plan.is_early]


def late(program: Program) -> list[LookupPlan]:
    """Lookups that stay empty when nothing is found."""
    return [plan for plan in program.lookups if not plan.is_early]
