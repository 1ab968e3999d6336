"""Which rows somebody else edited since we left them.

A row is edited when its version is no longer the one we left. A command that was stopped left versions which nobody noted: until
they are, a new version that was last written by an application user of the migration is taken for that command's doing, unless
the row was known as edited before it began.
"""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from flitstack.app.project import Project
from flitstack.catalogue.types import Table
from flitstack.destinations.port import Destination, Facts
from flitstack.journal.journal import Journal
from flitstack.reconciling.fingerprint import EDITOR, write_editors, write_versions
from flitstack.staging.engine.engine import Engine, read_parquet

NOTE = "versions"  # of the journal: up to which run the versions that we left are known


def versions_folder(project: Project) -> Path:
    """Versions of our rows right after the last load."""
    return project.env_state / "versions"


def seen_folder(project: Project) -> Path:
    """Versions right before the last delta or rollback of one; the version we left where nobody had edited the row."""
    return project.env_state / "versions-before"


def our_users(project: Project, facts: Facts) -> set[UUID]:
    """The application users that the migration writes as."""
    # Which of several application users is whose only their sign-in knows: none of them is taken for a person.
    others = [user.id for user in facts.users if user.is_application] if project.target.more_users else []
    return {facts.user_id, *others}


def note_versions(journal: Journal, tables: Sequence[str]) -> None:
    """What was written so far left the versions that are now kept of these tables."""
    journal.note(NOTE, upto=journal.state.run, tables=list(tables))


async def write_edits(
    project: Project,
    engine: Engine,
    destination: Destination,
    journal: Journal,
    table: Table,
    ids: Sequence[UUID] | None,
    target: Path,
) -> None:
    """Write `target` (row UUID, version BIGINT, is_edited BOOLEAN) of the given rows, or of all."""
    left, seen = (folder(project) / f"{table.name}.parquet" for folder in (versions_folder, seen_folder))
    raw = target.with_suffix(".read")
    is_edited = "n.version <> l.version"
    if EDITOR in table.columns and _was_stopped(journal, table.name, left):
        await write_editors(destination, engine, table, ids, raw)
        ours = ", ".join(f"UUID '{one}'" for one in sorted(our_users(project, await destination.facts())))
        others = f"n.editor NOT IN ({ours})"
        is_edited = f"""CASE WHEN l."row" IS NULL THEN {others}
            ELSE {is_edited} AND ({others} OR coalesce(s.version <> l.version, FALSE)) END"""
    else:
        await write_versions(destination, engine, table, ids, raw)
    engine.write_parquet(
        f"""SELECT n."row", n.version, coalesce({is_edited}, FALSE) AS is_edited FROM {read_parquet(raw)} n
        LEFT JOIN {known(left)} l ON l."row" = n."row" LEFT JOIN {known(seen)} s ON s."row" = n."row" """,
        target,
    )
    raw.unlink()


def known(path: Path) -> str:
    """SQL: the versions ("row", version) of a file, none where there is no file."""
    if path.exists():
        return read_parquet(path)
    return '(SELECT NULL::UUID AS "row", NULL::BIGINT AS version WHERE FALSE)'


def _was_stopped(journal: Journal, table: str, left: Path) -> bool:
    """Whether something ran since the versions of a table were kept. Older journals do not say: then only where none were."""
    upto = max((int(note["upto"]) for note in journal.notes(NOTE) if table in note["tables"]), default=None)
    if upto is None:
        return not left.exists()
    return any(int(note["run"]) > upto for note in journal.notes("run"))
