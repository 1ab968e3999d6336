"""Second pass over a route: rows that are made get their later lookups, participants and tags, and are written."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from flitstack.mapping.context import MapContext
from flitstack.mapping.document import MappedColumn, MappedRoute
from flitstack.mapping.indexes import Indexes
from flitstack.mapping.lookups import Joins, key_columns, late, resolve, troubles
from flitstack.mapping.parties import parties_sql
from flitstack.mapping.program import Program
from flitstack.mapping.resolve import found_list, list_found
from flitstack.mapping.tags import relationship
from flitstack.mapping.target import MEMO_LENGTH, describe_table, takes_columns
from flitstack.mapping.vocab import MAX_TEXT, Vocabulary, tags_sql
from flitstack.staging.engine.engine import Engine, literal, quoted
from flitstack.staging.engine.findings import FindingsWriter

_STATES = ("_action", "_state", "_status", "_state_at", "_state_value")


def finish_route(
    engine: Engine,
    program: Program,
    context: MapContext,
    indexes: Indexes,
    vocabularies: Mapping[str, Vocabulary],
    folder: Path,
    findings: FindingsWriter,
) -> MappedRoute:
    """Write `<object>__<route>.parquet` and say what is in it."""
    resolved = indexes.resolved[program.name]
    source = f"(SELECT * FROM read_parquet({literal(str(resolved))}) WHERE NOT _is_held)"
    joins = Joins(indexes)
    plans = late(program)
    found = {plan.column: resolve(plan, joins, source) for plan in plans}
    drop = ["_found", "_is_held", "_is_skipped", "_n", *(name for name, _ in key_columns(plans))]
    drop += [f"_match_{name}" for name in program.matches] + [f"_party{n}" for n in range(len(program.parties))]
    added = [f"{sql} AS {quoted(name)}" for plan in plans for name, sql in found[plan.column].columns(plan.column)]
    columns = list(program.columns)
    for column, label, _ in program.fulls:
        drop.append(f"_full_{column}")
        companion = _companion(engine, program, context, column, label, source)
        if companion is not None:
            columns.append(companion)
            added.append(f"r.{quoted(f'_full_{column}')} AS {quoted(companion.name)}")
    if program.parties:
        joins.sql.append(f" LEFT JOIN ({parties_sql(program, indexes, source)}) _p ON _p._n = r._n")
        added.append("_p._parties")
    has_links = False
    if program.tags is not None:
        drop.append("_tags")
        joins.sql.append(
            f" LEFT JOIN ({tags_sql(program, vocabularies[program.tags.vocabulary], source)}) _t ON _t._n = r._n"
        )
        has_links = _add_tags(engine, program, context, vocabularies[program.tags.vocabulary], source, columns, added)
    if plans:
        _list_late(engine, program, findings, plans, found, joins, source)
    path = folder / f"{program.name}.parquet"
    listed = "".join(f", {sql}" for sql in added)
    rows = engine.write_parquet(
        f"SELECT r.* EXCLUDE ({', '.join(map(quoted, drop))}){listed} FROM {source} r{''.join(joins.sql)} ORDER BY r._n",
        path,
    )
    return MappedRoute(
        object=program.route.object,
        name=program.route.name,
        table=program.route.table,
        phase=program.route.phase,
        is_primary=program.is_primary,
        parquet=path.name,
        rows=rows,
        columns=tuple(columns),
        has_parties=bool(program.parties),
        has_states=program.has_states,
        has_files=program.has_files,
        has_links=has_links,
        depends_on=_depends_on(program, has_links),
        create_table=program.create_table,
    )


def _list_late(engine, program, findings, plans, found, joins, source) -> None:  # type: ignore[no-untyped-def]
    structs = [sql for plan in plans for sql in troubles(plan, found[plan.column])]
    select = (
        f"(SELECT r._n, r._file, r._record, r._line, FALSE AS _is_held, {found_list(structs)} AS _found"
        f" FROM {source} r{''.join(joins.sql)})"
    )
    list_found(engine, findings, program, select)


def _companion(
    engine: Engine, program: Program, context: MapContext, column: str, label: str, source: str
) -> MappedColumn | None:
    """The long-text column that keeps the texts that were cut, where there are any and the table takes columns."""
    table = describe_table(program.route.table, context.live)
    name = f"{context.prefix}_{column.removeprefix(context.prefix + '_')}full"
    exists = table is not None and table.column(name) is not None
    if not takes_columns(table) or name in program.route.columns:
        return None
    cut = int(engine.one(f"SELECT count({quoted(f'_full_{column}')}) FROM {source}")[0])
    if not cut and not exists:
        return None
    field = next(c.field for c in program.columns if c.name == column)
    create = {"type": "Memo", "length": MEMO_LENGTH, "label": f"{label} (full text)"}
    return MappedColumn(name, "value", "Memo", field, f"full text of {column}", create)


def _add_tags(
    engine: Engine,
    program: Program,
    context: MapContext,
    vocabulary: Vocabulary,
    source: str,
    columns: list[MappedColumn],
    added: list[str],
) -> bool:
    """Add the tags' column, or their links; returns whether they are links."""
    plan = program.tags
    assert plan is not None
    field = str((program.route.vocabulary or {}).get("field", ""))
    if vocabulary.strategy == "table":
        name = relationship(plan.table, program.route.table)
        link = (
            f"{{'relationship': {literal(name)}, 'table': {literal(plan.table)},"
            f" 'digest': source_digest({literal(context.system)}, 'Tag', v)}}"
        )
        added.append(f"list_transform(_t.keys, lambda v: {link}) AS _links")
        return True
    if vocabulary.strategy == "multiselect":
        create = {
            "type": "MultiSelectPicklist",
            "label": plan.label,
            "options": [[v, label] for _, label, v in vocabulary.words],
        }
        columns.append(MappedColumn(plan.column, "value", "MultiSelectPicklist", field, plan.keys, create))
        added.append(f"_t.options AS {quoted(plan.column)}")
        return False
    longest = engine.one(
        f"SELECT coalesce(max(utf16_length(labels)), 0) FROM ({tags_sql(program, vocabulary, source)})"
    )[0]
    create = {"type": "String", "length": MAX_TEXT, "label": plan.label}
    if int(longest) > MAX_TEXT:
        create = {"type": "Memo", "length": MEMO_LENGTH, "label": plan.label}
    columns.append(MappedColumn(plan.column, "value", str(create["type"]), field, plan.keys, create))
    added.append(f"_t.labels AS {quoted(plan.column)}")
    return False


def _depends_on(program: Program, has_links: bool) -> tuple[str, ...]:
    ways = [way for plan in program.lookups for way in plan.ways]
    ways += [party.way for party in program.parties if party.way is not None]
    tables = [table for way in ways if not way.is_live for table in way.tables]
    if has_links and program.tags is not None:
        tables.append(program.tags.table)
    return tuple(dict.fromkeys(tables))


__all__ = ["finish_route", "replace"]
