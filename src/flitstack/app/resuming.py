"""Edits made between an interrupted rollback and its resumption: such rows are looked at anew before anything goes on.

The rollback's own writes change versions too, and so does what the platform does in their wake (a lookup to a deleted row
becomes empty). An edit is a new version that was last written by somebody else than the migration's application users.
"""

from pathlib import Path
from uuid import UUID

from flitstack.app.edits import our_users
from flitstack.app.project import Project
from flitstack.app.snapshots import FEW_ROWS
from flitstack.app.store import plan_folder
from flitstack.destinations.port import Destination
from flitstack.planning.document import Plan
from flitstack.reconciling.fingerprint import EDITOR, write_editors, write_versions
from flitstack.staging.engine.engine import Engine, read_parquet


async def remember_versions(project: Project, engine: Engine, destination: Destination, undo: Plan) -> None:
    """Keep the version of every row that the rollback is about, before its first request."""
    for name, rows in _rows_by_table(project, undo).items():
        table = await destination.table(name)
        if table is not None and EDITOR in table.columns:
            await write_versions(destination, engine, table, _few(engine, rows), _file(project, name))


async def find_edited(project: Project, engine: Engine, destination: Destination, undo: Plan) -> dict[str, str]:
    """By table, query ("row") of rows of the rollback that somebody else wrote into since it was begun."""
    ours = ", ".join(f"UUID '{one}'" for one in our_users(project, await destination.facts()))
    found = {}
    for name, rows in _rows_by_table(project, undo).items():
        table, begun = await destination.table(name), _file(project, name)
        if table is None or not begun.exists():
            continue
        now = begun.with_name(f"{name}.now.parquet")
        await write_editors(destination, engine, table, _few(engine, rows), now)
        engine.run(
            f"""CREATE OR REPLACE TEMP TABLE edited_in_{name} AS
            SELECT n."row" FROM {read_parquet(now)} n JOIN {read_parquet(begun)} b USING ("row")
            SEMI JOIN ({rows}) r ON r._row = n."row" WHERE n.version <> b.version AND n.editor NOT IN ({ours})"""
        )
        if engine.one(f"SELECT count(*) FROM edited_in_{name}")[0]:
            found[name] = f'SELECT "row" FROM edited_in_{name}'
    return found


def _rows_by_table(project: Project, undo: Plan) -> dict[str, str]:
    folder, parts = plan_folder(project), dict[str, list[str]]()
    for send in undo.tables:
        parts.setdefault(send.table, []).append(f"SELECT _row FROM {read_parquet(folder / send.parquet)}")
    return {name: " UNION ".join(selects) for name, selects in parts.items()}


def _few(engine: Engine, rows: str) -> list[UUID] | None:
    found = engine.rows(f"SELECT CAST(_row AS VARCHAR) FROM ({rows}) LIMIT {FEW_ROWS + 1}")
    return [UUID(str(row)) for (row,) in found] if len(found) <= FEW_ROWS else None


def _file(project: Project, table: str) -> Path:
    return project.env_state / "rollback" / "begun" / f"{table}.parquet"
