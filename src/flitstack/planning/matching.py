"""Finding the records that are rows of the destination already: by values, and by rows that they point to alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flitstack.errors import Problem, UsageError
from flitstack.mapping.document import MappedColumn, MappedRoute
from flitstack.planning.rows import key_join, resolved_row, view_keys
from flitstack.staging.engine.engine import Engine, literal, quoted, read_parquet

_TOLD = 20
_NO_PAIRS = (
    "SELECT '' AS digest, '' AS plain, '' AS object, '' AS file, '' AS record, NULL::BIGINT AS line, 0 AS rank, '' AS rule, "
    'NULL::UUID AS "row" WHERE FALSE'
)


@dataclass(frozen=True, slots=True)
class Rule:
    """By what a row is known: the expression as written, its SQL, and the columns of the table that it reads."""

    text: str
    sql: str
    columns: tuple[str, ...]
    rows: Path | tuple[()]  # Parquet ("key", row UUID) of the environment's rows, () where it has none


@dataclass(frozen=True, slots=True)
class Matching:
    """What finding records that are there already needs.

    `rules`: by table, the surest first, a table after those its rules point to; `earlier`: table -> Parquet of an earlier
    matching; `held`: table -> query ("row") of its rows that stay who they are; `made`: table -> query (digest) of records
    whose row we made; `apart`: (object, source id) of records that a person said are nobody in the environment; `keys`:
    table -> the journal's key map.
    """

    system: str
    mapped: Path
    rules: Mapping[str, Sequence[Rule]]
    earlier: Mapping[str, Path]
    held: Mapping[str, str]
    made: Mapping[str, str]
    apart: Sequence[tuple[str, str]] = ()
    keys: Mapping[str, Path] = field(default_factory=dict)


def match_rows(engine: Engine, routes: Sequence[MappedRoute], work: Matching, folder: Path) -> dict[str, Path]:
    """Write `<folder>/<table>.parquet` ("row" UUID, digest, plain, object, file, record, line, rule): records that are rows.

    The surest rule that finds a row decides. A record that fits several rows, and records that fit the same row, match
    nobody: temporary table `unmatched_rows` (object, file, record, line, what) lists them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    engine.run(
        "CREATE OR REPLACE TEMP TABLE unmatched_rows (object VARCHAR, file VARCHAR, record VARCHAR, line BIGINT, what VARCHAR)"
    )
    engine.run("CREATE OR REPLACE TEMP TABLE apart_records (object VARCHAR, record VARCHAR)")
    for object_name, record in work.apart:
        engine.run("INSERT INTO apart_records VALUES (?, ?)", [object_name, record])
    found: dict[str, Path] = {}
    for table in dict.fromkeys((*work.rules, *work.earlier)):
        mine = [route for route in routes if route.table == table and route.rows]
        parts = _records(engine, mine, work.rules.get(table, ()), work, found)
        if parts or table in work.earlier:
            found[table] = folder / f"{table}.parquet"
            if not _match(engine, table, parts, work, found[table]):
                found.pop(table).unlink()
    for path in folder.glob("*.parquet"):
        if path not in found.values():
            path.unlink()
    return found


def _records(
    engine: Engine, routes: Sequence[MappedRoute], rules: Sequence[Rule], work: Matching, found: Mapping[str, Path]
) -> list[str]:
    """SELECTs of records with what a rule knows them by, and of which row that is known. `found`: of tables before this one."""
    parts = []
    for route in routes:
        source = read_parquet(work.mapped / route.parquet)
        filled = {column.name: column for column in route.columns if column.kind in {"value", "lookup"}}
        for rank, rule in enumerate(rules):
            # What a route does not fill, its rows cannot be known by.
            if not rule.rows or not filled.keys() >= set(rule.columns):
                continue
            pointing = [filled[name] for name in rule.columns if filled[name].kind == "lookup"]
            records = _with_rows_pointed_to(engine, source, pointing, work, found) if pointing else source
            parts.append(
                f"""SELECT m._digest AS digest, {literal(work.system + "/")} || m._object || '/' || m._key AS plain,
                    m._object AS object, m._file AS file, m._record AS record, m._line AS line,
                    {rank} AS rank, {literal(rule.text)} AS rule, k."row"
                FROM (SELECT *, CAST(({rule.sql}) AS VARCHAR) AS _known FROM {records}) m
                JOIN {read_parquet(rule.rows)} k ON k."key" = m._known
                WHERE (m._object, m._record) NOT IN (SELECT (object, record) FROM apart_records)"""
            )
    return parts


