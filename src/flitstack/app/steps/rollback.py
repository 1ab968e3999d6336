"""`flitstack rollback`: what the journal says was made is taken back, and the state before is proven."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from flitstack.app.gates import now
from flitstack.app.local import open_engine, open_journal
from flitstack.app.project import Project
from flitstack.app.proof import Proof
from flitstack.app.references import read_references
from flitstack.app.restoring import Restore
from flitstack.app.result import EXIT_DIFFERENCES, EXIT_DONE, EXIT_FAILED, Progress, Result, worst_exit
from flitstack.app.resuming import find_edited, remember_versions
from flitstack.app.rounds import everything, forget_loaded, load_state, planned_state
from flitstack.app.rounds_back import back_to_round_before, last_runs, prove_round, require_last, state_before
from flitstack.app.running import run_async
from flitstack.app.snapshots import FEW_ROWS, keep_tables, see_tables, versions_folder
from flitstack.app.store import load_applied_schema, load_plan, plan_folder
from flitstack.app.subjects import plan_missing
from flitstack.app.undoing import Asked, Begun, forget_begun, load_begun, remember_begun
from flitstack.app.unsettled import server_limit_s, settle_first
from flitstack.app.wiring import open_destination
from flitstack.destinations.port import Destination
from flitstack.documents import save_json
from flitstack.errors import UsageError
from flitstack.journal.frames import Operation
from flitstack.journal.journal import Journal
from flitstack.loading.document import LoadDocument
from flitstack.loading.load import Load, execute
from flitstack.loading.rows import landed_sql, make_done_view
from flitstack.loading.sending import SendOptions
from flitstack.planning.document import Plan, SendTable
from flitstack.planning.rollback import UNDO, find_kept, replanned, rollback_plan, spare, still_pointed_to
from flitstack.reconciling.fingerprint import write_versions
from flitstack.staging.engine.engine import Engine, literal


@dataclass
class Rollback:
    """One rollback and what it needs."""

    project: Project
    plan: Plan
    destination: Destination
    journal: Journal
    engine: Engine
    progress: Progress
    runs: list[int] | None = None  # of the last round, when only that is taken back

    @property
    def work(self) -> Path:
        """Where versions and fingerprints of now are kept."""
        return self.project.env_state / "rollback"


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
    return Result(document, tuple(_lines(document, dry_run=dry_run)), code)


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
            await _execute(this, await _resume(this, begun))
            begun = None
        is_resumed = begun is not None
        if not is_resumed:
            await settle_first(destination, journal, engine, undo_of.progress)
        begun = await _begin(this, asked) if begun is None else await _resume(this, begun)
        buckets, kept = _buckets(begun), [*begun.kept, *begun.edited]
        undo_of.progress.phase(_told(buckets))
        if dry_run:
            return _dry(begun, buckets)
        touched = sorted({table.table for table in begun.plan.tables})
        if asked.last and not is_resumed:
            await see_tables(project, touched, destination, journal, engine)
        if not is_resumed:
            await remember_versions(project, engine, destination, begun.plan)
        remember_begun(project, begun)
        refused, spared = await _execute(this, begun)
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
            "reversed": _planned(begun.plan) - refused - spared,
            "planned": _planned(begun.plan),
            "kept": len(kept),
            "kept_rows": kept,
            "buckets": buckets | {"failed": refused},
            "failed": refused,
            "failed_rows": _failed(journal, begun.plan) if refused else [],
            # Without a fingerprint (a recovered journal) nothing is proven.
            "equal": bool(tables) and all(not entry["gone"] and not entry["changed"] for entry in tables.values()),
            "schema": "removed" if asked.with_schema and not kept else "kept",
            "tables": tables,
            "edited_rows": proof.others,
        }
    finally:
        await destination.close()


async def _begin(this: Rollback, asked: Asked) -> Begun:
    """Look who edited and referenced what, and make the plan."""
    this.progress.phase("looking for rows edited or referenced since")
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


async def _resume(this: Rollback, begun: Begun) -> Begun:
    """What was begun, less what others edited since: those rows are kept, or given back but for the edited cells."""
    this.progress.phase("looking for rows edited since the rollback was interrupted")
    this.journal.refresh()
    make_done_view(this.engine, this.journal)
    edited = await find_edited(this.project, this.engine, this.destination, begun.plan)
    if not edited or begun.asked.force:
        return begun
    folder, label = plan_folder(this.project), f"resumed{len(this.journal.notes('run'))}"
    rows = " UNION ALL ".join(
        f'SELECT {literal(t)} AS "table", "row", \'edited\' AS why FROM ({q})' for t, q in edited.items()
    )
    plan, _ = spare(this.engine, this.plan, folder, begun.plan, rows, label)
    kept = _kept_rows(this)
    deleted = {t: f'SELECT "row" FROM ours WHERE "table" = {literal(t)}' for t in {s.table for s in this.plan.tables}}
    again, cells = await _given_again(this, deleted, edited, f"_{label}")
    plan = replanned(this.engine, plan, folder, edited, again, label)
    return Begun(plan, [*begun.kept, *kept], [*begun.edited, *cells], begun.asked)


async def _given_again(
    this: Rollback, deleted: dict[str, str], edited: dict[str, str], label: str
) -> tuple[list[tuple[str, SendTable]], list[dict[str, str]]]:
    state = load_state(this.project) or planned_state(this.project)
    if state is None:
        return [], []
    runs = this.journal.standing_runs() if this.runs is None else this.runs
    work = Restore(this.project, this.engine, this.journal, this.destination, state, runs, deleted, edited, label)
    return await work.tables(), work.edited


async def _execute(this: Rollback, begun: Begun) -> tuple[int, int]:
    """(rows refused, rows left undeleted since an older row that was not given back points to them).

    First everything is given back; only then is known what may be deleted.
    """
    plan, project = begun.plan, this.project
    giving = tuple(step for step in plan.steps if step.kind not in {"delete", "revert"})
    refused = (await _run(this, replace(plan, steps=giving))).refused if giving else 0
    spared = 0
    if refused:
        rows = still_pointed_to(this.engine, this.plan, plan_folder(project), _not_given_back(this, plan))
        plan, spared = spare(this.engine, this.plan, plan_folder(project), plan, rows, "spared")
    deleting = tuple(step for step in plan.steps if step.kind in {"delete", "revert"})
    if spared:
        deleting = tuple(step for step in deleting if step.kind == "delete")
    return refused + (await _run(this, replace(plan, steps=deleting))).refused, spared


async def _run(this: Rollback, plan: Plan) -> LoadDocument:
    facts = await this.destination.facts()
    options = SendOptions(in_flight=max(2, min(facts.parallelism_hint, 16)), server_limit_s=server_limit_s(facts))
    work = Load(plan, plan_folder(this.project), this.destination, this.journal, this.engine, this.progress, options)
    return await execute(work, "rollback")


def _not_given_back(this: Rollback, undo: Plan) -> list[str]:
    """Ids of rows that refused to be given back what they held."""
    tables = {table.table for table in undo.tables if not table.name.startswith(UNDO)}
    return [
        str(UUID(bytes=row))
        for (table, row), verdicts in this.journal.state.refused.items()
        if table in tables and Operation.UPDATE in verdicts
    ]


def _planned(undo: Plan) -> int:
    return sum(table.rows for table in undo.tables if table.name.startswith(UNDO))


def _dry(begun: Begun, buckets: dict[str, int]) -> dict[str, Any]:
    kept = [*begun.kept, *begun.edited]
    return {
        "reversed": 0,
        "planned": _planned(begun.plan),
        "kept": len(kept),
        "kept_rows": kept,
        "buckets": buckets,
        "failed": 0,
        "failed_rows": [],
        "equal": None,
        "tables": {},
        "edited_rows": [],
    }


async def _find_kept(this: Rollback) -> None:
    written, current = {}, {}
    for name in sorted({send.table for send in this.plan.tables}):
        table = await this.destination.table(name)
        before = versions_folder(this.project) / f"{name}.parquet"
        if table is None or not before.exists():
            continue
        now = this.work / f"{name}.versions.parquet"
        await write_versions(this.destination, this.engine, table, _ids(this, name), now)
        written[name], current[name] = before, now
    targets = {send.table for send in this.plan.tables}
    references = await read_references(this.destination, this.engine, (), targets, this.work)
    find_kept(this.engine, this.plan, plan_folder(this.project), written, current, references, this.runs)


async def _restored(this: Rollback) -> tuple[list[tuple[str, SendTable]], list[dict[str, str]]]:
    """Step kinds and send tables that give rows that stay what they held before, and cells that keep a later edit."""
    # Before a load came to its end, its plan says what it meant to leave.
    state = load_state(this.project) or planned_state(this.project)
    if state is None:
        return [], []
    runs = this.journal.standing_runs() if this.runs is None else this.runs
    deleted = {t: f'SELECT "row" FROM ours WHERE "table" = {literal(t)}' for t in {s.table for s in this.plan.tables}}
    work = Restore(this.project, this.engine, this.journal, this.destination, state, runs, deleted)
    tables = await work.tables()
    before = state_before(this.project) if this.runs is not None else None
    closing = [entry for entry in tables if entry[1].name.startswith("close_")]
    others = [entry for entry in tables if entry not in closing]
    again = work.deleted(before) if before is not None else []
    joined = await work.links_and_files(before) if before is not None else []
    return [*again, *others, *work.made_links(), *joined, *closing], work.edited


def _with_files_of(this: Rollback) -> Plan:
    """The plan with the export whose files are sent again: that of the round before, when only the last one is taken back."""
    before = state_before(this.project) if this.runs is not None else None
    if before is None:
        return this.plan
    return replace(this.plan, export=before.whole.export, kept=before.whole.kept)


def _buckets(begun: Begun) -> dict[str, int]:
    """What will happen, counted: rows deleted, rows given back, rows kept and why, cells that keep a later edit."""
    undo, kept = begun.plan, begun.kept
    change = {table.name for table in undo.tables if not table.name.startswith(UNDO)}
    return {
        "reversed": sum(table.rows for table in undo.tables if table.name not in change),
        "restored": sum(table.rows for table in undo.tables if table.name in change),
        "kept_edited": sum(row["why"] == "edited" for row in kept),
        "kept_referenced": sum(row["why"] == "referenced" for row in kept),
        "kept_parent": sum(row["why"] == "parent" for row in kept),
        "kept_cells": len(begun.edited),
        "failed": 0,
    }


def _told(buckets: dict[str, int]) -> str:
    return "taking back: " + ", ".join(
        f"{count:,} {name.replace('_', ' ')}" for name, count in buckets.items() if count
    )


def _failed(journal: Journal, undo: Plan) -> list[dict[str, str]]:
    """Rows that the destination refused to take back, with its reason."""
    tables = {table.table for table in undo.tables}
    wanted = {Operation.DELETE, Operation.UPDATE, Operation.STATE, Operation.PARTIES, Operation.UNLINK}
    return [
        {
            "table": table,
            "row": str(UUID(bytes=row)),
            "operation": operation.name.lower(),
            "code": code,
            "message": message,
        }
        for (table, row), verdicts in journal.state.refused.items()
        for operation, (code, message) in verdicts.items()
        if table in tables and operation in wanted
    ]


def _ids(this: Rollback, table: str) -> list[UUID] | None:
    found = [UUID(str(row[0])) for row in this.engine.rows(f"{landed_sql(table)} LIMIT {FEW_ROWS + 1}")]
    return found if len(found) <= FEW_ROWS else None


def _kept_rows(this: Rollback) -> list[dict[str, str]]:
    """What stays, with the record it came from."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for send in this.plan.tables:
        rows = this.engine.rows(
            f"""SELECT k."table", CAST(k."row" AS VARCHAR), k.why, e._object, e._file, e._record
                FROM read_parquet('{plan_folder(this.project) / send.parquet}') e
                JOIN kept k ON k."row" = e._row AND k."table" = '{send.table}' ORDER BY e._ord"""
        )
        for row in rows:
            # A row may stand in the tables of several rounds.
            found.setdefault(
                (row[0], row[1]), dict(zip(("table", "row", "why", "object", "file", "record"), row, strict=True))
            )
    return list(found.values())


