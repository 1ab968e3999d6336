"""Mapped tables become send tables: every row gets its id, every lookup and owner the id it points to.

All of it is set-wise SQL in the engine. Ids come from the journal (allocated once a source key, durable before use),
ascending in load order.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from flitstack.catalogue.types import Table
from flitstack.errors import Problem, StepFailed
from flitstack.journal.journal import Journal
from flitstack.mapping.document import MappedColumn, MappedRoute
from flitstack.planning.document import SendColumn, SendTable
from flitstack.planning.order import Group
from flitstack.planning.owners import OwnerMap
from flitstack.planning.schema import source_id_column, source_key_column, takes_source_key
from flitstack.staging.engine.engine import Engine, literal, quoted, read_parquet

# Columns every send table starts with (planning/document.py).
_WHERE_FROM = ("_digest", "_object", "_file", "_record", "_line")
_STATE = ("_action", "_state", "_status", "_state_at", "_state_value")
_CONTENT = ("_content", "_content_size")


@dataclass(frozen=True, slots=True)
class RowContext:
    """What turning mapped tables into send tables needs to know."""

    system: str
    prefix: str
    mapped: Path
    live: Mapping[str, Table | None]
    owners: OwnerMap
    keyed: frozenset[str] = frozenset()  # tables whose key maps are loaded
    beside: frozenset[str] = frozenset()  # mapped tables whose rows stand beside records that have a row of their own


def allocate_ids(engine: Engine, journal: Journal, groups: Sequence[Group], context: RowContext) -> dict[str, int]:
    """Give every mapped row without an id one, in load order; returns how many were new by table."""
    fresh: dict[str, int] = {}
    for table in dict.fromkeys(group.table for group in groups):
        routes = [route for group in groups if group.table == table for route in group.routes]
        fresh[table] = _allocate_table(engine, journal, table, routes, context)
    return fresh


def load_keys(engine: Engine, journal: Journal, tables: Iterable[str]) -> None:
    """Make the journal's key maps of these tables readable; see `view_keys`."""
    view_keys(engine, {table: journal.keymap_path(table) for table in sorted(set(tables))})


def view_keys(engine: Engine, maps: Mapping[str, Path | None]) -> None:
    """Make the key map of each table readable as a temporary view ("table", digest, row); see `keys_of`.

    A view a table, so that a lookup reads the maps of its own targets: every map that is read costs memory.
    """
    for table, path in maps.items():
        source = read_parquet(path) if path else "(SELECT '' AS digest, NULL::UUID AS \"row\" WHERE FALSE)"
        engine.run(
            f'CREATE OR REPLACE TEMP VIEW {_key_view(table)} AS SELECT {literal(table)} AS "table", digest, "row" FROM {source}'
        )


def keys_of(tables: Iterable[str], loaded: Collection[str]) -> str:
    """The key maps of these tables as one source; tables that were not loaded have no rows."""
    selects = [f"SELECT * FROM {_key_view(table)}" for table in sorted(set(tables) & set(loaded))]
    empty = 'SELECT NULL::VARCHAR AS "table", NULL::VARCHAR AS digest, NULL::UUID AS "row" WHERE FALSE'
    return f"({' UNION ALL '.join(selects) or empty})"


def _key_view(table: str) -> str:
    return quoted(f"row_keys of {table}")


def load_owners(engine: Engine, owners: OwnerMap) -> None:
    """Temporary table `owner_rows` (email, owner UUID, owner_table, is_matched); the e-mail "" is a record without owner."""
    columns = "email VARCHAR, owner UUID, owner_table VARCHAR, is_matched BOOLEAN"
    engine.run(f"CREATE OR REPLACE TEMP TABLE owner_rows ({columns})")
    for owner in owners.owners:
        if owner.user is not None:
            values = [owner.email, str(owner.user.id), owner.user.table, owner.status == "matched"]
            engine.run("INSERT INTO owner_rows VALUES (?, ?, ?, ?)", values)


def write_send_table(engine: Engine, group: Group, number: int, folder: Path, context: RowContext) -> SendTable:
    """Resolve one group into `<folder>/rows/<nn>_<table>.parquet`."""
    columns = merge_columns(group.routes)
    name = f"{number:02d}_{group.table}"
    path = folder / "rows" / f"{name}.parquet"
    rows = engine.write_parquet(_send_sql(engine, group, columns, context), path)
    source = read_parquet(path)
    _refuse_dangling(engine, source, columns, group)
    filled = _filled(engine, source, columns, context, group)
    content_hash = engine.one(f"SELECT coalesce(sum(hash(t))::VARCHAR, '0') FROM {source} t")[0]
    return SendTable(
        name=name,
        table=group.table,
        phase=group.phase,
        parquet=f"rows/{name}.parquet",
        rows=rows,
        content_hash=f"{rows}:{content_hash}",
        columns=filled,
        objects=tuple(sorted({route.object for route in group.routes})),
        has_parties=any(route.has_parties for route in group.routes),
        has_states=any(route.has_states for route in group.routes),
        has_files=any(route.has_files for route in group.routes),
        has_links=any(route.has_links for route in group.routes),
    )


