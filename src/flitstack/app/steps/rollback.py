"""`flitstack rollback`: what the journal says was made is taken back, and the state before is proven."""

from dataclasses import dataclass
from typing import Any

from flitstack.app.buckets import buckets_of, failed_rows, lines_of, planned_rows, shown, told_before
from flitstack.app.gates import now
from flitstack.app.local import open_engine, open_journal
from flitstack.app.project import Project
from flitstack.app.proof import Proof
from flitstack.app.result import EXIT_DIFFERENCES, EXIT_DONE, EXIT_FAILED, Progress, Result, worst_exit
from flitstack.app.resuming import remember_versions
from flitstack.app.reversing import Rollback, begin_anew, resume
from flitstack.app.rounds import everything, forget_loaded
from flitstack.app.rounds_back import back_to_round_before, last_runs, prove_round, require_last, state_before
from flitstack.app.running import run_async
from flitstack.app.snapshots import keep_tables, see_tables
from flitstack.app.store import load_plan
from flitstack.app.subjects import plan_missing
from flitstack.app.taking_back import take_back
from flitstack.app.undoing import Asked, forget_begun, load_begun, remember_begun
from flitstack.app.unsettled import settle_first
from flitstack.app.wiring import open_destination
from flitstack.documents import save_json
from flitstack.errors import UsageError
from flitstack.journal.journal import Journal
from flitstack.loading.rows import make_done_view
from flitstack.planning.document import Plan
from flitstack.staging.engine.engine import Engine


def rollback(
    project: Project, progress: Progress, *, force: bool, with_schema: bool, dry_run: bool, last: bool = False
) -> Result:
    """Take back the load with all its deltas, or only the `last` delta; `force` also what was edited or referenced since.

    Exit code 5 when the state before is not proven.
    """
    made = load_plan(project)
    if made is None:
        raise UsageError(plan_missing())
    plan = everything(project, made)
    if last:
        require_last(project)
    with open_engine(project) as engine, open_journal(project, write=True) as journal:
        make_done_view(engine, journal)
        document = run_async(
            _roll_back(
                Undo(project, plan, engine, journal, progress),
                Asked(force, with_schema and not last, last),
                dry_run=dry_run,
            ),
            plan.url,
        )
    # What failed can be taken back by the same command again only while the project still knows what stands.
    is_over = not dry_run and not document["failed"]
    if last and is_over:
        back_to_round_before(project)
    elif is_over:
        forget_loaded(project)
    if not last and not dry_run:
        save_json(project.env_state / "rollback.json", document | {"at": now()})
    code = worst_exit(
        EXIT_FAILED if document["failed"] else EXIT_DONE,
        EXIT_DONE if document["equal"] or dry_run else EXIT_DIFFERENCES,
    )
    return Result(document, tuple(lines_of(document, dry_run=dry_run)), code)


@dataclass
class Undo:
    """What a rollback is about, before the destination is opened."""

    project: Project
    plan: Plan
    engine: Engine
    journal: Journal
    progress: Progress


async def _roll_back(undo_of: Undo, asked: Asked, *, dry_run: bool) -> dict[str, Any]:
    project, engine, journal = undo_of.project, undo_of.engine, undo_of.journal
    destination = open_destination(project)
    runs = last_runs(project, journal) if asked.last else None
    this = Rollback(project, undo_of.plan, destination, journal, engine, undo_of.progress, runs)
    try:
        begun = None if dry_run else load_begun(project, journal)
        if begun is not None and begun.asked != asked:
            # What was begun is finished first: half of it would look like somebody's edits.
            await take_back(this, await resume(this, begun))
            begun = None
        is_resumed = begun is not None
        if not is_resumed:
            await settle_first(destination, journal, engine, undo_of.progress)
        begun = await begin_anew(this, asked) if begun is None else await resume(this, begun)
        buckets, kept = buckets_of(begun), [*begun.kept, *begun.edited]
        undo_of.progress.phase(told_before(buckets))
        if dry_run:
            return shown(begun, buckets)
        touched = sorted({table.table for table in begun.plan.tables})
        if asked.last and not is_resumed:
            await see_tables(project, touched, destination, journal, engine)
        if not is_resumed:
            await remember_versions(project, engine, destination, begun.plan)
        remember_begun(project, begun)
        refused, spared = await take_back(this, begun)
        undo_of.progress.phase("proving the state before")
        proof = Proof(project, engine, journal, destination, begun.edited, this.work)
        make_done_view(engine, journal)
        tables = await proof.tables(state_before(project) if asked.last else None)
        if asked.last:
            await keep_tables(project, touched, destination, journal, engine, careful=True)
            tables |= await prove_round(project, destination, engine, journal, begun.edited)
        if not refused:
            forget_begun(project)
            if asked.last:
                journal.note("round_rolled_back")
            else:
                journal.note_rolled_back()
        return {
            "reversed": planned_rows(begun.plan) - refused - spared,
            "planned": planned_rows(begun.plan),
            "kept": len(kept),
            "kept_rows": kept,
            "buckets": buckets | {"failed": refused},
            "failed": refused,
            "failed_rows": failed_rows(journal, begun.plan) if refused else [],
            # Without a fingerprint (a recovered journal) nothing is proven.
            "equal": bool(tables) and all(not entry["gone"] and not entry["changed"] for entry in tables.values()),
            "schema": "removed" if asked.with_schema and not kept else "kept",
            "tables": tables,
            "edited_rows": proof.others,
        }
    finally:
        await destination.close()
