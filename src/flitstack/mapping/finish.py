"""Second pass over a route: rows that are made get their later lookups, participants and tags, and are written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flitstack.catalogue.types import Column
from flitstack.mapping.context import MapContext
from flitstack.mapping.document import MappedColumn, MappedRoute
from flitstack.mapping.indexes import Indexes
from flitstack.mapping.lookups import Joins, key_columns, late, resolve, troubles
from flitstack.mapping.parties import parties_sql
from flitstack.mapping.program import Program, TagPlan
from flitstack.mapping.resolve import found_list, list_found
from flitstack.mapping.tags import relationship
from flitstack.mapping.target import MEMO_LENGTH, describe_table, takes_columns
from flitstack.mapping.vocab import MAX_TEXT, Vocabulary, number_words, tags_sql
from flitstack.staging.engine.engine import Engine, literal, quoted, read_parquet
from flitstack.staging.engine.findings import FindingsWriter


@dataclass
class _Finish:
    """One route on its way to its mapped table. `source`: the records that make rows; `drop`: columns only the first
    pass needed; `added`: (name, SQL over `r` and the joins)."""

    engine: Engine
    program: Program
    context: MapContext
    indexes: Indexes
    source: str
    joins: Joins
    columns: list[MappedColumn]
    drop: list[str] = field(default_factory=lambda: ["_n", "_found", "_is_held", "_is_skipped"])
    added: list[tuple[str, str]] = field(default_factory=list)

    @property
    def joined(self) -> str:
        """FROM clause."""
        return f"{self.source} r{''.join(self.joins.sql)}"

    def join_by_record(self, sql: str, alias: str) -> None:
        """Join what was gathered by record (`_n`)."""
        self.joins.sql.append(f" LEFT JOIN ({sql}) {alias} ON {alias}._n = r._n")


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
    source = f"(SELECT * FROM {read_parquet(resolved)} WHERE NOT _is_held)"
    finish = _Finish(engine, program, context, indexes, source, Joins(indexes), list(program.columns))
    _add_lookups(finish, findings)
    _add_companions(finish)
    _add_parties(finish)
    has_links = program.tags is not None and _add_tags(finish, program.tags, vocabularies[program.tags.vocabulary])
    finish.drop += [f"_match_{name}" for name in program.matches]
    added = "".join(f", {sql} AS {quoted(name)}" for name, sql in finish.added)
    path = folder / f"{program.name}.parquet"
    rows = engine.write_parquet(
        f"SELECT r.* EXCLUDE ({', '.join(map(quoted, finish.drop))}){added} FROM {finish.joined}", path
    )
    return MappedRoute(
        object=program.route.object,
        name=program.route.name,
        table=program.route.table,
        phase=program.route.phase,
        is_primary=program.is_primary,
        parquet=path.name,
        rows=rows,
        columns=tuple(finish.columns),
        has_parties=bool(program.parties),
        has_states=program.has_states,
        has_files=program.has_files,
        has_links=has_links,
        depends_on=_depends_on(program, has_links),
        create_table=program.create_table,
        has_copies=program.has_copies,
    )


def _add_lookups(finish: _Finish, findings: FindingsWriter) -> None:
    plans = late(finish.program)
    finish.drop += [name for name, _ in key_columns(plans)]
    structs = []
    resolved = {plan.column: resolve(plan, finish.joins, finish.source) for plan in plans}
    for plan in plans:
        finish.added += resolved[plan.column].columns(plan.column)
        instead = [resolved[other.column] for other in plans if other.instead_of == plan.column]
        structs += [] if plan.instead_of in resolved else troubles(plan, resolved[plan.column], instead)
    if structs:
        provenance = "r._n, r._file, r._record, r._line, FALSE AS _is_held"
        select = f"(SELECT {provenance}, {found_list(structs)} AS _found FROM {finish.joined})"
        list_found(finish.engine, findings, finish.program, select)


def _add_companions(finish: _Finish) -> None:
    """Long-text columns that keep the texts that were cut, where there are any and the table takes columns."""
    table = describe_table(finish.program.route.table, finish.context.live)
    prefix = finish.context.prefix
    for column, label, _ in finish.program.fulls:
        full = f"_full_{column}"
        finish.drop.append(full)
        name = f"{prefix}_{column.removeprefix(prefix + '_')}full"
        exists = table is not None and table.column(name) is not None
        if not takes_columns(table) or name in finish.program.route.columns:
            continue
        if not exists and not finish.engine.one(f"SELECT count({quoted(full)}) FROM {finish.source}")[0]:
            continue
        source_field = next(c.field for c in finish.program.columns if c.name == column)
        create = {"type": "Memo", "length": MEMO_LENGTH, "label": f"{label} (full text)"}
        finish.columns.append(MappedColumn(name, "value", "Memo", source_field, f"full text of {column}", create))
        finish.added.append((name, f"r.{quoted(full)}"))


def _add_parties(finish: _Finish) -> None:
    if finish.program.parties:
        finish.drop += [f"_party{number}" for number in range(len(finish.program.parties))]
        finish.join_by_record(parties_sql(finish.program, finish.indexes, finish.source), "_p")
        finish.added.append(("_parties", "_p._parties"))


def _add_tags(finish: _Finish, plan: TagPlan, vocabulary: Vocabulary) -> bool:
    """Add the tags' column, or their links; returns whether they are links."""
    gathered = tags_sql(vocabulary, finish.source)
    finish.drop.append("_tags")
    finish.join_by_record(gathered, "_t")
    if vocabulary.strategy == "table":
        name = relationship(plan.table, finish.program.route.table)
        link = (
            f"{{'relationship': {literal(name)}, 'table': {literal(plan.table)},"
            f" 'digest': source_digest({literal(finish.context.system)}, 'Tag', v)}}"
        )
        finish.added.append(("_links", f"list_transform(_t.keys, lambda v: {link})"))
        return True
    table = finish.context.there.get(finish.program.route.table)
    column = table.column(plan.column) if table else None
    if _is_choice(plan, vocabulary, column):
        known = {option.value: option.label for option in column.options} if column else {}
        name = f"{finish.program.route.table}.{plan.column}"
        options = number_words(finish.engine, vocabulary, name, known)
        _add_tag_column(finish, plan, {"type": "MultiSelectPicklist", "options": options}, "_t.options")
        return False
    longest = int(finish.engine.one(f"SELECT coalesce(max(utf16_length(labels)), 0) FROM ({gathered})")[0])
    is_short = longest <= MAX_TEXT and (column is None or column.type != "Memo")
    create = {"type": "String", "length": MAX_TEXT} if is_short else {"type": "Memo", "length": MEMO_LENGTH}
    _add_tag_column(finish, plan, create, "_t.labels")
    return False


def _is_choice(plan: TagPlan, vocabulary: Vocabulary, column: Column | None) -> bool:
    """A column that is there stays of its kind, however many tags there are by now, unless a decision says otherwise."""
    if column is not None and plan.strategy == "auto":
        return column.type == "MultiSelectPicklist"
    return vocabulary.strategy == "multiselect"


def _add_tag_column(finish: _Finish, plan: TagPlan, create: Mapping[str, object], sql: str) -> None:
    definition = {**create, "label": plan.label}
    finish.columns.append(MappedColumn(plan.column, "value", str(create["type"]), plan.field, plan.keys, definition))
    finish.added.append((plan.column, sql))


def _depends_on(program: Program, has_links: bool) -> tuple[str, ...]:
    ways = [way for plan in program.lookups for way in plan.ways]
    ways += [party.way for party in program.parties if party.way is not None]
    tables = [table for way in ways if not way.is_live for table in way.tables]
    if has_links and program.tags is not None:
        tables.append(program.tags.table)
    return tuple(dict.fromkeys(tables))