def merge_columns(routes: Sequence[MappedRoute]) -> tuple[MappedColumn, ...]:
    """The columns of several routes to one table, each once, in the order first met; a lookup with all its targets."""
    found: dict[str, MappedColumn] = {}
    for route in routes:
        for column in route.columns:
            first = found.setdefault(column.name, column)
            targets = tuple(dict.fromkeys((*first.targets, *column.targets)))
            found[column.name] = replace(first, targets=targets)
    return tuple(found.values())


def _allocate_table(
    engine: Engine, journal: Journal, table: str, routes: Sequence[MappedRoute], context: RowContext
) -> int:
    known = journal.keymap_path(table)
    unless = f"ANTI JOIN {read_parquet(known)} k ON k.digest = m._digest" if known else ""
    selects = " UNION ALL ".join(
        f"SELECT {place} AS place, _digest, _object, _key, _file, _record, _line FROM {_mapped(route, context)}"
        for place, route in enumerate(routes)
    )
    engine.run(
        f"""
        CREATE OR REPLACE TEMP TABLE fresh AS
        SELECT m._digest AS digest, m._object AS object, {literal(context.system + "/")} || m._object || '/' || m._key AS plain,
               row_number() OVER (ORDER BY m.place, m._file, m._line, m._record) - 1 AS ordinal
        FROM ({selects}) m {unless}
        """
    )
    count = int(engine.one("SELECT count(*) FROM fresh")[0])
    if count:
        allocation = journal.allocate(table, count)
        earlier = f"SELECT * FROM {read_parquet(known)} UNION ALL" if known else ""
        complete = engine.scratch / f"keys-{table}.parquet"
        engine.write_parquet(
            f"""
            {earlier} SELECT digest, plain, object, {allocation.at_sql("ordinal")} AS "row" FROM fresh
            """,
            complete,
        )
        journal.store_keys(table, complete)
    engine.run("DROP TABLE fresh")
    return count


def _send_sql(engine: Engine, group: Group, columns: Sequence[MappedColumn], context: RowContext) -> str:
    files = [context.mapped / route.parquet for route in group.routes]
    whole = read_parquet(files, "union_by_name = true")
    present = {row[0] for row in engine.rows(f"DESCRIBE SELECT * FROM {whole}")}
    selected, joins = ['k."row" AS _row', *(f"m.{name}" for name in _WHERE_FROM)], []
    for place, column in enumerate(columns):
        if column.kind == "owner":
            joins.append(f"LEFT JOIN owner_rows o ON o.email = coalesce(m.{quoted(column.name + '__email')}, '')")
            selected += [f"o.owner AS {quoted(column.name)}", f"o.owner_table AS {quoted(column.name + '__table')}"]
        elif column.kind in {"lookup", "id_text"}:
            joins.append(key_join(column, place, context.keyed))
            selected += _resolved(column, place, present)
        else:
            selected.append(f"m.{quoted(column.name)}")
    if takes_source_key(group.table, context.live.get(group.table)):
        selected.append(f"m._digest AS {quoted(source_key_column(context.prefix))}")
        plain = f"{literal(context.system + '/')} || m._object || '/' || m._key"
        selected.append(f"left({plain}, 400) AS {quoted(source_id_column(context.prefix))}")
    selected += [f"m.{name}" for name in (*_STATE, *_CONTENT) if name in present]
    lists = [name for name in ("_parties", "_links") if name in present]
    mentioned = {name: _tables_in(engine, whole, name) & set(context.keyed) for name in lists}
    selected += [_list_of_ids(name, keys_of(mentioned[name], context.keyed)) for name in lists]
    beside = [literal(str(context.mapped / r.parquet)) for r in group.routes if r.parquet in context.beside]
    selected.append(f"m._parquet IN ({', '.join(beside)}) AS _beside" if beside else "FALSE AS _beside")
    # The ordinal sits in the id's last 12 hex digits, so ordering by them is load order.
    return f"""
        SELECT row_number() OVER (ORDER BY right(CAST(k."row" AS VARCHAR), 12)) AS _ord, {", ".join(selected)}
        FROM {read_parquet(files, "union_by_name = true, filename = '_parquet'")} m
        JOIN {keys_of([group.table], context.keyed)} k ON k.digest = m._digest
        {" ".join(joins)}
        ORDER BY _ord
    """


def key_join(column: MappedColumn, place: int, keyed: Collection[str]) -> str:
    """The join of the mapped rows `m` to the row that a lookup of theirs points to; see `resolved_row`."""
    return (
        f'LEFT JOIN {keys_of(column.targets, keyed)} k{place} ON k{place}."table" = m.{quoted(column.name + "__table")} '
        f"AND k{place}.digest = m.{quoted(column.name)}"
    )


