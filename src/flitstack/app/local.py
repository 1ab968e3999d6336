"""What a command opens on its own machine: the engine and the journal. Without a destination, which takes longer to load."""

from pathlib import Path

from flitstack.app.project import Project
from flitstack.app.rounds import loaded_file
from flitstack.app.store import load_plan
from flitstack.errors import Problem, UsageError
from flitstack.journal.journal import Journal
from flitstack.staging.engine.engine import Engine


def open_engine(project: Project) -> Engine:
    """The engine with the project's memory limit; scratch files lie below the project's machine state."""
    scratch = project.state / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    return Engine(scratch, memory_mb=project.settings.memory_mb)


def open_journal(project: Project, *, write: bool) -> Journal:
    """The journal of the chosen environment. Raises UsageError when it was lost: without it everything would be new."""
    folder = journal_folder(project)
    if not holds_journal(folder) and _was_begun(project):
        what = f"{folder} holds no journal, but rows were planned or loaded for this environment"
        do = "put the folder back; if there is no copy of it, make it again from what the destination holds: flitstack journal recover"
        raise UsageError(Problem("journal-lost", what, do=do))
    return Journal(folder, project.operator, write=write)


def holds_journal(folder: Path) -> bool:
    """Whether anything was ever written to this journal."""
    return any((folder / "segments").glob("*.segment"))


def _was_begun(project: Project) -> bool:
    if loaded_file(project).exists():
        return True
    plan = load_plan(project)
    return plan is not None and any(send.rows for send in plan.tables)


def journal_folder(project: Project) -> Path:
    """Where it lies."""
    return project.env_state / "journal"
