"""A rollback is a plan too: what the journal says was made, in reverse order, less what must be kept.

Kept are rows whose version is no longer the one we left (somebody edited them), rows that others now point to, and every row
that a kept row points to: deleting a parent would take its kept child along.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from flitstack.journal.replay import STANDING_ROWS
from flitstack.planning.build import sealed
from flitstack.planning.document import Plan, SendTable, Step
from flitstack.staging.engine.engine import Engine, literal, quoted, read_parquet

UNDO = "undo_"  # begins the name of a send table whose rows are deleted


def find_kept(
    engine: Engine,
    plan: Plan,
    folder: Path,
    edits: Mapping[str, Path],
    references: Mapping[str, Path],
    runs: Sequence[int] | None = None,
    lost: str = "",
) -> int:
    """Fill the temporary table `kept` ("table", row, why) and return how many rows it has.

    `edits`: Parquet (row, is_edited: by somebody since we left it) by table; `references`: Parquet (row, column, target) by table
    that points to ours. `runs`: only rows made in these. `lost`: query ("table", row) of older rows that cannot be given back what they
    held. Needs the view `journal_rows`. why: edited | referenced | parent.
    """
    engine.run('CREATE OR REPLACE TEMP TABLE kept ("table" VARCHAR, "row" UUID, why VARCHAR)')
    _ours(engine, plan, runs)
    _given_back(engine, plan, folder)
    if lost:
        engine.run(f'DELETE FROM given_back WHERE "row" IN (SELECT "row" FROM ({lost}))')
    for table in sorted(edits):
        engine.run(
            f"""
            INSERT INTO kept SELECT {literal(table)}, o."row", 'edited' FROM ours o
            JOIN {read_parquet(edits[table])} e ON e."row" = o."row"
            WHERE o."table" = {literal(table)} AND e.is_edited
            """
        )
    for table in sorted(references):
        # A row of ours that points to a row of ours is no news; one of somebody else is.
        engine.run(
            f"""
            INSERT INTO kept SELECT DISTINCT o."table", o."row", 'referenced'
            FROM {read_parquet(references[table])} r
            JOIN ours o ON o."row" = r.target
            ANTI JOIN given_back g ON g."row" = r."row" AND g."column" = r."column" AND g.target = r.target
            WHERE r."row" NOT IN (SELECT "row" FROM ours_ever) AND o."row" NOT IN (SELECT "row" FROM kept)
            """
        )
    while _keep_parents(engine, plan, folder) + _keep_targets(engine, references):
        pass
    return int(engine.one("SELECT count(*) FROM kept")[0])


def rollback_plan(
    engine: Engine,
    plan: Plan,
    folder: Path,
    *,
    with_schema: bool,
    operations: Sequence[Mapping[str, object]],
    restored: Sequence[tuple[str, SendTable]] = (),
) -> Plan:
    """The plan that gives rows back what they held (`restored`: step kinds and their send tables) and then deletes every row
    of `ours` that is not in `kept`, last table first; send tables in `folder`/rollback."""
    tables: list[SendTable] = []
    engine.run('CREATE OR REPLACE TEMP TABLE undone_rows ("table" VARCHAR, "row" UUID)')
    for send in reversed(plan.tables):
        name = f"rollback/{len(tables) + 1:02d}_{send.table}.parquet"
        rows = engine.write_parquet(
            f"""
            SELECT row_number() OVER () AS _ord, e._row, e._object, e._file, e._record, e._line
            FROM {read_parquet(folder / send.parquet)} e
            SEMI JOIN ours o ON o."table" = {literal(send.table)} AND o."row" = e._row
            ANTI JOIN kept k ON k."row" = e._row
            ANTI JOIN undone_rows u ON u."row" = e._row AND u."table" = {literal(send.table)}
            """,
            folder / name,
        )
        if rows:
            engine.run(f"INSERT INTO undone_rows SELECT {literal(send.table)}, _row FROM {read_parquet(folder / name)}")
            tables.append(
                replace(
                    send, name=f"{UNDO}{send.name}", phase="undo", parquet=name, rows=rows, content_hash=f"{rows}", columns=(),
                    has_parties=False, has_states=False, has_files=False, has_links=False,
                )
            )  # fmt: skip
    steps = [
        *(_step(kind, table, f"what {table.table} held before") for kind, table in restored),
        *(_step("delete", table, f"deleting {table.table}") for table in tables),
    ]
    steps = [replace(step, index=place) for place, step in enumerate(steps)]
    tables = [*dict.fromkeys(table for _, table in restored), *tables]
    if with_schema and operations:
        undone = tuple(dict(operation) for operation in reversed(operations) if operation["kind"] != "publish")
        steps.append(
            Step(len(steps), "revert", "schema", "", f"{len(undone)} schema operations undone", operations=undone)
        )
    return sealed(replace(plan, kind="rollback", tables=tuple(tables), steps=tuple(steps), accounts={}, roles=()))


def spare(
    engine: Engine, plan: Plan, folder: Path, undo: Plan, rows: str, label: str, runs: Sequence[int] | None
) -> tuple[Plan, int]:
    """The rollback plan `undo` that leaves rows of ours (made in `runs`, if told) undeleted: those of the query `rows` ("table",
    row, why), and every row that they need; with how many there are (temporary table `kept` names them). What was planned stays on
    disk as it was: the send tables are written beside it, named by `label`."""
    _ours(engine, plan, runs)
    engine.run('CREATE OR REPLACE TEMP TABLE kept ("table" VARCHAR, "row" UUID, why VARCHAR)')
    engine.run(
        f'INSERT INTO kept SELECT DISTINCT r."table", r."row", r.why FROM ({rows}) r '
        'SEMI JOIN ours o ON o."table" = r."table" AND o."row" = r."row"'
    )
    while _keep_parents(engine, plan, folder):
        pass
    tables, spared = [], 0
    for send in undo.tables:
        if not send.name.startswith(UNDO):
            tables.append(send)
            continue
        name = f"rollback/{label}_{send.name}.parquet"
        left = engine.write_parquet(
            f"""SELECT * FROM {read_parquet(folder / send.parquet)} e
            ANTI JOIN kept k ON k."row" = e._row AND k."table" = {literal(send.table)}""",
            folder / name,
        )
        spared += send.rows - left
        tables.append(replace(send, parquet=name, rows=left))
    return replace(undo, tables=tuple(tables)), spared


def replanned(
    engine: Engine,
    undo: Plan,
    folder: Path,
    edited: Mapping[str, str],
    again: Sequence[tuple[str, SendTable]],
    label: str,
) -> Plan:
    """The rollback plan whose restoring leaves out the `edited` rows (table -> query "row"), and the tables `again` in their
    place. It stays the same plan to the journal: what it did is done."""
    tables = []
    for send in undo.tables:
        rows = edited.get(send.table)
        if send.name.startswith(UNDO) or rows is None:
            tables.append(send)
            continue
        name = f"rollback/{label}_{send.name}.parquet"
        source = read_parquet(folder / send.parquet)
        left = engine.write_parquet(
            f'SELECT e.* FROM {source} e ANTI JOIN ({rows}) r ON r."row" = e._row', folder / name
        )
        tables.append(replace(send, parquet=name, rows=left))
    first = max((step.index for step in undo.steps), default=-1) + 1
    made = [_step(kind, table, f"what {table.table} held before") for kind, table in again]
    steps = (*(replace(step, index=first + place) for place, step in enumerate(made)), *undo.steps)
    return replace(undo, tables=(*(table for _, table in again), *tables), steps=steps)


def still_pointed_to(engine: Engine, plan: Plan, folder: Path, rows: Iterable[str], runs: Sequence[int] | None) -> str:
    """Query ("table", row, why): rows of ours (made in `runs`, if told) that these older rows (ids) still point to, since they could
    not be given back what they held: deleting such a row could take the older one along."""
    _ours(engine, plan, runs)
    _given_back(engine, plan, folder)
    listed = ", ".join(f"UUID '{row}'" for row in rows) or "NULL"
    return f"""SELECT o."table", o."row", 'parent' AS why FROM ours o
        SEMI JOIN (SELECT target FROM given_back WHERE "row" IN ({listed})) g ON g.target = o."row" """


def _ours(engine: Engine, plan: Plan, runs: Sequence[int] | None) -> None:
    """Temporary tables `ours_ever` ("table", row): rows whose last create or delete that landed was a create of ours, and
    `ours`: those of them that were made in `runs`."""
    names = ", ".join(literal(name) for name in sorted({send.table for send in plan.tables}))
    engine.run(
        f"""
        CREATE OR REPLACE TEMP TABLE ours_ever AS SELECT * FROM ({STANDING_ROWS}) WHERE "table" IN ({names or "''"})
        """
    )
    chosen = "TRUE" if runs is None else f"run IN ({', '.join(map(str, runs)) or '-1'})"
    engine.run(f'CREATE OR REPLACE TEMP TABLE ours AS SELECT "table", "row" FROM ours_ever WHERE {chosen}')


def _given_back(engine: Engine, plan: Plan, folder: Path) -> None:
    """Temporary table `given_back` ("row", "column", target): lookups that we set in rows that were there before us. They get
    their earlier value back first, and are nobody's reference."""
    engine.run('CREATE OR REPLACE TEMP TABLE given_back ("row" UUID, "column" VARCHAR, target UUID)')
    for send in plan.tables:
        for name in (column.name for column in send.columns if column.is_lookup and send.was_there):
            engine.run(
                f"""INSERT INTO given_back SELECT _row, {literal(name)}, {quoted(name)}
                FROM {read_parquet(folder / send.parquet)}
                WHERE {quoted(name)} IS NOT NULL AND list_contains(_changed, {literal(name)})"""
            )


