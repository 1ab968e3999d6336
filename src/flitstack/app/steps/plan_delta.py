"""`flitstack plan --delta`: what a later export changes becomes a plan of its own, without touching what was edited meanwhile."""

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flitstack.app.access import remember_access
from flitstack.app.delta_accounts import delta_accounts, read_records
from flitstack.app.delta_findings import delta_findings, table_counts
from flitstack.app.edits import versions_folder
from flitstack.app.gates import require
from flitstack.app.local import open_engine, open_journal
from flitstack.app.looking import Look
from flitstack.app.operators import remember_operator
from flitstack.app.planned import plan_inputs, prepare
from flitstack.app.processes import refuse_late
from flitstack.app.project import Project
from flitstack.app.promote import kept_file
from flitstack.app.references import read_references
from flitstack.app.result import EXIT_DONE, EXIT_REJECTS, Progress, Result
from flitstack.app.rounds import (
    KEPT,
    Loaded,
    State,
    load_loaded,
    load_state,
    snapshot_folders,
    tried_states,
)
from flitstack.app.running import run_async
from flitstack.app.sharepoint import write_copy_plan
from flitstack.app.steps.dedupe import dedupe
from flitstack.app.store import deduped_folder, load_dedupe, load_staging, plan_folder
from flitstack.app.subjects import current_gates
from flitstack.app.unfinished import unfinished_side
from flitstack.app.upserts import Upserts, matched_files, upsert_lines
from flitstack.app.wiring import open_destination
from flitstack.catalogue.types import Table
from flitstack.deduping.document import DedupeDocument
from flitstack.destinations.port import Destination
from flitstack.documents import save_json
from flitstack.errors import Problem, UsageError
from flitstack.journal.frames import Operation
from flitstack.journal.journal import Journal
from flitstack.loading.rows import done_sql, landed_sql, make_done_view
from flitstack.planning.absent import ABSENT, DELETE, REROUTED, Policies, find_left, read_policies, spare_used
from flitstack.planning.build import PlanInputs, build_plan
from flitstack.planning.changes import Side, write_changes
from flitstack.planning.changing import DeltaInputs, delta_plan, finished
from flitstack.planning.contents import find_other_contents
from flitstack.planning.delta import decide, read_rules, write_kept
from flitstack.planning.document import Plan
from flitstack.planning.left import write_left_state
from flitstack.planning.upsert import extend_ours, ours_of
from flitstack.reconciling.fingerprint import write_versions
from flitstack.staging.document import StagingDocument
from flitstack.staging.engine.engine import Engine, literal, read_parquet


@dataclass
class Work:
    """One `plan --delta`. `standing`: what we hold to be there, the state that stands first, rows without all they were to get last."""

    project: Project
    engine: Engine
    journal: Journal
    staged: StagingDocument
    deduped: DedupeDocument
    loaded: Loaded
    state: State
    wanted: Side
    folder: Path
    standing: list[Side] = field(default_factory=list)
    live: dict[str, Table] = field(default_factory=dict)
    decided: dict[str, Path] = field(default_factory=dict)

    @property
    def tables(self) -> list[str]:
        """Destination tables of both, what is wanted and what stands."""
        return list(dict.fromkeys(name for side in (self.wanted, *self.standing) for name in side.tables()))

    @property
    def there(self) -> dict[str, str]:
        """Table -> query ("row") of rows that landed."""
        found = matched_files(self.project)
        return {table: landed_sql(table) + self._matched(table, found.get(table)) for table in self.tables}

    def _matched(self, table: str, found: Path | None) -> str:
        """Rows that stood there before us, and that an earlier round found."""
        stood = [s.folder / t.parquet for s in self.standing for t in s.sends(table) if t.was_there]
        if found is None or not stood:
            return ""
        standing = f"SELECT _row FROM {read_parquet(stood, 'union_by_name = true')}"
        return f' UNION SELECT "row" FROM {read_parquet(found)} WHERE "row" IN ({standing})'


