"""A rollback that was begun: kept beside the plan until it came to its end, so that the same one goes on after a crash.

Made anew, it would take its own traces for somebody's edits: a deal it has reopened would stay open.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from flitstack.app.project import Project
from flitstack.app.rounds import load_loaded
from flitstack.app.store import plan_folder
from flitstack.documents import load_json, save_json
from flitstack.errors import Problem, UsageError
from flitstack.journal.journal import Journal
from flitstack.planning.document import Plan


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command was asked for."""

    force: bool
    with_schema: bool
    last: bool

    @property
    def command(self) -> str:
        """As a person types it."""
        chosen = {"--last": self.last, "--force": self.force, "--schema": self.with_schema}
        return " ".join(("flitstack rollback", *(flag for flag, is_set in chosen.items() if is_set)))


@dataclass(frozen=True, slots=True)
class Begun:
    """The plan that takes back, what it keeps (table, row, why, where from; a cell its column), and what was asked."""

    plan: Plan
    kept: list[dict[str, str]]
    edited: list[dict[str, str]]
    asked: Asked

    @property
    def stays(self) -> list[dict[str, str]]:
        """Rows and cells that are not taken back."""
        return [*self.kept, *self.edited]


def remember_begun(project: Project, begun: Begun) -> None:
    """Keep it before its first request."""
    save_json(_file(project), begun)


def remember_ended(project: Project, begun: Begun) -> None:
    """All of it is done, and another one is about to take its place on disk: stopped before that is remembered, this one goes on
    with nothing, and not with the other's send tables."""
    remember_begun(project, replace(begun, plan=replace(begun.plan, tables=(), steps=())))


def forget_begun(project: Project) -> None:
    """It came to its end."""
    _file(project).unlink(missing_ok=True)


def load_begun(project: Project, journal: Journal) -> Begun | None:
    """The rollback that is not over: nothing else was done in the environment since, and its send tables are there."""
    path = _file(project)
    if not path.exists():
        return None
    begun = load_json(path, Begun)
    runs = journal.notes("run")
    is_latest = bool(runs) and runs[-1]["plan"] == begun.plan.sha256
    folder = plan_folder(project)
    return begun if is_latest and all((folder / table.parquet).exists() for table in begun.plan.tables) else None


def require_none_begun(project: Project, journal: Journal) -> None:
    """Raise UsageError when a rollback was stopped half way through several rounds: a plan knows only what its own round changed,
    so that a load would bring back some of it and tell nothing of the rest. A single round brings back all that was taken."""
    begun, loaded = load_begun(project, journal), load_loaded(project)
    if begun is None or loaded is None or not (loaded.attempts or len(loaded.rounds) > 1):
        return
    what = "a rollback was begun and did not come to its end: part of what deltas changed is taken back"
    raise _unfinished(
        project, what, f"run: {begun.asked.command} (it goes on where it stopped), then plan and load again"
    )


def require_asked_alike(project: Project, begun: Begun, asked: Asked) -> None:
    """Raise UsageError when another rollback is to be shown than the one that was begun: what it would do is known only once that
    one is over, and looking would write over the send tables that it goes on with."""
    if begun.asked == asked:
        return
    what = "another rollback was begun and did not come to its end: what this one would do depends on it"
    raise _unfinished(
        project, what, f"run: {begun.asked.command} (it goes on where it stopped; --dry-run shows it), then ask again"
    )


def require_not_everything_begun(project: Project, begun: Begun, asked: Asked) -> None:
    """Raise UsageError when only the last delta is asked for while a rollback of everything was begun."""
    if asked.last and not begun.asked.last:
        what = "a rollback of everything was begun and did not come to its end: the last delta can no longer be taken back by itself"
        raise _unfinished(project, what, f"run: {begun.asked.command} (it goes on where it stopped)")


def planned_before(plan: Plan, rollback: str) -> bool:
    """Whether a plan is older than a rollback (ISO 8601): it was compared with what stood then, and no load may take it."""
    return bool(plan.at) and datetime.fromisoformat(plan.at) < datetime.fromisoformat(rollback)


def _unfinished(project: Project, what: str, do: str) -> UsageError:
    return UsageError(Problem("rollback-unfinished", what, where=str(_file(project)), do=do))


def _file(project: Project) -> Path:
    return project.env_state / "rollback" / "begun.json"