def _step(kind: str, table: SendTable, title: str) -> Step:
    return Step(0, kind, table.phase, table.table, title, table.name, table.rows)


def _keep_parents(engine: Engine, plan: Plan, folder: Path) -> int:
    before = int(engine.one("SELECT count(*) FROM kept")[0])
    for send in plan.tables:
        lookups = [column.name for column in send.columns if column.is_lookup and column.type != "Owner"]
        for part in _targets(lookups, has_parties=send.has_parties):
            engine.run(
                f"""
                INSERT INTO kept SELECT DISTINCT o."table", o."row", 'parent' FROM (
                    SELECT {part} AS target FROM {read_parquet(folder / send.parquet)} e
                    SEMI JOIN kept k ON k."row" = e._row) t
                JOIN ours o ON o."row" = t.target WHERE o."row" NOT IN (SELECT "row" FROM kept)
                """
            )
    return int(engine.one("SELECT count(*) FROM kept")[0]) - before


def _keep_targets(engine: Engine, references: Mapping[str, Path]) -> int:
    """The same by what the kept rows point to now: somebody may have moved them, and of some no send table says."""
    before = int(engine.one("SELECT count(*) FROM kept")[0])
    for table in sorted(references) if before else ():
        engine.run(
            f"""INSERT INTO kept SELECT DISTINCT o."table", o."row", 'parent' FROM {read_parquet(references[table])} r
            SEMI JOIN kept k ON k."row" = r."row" AND k."table" = {literal(table)}
            JOIN ours o ON o."row" = r.target WHERE o."row" NOT IN (SELECT "row" FROM kept)"""
        )
    return int(engine.one("SELECT count(*) FROM kept")[0]) - before


def _targets(lookups: Iterable[str], *, has_parties: bool) -> list[str]:
    parts = [f"e.{quoted(name)}" for name in lookups]
    if has_parties:
        parts.append("unnest(list_transform(e._parties, lambda p: p.id))")
    return parts
