"""What a rollback needs to know of the time before and right after a load."""

from pathlib import Path
from uuid import UUID

from flitstack.app.project import Project
from flitstack.destinations.port import Destination
from flitstack.journal.journal import Journal
from flitstack.loading.rows import landed_sql, make_done_view
from flitstack.planning.document import Plan
from flitstack.reconciling.fingerprint import fingerprint_columns, write_fingerprint, write_versions
from flitstack.staging.engine.engine import Engine

# Reading versions row by row is cheaper than reading a whole table only for few rows.
FEW_ROWS = 5_000


def fingerprint_folder(project: Project) -> Path:
    """Fingerprints taken before the first load of an environment."""
    return project.env_state / "fingerprint"


def versions_folder(project: Project) -> Path:
    """Versions of our rows right after the last load."""
    return project.env_state / "versions"


async def take_fingerprint(
    project: Project, plan: Plan, destination: Destination, journal: Journal, engine: Engine
) -> None:
    """Fingerprint every table the plan writes to, once: before anything of ours is there."""
    taken = {note["table"] for note in journal.notes("fingerprint")}
    for name in sorted({send.table for send in plan.tables} - taken):
        table = await destination.table(name)
        columns = fingerprint_columns(table) if table else []
        rows = 0  # a table that the schema step will make holds nothing yet
        if table is not None:
            path = fingerprint_folder(project) / f"{name}.parquet"
            rows = await write_fingerprint(destination, engine, table, columns, path)
        journal.note("fingerprint", table=name, rows=rows, columns=columns)


async def keep_versions(
    project: Project, plan: Plan, destination: Destination, journal: Journal, engine: Engine
) -> None:
    """Remember the version of every row of ours, so that a later edit by anybody is seen."""
    journal.refresh()
    make_done_view(engine, journal)
    for name in sorted({send.table for send in plan.tables}):
        table = await destination.table(name)
        if table is None:
            continue
        ids = [UUID(str(row[0])) for row in engine.rows(f"{landed_sql(name)} LIMIT {FEW_ROWS + 1}")]
        chosen = ids if len(ids) <= FEW_ROWS else None
        if ids:
            await write_versions(destination, engine, table, chosen, versions_folder(project) / f"{name}.parquet")
