"""Giving changed rows back what they held before: the journal's before-images become a plan of updates.

A cell is restored while it is as we left it; one that somebody edited since stays and is listed. Of several images of a row
the oldest counts, column by column, those of refused changes left out; cells that hold again what they held before are left
out by whoever hands the images on.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from flitstack.catalogue.types import Table
from flitstack.journal.frames import Operation, Status
from flitstack.journal.journal import Journal
from flitstack.planning.document import SendColumn, SendTable
from flitstack.staging.engine.engine import Engine, literal, quoted, read_parquet

LOOKUPS = frozenset({"Lookup", "Customer", "Owner"})
_TYPES = {
    "Integer": "BIGINT", "BigInt": "BIGINT", "Picklist": "BIGINT", "State": "BIGINT", "Status": "BIGINT", "Boolean": "BOOLEAN",
    "Money": "DECIMAL(38, 10)", "Decimal": "DECIMAL(38, 10)", "Double": "DOUBLE", "DateTime": "TIMESTAMPTZ",
}  # fmt: skip
# What a refused change read is no state before ours: a person may have changed it before one of ours landed. A state is left
# out: two calls may make it.
_REFUSED = (
    f'SELECT batch, "row" FROM journal_rows WHERE status = {Status.REFUSED} '
    f"AND operation IN ({Operation.UPDATE}, {Operation.PARTIES})"
)
# Parties that the platform keeps by itself and takes from nobody: regarding (8) and owner (9).
OWN_MASKS = "8, 9"
_PARTIES = '\'[{"mask": "INTEGER", "table": "VARCHAR", "id": "UUID", "address": "VARCHAR"}]\''


@dataclass(frozen=True, slots=True)
class Restoring:
    """`images`: Parquet of write_images; `same`: (row, same): which cells are as we left them; `records`: query (_row, _ord,
    _digest, _object, _file, _record, _line, _beside) of the table's rows; `actions`: statecode -> action that alone leads to it."""

    live: Table
    images: Path
    same: Path
    records: str
    actions: Mapping[int, str]
    label: str = ""  # ends the names of its send tables


def write_images(
    engine: Engine, journal: Journal, runs: Iterable[int], without: Mapping[str, str], folder: Path
) -> dict[str, Path]:
    """By table, Parquet (row UUID, column, value JSON, operation): what rows held before the first change in these runs.

    `without`: table -> query ("row") of rows that are left out (those that will be deleted anyway).
    """
    wanted = set(runs)
    batches = {
        int(b) for (b,) in engine.rows(f"SELECT DISTINCT batch FROM journal_rows WHERE run IN ({_numbers(wanted)})")
    }
    files: dict[str, Path] = {}
    folder.mkdir(parents=True, exist_ok=True)
    for intent, lines in journal.before_images():
        if intent.batch not in batches or intent.operation is Operation.LINK:
            continue
        path = files.setdefault(intent.table, folder / f"{intent.table}.jsonl")
        head = orjson.dumps({"batch": intent.batch, "operation": int(intent.operation)})[:-1] + b',"image":'
        with path.open("ab") as file:
            file.writelines(head + line + b"}\n" for line in lines.splitlines())
    return {table: _oldest(engine, path, without.get(table, "")) for table, path in files.items()}


def write_lost(engine: Engine, journal: Journal, runs: Iterable[int], folder: Path) -> Path | None:
    """Parquet ("table", row) of older rows that these runs changed and of which no before-image is left (the journal was made again
    after it was lost, or its images were erased); None where every image is there."""
    if not journal.notes("images-erased") and all(n["command"] != "journal recover" for n in journal.notes("run")):
        return None
    runs, target = list(runs), folder / "lost.parquet"
    images = write_images(engine, journal, runs, {}, folder / "lost")
    held = " UNION ALL ".join(f'SELECT "row" FROM {read_parquet(path)}' for path in images.values())
    kinds = (Operation.UPDATE, Operation.STATE, Operation.PARTIES)
    made = f"operation = {Operation.CREATE} AND status = {Status.LANDED}"
    folder.mkdir(parents=True, exist_ok=True)
    rows = engine.write_parquet(
        f"""SELECT DISTINCT "table", "row" FROM journal_rows WHERE run IN ({_numbers(runs)})
        AND operation IN ({", ".join(str(int(kind)) for kind in kinds)}) AND status <> {Status.REFUSED}
        AND "row" NOT IN (SELECT "row" FROM journal_rows WHERE {made}) AND "row" NOT IN ({held or "SELECT NULL::UUID WHERE FALSE"})""",
        target,
    )
    return target if rows else None


