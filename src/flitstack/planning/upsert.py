"""Records that are rows of the destination already: such a row is updated, never made a second time.

The playbook says by what rows of a table are known (`upsert: {contact: [email_key(emailaddress1)]}`): expressions over the
table's own columns, read the same way in the mapped record and in the row that is there. The decision `existing_rows` says
what happens to a row that is found; what it held before is journalled, so that a rollback gives it back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flitstack.catalogue.types import Table
from flitstack.errors import Problem, UsageError
from flitstack.mapping.document import MappedRoute
from flitstack.planning.changes import Side
from flitstack.planning.document import SendColumn, SendTable
from flitstack.planning.schema import source_key_column
from flitstack.staging.engine.engine import Engine, literal, quoted

DECISION = "existing_rows"
FILL_EMPTY, SOURCE_WINS, KEEP, CREATE = "fill_empty", "source_wins", "keep", "create"
POLICIES = (FILL_EMPTY, SOURCE_WINS, KEEP, CREATE)
PHASE = "changes"
# Whose a row is stays as it is: it was settled in Dynamics, and assigning a row hands its children over along with it, among
# them rows that no before-image is kept of. Which process a row follows is asked when it is made, never after.
_NEVER_SENT = ("ownerid", "processid")


@dataclass(frozen=True, slots=True)
class Rule:
    """By what a row is known: the expression as written, its SQL, and the columns of the table that it reads."""

    text: str
    sql: str
    columns: tuple[str, ...]
    rows: Path | tuple[()]  # Parquet ("key", row UUID) of the environment's rows, () where it has none


_TOLD = 20
_NO_PAIRS = (
    "SELECT '' AS digest, '' AS plain, '' AS object, '' AS file, '' AS record, NULL::BIGINT AS line, 0 AS rank, '' AS rule, "
    'NULL::UUID AS "row" WHERE FALSE'
)

Texts = Mapping[str, Sequence[str]]  # table -> expressions over its columns, the surest first


def read_upsert(playbook: Mapping[str, Any], decisions: Mapping[str, Any]) -> tuple[Texts, str]:
    """The rules and the decision; no rules where every record is to become a new row. Raises UsageError."""
    policy = str(decisions.get(DECISION) or FILL_EMPTY)
    if policy not in POLICIES:
        raise UsageError(
            Problem(
                "option-unknown", f"decision {DECISION}: {policy}", where="decisions.yaml", known=", ".join(POLICIES),
                do="write one of these",
            )
        )  # fmt: skip
    rules = {str(table): tuple(map(str, keys or ())) for table, keys in (playbook.get("upsert") or {}).items()}
    return ({} if policy == CREATE else rules), policy


def index_name(number: int) -> str:
    """What the index of a table's n-th rule is called."""
    return f"upsert_{number}"


@dataclass(frozen=True, slots=True)
class Matching:
    """What finding records that are there already needs.

    `rules`: by table, the surest first; `earlier`: table -> Parquet of an earlier matching; `held`: table -> query ("row") of
    its rows that stay who they are; `made`: table -> query (digest) of records whose row we made; `apart`: (object, source id)
    of records that a person said are nobody in the environment.
    """

    system: str
    mapped: Path
    rules: Mapping[str, Sequence[Rule]]
    earlier: Mapping[str, Path]
    held: Mapping[str, str]
    made: Mapping[str, str]
    apart: Sequence[tuple[str, str]] = ()


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
    found = {}
    for table in dict.fromkeys((*work.rules, *work.earlier)):
        mine = [route for route in routes if route.table == table and route.rows]
        parts = _records(engine, mine, work.rules.get(table, ()), work)
        if parts or table in work.earlier:
            found[table] = folder / f"{table}.parquet"
            if not _match(engine, table, parts, work, found[table]):
                found.pop(table).unlink()
    for path in folder.glob("*.parquet"):
        if path not in found.values():
            path.unlink()
    return found


def _records(engine: Engine, routes: Sequence[MappedRoute], rules: Sequence[Rule], work: Matching) -> list[str]:
    """SELECTs of records with what a rule knows them by, and of which row that is known."""
    parts = []
    for route in routes:
        source = f"read_parquet({literal(str(work.mapped / route.parquet))})"
        values = {column.name for column in route.columns if column.kind == "value"}
        for rank, rule in enumerate(rules):
            # What a route does not fill, its rows cannot be known by.
            if not rule.rows or not values.issuperset(rule.columns):
                continue
            parts.append(
                f"""SELECT m._digest AS digest, {literal(work.system + "/")} || m._object || '/' || m._key AS plain,
                    m._object AS object, m._file AS file, m._record AS record, m._line AS line,
                    {rank} AS rank, {literal(rule.text)} AS rule, k."row"
                FROM (SELECT *, CAST(({rule.sql}) AS VARCHAR) AS _known FROM {source}) m
                JOIN read_parquet({literal(str(rule.rows))}) k ON k."key" = m._known
                WHERE (m._object, m._record) NOT IN (SELECT (object, record) FROM apart_records)"""
            )
    return parts