def _lines(document: dict[str, Any], *, dry_run: bool) -> list[str]:
    if dry_run:
        lines = [f"would take back {document['planned']:,} rows"]
    else:
        lines = [f"taken back: {document['reversed']:,} rows, failed: {document['failed']:,}"]
        if document["buckets"]["restored"]:
            lines.append(f"given back what they held before: {document['buckets']['restored']:,} rows")
    why = {"edited": "edited since", "referenced": "others point to it", "parent": "a kept row needs it"}
    for row in document["kept_rows"]:
        lines.append(f"kept: {row['table']} {row['row']} ({row['file']}, record {row['record']}): {why[row['why']]}")
    if document["equal"] is not None:
        lines += [
            f"proof: {table}: {entry['rows']:,} rows were there before; gone {entry['gone']}, changed {entry['changed']}"
            for table, entry in document["tables"].items()
        ]
        lines += [f"edited by others, and left so: {row['table']} {row['row']}" for row in document["edited_rows"][:20]]
        lines.append(_verdict(document))
    return lines


def _verdict(document: dict[str, Any]) -> str:
    if not document["equal"]:
        return "the destination is NOT as it was before"
    if document["edited_rows"] and not document["kept"]:
        return "all that the load did is taken back; what others edited meanwhile is theirs"
    if document["kept"]:
        kept = f"{document['kept']:,} rows of the load stay"
        return f"what was there before is unchanged; {kept} (--force takes them back as well)"
    return "the destination is as it was before"
