"""`flitstack rollback`: what the journal says was made is taken back, and the state before is proven."""

from typing import Any

from flitstack.app.buckets import buckets_of, document_of, failed_rows, lines_of, planned_rows, told_before
from flitstack.app.gates import now
from flitstack.app.local import open_engine, open_journal
from flitstack.app.project import Project
from flitstack.app.proof import Proof
from flitstack.app.result import EXIT_DIFFERENCES, EXIT_DONE, EXIT_FAILED, Progress, Result, worst_exit
from flitstack.app.resuming import remember_versions
from flitstack.app.reversing import Rollback, begin_anew, resume
from flitstack.app.rounds import everything, forget_loaded
from flitstack.app.rounds_back import LastRound, back_to_round_before, last_round, prove_round, runs_taken_back
from flitstack.app.running import run_async
from flitstack.app.snapshots import keep_tables, see_tables
from flitstack.app.store import load_plan
from flitstack.app.subjects import plan_missing
from flitstack.app.taking_back import take_back
from flitstack.app.undoing import (
    Asked,
    forget_begun,
    load_begun,
    remember_begun,
    remember_ended,
    require_asked_alike,
    require_not_everything_begun,
)
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
    asked = Asked(force, with_schema and not last, last)
    with open_engine(project) as engine, open_journal(project, write=True) as journal:
        begun = load_begun(project, journal)
        if begun is not None:
            require_not_everything_begun(project, begun, asked)
        if begun is not None and dry_run:
            require_asked_alike(project, begun, asked)
        elif begun is not None and begun.asked.last and not last:
            # The delta is taken back to its end first, as it was begun.
            _take(project, engine, journal, progress, begun.asked, dry_run=False)
        document = _take(project, engine, journal, progress, asked, dry_run=dry_run)
    code = worst_exit(
        EXIT_FAILED if document["failed"] else EXIT_DONE,
        EXIT_DONE if document["equal"] or dry_run else EXIT_DIFFERENCES,
    )
    return Result(document, tuple(lines_of(document, dry_run=dry_run)), code)


def _take(
    project: Project, engine: Engine, journal: Journal, progress: Progress, asked: Asked, *, dry_run: bool
) -> dict[str, Any]:
    """One rollback to its end, and what the project knows of what stands afterwards; its document."""
    made = load_plan(project)
    if made is None:
        raise UsageError(plan_missing())
    make_done_view(engine, journal)
    document = run_async(
        _roll_back(project, everything(project, made), engine, journal, progress, asked, dry_run=dry_run), made.url
    )
    # What failed can be taken back by the same command again only while the project still knows what stands.
    is_over = not dry_run and not document["failed"]
    if asked.last and is_over:
        back_to_round_before(project)
    elif is_over:
        forget_loaded(project)
    if not asked.last and not dry_run:
        save_json(project.env_state / "rollback.json", document | {"at": now()})
    return document


async def _roll_back(
    project: Project,
    plan: Plan,
    engine: Engine,
    journal: Journal,
    progress: Progress,
    asked: Asked,
    *,
    dry_run: bool,
) -> dict[str, Any]:
    last = last_round(project, journal) if asked.last else None
    destination = open_destination(project)
    try:
        this = Rollback(project, plan, destination, journal, engine, progress, last)
        return await (_show(this, asked) if dry_run else _carry_out(this, asked))
    finally:
        await destination.close()


async def _show(this: Rollback, asked: Asked) -> dict[str, Any]:
    """What it would do. One that was begun is told as it was begun: its send tables are not written anew."""
    begun = load_begun(this.project, this.journal)
    if begun is None:
        await settle_first(this.destination, this.journal, this.engine, this.progress)
        begun = await begin_anew(this, asked)
    buckets = buckets_of(begun)
    this.progress.phase(told_before(buckets))
    return document_of(begun, buckets)


async def _carry_out(this: Rollback, asked: Asked) -> dict[str, Any]:
    """From its beginning, or from where it was stopped, to its proof."""
    project, engine, journal, destination, last = this.project, this.engine, this.journal, this.destination, this.last
    begun = load_begun(project, journal)
    if begun is not None and begun.asked != asked:
        # What was begun is finished first: half of it would look like somebody's edits.
        begun = await resume(this, begun)
        refused, _ = await take_back(this, begun)
        if not refused:
            remember_ended(project, begun)
        begun = None
    is_resumed = begun is not None
    if not is_resumed:
        await settle_first(destination, journal, engine, this.progress)
    begun = await begin_anew(this, asked) if begun is None else await resume(this, begun)
    buckets = buckets_of(begun)
    this.progress.phase(told_before(buckets))
    touched = sorted({table.table for plan in (begun.plan, *_left(last)) for table in plan.tables})
    if not is_resumed:
        if last:
            await see_tables(project, touched, destination, journal, engine)
        await remember_versions(project, engine, destination, begun.plan)
    remember_begun(project, begun)
    refused, spared = await take_back(this, begun)
    this.progress.phase("proving the state before")
    proof = Proof(project, engine, journal, destination, begun.edited, this.work)
    make_done_view(engine, journal)
    tables = await proof.tables(last.before if last else None)
    if last:
        await keep_tables(project, touched, destination, journal, engine, careful=True)
        tables |= await prove_round(project, destination, engine, journal, last.before, begun.edited)
    if not refused:
        forget_begun(project)
        if last:
            # Where before-images are lost, what the round wrote stays, and is still ours to tell.
            journal.note_round_rolled_back([] if proof.lost else runs_taken_back(journal, last))
        else:
            journal.note_rolled_back()
    is_removed = asked.with_schema and not begun.stays
    return document_of(begun, buckets | {"failed": refused}) | {
        "reversed": planned_rows(begun.plan) - refused - spared,
        "failed": refused,
        "failed_rows": failed_rows(journal, begun.plan) if refused else [],
        # Without a fingerprint (a recovered journal) nothing is proven.
        "equal": bool(tables) and all(not entry["gone"] and not entry["changed"] for entry in tables.values()),
        "schema": "removed" if is_removed else "kept",
        "tables": tables,
        "edited_rows": proof.others,
        "lost_rows": proof.lost,
    }


def _left(last: LastRound | None) -> list[Plan]:
    return [state.whole for state in last.left] if last else []
