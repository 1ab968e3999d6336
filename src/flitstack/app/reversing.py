"""Planning a rollback: what others edited or point to stays with all it needs, what stays is given back, the rest is deleted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from flitstack.app.edits import write_edits
from flitstack.app.project import Project
from flitstack.app.references import read_references
from flitstack.app.restoring import Restore
from flitstack.app.result import Progress
from flitstack.app.resuming import find_edited
from flitstack.app.rounds import State, load_state, planned_state, tried_states
from flitstack.app.rounds_back import LastRound
from flitstack.app.snapshots import FEW_ROWS
from flitstack.app.store import load_applied_schema, plan_folder
from flitstack.app.strays import with_strays
from flitstack.app.undoing import Asked, Begun
from flitstack.destinations.port import Destination
from flitstack.journal.journal import Journal
from flitstack.loading.rows import landed_sql, make_done_view
from flitstack.planning.document import Plan, SendTable
from flitstack.planning.restore import write_lost
from flitstack.planning.rollback import find_kept, replanned, rollback_plan, spare
from flitstack.staging.engine.engine import Engine, literal, read_parquet


@dataclass
class Rollback:
    """One rollback and what it needs."""

    project: Project
    plan: Plan
    destination: Destination
    journal: Journal
    engine: Engine
    progress: Progress
    last: LastRound | None = None  # when only that is taken back

    @property
    def runs(self) -> Sequence[int]:
        """The journal's runs that are taken back."""
        return self.last.runs if self.last else self.journal.standing_runs()

    @property
    def made_in(self) -> Sequence[int] | None:
        """The runs whose rows are deleted; None: whatever made them."""
        return self.last.runs if self.last else None

    @property
    def work(self) -> Path:
        """Where versions and fingerprints of now are kept."""
        return self.project.env_state / "rollback"


async def begin_anew(this: Rollback, asked: Asked) -> Begun:
    """Look who edited and referenced what, and make the plan."""
    this.progress.phase("looking for rows edited or referenced since")
    this.plan = with_strays(this.project, this.engine, this.journal, this.plan)
    await _find_kept(this)
    kept = _kept_rows(this)
    if asked.force:
        this.engine.run("DELETE FROM kept")
        kept = []
    restored, edited = await _restored(this)
    undo = rollback_plan(
        this.engine,
        _with_files_of(this),
        plan_folder(this.project),
        with_schema=asked.with_schema and not kept,
        operations=load_applied_schema(this.project),
        restored=restored,
    )
    return Begun(undo, kept, edited, asked)


async def resume(this: Rollback, begun: Begun) -> Begun:
    """What was begun, less what others edited since: those rows are kept, or given back but for the edited cells."""
    this.progress.phase("looking for rows edited since the rollback was interrupted")
    this.journal.refresh()
    make_done_view(this.engine, this.journal)
    this.plan = with_strays(this.project, this.engine, this.journal, this.plan)
    edited = await find_edited(this.project, this.engine, this.destination, begun.plan)
    if not edited or begun.asked.force:
        return begun
    folder, label = plan_folder(this.project), f"resumed{len(this.journal.notes('run'))}"
    rows = " UNION ALL ".join(
        f'SELECT {literal(t)} AS "table", "row", \'edited\' AS why FROM ({q})' for t, q in edited.items()
    )
    plan, _ = spare(this.engine, this.plan, folder, begun.plan, rows, label, this.made_in)
    kept = _kept_rows(this)
    deleted = {t: f'SELECT "row" FROM ours WHERE "table" = {literal(t)}' for t in {s.table for s in this.plan.tables}}
    again, cells = await _given_again(this, deleted, edited, f"_{label}")
    plan = replanned(this.engine, plan, folder, edited, again, label)
    # What is edited still was listed when the rollback went on before.
    return Begun(plan, _once([*begun.kept, *kept]), _once([*begun.edited, *cells]), begun.asked)


