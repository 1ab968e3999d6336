"""The one place that names a concrete destination and a concrete engine."""

import os
from pathlib import Path

from flitstack.app.project import Project
from flitstack.errors import Problem, UsageError
from flitstack.staging.engine.engine import Engine


def open_engine(project: Project) -> Engine:
    """The engine with the project's memory limit; scratch files lie below the project's machine state."""
    scratch = project.state / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    return Engine(scratch, memory_mb=project.settings.memory_mb)


def secret(variable: str) -> str:
    """A credential from the environment. Raises UsageError naming the variable, never the value."""
    value = os.environ.get(variable, "")
    if not value:
        raise UsageError(
            Problem(
                "no-credential",
                f"the environment variable {variable} is empty",
                do=f"set {variable} before this command",
            )
        )
    return value


def scratch_folder(project: Project) -> Path:
    """Where the engine spills."""
    return project.state / "scratch"