def plan_delta(project: Project, progress: Progress) -> Result:
    """Make the delta's plan. Raises UsageError when nothing was loaded or no later export is staged."""
    staged, loaded, state = load_staging(project), load_loaded(project), load_state(project)
    if staged is None or loaded is None or state is None:
        what = "no load of this environment came to its end yet"
        raise UsageError(Problem("nothing-loaded", what, do="run: flitstack plan, flitstack load"))
    require(current_gates(project), before="map")
    deduped = load_dedupe(project)
    if deduped is None or deduped.staged != staged.fingerprint:
        dedupe(project, progress)
        deduped = load_dedupe(project)
    assert deduped is not None
    prepared = prepare(project, progress, staged)
    refuse_late(project, prepared.following, state.whole)
    folder = plan_folder(project)
    with open_engine(project) as engine, open_journal(project, write=True) as journal:
        progress.phase("mapping", sum(table.records for table in deduped.tables.values()))
        standing = _standing(project, state)
        inputs = plan_inputs(project, prepared, staged, deduped, engine, journal, standing)
        progress.phase("planning")
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "state").mkdir(parents=True)
        whole = build_plan(engine, journal, folder / "state", inputs)
        make_done_view(engine, journal)
        write_copy_plan(engine, project, staged, inputs.mapping)
        work = Work(project, engine, journal, staged, deduped, loaded, state, Side(whole, folder / "state"), folder)
        work.standing = [*standing, unfinished_side(engine, journal, standing, project.env_state / "unfinished")]
        work.live = {n: t for n, t in prepared.environment.live.items() if t is not None}
        progress.phase("comparing with the destination")
        policies = read_policies(project.decisions, project.pack.playbook)
        there = run_async(_decide(work, policies), project.target.url)
        made = _delta(work, policies, inputs)
        remember_access(project, made, prepared.environment.live, prepared.environment.facts)
        counts = table_counts(engine, made, work.wanted, work.decided, folder)
        found = delta_findings(engine, work.wanted, work.decided, kept_file(state), policies)
        found.save(project.env_state / "findings" / f"delta-{staged.number}.parquet")
    save_json(folder / "plan.json", made)
    save_json(folder / "counts.json", counts)
    remember_operator(project, "plan")
    held = any(account["held"] for account in made.accounts.values())
    return Result(
        _document(made, counts, staged),
        (*_lines(made, counts), *there),
        EXIT_REJECTS if held else EXIT_DONE,
        next="flitstack approve load; flitstack load",
    )


def _standing(project: Project, state: State) -> list[Side]:
    """The state that stands, rows that no record makes, and what loads that were not finished meant to leave."""
    return [
        Side(state.whole, state.folder),
        Side(state.left, state.folder),
        *(Side(each.whole, each.folder) for each in tried_states(project)),
    ]


async def _decide(work: Work, policies: Policies) -> list[str]:
    """Fill `decided`; returns what a person reads of rows that were there before us."""
    destination = open_destination(work.project)
    folder = work.project.env_state / "delta"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rules = read_rules(work.project.decisions, work.project.pack.playbook)
    kept = kept_file(work.state)
    upserts = Upserts(work.project, work.engine, work.journal, destination, work.live, tuple(work.standing))
    whole = await upserts.decide(work.wanted.plan, work.wanted.folder)
    work.wanted = Side(whole, work.wanted.folder)
    look = Look(work.project, work.engine, destination, work.wanted, work.standing, work.there, kept, folder)
    parts = []
    try:
        for table in work.tables:
            live = work.live.get(table) or await destination.table(table)
            if live is None:
                continue
            work.live[table] = live
            if table not in work.wanted.tables():
                continue
            changes = folder / f"{table}.changes.parquet"
            sent = done_sql(table, Operation.FILE)
            others = find_other_contents(work.engine, table, work.wanted, work.standing, sent)
            write_changes(work.engine, table, work.wanted, work.standing, changes, others)
            evidence = replace(await look.at(live, changes), ours=ours_of(work.wanted, table))
            work.decided[table] = folder / f"{table}.decided.parquet"
            decide(work.engine, live, work.wanted, evidence, rules, work.decided[table])
            extend_ours(work.engine, work.wanted, table, work.decided[table])
            parts.append(folder / f"{table}.kept.parquet")
            write_kept(work.engine, table, work.decided[table], kept, work.there[table], parts[-1])
        await _find_left(work, policies, destination, folder)
        there = upsert_lines(whole, upserts.report(whole, work.wanted.folder))
    finally:
        await destination.close()
    empty = "SELECT '' AS \"table\", NULL::UUID AS \"row\", '' AS \"column\", '' AS why WHERE FALSE"
    work.engine.write_parquet(f"SELECT * FROM {read_parquet(parts)}" if parts else empty, work.folder / "state" / KEPT)
    return there


