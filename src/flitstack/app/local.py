"""What a command opens on its own machine: the engine and the journal. Without a destination, which takes longer to load."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flitstack.app.project import Project
from flitstack.app.rounds import loaded_file
from flitstack.app.store import load_plan
from flitstack.documents import load_json, save_json
from flitstack.errors import Problem, UsageError
from flitstack.journal.journal import Journal
from flitstack.journal.segments import Position, reaches
from flitstack.staging.engine.engine import Engine


def open_engine(project: Project) -> Engine:
    """The engine with the project's memory limit; scratch files lie below the project's machine state."""
    scratch = project.state / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    return Engine(scratch, memory_mb=project.settings.memory_mb)


@contextmanager
def open_journal(project: Project, *, write: bool) -> Iterator[Journal]:
    """The journal of the chosen environment. Raises UsageError when it was lost, or is an older copy: what it does not know of would
    be made a second time."""
    folder = journal_folder(project)
    _refuse_older(project, folder)
    with Journal(folder, project.operator, write=write) as journal:
        try:
            yield journal
        finally:
            remember_position(project, journal)


def remember_position(project: Project, journal: Journal) -> None:
    """Note beside the journal where it ends, so that an older copy of it is known as one."""
    if journal.position is not None:
        save_json(_position_file(project), journal.position)


def holds_journal(folder: Path) -> bool:
    """Whether anything was ever written to this journal."""
    return any(path.stat().st_size for path in (folder / "segments").glob("*.segment"))


def _refuse_older(project: Project, folder: Path) -> None:
    again = "make it again from what the destination holds: flitstack journal recover"
    if not holds_journal(folder):
        if _was_begun(project):
            what = f"{folder} holds no journal, but rows were planned or loaded for this environment"
            raise UsageError(
                Problem("journal-lost", what, do=f"put the folder back; if there is no copy of it, {again}")
            )
        return
    path = _position_file(project)
    if path.exists():
        known = load_json(path, Position)
        if not reaches(folder / "segments", known):
            what = f"{folder} is not the journal that was last written here: that one reached byte {known.end} of {known.segment}"
            raise UsageError(
                Problem(
                    "journal-older",
                    what,
                    do=f"put back its newest copy; if there is none, move {folder} away and {again}",
                )
            )


def _position_file(project: Project) -> Path:
    return project.env_state / "journal-position.json"


def _was_begun(project: Project) -> bool:
    if loaded_file(project).exists():
        return True
    plan = load_plan(project)
    return plan is not None and any(send.rows for send in plan.tables)


def journal_folder(project: Project) -> Path:
    """Where it lies."""
    return project.env_state / "journal"
