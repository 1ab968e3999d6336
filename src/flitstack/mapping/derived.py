"""Fields that a record gets from another object's records (how many there are, a value of theirs, a list of them) or is
worked out for it once (`is`).

The playbook says them (docs/playbook.md, *Derived fields*); expressions of the map read them like the record's own.
Worked out set-wise from the deduped records, before anything is held: an order counts even when its quote does not load.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from flitstack.errors import Problem, UsageError
from flitstack.mapping.circles import find_circles
from flitstack.mapping.expressions import Scope, compile_expression
from flitstack.mapping.reads import names_read
from flitstack.packs.types import Pack
from flitstack.staging.engine.engine import Engine, quoted, read_parquet

# What is made of the other records' values; `count` counts the records. Besides: `circle` (circles.py).
AGGREGATES = {
    "count": "count(*)",
    "sum": "sum({})",
    "max": "max({})",
    "min": "min({})",
    "first": "arg_min({}, (o._file, o._record))",
    "list": "array_to_string(list_sort(list_distinct(list({}) FILTER (WHERE {} IS NOT NULL))), ';')",
    "lines": "string_agg({}, chr(10) ORDER BY o._file, o._record)",
}


def derived_fields(pack: Pack, object_name: str) -> tuple[str, ...]:
    """Names of the derived fields of an object."""
    return tuple((pack.playbook.get("derived") or {}).get(object_name) or {})


def derived_order(pack: Pack) -> list[tuple[str, tuple[str, ...]]]:
    """(object, derived fields) in an order in which each finds the derived fields it reads; as the playbook has them
    where that order does. Raises UsageError where fields are made of each other in a circle.
    """
    derived: Mapping[str, Mapping[str, Mapping[str, Any]]] = pack.playbook.get("derived") or {}
    todo = {owner: dict(rules or {}) for owner, rules in derived.items()}
    order: list[tuple[str, tuple[str, ...]]] = []
    while any(todo.values()):
        before = len(order)
        for owner, rules in todo.items():
            ready = tuple(name for name, rule in rules.items() if not _waits(owner, rule, todo))
            if ready:
                order.append((owner, ready))
                todo[owner] = {name: rule for name, rule in rules.items() if name not in ready}
        if len(order) == before:
            left = ", ".join(f"{owner}.{name}" for owner, rules in todo.items() for name in rules)
            do = "let one of them read fields of the records only"
            raise UsageError(
                Problem("derived-circle", f"derived fields are made of each other: {left}", where=pack.name, do=do)
            )
    return order


def _waits(owner: str, rule: Mapping[str, Any], todo: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a rule reads a derived field that is not there yet."""
    if "is" in rule:
        return not set(names_read(str(rule["is"]))).isdisjoint(todo.get(owner, ()))
    other = str(rule["from"])
    own = set(names_read(str(rule["own"])))
    their = {
        name
        for word, text in rule.items()
        if word not in {"from", "own"} and isinstance(text, str)
        for name in names_read(text)
    }
    return not own.isdisjoint(todo.get(owner, ())) or not their.isdisjoint(todo.get(other, ()))


def add_derived(
    engine: Engine,
    pack: Pack,
    object_name: str,
    views: Mapping[str, str],
    scopes: Mapping[str, Scope],
    names: Collection[str],
    scratch: Path,
) -> str:
    """The view of an object with these of its derived fields. `views`: the records of each object.

    An object that the export does not hold has no records: it is counted as none.
    """
    given = pack.playbook["derived"][object_name]
    rules: Mapping[str, Mapping[str, Any]] = {name: given[name] for name in names}
    columns, joins, own_words = [], [], []
    for place, (name, rule) in enumerate(rules.items()):
        if "is" in rule:
            said = compile_expression(str(rule["is"]), scopes[object_name]).sql
            own_words.append(f"CAST({said} AS VARCHAR) AS {quoted(name)}")
            continue
        columns.append(f"{_default(rule, f'd{place}.value')} AS {quoted(name)}")
        if "circle" in rule:
            own, their = (compile_expression(str(rule[word]), scopes[object_name]).sql for word in ("own", "their"))
            found = find_circles(engine, views[object_name], own, their, f"circle {object_name} {name}")
            joins.append(f' LEFT JOIN {found} d{place} ON d{place}."key" = CAST({own} AS VARCHAR)')
        else:
            joins.append(_join(engine, place, rule, object_name, views, scopes))
    # By itself, so that a field called `value` or `key` is the record's and not a join's.
    records = f"(SELECT {', '.join(('*', *own_words))} FROM {views[object_name]})"
    view = f"{views[object_name]}_derived"
    path = scratch / f"{view}.parquet"
    engine.write_parquet(f"SELECT {', '.join(('r.*', *columns))} FROM {records} r {' '.join(joins)}", path)
    engine.run(f"CREATE OR REPLACE TEMP VIEW {view} AS SELECT * FROM {read_parquet(path)}")
    return view


def _default(rule: Mapping[str, Any], value: str) -> str:
    """Text, as every field is; nothing counted is 0."""
    return f"coalesce(CAST({value} AS VARCHAR), '0')" if "count" in rule else f"CAST({value} AS VARCHAR)"


def _join(
    engine: Engine,
    place: int,
    rule: Mapping[str, Any],
    object_name: str,
    views: Mapping[str, str],
    scopes: Mapping[str, Scope],
) -> str:
    other = str(rule["from"])
    if other not in views:
        return f"LEFT JOIN (SELECT NULL::VARCHAR AS key, NULL::VARCHAR AS value WHERE FALSE) d{place} ON FALSE"
    their = compile_expression(str(rule["their"]), scopes[other]).sql
    own = compile_expression(str(rule["own"]), scopes[object_name]).sql
    condition = f"AND ({compile_expression(str(rule['when']), scopes[other]).sql})" if rule.get("when") else ""
    (word,) = [name for name in AGGREGATES if name in rule]
    given = "" if word == "count" else compile_expression(str(rule[word]), scopes[other]).sql
    aggregate = AGGREGATES[word].replace("{}", given)
    # A key may be a list (several addresses in one field): then each of its elements is one.
    found = f"""
        SELECT key, {aggregate} AS value FROM (
            SELECT *, unnest({_as_list(their)}) AS key FROM {views[other]} WHERE TRUE {condition}) o
        WHERE key IS NOT NULL GROUP BY key"""
    if not _is_list(engine, own, views[object_name]):
        return f" LEFT JOIN ({found}) d{place} ON d{place}.key = CAST({own} AS VARCHAR)"
    # Of several keys of its own, a record takes what the first says that anything is known by.
    return f"""
        LEFT JOIN (
            SELECT k._n, arg_min(f.value, k.place) AS value FROM (
                SELECT _n, unnest({own}) AS key, generate_subscripts({own}, 1) AS place FROM {views[object_name]}) k
            JOIN ({found}) f ON f.key = k.key GROUP BY k._n
        ) d{place} ON d{place}._n = r._n"""


def _is_list(engine: Engine, sql: str, view: str) -> bool:
    ((_, kind, *_),) = engine.rows(f"DESCRIBE SELECT {sql} FROM {view}")
    return str(kind).endswith("[]")


def _as_list(sql: str) -> str:
    return f"CASE WHEN typeof({sql}) LIKE '%[]' THEN TRY_CAST({sql} AS VARCHAR[]) ELSE [CAST({sql} AS VARCHAR)] END"
