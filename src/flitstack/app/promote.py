"""A load becomes the state that stands: what later deltas compare with, what reconciliation and rollback are about."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from flitstack.app.gates import now
from flitstack.app.project import Project
from flitstack.app.rounds import (
    KEPT,
    Loaded,
    Round,
    State,
    link_folder,
    load_loaded,
    open_state,
    put_in_place,
    save_loaded,
    state_folder,
    tried_states,
)
from flitstack.app.store import load_staging, plan_folder
from flitstack.app.subjects import current_gates
from flitstack.documents import load_json, save_json
from flitstack.journal.journal import Journal
from flitstack.planning.changes import Side
from flitstack.planning.document import Plan
from flitstack.planning.landed import Delta, find_undone, write_as_landed
from flitstack.staging.engine.engine import Engine, read_parquet


def begin_state(project: Project, plan: Plan) -> None:
    """Lay down, before the first request of a delta, what it means to leave: a load that is not finished counts as tried."""
    loaded = load_loaded(project)
    if plan.kind != "delta" or loaded is None:
        return
    name = plan.sha256[:16]
    folder = state_folder(project, name)
    if not (folder / "whole.json").exists():
        source = plan_folder(project) / "state"
        link_folder(source, folder)
        for document in ("left.json", "whole.json"):
            save_json(folder / document, load_json(source / document, Plan))
    if name != loaded.state and name not in loaded.attempts:
        save_loaded(project, replace(loaded, attempts=(*loaded.attempts, name)))


def finish_state(
    project: Project,
    plan: Plan,
    engine: Engine,
    journal: Journal,
    accounts: dict[str, dict[str, Any]],
    tables: dict[str, dict[str, int]],
) -> None:
    """Name the state a finished load leaves. Cells whose change did not land keep the values they had."""
    loaded = load_loaded(project)
    before = _state_before(project, loaded, plan)
    name = plan.sha256[:16]
    folder = state_folder(project, name)
    if plan.kind != "delta":
        _lay_down_full(project, plan, folder)
        if before is not None:
            _keep_older(engine, before, open_state(folder))
    elif before is not None:
        tried = [state for state in reversed(tried_states(project)) if state.folder != folder]
        _lay_down_delta(project, plan, engine, journal, before, tried)
    staged = load_staging(project)
    number = staged.number if staged else 0
    rounds = loaded.rounds if loaded else ()
    rounds = tuple(r for r in rounds if r.plan != plan.sha256)
    made = Round(len(rounds), plan.kind, plan.sha256, number, now(), accounts, tables)
    gates = loaded.gates if loaded else {n: g.sha256 for n, g in current_gates(project).items() if g.state == "open"}
    save_loaded(project, Loaded(name, number, (*rounds, made), (), gates))


def _lay_down_full(project: Project, plan: Plan, folder: Path) -> None:
    if (folder / "whole.json").exists():
        return
    source = plan_folder(project)
    link_folder(source / "rows", folder / "rows")
    save_json(folder / "left.json", replace(plan, tables=(), steps=()))
    save_json(folder / "whole.json", plan)


def _state_before(project: Project, loaded: Loaded | None, plan: Plan) -> State | None:
    """What stood before a plan, which may have been loaded already, when what was refused then is sent once more."""
    if loaded is None:
        return None
    name = loaded.state
    if name == plan.sha256[:16]:
        earlier = [r.plan[:16] for r in loaded.rounds if r.plan != plan.sha256]
        if not earlier:
            return None
        name = earlier[-1]
    return open_state(state_folder(project, name))


def _lay_down_delta(
    project: Project, plan: Plan, engine: Engine, journal: Journal, before: State, tried: Sequence[State]
) -> None:
    """Lay the delta's state down anew, less what did not land. `tried`: of loads that were stopped before it, the newest first."""
    source, folder = plan_folder(project) / "state", state_folder(project, plan.sha256[:16])
    whole = load_json(source / "whole.json", Plan)
    wanted, delta = Side(whole, source), Delta(plan, plan_folder(project), journal.runs_of(plan.sha256))
    stood = [Side(before.whole, before.folder), Side(before.left, before.folder)]
    stood += [Side(state.whole, state.folder) for state in tried]
    tables = {}
    for name in wanted.tables():
        if not find_undone(engine, delta, name):
            continue
        for send in wanted.sends(name):
            made = write_as_landed(engine, delta, wanted, send, stood, folder / send.parquet)
            if made is not None:
                tables[send.name] = made
    for send in whole.tables:
        if send.name not in tables:
            put_in_place(source / send.parquet, folder / send.parquet)
    save_json(folder / "whole.json", replace(whole, tables=tuple(tables.get(s.name, s) for s in whole.tables)))


def _keep_older(engine: Engine, before: State, after: State) -> None:
    """A plan of everything only makes what is not there: rows of earlier loads keep the values they had."""
    for send in after.whole.tables:
        new = read_parquet(after.folder / send.parquet)
        old = [before.folder / earlier.parquet for earlier in before.whole.tables if earlier.table == send.table]
        if not old:
            continue
        earlier = read_parquet(old, "union_by_name = true")
        engine.write_parquet(
            f"""SELECT * FROM {new} n ANTI JOIN {earlier} o ON o._row = n._row
            UNION ALL BY NAME SELECT * FROM {earlier} o SEMI JOIN {new} n ON n._row = o._row""",
            after.folder / send.parquet,
        )


def kept_file(state: State) -> Path | None:
    """The state's cells that are Dynamics' own, when it has any."""
    path = state.folder / KEPT
    return path if path.exists() else None