async def _find_left(work: Work, policies: Policies, destination: Destination, folder: Path) -> None:
    """Rows that no record makes any more; those that are in use are spared from being deleted."""
    engine, project = work.engine, work.project
    snapshot = " UNION ALL ".join(
        f"SELECT {literal(name)} AS object, _id AS id FROM {read_parquet(project.state / 'staged' / table.parquet)}"
        for name, table in work.staged.tables.items()
    )
    survivors = read_parquet(deduped_folder(project) / work.deduped.survivors)
    find_left(engine, work.wanted, work.standing[:1], work.there, snapshot, survivors)
    tables = {str(t) for (t,) in engine.rows('SELECT DISTINCT "table" FROM left_rows')}
    doomed = {t for t in tables if DELETE in {policies.of(ABSENT, t), policies.of(REROUTED, t)}}
    if not doomed:
        return
    edited = []
    for table in sorted(doomed & work.live.keys()):
        now, left = folder / f"{table}.left-versions.parquet", versions_folder(project) / f"{table}.parquet"
        await write_versions(destination, engine, work.live[table], None, now)
        if left.exists():
            edited.append(
                f'SELECT n."row" FROM {read_parquet(now)} n JOIN {read_parquet(left)} l '
                'ON l."row" = n."row" WHERE l.version <> n.version'
            )
    found = await read_references(destination, engine, work.tables, doomed, folder)
    spare_used(engine, policies, edited, work.wanted, list(found.values()))


def _delta(work: Work, policies: Policies, planned: PlanInputs) -> Plan:
    engine, project = work.engine, work.project
    inputs = DeltaInputs(
        work.wanted,
        work.standing,
        work.there,
        work.decided,
        work.live,
        policies,
        planned.schema.made,
        planned.notes,
    )
    made = delta_plan(engine, inputs, work.folder)
    left = write_left_state(engine, work.wanted, work.standing[:2], made, work.folder)
    save_json(work.wanted.folder / "whole.json", work.wanted.plan)
    save_json(work.wanted.folder / "left.json", left)
    folders = snapshot_folders(project, work.loaded.snapshot, work.staged.number)
    read_records(engine, folders)
    return finished(made, delta_accounts(engine, project, made, work.folder, work.wanted))


def _document(made: Plan, counts: dict[str, dict[str, int]], staged: StagingDocument) -> dict[str, Any]:
    return {
        "sha256": made.sha256,
        "environment": made.environment,
        "kind": made.kind,
        "snapshot": staged.number,
        "tables": counts,
        "steps": [
            {"index": s.index, "kind": s.kind, "phase": s.phase, "table": s.table, "rows": s.rows} for s in made.steps
        ],
        "schema": [dict(operation) for step in made.steps for operation in step.operations],
        "accounts": made.accounts,
        "requests": made.requests,
        "notes": list(made.notes),
    }


def _lines(made: Plan, counts: dict[str, dict[str, int]]) -> list[str]:
    lines = []
    for table, count in counts.items():
        told = ", ".join(f"{number:,} {word.replace('_', ' ')}" for word, number in count.items() if number)
        lines.append(f"{table:<24} {told or 'nothing'}")
    lines.append(f"about {made.requests['requests']:,} requests for {made.requests['rows']:,} rows")
    return lines + list(made.notes)