def _match(engine: Engine, table: str, parts: Sequence[str], work: Matching, target: Path) -> int:
    earlier = work.earlier.get(table)
    settled = _NO_PAIRS
    if earlier is not None:
        settled = f'SELECT e.* FROM read_parquet({literal(str(earlier))}) e SEMI JOIN ({work.held[table]}) h ON h."row" = e."row"'
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
    old = f'SELECT digest, plain, object, "row" FROM read_parquet({literal(str(known))})' if known else ""
    if old and earlier is not None:
        was = f"read_parquet({literal(str(earlier))})"
        old = f'SELECT o.* FROM ({old}) o ANTI JOIN {was} w ON w.digest = o.digest AND w."row" = o."row"'
    new = f'SELECT digest, plain, object, "row" FROM read_parquet({literal(str(now))})' if now else ""
    if old and new:
        old = f"SELECT o.* FROM ({old}) o ANTI JOIN ({new}) n ON n.digest = o.digest"
    parts = [part for part in (old, new) if part]
    if not parts:
        return False
    engine.write_parquet(" UNION ALL ".join(parts), target)
    return True


def split_matched(engine: Engine, send: SendTable, matched: Path | None, folder: Path, prefix: str) -> list[SendTable]:
    """The send table without the rows that are there, and one of these alone, still without a word on what is sent."""
    if matched is None:
        return [send]
    path = folder / send.parquet
    name = f"{send.name}_existing"
    twin = folder / f"rows/{name}.parquet"
    source, there = f"read_parquet({literal(str(path))})", f"read_parquet({literal(str(matched))})"
    rows = engine.write_parquet(
        f"""SELECT e.*, []::VARCHAR[] AS _changed, NULL::BIGINT AS _version FROM {source} e
        SEMI JOIN {there} m ON m."row" = e._row ORDER BY e._ord""",
        twin,
    )
    if not rows:
        twin.unlink()
        return [send]
    left = engine.write_parquet(
        f'SELECT e.* FROM {source} e ANTI JOIN {there} m ON m."row" = e._row ORDER BY e._ord', path
    )
    # The key says that a row was made by us: `journal recover` goes by it, and a rollback after that deletes.
    columns = tuple(replace(c, second_pass=False) for c in send.columns if c.name != source_key_column(prefix))
    existing = replace(
        send, name=name, parquet=f"rows/{name}.parquet", rows=rows, columns=columns, phase=PHASE, is_change=True, was_there=True,
        has_parties=False, has_states=False, has_files=False,
    )  # fmt: skip
    return [*([replace(send, rows=left)] if left else []), existing]


@dataclass(frozen=True, slots=True)
class Found:
    """How a table's rows were found: `same` (row, compared, same), `back` the rows as read back, `versions` (row, version),
    `kept`: Parquet (row, columns) of cells that earlier loads of ours filled in rows that nobody edited since."""

    same: Path
    back: Path
    versions: Path
    kept: Path | None = None


def write_wanted(
    engine: Engine, send: SendTable, live: Table, found: Found, policy: str, folder: Path, as_id: str
) -> SendTable:
    """Write into the send table which columns of each row are to be sent (`_changed`) and the version it was seen in.

    `as_id`: SQL of the id of a row read back. Filled is what the record has and the row has not, or had not before an
    earlier load of ours.
    """
    path = folder / send.parquet
    columns = [column for column in send.columns if column.name not in _NEVER_SENT and _may_change(live, column)]
    names = [column.name for column in columns]
    has = _listed(names, [f"e.{quoted(name)} IS NOT NULL" for name in names])
    blank = _listed(names, [_is_blank(live, column) for column in columns])
    ours = "list_contains(coalesce(k.columns, []), x)"
    if policy == FILL_EMPTY:
        wanted = f"list_contains({blank}, x) OR {ours}"
    elif policy == SOURCE_WINS:
        wanted = f"NOT list_contains(coalesce(s.same, []), x) OR {ours}"
    else:
        wanted = ours
    kept = (
        f"read_parquet({literal(str(found.kept))})"
        if found.kept
        else '(SELECT NULL::UUID AS "row", NULL::VARCHAR[] AS columns WHERE FALSE)'
    )
    engine.write_parquet(
        f"""SELECT e.* REPLACE (list_filter({has}, lambda x: {wanted}) AS _changed, v.version AS _version)
        FROM read_parquet({literal(str(path))}) e
        LEFT JOIN read_parquet({literal(str(found.back))}) a ON {as_id} = e._row
        LEFT JOIN read_parquet({literal(str(found.same))}) s ON s."row" = e._row
        LEFT JOIN read_parquet({literal(str(found.versions))}) v ON v."row" = e._row
        LEFT JOIN {kept} k ON k."row" = e._row ORDER BY e._ord""",
        path,
    )
    return replace(send, to_send=changed_rows(engine, path))


