"""Rows of ours that stand in none of the send tables a rollback goes by: the journal knows them, so none is forgotten.

Such are rows that an earlier rollback kept, once their round no longer stands; rows that a stopped delta made and the next one did
not mean any more; rows of a sample whose record became something else, or nothing, by a later map. Where a state on disk still
holds such a row, it says what the row points to; of the others the key map says which record it was.
"""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from flitstack.app.project import Project
from flitstack.app.rounds import State, laid_down, place_beside
from flitstack.journal.journal import Journal
from flitstack.journal.replay import STANDING_ROWS
from flitstack.planning.document import Plan, SendTable
from flitstack.staging.engine.engine import Engine, literal, read_parquet

_NAME = "stray_"  # begins the names of such send tables


def with_strays(project: Project, engine: Engine, journal: Journal, plan: Plan) -> Plan:
    """The plan of `rounds.everything` and, beside its send tables, such rows: those of now, where it was asked before. Needs the
    view `journal_rows`."""
    plan = replace(plan, tables=tuple(send for send in plan.tables if not send.name.startswith(_NAME)))
    if not _find(engine, plan.tables):
        return plan
    folder = project.env_state / "rollback" / "strays"
    shutil.rmtree(folder, ignore_errors=True)
    tables = list(plan.tables)
    for send in (*_in_states(engine, laid_down(project), folder), *_by_keys(engine, journal, folder)):
        place_beside(tables, send)
    engine.run("DROP TABLE strays")
    return replace(plan, tables=tuple(tables))


def _find(engine: Engine, tables: Sequence[SendTable]) -> int:
    """Temporary table `strays` ("table", row), and how many they are."""
    files: dict[str, list[str]] = {}
    for send in tables:
        files.setdefault(send.table, []).append(send.parquet)
    known = " UNION ALL ".join(
        f'SELECT {literal(table)} AS "table", _row AS "row" FROM {read_parquet(paths)}'
        for table, paths in files.items()
    )
    unless = f'ANTI JOIN ({known}) k ON k."table" = o."table" AND k."row" = o."row"' if known else ""
    engine.run(f'CREATE OR REPLACE TEMP TABLE strays AS SELECT o."table", o."row" FROM ({STANDING_ROWS}) o {unless}')
    return int(engine.one("SELECT count(*) FROM strays")[0])


def _in_states(engine: Engine, states: Sequence[State], folder: Path) -> list[SendTable]:
    """Those that a state holds, as the newest has them."""
    found: list[SendTable] = []
    for state in states:
        for send in (*state.whole.tables, *state.left.tables):
            # A row that was there before us is not ours to delete.
            if send.was_there or not engine.one("SELECT count(*) FROM strays")[0]:
                continue
            path = folder / f"{len(found):03d}_{send.table}.parquet"
            rows = engine.write_parquet(
                f"""SELECT e.* FROM {read_parquet(state.folder / send.parquet)} e
                SEMI JOIN strays s ON s."table" = {literal(send.table)} AND s."row" = e._row""",
                path,
            )
            if rows:
                engine.run(
                    f'DELETE FROM strays WHERE "table" = {literal(send.table)} AND "row" IN (SELECT _row FROM {read_parquet(path)})'
                )
                found.append(replace(send, name=f"{_NAME}{len(found)}_{send.name}", parquet=str(path), rows=rows))
    return found


def _by_keys(engine: Engine, journal: Journal, folder: Path) -> list[SendTable]:
    """The others, by table, with the record that the key map names."""
    found = []
    for (table,) in engine.rows('SELECT DISTINCT "table" FROM strays ORDER BY 1'):
        keys = journal.keymap_path(str(table))
        named = (
            f"""SELECT "row", min(object) AS object, min_by(split_part(plain, '/', 3), digest) AS record
            FROM {read_parquet(keys)} GROUP BY "row" """
            if keys
            else "SELECT NULL::UUID AS \"row\", '' AS object, '' AS record WHERE FALSE"
        )
        path = folder / f"keys_{table}.parquet"
        rows = engine.write_parquet(
            f"""SELECT row_number() OVER (ORDER BY s."row") AS _ord, s."row" AS _row, coalesce(k.object, '') AS _object, '' AS _file,
                coalesce(k.record, '') AS _record, NULL::BIGINT AS _line
            FROM strays s LEFT JOIN ({named}) k ON k."row" = s."row" WHERE s."table" = {literal(str(table))}""",
            path,
        )
        found.append(SendTable(f"{_NAME}{table}", str(table), "", str(path), rows, f"{rows}", (), ()))
    return found
