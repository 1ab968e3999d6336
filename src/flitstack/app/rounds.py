"""Rounds: what each environment holds by our doing, and the snapshots of the export that led there.

`.flitstack/snapshots/<number>/` keeps every snapshot that a later export was laid over (unchanged tables under a second name).
`.flitstack/<env>/states/<plan>/` keeps what a finished load left: `whole.json` and its send tables (every row with the values
we hold to be there), `left.json` (rows that no record makes any more), `kept.parquet` (cells that are Dynamics' own).
`.flitstack/<env>/loaded.json` names the state that stands.
"""

import os
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from flitstack.app.project import Project
from flitstack.app.store import load_staging, staged_folder
from flitstack.documents import load_json, save_json
from flitstack.planning.document import Plan, SendTable
from flitstack.staging.document import StagingDocument

KEPT = "kept.parquet"


@dataclass(frozen=True, slots=True)
class Round:
    """One finished load. `accounts` and `tables` as the load told them; `kind`: full | delta."""

    number: int
    kind: str
    plan: str
    snapshot: int
    at: str
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    tables: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What stands in an environment. `state`: folder below `states`; `snapshot`: number of the snapshot it came from;
    `attempts`: states of loads that were begun and not finished since; `gates`: what was approved before the first load."""

    state: str
    snapshot: int
    rounds: tuple[Round, ...] = ()
    attempts: tuple[str, ...] = ()
    gates: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class State:
    """A state on disk: every row a record makes, and those that none makes any more."""

    folder: Path
    whole: Plan
    left: Plan

    @property
    def kept(self) -> Path:
        """Parquet ("table", row, column, why) of cells and rows that are Dynamics' own."""
        return self.folder / KEPT


def loaded_file(project: Project) -> Path:
    """loaded.json of the chosen environment."""
    return project.env_state / "loaded.json"


def load_loaded(project: Project) -> Loaded | None:
    """What stands in the chosen environment; None when no load came to its end."""
    path = loaded_file(project)
    return load_json(path, Loaded) if path.exists() else None


def save_loaded(project: Project, loaded: Loaded) -> None:
    """Name another state as the one that stands."""
    save_json(loaded_file(project), loaded)


def forget_loaded(project: Project) -> None:
    """After a rollback nothing stands."""
    loaded_file(project).unlink(missing_ok=True)


def state_folder(project: Project, name: str) -> Path:
    """Where a state lies."""
    return project.env_state / "states" / name


def open_state(folder: Path) -> State:
    """Read a state."""
    return State(folder, load_json(folder / "whole.json", Plan), load_json(folder / "left.json", Plan))


def load_state(project: Project) -> State | None:
    """The state that stands in the chosen environment."""
    loaded = load_loaded(project)
    return open_state(state_folder(project, loaded.state)) if loaded else None


def tried_states(project: Project) -> list[State]:
    """What deltas meant to leave that were begun and did not come to their end, in their order."""
    loaded = load_loaded(project)
    return [open_state(state_folder(project, name)) for name in loaded.attempts] if loaded else []


def laid_down(project: Project) -> list[State]:
    """Every state on disk, the newest first: those too that no longer stand, or never came to stand."""
    found = sorted((path.stat().st_mtime_ns, path.parent) for path in state_folder(project, "").glob("*/whole.json"))
    return [open_state(folder) for _, folder in reversed(found) if (folder / "left.json").exists()]


def planned_state(project: Project) -> State | None:
    """What the plan of a first load means to leave; None without one."""
    folder = project.env_state / "plan"
    path = folder / "plan.json"
    plan = load_json(path, Plan) if path.exists() else None
    return (
        State(folder, plan, replace(plan, tables=(), steps=())) if plan is not None and plan.kind != "delta" else None
    )


def everything(project: Project, plan: Plan) -> Plan:
    """The plan with every send table that stands for rows of ours: those of the state, of rows no record makes any more, of
    loads that were not finished, and its own. Paths are absolute; a row may stand in several."""
    folder = project.env_state / "plan"
    sides: list[tuple[Path, Plan]] = []
    loaded = load_loaded(project)
    if loaded is not None:
        for name in (loaded.state, *loaded.attempts):
            state = open_state(state_folder(project, name))
            sides += [(state.folder, state.whole), (state.folder, state.left)]
    if plan.kind != "delta":
        sides.append((folder, plan))
    tables: list[SendTable] = []
    for number, (place, side) in enumerate(sides):
        for send in side.tables:
            place_beside(tables, replace(send, name=f"{number}_{send.name}", parquet=str(place / send.parquet)))
    return replace(plan, tables=tuple(tables))


def place_beside(tables: list[SendTable], send: SendTable) -> None:
    """Put a send table behind the last one of its destination table; at the end where there is none."""
    ends = [at for at, known in enumerate(tables) if known.table == send.table]
    tables.insert(ends[-1] + 1 if ends else len(tables), send)


def loaded_anywhere(project: Project) -> bool:
    """Whether some environment of the project was loaded."""
    return any((project.state / name / "loaded.json").exists() for name in project.settings.environments)


def is_loaded(project: Project, staged: StagingDocument) -> bool:
    """Whether some environment holds this snapshot, or a later one, already."""
    paths = [project.state / name / "loaded.json" for name in project.settings.environments]
    return any(load_json(path, Loaded).snapshot >= staged.number for path in paths if path.exists())


def is_later(project: Project, export: Path | None, *, asked: bool) -> bool:
    """Whether `stage` is about an export that comes after the one that was loaded."""
    if asked:
        return True
    staged = load_staging(project)
    return (
        export is not None
        and staged is not None
        and loaded_anywhere(project)
        and export.resolve() != project.export.resolve()
    )


def keep_snapshot(project: Project, staged: StagingDocument) -> None:
    """Keep the current snapshot under its number; tables get a second name, nothing is copied where that can be had."""
    target = project.state / "snapshots" / str(staged.number)
    shutil.rmtree(target, ignore_errors=True)
    link_folder(staged_folder(project), target)


def snapshot_folders(project: Project, after: int, upto: int) -> list[Path]:
    """Folders of the snapshots with numbers above `after`, up to the current one `upto`."""
    kept = [project.state / "snapshots" / str(number) for number in range(after + 1, upto)]
    return [*kept, *([staged_folder(project)] if upto > after else [])]


def link_folder(source: Path, target: Path) -> None:
    """The same files under other names; copies where the file system has no second names."""
    for path in sorted(source.rglob("*")):
        if path.is_file():
            put_in_place(path, target / path.relative_to(source))


def put_in_place(source: Path, target: Path) -> None:
    """A file under a second name, in place of what may be there; a copy where the file system has no second names."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{uuid4().hex}")
    try:
        os.link(source, beside)
    except OSError:
        shutil.copyfile(source, beside)
    # Where both are one file already, nothing is renamed: the name beside it would stay.
    beside.replace(target)
    beside.unlink(missing_ok=True)
