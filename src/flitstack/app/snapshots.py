"""What a rollback needs to know of the time before and right after a load."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from flitstack.app.edits import NOTE, known, note_versions, seen_folder, versions_folder, write_edits
from flitstack.app.project import Project
from flitstack.app.store import plan_folder
from flitstack.catalogue.types import Table
from flitstack.destinations.port import Destination
from flitstack.documents import load_json
from flitstack.journal.journal import Journal
from flitstack.loading.rows import make_done_view, ours_sql
from flitstack.planning.document import Plan
from flitstack.reconciling.fingerprint import fingerprint_columns, write_fingerprint, write_versions
from flitstack.staging.engine.engine import Engine, read_parquet

# Reading versions row by row is cheaper than reading a whole table only for few rows.
FEW_ROWS = 5_000


def fingerprint_folder(project: Project) -> Path:
    """Fingerprints taken before the first load of an environment."""
    return project.env_state / "fingerprint"


async def take_fingerprint(
    project: Project, plan: Plan, destination: Destination, journal: Journal, engine: Engine
) -> None:
    """Fingerprint every table the plan writes to, once: before anything of ours is there, and anew once everything was taken
    back, for people went on working since."""
    taken = standing_fingerprints(journal).keys()
    for name in sorted({send.table for send in plan.tables} - taken):
        table = await destination.table(name)
        columns = fingerprint_columns(table) if table else []
        rows = 0  # a table that the schema step will make holds nothing yet
        if table is not None:
            path = fingerprint_folder(project) / f"{name}.parquet"
            rows = await write_fingerprint(destination, engine, table, columns, path)
        journal.note("fingerprint", table=name, rows=rows, columns=columns)


def standing_fingerprints(journal: Journal) -> dict[str, dict[str, Any]]:
    """By table, the note of the fingerprint taken since the last rollback of everything."""
    found: dict[str, dict[str, Any]] = {}
    for note in journal.state.notes:
        if note["note"] == "rolled_back":
            found.clear()
        elif note["note"] == "fingerprint":
            found[str(note["table"])] = note
    return found


async def see_versions(
    project: Project, plan: Plan, destination: Destination, journal: Journal, engine: Engine
) -> None:
    """Before a delta writes: which of our rows are still the version we left. The others stay known as edited."""
    if plan.kind == "delta" and not _is_begun(journal, plan):
        await see_tables(project, _tables(project, plan), destination, journal, engine)


async def see_tables(
    project: Project, names: Sequence[str], destination: Destination, journal: Journal, engine: Engine
) -> None:
    """The same for tables by name. What a command that was stopped wrote is no edit: such a row is seen as we left it."""
    for name in names:
        table, ids = await _ours(name, destination, engine, journal)
        if table is None:
            continue
        now, seen = (seen_folder(project) / f"{name}{end}.parquet" for end in (".now", ""))
        await write_edits(project, engine, destination, journal, table, ids, now)
        engine.write_parquet(
            f"""SELECT n."row", CASE WHEN n.is_edited OR l."row" IS NULL THEN n.version ELSE l.version END AS version
            FROM {known(now)} n LEFT JOIN {known(versions_folder(project) / f"{name}.parquet")} l ON l."row" = n."row" """,
            seen,
        )
        now.unlink()


def _is_begun(journal: Journal, plan: Plan) -> bool:
    """Whether a load of the plan was stopped: one that came to its end noted which versions it left, and may be carried out again."""
    runs = journal.notes("run")
    noted = max((int(note["upto"]) for note in journal.notes(NOTE)), default=-1)
    return bool(runs) and runs[-1]["plan"] == plan.sha256 and int(runs[-1]["run"]) > noted


async def keep_versions(
    project: Project, plan: Plan, destination: Destination, journal: Journal, engine: Engine
) -> None:
    """Remember the version of every row of ours, so that a later edit by anybody is seen.

    A row that somebody had edited before a delta keeps the version we left it in: it stays known as edited.
    """
    names = _tables(project, plan)
    await keep_tables(project, names, destination, journal, engine, careful=plan.kind == "delta")


async def keep_tables(
    project: Project, names: Sequence[str], destination: Destination, journal: Journal, engine: Engine, *, careful: bool
) -> None:
    """The same for tables by name. `careful`: `see_tables` was asked before, and what it saw edited stays so. A row that it did not
    see was made again since, by us."""
    for name in names:
        now, left = seen_folder(project) / f"{name}.now.parquet", versions_folder(project) / f"{name}.parquet"
        seen = seen_folder(project) / f"{name}.parquet"
        table, ids = await _ours(name, destination, engine, journal)
        if table is None:
            continue
        await write_versions(destination, engine, table, ids, now)
        select = f"SELECT * FROM {read_parquet(now)}"
        if careful and left.exists() and seen.exists():
            select = f"""SELECT n."row", CASE WHEN l."row" IS NULL OR s."row" IS NULL OR s.version IS NOT DISTINCT FROM l.version THEN n.version
                ELSE l.version END AS version FROM {read_parquet(now)} n
                LEFT JOIN {read_parquet(left)} l ON l."row" = n."row"
                LEFT JOIN {read_parquet(seen)} s ON s."row" = n."row" """
        engine.write_parquet(select, left)
        now.unlink()
    note_versions(journal, names)


def _tables(project: Project, plan: Plan) -> list[str]:
    whole = load_json(plan_folder(project) / "state" / "whole.json", Plan) if plan.kind == "delta" else plan
    left = load_json(plan_folder(project) / "state" / "left.json", Plan) if plan.kind == "delta" else plan
    return sorted({send.table for side in (plan, whole, left) for send in side.tables})


async def _ours(
    name: str, destination: Destination, engine: Engine, journal: Journal
) -> tuple[Table | None, list[UUID] | None]:
    """The table and the ids of our rows in it, None when they are many; no table when there are none."""
    journal.refresh()
    make_done_view(engine, journal)
    table = await destination.table(name)
    ids = [UUID(str(row[0])) for row in engine.rows(f"{ours_sql(name)} LIMIT {FEW_ROWS + 1}")] if table else []
    if table is None or not ids:
        return None, None
    return table, ids if len(ids) <= FEW_ROWS else None