def _with_rows_pointed_to(
    engine: Engine, source: str, pointing: Sequence[MappedColumn], work: Matching, found: Mapping[str, Path]
) -> str:
    """The mapped rows, these lookups as the id of the row that is there; NULL where what they point to is yet to be made."""
    targets = sorted({table for column in pointing for table in column.targets})
    view_keys(engine, {table: _keys_now(engine, table, work, found) for table in targets})
    present = [str(row[0]) for row in engine.rows(f"DESCRIBE SELECT * FROM {source}")]
    rows = ", ".join(
        f"CAST({resolved_row(column, place, present)} AS VARCHAR) AS {quoted(column.name)}"
        for place, column in enumerate(pointing)
    )
    joins = " ".join(key_join(column, place, targets) for place, column in enumerate(pointing))
    return f"(SELECT m.* REPLACE ({rows}) FROM {source} m {joins})"


def _keys_now(engine: Engine, table: str, work: Matching, found: Mapping[str, Path]) -> Path | None:
    target = engine.scratch / f"keys-now-{table}.parquet"
    known = work.keys.get(table)
    is_other = matched_keys(engine, known, work.earlier.get(table), found.get(table), target)
    return target if is_other else known


def _match(engine: Engine, table: str, parts: Sequence[str], work: Matching, target: Path) -> int:
    earlier = work.earlier.get(table)
    settled = _NO_PAIRS
    if earlier is not None:
        settled = f'SELECT e.* FROM {read_parquet(earlier)} e SEMI JOIN ({work.held[table]}) h ON h."row" = e."row"'
    engine.run(f"CREATE OR REPLACE TEMP TABLE settled_rows AS {settled}")
    _refuse_late(engine, table)
    made = work.made.get(table, "SELECT ''")
    engine.run(
        f"""CREATE OR REPLACE TEMP TABLE found_rows AS
        WITH pairs AS (SELECT * FROM ({" UNION ALL ".join(parts) or _NO_PAIRS}) p
            WHERE digest NOT IN (SELECT digest FROM settled_rows) AND digest NOT IN ({made})
            AND "row" NOT IN (SELECT "row" FROM settled_rows)
            QUALIFY rank = min(rank) OVER (PARTITION BY digest)),
        counted AS (SELECT digest, any_value(plain) AS plain, any_value(object) AS object, any_value(file) AS file,
            any_value(record) AS record, any_value(line) AS line, any_value(rule) AS rule, min("row") AS "row",
            count(DISTINCT "row") AS fits FROM pairs GROUP BY digest),
        claimed AS (SELECT "row", count(DISTINCT digest) AS claims FROM pairs GROUP BY "row")
        SELECT * FROM counted JOIN claimed USING ("row")"""
    )
    engine.run(
        f"""INSERT INTO unmatched_rows SELECT object, file, record, line,
            CASE WHEN fits > 1 THEN 'fits ' || fits || ' rows of {table} (' || rule || ')'
                 ELSE 'is one of ' || claims || ' records that fit the same row of {table} (' || rule || ')' END
        FROM found_rows WHERE fits > 1 OR claims > 1"""
    )
    return engine.write_parquet(
        """SELECT "row", digest, plain, object, file, record, line, rule FROM settled_rows UNION ALL
        SELECT "row", digest, plain, object, file, record, line, rule FROM found_rows WHERE fits = 1 AND claims = 1""",
        target,
    )


def _refuse_late(engine: Engine, table: str) -> None:
    """Raise UsageError for records that are to be kept apart from a row that a load has written into already."""
    late = engine.rows(
        "SELECT s.object, s.record FROM settled_rows s SEMI JOIN apart_records a ON a.object = s.object AND a.record = s.record"
        f" ORDER BY ALL LIMIT {_TOLD}"
    )
    if late:
        do = "run: flitstack rollback, then flitstack plan; or take the entry out of matches.yaml"
        raise UsageError(
            *(
                Problem("match-settled", f"keep apart: {o} {r} was loaded into a row of {table} already", where="matches.yaml", do=do)
                for o, r in late
            )
        )  # fmt: skip


def matched_keys(engine: Engine, known: Path | None, earlier: Path | None, now: Path | None, target: Path) -> bool:
    """Write `target`, a table's key map (digest, plain, object, row) with those that match now; False: it stays as it is.

    A record that an earlier matching took for a row and this one does not has no row any more: it gets an id of its own.
    """
    if now is None and earlier is None:
        return False
    old = f'SELECT digest, plain, object, "row" FROM {read_parquet(known)}' if known else ""
    if old and earlier is not None:
        was = read_parquet(earlier)
        old = f'SELECT o.* FROM ({old}) o ANTI JOIN {was} w ON w.digest = o.digest AND w."row" = o."row"'
    new = f'SELECT digest, plain, object, "row" FROM {read_parquet(now)}' if now else ""
    if old and new:
        old = f"SELECT o.* FROM ({old}) o ANTI JOIN ({new}) n ON n.digest = o.digest"
    parts = [part for part in (old, new) if part]
    if not parts:
        return False
    engine.write_parquet(" UNION ALL ".join(parts), target)
    return True