def _once(listed: list[dict[str, str]]) -> list[dict[str, str]]:
    """A row, or a cell, once: as it was listed first."""
    found: dict[tuple[str, ...], dict[str, str]] = {}
    for entry in listed:
        found.setdefault((entry["table"], entry["row"], entry.get("column", "")), entry)
    return list(found.values())


async def _given_again(
    this: Rollback, deleted: dict[str, str], edited: dict[str, str], label: str
) -> tuple[list[tuple[str, SendTable]], list[dict[str, str]]]:
    states = _states(this)
    if not states:
        return [], []
    work = Restore(this.project, this.engine, this.journal, this.destination, states, this.runs, deleted, edited, label)
    return await work.tables(), work.edited


def _states(this: Rollback) -> list[State]:
    """Every state whose values are ours: the one that stands, and what deltas meant to leave that were stopped."""
    # Before a load came to its end, its plan says what it meant to leave.
    state = load_state(this.project) or planned_state(this.project)
    return [state, *reversed(tried_states(this.project))] if state else []


async def _find_kept(this: Rollback) -> None:
    edits = {}
    for name in sorted({send.table for send in this.plan.tables}):
        table = await this.destination.table(name)
        ids = _ids(this, name)
        if table is None or ids == []:
            continue
        edits[name] = this.work / f"{name}.edits.parquet"
        await write_edits(this.project, this.engine, this.destination, this.journal, table, ids, edits[name])
    images = write_lost(this.engine, this.journal, this.runs, this.work)
    lost = f"SELECT * FROM {read_parquet(images)}" if images else ""
    targets = {send.table for send in this.plan.tables}
    references = await read_references(this.destination, this.engine, (), targets, this.work)
    find_kept(
        this.engine,
        this.plan,
        plan_folder(this.project),
        edits,
        references,
        this.made_in,
        lost,
    )


async def _restored(this: Rollback) -> tuple[list[tuple[str, SendTable]], list[dict[str, str]]]:
    """Step kinds and send tables that give rows that stay what they held before, and cells that keep a later edit."""
    states = _states(this)
    if not states:
        return [], []
    deleted = {t: f'SELECT "row" FROM ours WHERE "table" = {literal(t)}' for t in {s.table for s in this.plan.tables}}
    work = Restore(this.project, this.engine, this.journal, this.destination, states, this.runs, deleted)
    tables = await work.tables()
    last = this.last
    closing = [entry for entry in tables if entry[1].name.startswith("close_")]
    others = [entry for entry in tables if entry not in closing]
    again = work.deleted(last.before) if last else []
    joined = await work.links_and_files(last.before, last.left) if last else []
    return [*again, *others, *work.made_links(), *joined, *closing], work.edited


def _with_files_of(this: Rollback) -> Plan:
    """The plan with the export whose files are sent again: that of the round before, when only the last one is taken back."""
    if this.last is None:
        return this.plan
    before = this.last.before.whole
    return replace(this.plan, export=before.export, kept=before.kept)


def _ids(this: Rollback, table: str) -> list[UUID] | None:
    found = [UUID(str(row[0])) for row in this.engine.rows(f"{landed_sql(table)} LIMIT {FEW_ROWS + 1}")]
    return found if len(found) <= FEW_ROWS else None


def _kept_rows(this: Rollback) -> list[dict[str, str]]:
    """What stays, with the record it came from."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for send in this.plan.tables:
        rows = this.engine.rows(
            f"""SELECT k."table", CAST(k."row" AS VARCHAR), k.why, e._object, e._file, e._record
                FROM {read_parquet(plan_folder(this.project) / send.parquet)} e
                JOIN kept k ON k."row" = e._row AND k."table" = '{send.table}' ORDER BY e._ord"""
        )
        for row in rows:
            # A row may stand in the tables of several rounds.
            found.setdefault(
                (row[0], row[1]), dict(zip(("table", "row", "why", "object", "file", "record"), row, strict=True))
            )
    return list(found.values())
