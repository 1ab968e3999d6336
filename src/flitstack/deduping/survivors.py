"""Who survives in each cluster, and which value every field of the merged record takes."""

from collections.abc import Iterable
from pathlib import Path

from flitstack.deduping.clusters import LABELS
from flitstack.deduping.records import LEAVING, SOURCE, Work
from flitstack.deduping.rules import ColumnRule
from flitstack.staging.engine.engine import literal, quoted, read_parquet

PLACED = "dedupe_placed"
MERGED = "dedupe_merged"
PROVENANCE = ("_file", "_record", "_line", "_id")


def preference_order(work: Work, established: Path | None) -> str:
    """SQL that orders records of `SOURCE s`, the most preferred first.

    Records that are rows already (`established`, a Parquet file with `_id`) before others, then the rule's preferences,
    then the earlier record.
    """
    order = []
    if established is not None:
        order.append(f"(_id IN (SELECT _id FROM {read_parquet(established)})) DESC")
    for step in work.rules.survivor:
        value = step.value or _filled(work)
        order.append(f"({value}) {'DESC' if step.most else 'ASC'} NULLS LAST")
    return ", ".join([*order, "_n"])


def place_records(work: Work, order: str) -> None:
    """Fill PLACED (_n, _cluster, _place, _own_id): place 1 survives. Only clusters of two and more."""
    work.engine.run(
        f"CREATE OR REPLACE TEMP TABLE {PLACED} AS SELECT _n, _label AS _cluster, s._id AS _own_id,"
        f" row_number() OVER (PARTITION BY _label ORDER BY {order}) AS _place"
        f" FROM {SOURCE} s JOIN {LABELS} USING (_n)"
    )
    work.engine.run(
        f"DELETE FROM {PLACED} WHERE _cluster IN (SELECT _cluster FROM {PLACED} GROUP BY _cluster HAVING count(*) = 1)"
    )


def merge_values(work: Work) -> None:
    """Fill MERGED: a row a cluster with its survivor and each field as {v: value, by: numbers of its records}."""
    ruled = list(_rule_by_field(work))
    # A measure is worked out once a record, whatever number of fields is taken by it.
    measures = sorted({measure for name, rule in ruled if (measure := _measure(work, rule, name))})
    column = {measure: f"_measure{number}" for number, measure in enumerate(measures)}
    measured = "".join(f", ({measure}) AS {name}" for measure, name in column.items())
    collected = [
        f"{_collected(rule, quoted(name), column.get(_measure(work, rule, name), ''))} AS {quoted(name)}"
        for name, rule in ruled
    ]
    work.engine.run(
        f"CREATE OR REPLACE TEMP TABLE {MERGED}_collected AS SELECT arg_min(_n, _place) AS _survivor,"
        f" {', '.join(collected)} FROM (SELECT *{measured} FROM {SOURCE} JOIN {PLACED} USING (_n)) GROUP BY _cluster"
    )
    # In a query of its own: lambdas over aggregates trip the optimizer of DuckDB 2.0 (BoundReferenceExpression).
    finished = [_united(name, rule.separator) if rule.take == "union" else quoted(name) for name, rule in ruled]
    work.engine.run(
        f"CREATE OR REPLACE TEMP TABLE {MERGED} AS SELECT _survivor, {', '.join(finished)} FROM {MERGED}_collected"
    )
    work.engine.run(f"DROP TABLE {MERGED}_collected")


def surviving_rows(work: Work) -> str:
    """SQL of the merged table: the staged columns, one row a survivor, in the order of the source."""
    names = [quoted(name) for name in (*PROVENANCE, *work.columns)]
    merged = [f"s.{quoted(name)}" for name in PROVENANCE] + [
        f"m.{quoted(name)}.v AS {quoted(name)}" for name in work.columns
    ]
    return (
        f"SELECT {', '.join(names)} FROM (SELECT _n, {', '.join(names)} FROM {SOURCE}"
        f" WHERE _n NOT IN (SELECT _n FROM {PLACED} UNION ALL SELECT _n FROM {LEAVING})"
        f" UNION ALL SELECT s._n, {', '.join(merged)} FROM {MERGED} m JOIN {SOURCE} s ON s._n = m._survivor)"
        " ORDER BY _n"
    )


def borrowed_cells(work: Work) -> Iterable[str]:
    """SQL selects, one a field, of the merged cells that hold another record's value: (survivor_id, field, from_id)."""
    for name in work.columns:
        yield (
            f"SELECT {literal(work.object)} AS object, own._own_id AS survivor_id, {literal(name)} AS field,"
            f" other._own_id AS from_id FROM (SELECT _survivor, unnest({quoted(name)}.by) AS giver FROM {MERGED}) g"
            f" JOIN {PLACED} own ON own._n = g._survivor JOIN {PLACED} other ON other._n = g.giver"
            " WHERE g.giver <> g._survivor"
        )


def _filled(work: Work) -> str:
    return " + ".join(f"(clean(s.{quoted(name)}) IS NOT NULL)::INTEGER" for name in work.columns)


def _rule_by_field(work: Work) -> Iterable[tuple[str, ColumnRule]]:
    ruled = {field: rule for rule in work.rules.columns for field in rule.fields}
    for name in work.columns:
        yield name, ruled.get(name, ColumnRule((name,), work.rules.otherwise))


def _collected(rule: ColumnRule, field: str, measure: str) -> str:
    """SQL aggregate over a cluster's records that gives a field as {v, by}; `measure` is a column, or ""."""
    cell = f"{{'v': {field}, 'by': [_n]}}"
    filled = f"FILTER (clean({field}) IS NOT NULL)"
    own = f"arg_min({cell}, _place)"
    first = f"arg_min({cell}, _place) {filled}"
    if rule.take == "survivor":
        return own
    if rule.take == "union":
        return f"{{'v': list({field} ORDER BY _place) {filled}, 'by': list(_n ORDER BY _place) {filled}}}"
    if rule.take == "first_filled":
        return f"coalesce({first}, {own})"
    # Of equal measures the better placed record's value wins.
    if rule.take in {"best", "latest", "largest"}:
        pick = f"arg_max({cell}, {{'value': {measure}, 'place': -_place}})"
    else:
        pick = f"arg_min({cell}, {{'value': {measure}, 'place': _place}})"
    return f"coalesce({pick} FILTER ({measure} IS NOT NULL), {first}, {own})"


def _measure(work: Work, rule: ColumnRule, name: str) -> str:
    """What records are compared by for this field; "" when the rule compares nothing."""
    if rule.take in {"first_filled", "survivor", "union"} or rule.by:
        return rule.by
    if rule.take in {"largest", "smallest"}:
        return f"to_number({quoted(name)})"
    declared = work.source.fields.get(name)
    zone = (declared.zone if declared else "") or str(work.decisions.get("timezone") or "UTC")
    order = str(work.decisions.get("date_order") or "DMY")
    return f"to_datetime({quoted(name)}, {literal(order)}, {literal(zone)})"


def _united(name: str, separator: str) -> str:
    """All values of a list field, first spelling first; spellings that differ only in case or marks are one."""
    field = quoted(name)
    texts = f"flatten(list_transform({field}.v, lambda v: split_list(v, {literal(separator)})))"
    keys = f"list_transform({texts}, lambda v: coalesce(choice_key(v), v))"
    kept = f"list_filter({texts}, lambda v, i: list_position({keys}, coalesce(choice_key(v), v)) = i)"
    united = f"nullif(array_to_string({kept}, {literal(separator + ' ')}), '')"
    return f"{{'v': {united}, 'by': coalesce({field}.by, [])}} AS {field}"
