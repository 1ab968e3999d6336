"""A load becomes the state that stands: what later deltas compare with, what reconciliation and rollback are about."""

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
    load_state,
    open_state,
    save_loaded,
    state_folder,
)
from flitstack.app.store import load_staging, plan_folder
from flitstack.app.subjects import current_gates
from flitstack.documents import load_json, save_json
from flitstack.journal.frames import Status
from flitstack.journal.journal import Journal
from flitstack.planning.document import Plan
from flitstack.staging.engine.engine import Engine, literal, read_parquet


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
    """Name the state a finished load leaves. Rows whose change did not land keep the values they had."""
    loaded, before = load_loaded(project), load_state(project)
    name = plan.sha256[:16]
    folder = state_folder(project, name)
    if plan.kind != "delta":
        _lay_down_full(project, plan, folder)
    if before is not None and before.folder != folder:
        _keep_older(engine, _undone(engine, journal, plan, before), before, open_state(folder))
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


def _undone(engine: Engine, journal: Journal, plan: Plan, before: State) -> str:
    """SELECT "table", row of rows that still hold what they held before this plan."""
    if plan.kind != "delta":
        # A plan of everything only makes what is not there; rows of earlier loads are not touched by it.
        parts = [
            f'SELECT {literal(send.table)} AS "table", _row AS "row" FROM {read_parquet(before.folder / send.parquet)}'
            for send in before.whole.tables
        ]
    else:
        runs = ", ".join(map(str, journal.runs_of(plan.sha256))) or "-1"
        folder = before.folder.parents[1] / "plan"
        parts = []
        for step in plan.steps:
            send = plan.send_table(step.send) if step.send else None
            if send is None or not send.is_change:
                continue
            parts.append(
                f"""SELECT {literal(send.table)} AS "table", e._row AS "row"
                FROM {read_parquet(folder / send.parquet)} e ANTI JOIN (
                    SELECT "row" FROM journal_rows WHERE "table" = {literal(send.table)} AND step = {step.index}
                    AND status = {Status.LANDED} AND run IN ({runs})) j ON j."row" = e._row"""
            )
    return " UNION ".join(parts) or 'SELECT \'\' AS "table", NULL::UUID AS "row" WHERE FALSE'


def _keep_older(engine: Engine, undone: str, before: State, after: State) -> None:
    engine.run(f"CREATE OR REPLACE TEMP TABLE undone AS {undone}")
    for send in after.whole.tables:
        mine = f'SELECT "row" FROM undone WHERE "table" = {literal(send.table)}'
        if not engine.one(f"SELECT count(*) FROM ({mine})")[0]:
            continue
        new = read_parquet(after.folder / send.parquet)
        old = [
            side / earlier.parquet
            for side, plan in ((before.folder, before.whole), (before.folder, before.left))
            for earlier in plan.tables
            if earlier.table == send.table
        ]
        if not old:
            continue
        earlier = read_parquet(old, "union_by_name = true")
        engine.write_parquet(
            f"""SELECT * FROM {new} n WHERE n._row NOT IN ({mine}) OR n._row NOT IN (SELECT _row FROM {earlier})
            UNION ALL BY NAME
            SELECT * FROM {earlier} o WHERE o._row IN ({mine}) AND o._row IN (SELECT _row FROM {new})""",
            after.folder / send.parquet,
        )
    engine.run("DROP TABLE undone")


def kept_file(state: State) -> Path | None:
    """The state's cells that are Dynamics' own, when it has any."""
    path = state.folder / KEPT
    return path if path.exists() else None
