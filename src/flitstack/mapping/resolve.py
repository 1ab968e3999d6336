"""First pass over a route: records read, checked, and their deciding lookups found; who is held is known after it.

It writes one Parquet file a route: provenance, `_n`, the values, the keys of the later lookups, `_match_<index>`,
`_found` (a list of findings), `_is_held` (no row is made).
"""

from pathlib import Path

from flitstack.mapping.context import MapContext
from flitstack.mapping.convert import Trouble
from flitstack.mapping.files import FILE_JOINS
from flitstack.mapping.indexes import Indexes
from flitstack.mapping.lookups import Joins, early, key_columns, resolve, struct, troubles
from flitstack.mapping.program import Program
from flitstack.mapping.sharing import share_calls
from flitstack.staging.engine.engine import Engine, literal, quoted, read_parquet
from flitstack.staging.engine.findings import FindingsWriter

HELD = "map_held"
TAKEN = "map_taken"
_PROVENANCE = ("_n", "_object", "_file", "_record", "_line", "_key", "_digest")


def open_holds(engine: Engine) -> None:
    """Empty tables of the records held so far (object, n)."""
    engine.run(f"CREATE OR REPLACE TEMP TABLE {HELD} (object VARCHAR, n BIGINT)")


def resolve_route(engine: Engine, program: Program, context: MapContext, indexes: Indexes, path: Path) -> None:
    """Write the route's resolved records to `path`; held ones are noted in HELD."""
    first = path.with_name(f"{path.stem}.first.parquet")
    plans = early(program)
    needs_keys = any(way.is_list for plan in plans for way in plan.ways)
    source = f"({_read(engine, program, context)})"
    if needs_keys:
        # Lists of keys are unnested and come back by record: they need the records in a place of their own.
        engine.write_parquet(source[1:-1], first)
        source = read_parquet(first)
    joins = Joins(indexes)
    resolved = {plan.column: resolve(plan, joins, source) for plan in plans}
    found = [sql for plan in plans for sql in troubles(plan, resolved[plan.column])]
    skipped = [f"({resolved[plan.column].digest}) IS NULL" for plan in plans if plan.missing == "skip"]
    skipped += [f"{joins.alias(way, f'_unless{n}', source)}.digest IS NOT NULL" for n, way in enumerate(program.unless)]
    columns = [pair for plan in plans for pair in resolved[plan.column].columns(plan.column)]
    keys = [name for name, _ in key_columns(plans)] + [f"_unless{n}" for n in range(len(program.unless))]
    excluded = f" EXCLUDE ({', '.join(map(quoted, [*keys, '_found']))})"
    select = (
        f"SELECT r.*{excluded}"
        + "".join(f", {sql} AS {quoted(name)}" for name, sql in columns)
        + f", list_concat(r._found, {found_list(found)}) AS _found, {' OR '.join(skipped) or 'FALSE'} AS _is_skipped"
        + f" FROM {source} r{''.join(joins.sql)}"
    )
    engine.write_parquet(
        f"SELECT *, _is_skipped OR len(list_filter(_found, lambda t: t.outcome = 'held')) > 0 AS _is_held FROM ({select})",
        path,
    )
    first.unlink(missing_ok=True)
    if program.is_primary:
        engine.run(
            f"INSERT INTO {HELD} SELECT {literal(program.route.object)}, _n FROM {read_parquet(path)}"
            " WHERE _is_held AND NOT _is_skipped"
        )


def list_found(engine: Engine, findings: FindingsWriter, program: Program, source: str) -> None:
    """Findings of resolved records: once a record, code and field; on a held record all of them say held.

    A row beside a record that is not made does not hold the record: it loads without. `source`: SQL with provenance,
    `_found` and `_is_held`.
    """
    name = literal(program.route.object)
    outcome = "CASE WHEN _is_held THEN 'held' ELSE t.outcome END"
    if not program.is_primary:
        outcome = "CASE t.outcome WHEN 'held' THEN 'loaded' ELSE t.outcome END"
    findings.add_sql(
        f"""SELECT code, {name} AS object, file, record, line, field, outcome, shape, what, "do" FROM (
            SELECT t.code AS code, _file AS file, _record AS record, _line AS line, t.field AS field,
                   {outcome} AS outcome, t.shape AS shape, t.what AS what,
                   t."do" AS "do", row_number() OVER (PARTITION BY _n, t.code, t.field) AS place
            FROM (SELECT _n, _file, _record, _line, _is_held, unnest(_found) AS t FROM {source} WHERE len(_found) > 0)
        ) f WHERE place = 1 AND NOT EXISTS (
            SELECT 1 FROM {findings.table} e WHERE e.code = f.code AND e.object = {name} AND e.file = f.file
            AND e.record = f.record AND e.line IS NOT DISTINCT FROM f.line AND e.field = f.field)"""
    )


