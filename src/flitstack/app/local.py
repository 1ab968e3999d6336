"""What a command opens on its own machine: the engine and the journal. Without a destination, which takes longer to load."""

from pathlib import Path

from flitstack.app.project import Project
from flitstack.journal.journal import Journal
from flitstack.staging.engine.engine import Engine


def open_engine(project: Project) -> Engine:
    """The engine with the project's memory limit; scratch files lie below the project's machine state."""
    scratch = project.state / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    return Engine(scratch, memory_mb=project.settings.memory_mb)


def open_journal(project: Project, *, write: bool) -> Journal:
    """The journal of the chosen environment."""
    return Journal(journal_folder(project), project.operator, write=write)


def journal_folder(project: Project) -> Path:
    """Where it lies."""
    return project.env_state / "journal"