def _oldest(engine: Engine, path: Path, without: str) -> Path:
    target = path.with_suffix(".parquet")
    columns = "{'batch': 'BIGINT', 'operation': 'INTEGER', 'image': 'JSON'}"
    source = f"read_json({literal(str(path))}, format = 'newline_delimited', columns = {columns})"
    unless = f'ANTI JOIN ({without}) g ON g."row" = c."row"' if without else ""
    engine.write_parquet(
        f"""
        SELECT c."row", c."column", arg_min(c.value, c.batch) AS value, arg_min(c.operation, c.batch) AS operation FROM (
            SELECT CAST(image->>'_row' AS UUID) AS "row", batch, operation, unnest(json_keys(image)) AS "column",
                   json_extract(image, '$."' || "column" || '"') AS value
            FROM {source} WHERE image->>'_absent' IS NULL) c {unless}
        ANTI JOIN ({_REFUSED}) f ON f.batch = c.batch AND f."row" = c."row"
        WHERE c."column" <> '_row' GROUP BY c."row", c."column" """,
        target,
    )
    path.unlink()
    return target


def restore_tables(engine: Engine, work: Restoring, folder: Path) -> list[tuple[str, SendTable]]:
    """Send tables below `folder` with their step kinds, in order: reopen, columns, parties, close."""
    made = [
        _reopen(engine, work, folder),
        _columns(engine, work, folder),
        _parties(engine, work, folder),
        _close(engine, work, folder),
    ]
    kinds = ("state", "update", "parties", "state")
    return [(kind, table) for kind, table in zip(kinds, made, strict=True) if table is not None]


def write_not_restored(engine: Engine, work: Restoring, target: Path) -> int:
    """Write `target` (row, column): cells that were edited after we wrote them, and so keep what they hold now."""
    return engine.write_parquet(
        f"""SELECT i."row", i."column" FROM {read_parquet(work.images)} i JOIN {read_parquet(work.same)} s ON s."row" = i."row"
        WHERE NOT list_contains(s.same, {_name()}) AND list_contains(s.compared, {_name()})
        AND NOT ends_with(i."column", '__table') AND i."column" <> 'statuscode'""",
        target,
    )


def _name() -> str:
    """SQL: the name under which an image's column was compared."""
    return "CASE i.\"column\" WHEN '_parties' THEN '(parties)' WHEN 'statecode' THEN '(state)' ELSE i.\"column\" END"


def _columns(engine: Engine, work: Restoring, folder: Path) -> SendTable | None:
    names = [
        str(name)
        for (name,) in engine.rows(
            f'SELECT DISTINCT "column" FROM {read_parquet(work.images)} WHERE operation = {Operation.UPDATE} ORDER BY 1'
        )
        if (column := work.live.column(str(name))) is not None and column.updatable
    ]
    if not names:
        return None
    values = ", ".join(_value(work.live, name) for name in names)
    listed = ", ".join(map(literal, names))
    select = f"""
        SELECT r.*, p.* EXCLUDE ("row"), NULL::BIGINT AS _version FROM ({work.records}) r JOIN (
            SELECT i."row", {values},
                list(DISTINCT i."column") FILTER (WHERE i."column" IN ({listed})
                    AND (list_contains(s.same, i."column") OR NOT list_contains(s.compared, i."column"))) AS _changed
            FROM {read_parquet(work.images)} i JOIN {read_parquet(work.same)} s ON s."row" = i."row"
            WHERE i.operation = {Operation.UPDATE} GROUP BY i."row") p ON p."row" = r._row
        WHERE len(p._changed) > 0"""
    columns = tuple(
        SendColumn(n, work.live.columns[n].type, n, n, is_lookup=work.live.columns[n].type in LOOKUPS) for n in names
    )
    return _table(engine, work, select, "restore", folder, columns=columns)


def _value(live: Table, name: str) -> str:
    column = live.columns[name]
    text = f"max(json_extract_string(i.value, '$')) FILTER (WHERE i.\"column\" = {literal(name)})"
    if column.type in LOOKUPS:
        target = f"max(json_extract_string(i.value, '$')) FILTER (WHERE i.\"column\" = {literal(name + '__table')})"
        return f"{typed(live, name, text)} AS {quoted(name)}, {target} AS {quoted(name + '__table')}"
    return f"{typed(live, name, text)} AS {quoted(name)}"


def typed(live: Table, name: str, value: str) -> str:
    """SQL: a value of a column in the type in which it is sent."""
    column = live.columns[name]
    kind = "UUID" if column.type in LOOKUPS else _TYPES.get(column.type, "VARCHAR")
    if column.type == "DateTime" and column.date_behaviour == "DateOnly":
        kind = "DATE"
    return f"CAST({value} AS {kind})"