def _read(engine: Engine, program: Program, context: MapContext) -> str:
    """SQL of the records a route takes, read and checked; keys of lookups still to be looked up."""
    route = program.route
    taken = program.takes
    # What is made once a key may come before its records (they point to it): it does not ask who of them is held.
    if route.also and not route.distinct:
        taken += f" AND _n NOT IN (SELECT n FROM {HELD} WHERE object = {literal(route.object)})"
    _note_repeated_keys(engine, program, taken)
    wanted = [*key_columns(program.lookups), *((f"_match_{name}", sql) for name, sql in program.matches.items())]
    wanted += [(f"_unless{number}", way.key) for number, way in enumerate(program.unless)]
    if program.tags is not None:
        wanted.append(("_tags", program.tags.keys))
    for number, party in enumerate(program.parties):
        if party.way is not None:
            wanted.append((f"_party{number}", f"CASE WHEN {party.when} THEN {party.way.key} END"))
        else:
            owner = f"coalesce(email_key({party.owner}), lower(clean({party.owner})))"
            wanted.append((f"_party{number}", f"CASE WHEN {party.when} THEN {owner} END"))
    layers, columns = share_calls([("_key", f"{program.key} || {literal(program.suffix)}"), *program.parsed, *wanted])
    inner = _taken(program, taken)
    for layer in [*layers, columns]:
        inner = f"SELECT *{''.join(f', {sql} AS {quoted(name)}' for name, sql in layer)} FROM ({inner})"
    digest = f"source_digest({literal(context.system)}, {literal(route.object)}, _key)"
    found = [_trouble(one) for one in program.troubles]
    once = " WHERE _key IS NOT NULL AND coalesce(_twice_first = _n, TRUE)" if route.distinct else ""
    if not route.distinct:
        what, do = "'an earlier record has the same key'", "give each record a key of its own"
        found.append(f"CASE WHEN _twice_first <> _n THEN {struct('missing_key', '', 'held', '_key', what, do)} END")
    values = "".join(f", {sql} AS {quoted(name)}" for name, sql in [*program.values, *_fulls(program)])
    names = "".join(f", p.{quoted(name)}" for name, _ in wanted)
    return f"""
        SELECT _n, {literal(route.object)} AS _object, _file, _id AS _record, _line, _key, {digest} AS _digest{values}{names},
               {found_list(found)} AS _found
        FROM ({inner}) p{FILE_JOINS if program.has_files or program.has_copies else ""}
        LEFT JOIN {_repeated_table(program)} ON _twice_key = p._key{once}"""


def _note_repeated_keys(engine: Engine, program: Program, taken: str) -> None:
    engine.run(
        f"""CREATE OR REPLACE TEMP TABLE {_repeated_table(program)} AS
        SELECT {program.key} || {literal(program.suffix)} AS _twice_key, min(_n) AS _twice_first FROM ({_taken(program, taken)})
        GROUP BY 1 HAVING count(*) > 1"""
    )


def _taken(program: Program, condition: str) -> str:
    """SQL of the records, or of their elements, each with a number of its own."""
    numbered = " REPLACE (_n * 1000000 + _place AS _n)" if program.route.each else ""
    return f"SELECT *{numbered} FROM {program.source} WHERE {condition}"


def _repeated_table(program: Program) -> str:
    return quoted(f"map_twice_{program.name}")


def _fulls(program: Program) -> list[tuple[str, str]]:
    return [(f"_full_{column}", sql) for column, _, sql in program.fulls]


def _trouble(trouble: Trouble) -> str:
    made = struct(trouble.code, trouble.field, trouble.outcome, trouble.shown, trouble.what, trouble.do)
    return f"CASE WHEN {trouble.when} THEN {made} END"


def found_list(structs: list[str]) -> str:
    kind = 'STRUCT(code VARCHAR, field VARCHAR, outcome VARCHAR, shape VARCHAR, what VARCHAR, "do" VARCHAR)[]'
    if not structs:
        return f"CAST([] AS {kind})"
    return f"CAST(list_filter([{', '.join(structs)}], lambda t: t IS NOT NULL) AS {kind})"