def carry_ours(engine: Engine, send: SendTable, standing: Sequence[Side], folder: Path) -> SendTable:
    """Rows that an earlier round found already keep the columns that were ours then; what changes now is a delta's to say."""
    earlier = _stood(standing, send.table)
    path = folder / send.parquet
    engine.write_parquet(
        f"""SELECT e.* REPLACE (CASE WHEN o._row IS NULL THEN e._changed ELSE o._changed END AS _changed)
        FROM read_parquet({literal(str(path))}) e LEFT JOIN ({earlier}) o ON o._row = e._row ORDER BY e._ord""",
        path,
    )
    return replace(send, to_send=changed_rows(engine, path))


def write_new_matches(
    engine: Engine, wanted: Side, standing: Sequence[Side], send: SendTable, folder: Path
) -> SendTable | None:
    """A delta's update of rows that this round found first; None when there are none with anything to send."""
    name = f"{send.name}_new"
    rows = engine.write_parquet(
        f"""SELECT e.* FROM read_parquet({literal(str(wanted.folder / send.parquet))}) e
        ANTI JOIN ({_stood(standing, send.table)}) o ON o._row = e._row
        WHERE len(e._changed) > 0 ORDER BY e._ord""",
        folder / f"rows/{name}.parquet",
    )
    if not rows:
        return None
    return replace(
        send, name=name, parquet=f"rows/{name}.parquet", rows=rows, was_there=False, to_send=0, has_links=False
    )


def ours_of(side: Side, table: str) -> str:
    """Query (row, columns): of rows of a table that were there before us, the cells that are ours; "" without such rows."""
    parts = [
        f'SELECT _row AS "row", _changed AS columns FROM read_parquet({literal(str(side.folder / send.parquet))})'
        for send in side.sends(table)
        if send.was_there
    ]
    return " UNION ALL ".join(parts)


def extend_ours(engine: Engine, side: Side, table: str, decided: Path) -> None:
    """What a delta writes into rows that were there before us is ours from now on."""
    for send in side.sends(table):
        if not send.was_there:
            continue
        path = side.folder / send.parquet
        names = _text_list([column.name for column in send.columns])
        engine.write_parquet(
            f"""SELECT e.* REPLACE (list_distinct(list_concat(e._changed,
                list_filter(coalesce(d.write, []), lambda x: list_contains({names}, x)))) AS _changed)
            FROM read_parquet({literal(str(path))}) e
            LEFT JOIN read_parquet({literal(str(decided))}) d ON d."row" = e._row AND NOT d.is_gone ORDER BY e._ord""",
            path,
        )


def _stood(standing: Sequence[Side], table: str) -> str:
    """SELECT _row, _changed of rows that earlier rounds found; the newest round that has a row counts."""
    parts = []
    for number, side in enumerate(standing):
        for send in side.sends(table):
            source = f"read_parquet({literal(str(side.folder / send.parquet))})"
            if send.was_there:
                parts.append(f"SELECT {number} AS n, _row, _changed FROM {source}")
    listed = " UNION ALL ".join(parts) or "SELECT 0 AS n, NULL::UUID AS _row, NULL::VARCHAR[] AS _changed WHERE FALSE"
    return f"SELECT _row, arg_min(_changed, n) AS _changed FROM ({listed}) GROUP BY _row"


def changed_rows(engine: Engine, path: Path) -> int:
    """Rows of a change's send table that have something to send."""
    return int(engine.one(f"SELECT count(*) FROM read_parquet({literal(str(path))}) WHERE len(_changed) > 0")[0])


def _may_change(live: Table, column: SendColumn) -> bool:
    there = live.column(column.name)
    return there is None or (there.updatable and live.column(column.read_back) is not None)


def _is_blank(live: Table, column: SendColumn) -> str:
    # A column that the load will make first holds nothing yet; one that cannot be read is taken for filled.
    there = live.column(column.read_back)
    if there is None:
        return "TRUE"
    return f"a.{quoted(column.read_back)} IS NULL" if there.readable else "FALSE"


def _listed(names: Sequence[str], conditions: Sequence[str]) -> str:
    cases = ", ".join(f"CASE WHEN {c} THEN {literal(n)} END" for n, c in zip(names, conditions, strict=True))
    return f"list_filter([{cases}]::VARCHAR[], lambda y: y IS NOT NULL)"


def _text_list(names: Sequence[str]) -> str:
    return f"[{', '.join(map(literal, names))}]::VARCHAR[]"