def _parties(engine: Engine, work: Restoring, folder: Path) -> SendTable | None:
    select = f"""
        SELECT r.*, list_filter(from_json(i.value, {_PARTIES}), lambda p: p.mask NOT IN ({OWN_MASKS})) AS _parties,
            NULL::BIGINT AS _version FROM ({work.records}) r
        JOIN {read_parquet(work.images)} i ON i."row" = r._row AND i."column" = '_parties' AND i.operation = {Operation.PARTIES}
        JOIN {read_parquet(work.same)} s ON s."row" = r._row AND list_contains(s.same, '(parties)')"""
    return _table(engine, work, select, "restore_parties", folder, has_parties=True)


def _states(work: Restoring, where: str, action: str, state: str, status: str) -> str:
    """SELECT of a state step over rows whose state we changed, that are in the state we left them in."""
    text = "json_extract_string(i.value, '$')"
    # Tried, not told: the engine may look at values of other columns before it filters them out.
    code = f"TRY_CAST({text} AS BIGINT)"
    return f"""
        SELECT r.*, {action} AS _action, {state}::BIGINT AS _state, {status}::BIGINT AS _status,
            CAST(p.closed || 'T00:00:00Z' AS TIMESTAMPTZ) AS _state_at, p.worth AS _state_value, NULL::BIGINT AS _version
        FROM ({work.records}) r JOIN (
            SELECT i."row", max({code}) FILTER (WHERE i."column" = 'statecode') AS state,
                   max({code}) FILTER (WHERE i."column" = 'statuscode') AS status,
                   max({text}) FILTER (WHERE i."column" = 'actualclosedate') AS closed,
                   max(TRY_CAST({text} AS DECIMAL(38, 4))) FILTER (WHERE i."column" = 'actualvalue') AS worth
            FROM {read_parquet(work.images)} i WHERE i.operation = {Operation.STATE} GROUP BY i."row") p ON p."row" = r._row
        JOIN {read_parquet(work.same)} s ON s."row" = r._row AND (list_contains(s.same, '(state)') OR NOT list_contains(s.compared, '(state)'))
        WHERE {where}"""


def _reopen(engine: Engine, work: Restoring, folder: Path) -> SendTable | None:
    """Everything goes through open: rows that were open stay there, rows that were closed otherwise are closed again."""
    if not work.live.states:
        return None
    first = work.live.states[0]
    select = _states(work, "p.state IS NOT NULL", "'state'", str(first.value), str(first.default_status))
    return _table(engine, work, select, "reopen", folder, has_states=True)


def _close(engine: Engine, work: Restoring, folder: Path) -> SendTable | None:
    if not work.live.states:
        return None
    first = work.live.states[0]
    cases = " ".join(f"WHEN {state} THEN {literal(action)}" for state, action in work.actions.items())
    action = f"CASE p.state {cases} ELSE 'state' END" if cases else "'state'"
    where = f"p.state <> {first.value} OR p.status <> {first.default_status}"
    return _table(engine, work, _states(work, where, action, "p.state", "p.status"), "close", folder, has_states=True)


def _table(
    engine: Engine, work: Restoring, select: str, label: str, folder: Path, **traits: object
) -> SendTable | None:
    name = f"{label}_{work.live.name}{work.label}"
    rows = engine.write_parquet(select, folder / "rollback" / f"{name}.parquet")
    if not rows:
        return None
    empty = SendTable(
        name, work.live.name, "changes", f"rollback/{name}.parquet", rows, f"{rows}", (), (), is_change=True
    )
    return replace(empty, **traits)  # type: ignore[arg-type]


def _numbers(runs: Iterable[int]) -> str:
    return ", ".join(str(run) for run in sorted(runs)) or "-1"


def records_of(sends: Sequence[tuple[Path, SendTable]]) -> str:
    """SELECT of where each row of some send tables stands in the export; a row once."""
    names = "_ord, _row, _digest, _object, _file, _record, _line, _beside"
    parts = " UNION ALL ".join(f"SELECT {names} FROM {read_parquet(folder / send.parquet)}" for folder, send in sends)
    return f"SELECT * FROM ({parts}) QUALIFY row_number() OVER (PARTITION BY _row) = 1"


def with_dropped(records: str, found: Path) -> str:
    """The records, and those that were once found to be a row (Parquet of upsert.match_rows) and make none any more."""
    return f"""SELECT * FROM ({records}) UNION ALL BY NAME
        SELECT 0 AS _ord, "row" AS _row, digest AS _digest, object AS _object, file AS _file, record AS _record, line AS _line,
            FALSE AS _beside FROM {read_parquet(found)} WHERE "row" NOT IN (SELECT _row FROM ({records}))"""