def _tables_in(engine: Engine, rows: str, name: str) -> set[str]:
    """Tables that the entries of a list column point to."""
    found = engine.rows(f'SELECT DISTINCT p."table" FROM (SELECT unnest({name}, recursive := true) FROM {rows}) p')
    return {str(table) for (table,) in found if table is not None}


def resolved_row(column: MappedColumn, place: int, present: Collection[str]) -> str:
    """SQL of that row's id over the join. `present`: columns of the mapped rows."""
    target = f'k{place}."row"'
    if f"{column.name}__live" not in present:
        return target
    live = f"m.{quoted(column.name + '__live')}"
    return f"CASE WHEN {live} THEN TRY_CAST(m.{quoted(column.name)} AS UUID) ELSE {target} END"


def _resolved(column: MappedColumn, place: int, present: set[str]) -> list[str]:
    target = resolved_row(column, place, present)
    if column.kind == "id_text":
        return [f"CAST({target} AS VARCHAR) AS {quoted(column.name)}"]
    # A digest that found no row leaves the table name standing: `_refuse_dangling` sees it.
    return [f"{target} AS {quoted(column.name)}", f"m.{quoted(column.name + '__table')}"]


def _list_of_ids(name: str, keys: str) -> str:
    """Resolve the digests inside a list column; order is kept.

    A party that is an owner becomes that user only when the owner was matched; otherwise the address the source names
    stands unresolved, so that the history never shows the fallback owner as a sender. A party with neither is dropped.
    """
    if name == "_links":
        fields = """{'relationship': p.relationship, 'table': p."table", 'id': pk."row"}"""
        return _resolved_list(name, keys, fields, 'pk."row" IS NOT NULL', "")
    found = """CASE WHEN p."table" = 'owner' THEN ow.owner ELSE pk."row" END"""
    table = f"""CASE WHEN {found} IS NULL THEN NULL WHEN p."table" = 'owner' THEN ow.owner_table ELSE p."table" END"""
    address = f"CASE WHEN {found} IS NULL THEN nullif(p.address, '') END"
    fields = f"{{'mask': p.mask, 'table': {table}, 'id': {found}, 'address': {address}}}"
    owners = """LEFT JOIN owner_rows ow ON p."table" = 'owner' AND ow.is_matched AND ow.email = p.address"""
    return _resolved_list(name, keys, fields, f"({found} IS NOT NULL OR nullif(p.address, '') IS NOT NULL)", owners)


def _resolved_list(name: str, keys: str, fields: str, keep: str, join: str) -> str:
    return f"""(
        SELECT list({fields} ORDER BY p.place) FILTER (WHERE {keep})
        FROM (SELECT unnest(m.{name}, recursive := true), generate_subscripts(m.{name}, 1) AS place) p
        LEFT JOIN {keys} pk ON pk."table" = p."table" AND pk.digest = p.digest {join}
    ) AS {name}"""


def _refuse_dangling(engine: Engine, source: str, columns: Sequence[MappedColumn], group: Group) -> None:
    for column in columns:
        if column.kind != "lookup":
            continue
        name, table = quoted(column.name), quoted(column.name + "__table")
        count, example = engine.one(
            f"SELECT count(*), any_value(_record) FROM {source} WHERE {name} IS NULL AND {table} IS NOT NULL"
        )
        if count:
            raise StepFailed(
                Problem(
                    "lookup-without-row",
                    f"{count} rows of {group.table} point by {column.name} to records that have no row",
                    where=f"field {column.field}, for example record {example}",
                    do="run `flitstack map` and `flitstack plan` again; if it stays, the mapped tables are damaged",
                )
            )


def _filled(
    engine: Engine, source: str, columns: Sequence[MappedColumn], context: RowContext, group: Group
) -> tuple[SendColumn, ...]:
    """Columns that have a value somewhere, as the loader sends and the reconciliation reads them."""
    send = [
        SendColumn(
            name=column.name,
            type="Owner" if column.kind == "owner" else column.type,
            field=column.field,
            read_back="createdon" if column.name == "overriddencreatedon" else column.name,
            is_lookup=column.kind in {"lookup", "owner"},
            second_pass=column.name in group.held_back,
            verify=column.verify,
            targets=column.targets if column.name in group.held_back else (),
        )
        for column in columns
    ]
    if takes_source_key(group.table, context.live.get(group.table)):
        for name in (source_key_column(context.prefix), source_id_column(context.prefix)):
            send.append(SendColumn(name, "String", "(source key)", name))
    if not send:
        return ()
    counts = engine.one(f"SELECT {', '.join(f'count({quoted(column.name)})' for column in send)} FROM {source}")
    return tuple(column for column, count in zip(send, counts, strict=True) if count)


def _mapped(route: MappedRoute, context: RowContext) -> str:
    return read_parquet(context.mapped / route.parquet)
