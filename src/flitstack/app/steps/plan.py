"""`flitstack plan`: the map is run, schema and owners meet the live destination, everything gets its order."""

import shutil
from pathlib import Path
from typing import Any

from flitstack.app.access import remember_access
from flitstack.app.checks import check_lines, checks_document, run_checks
from flitstack.app.exports import export_lines, exports_document, write_exports
from flitstack.app.forecast import forecast, forecast_document, forecast_lines
from flitstack.app.gates import require
from flitstack.app.local import open_engine, open_journal
from flitstack.app.operators import remember_operator
from flitstack.app.planned import Prepared, plan_inputs, prepare
from flitstack.app.project import Project
from flitstack.app.result import EXIT_DONE, EXIT_REJECTS, Progress, Result
from flitstack.app.rounds import load_loaded
from flitstack.app.running import run_async
from flitstack.app.sharepoint import write_copy_plan
from flitstack.app.store import EnvironmentFacts, load_dedupe, load_staging, plan_folder
from flitstack.app.subjects import current_gates
from flitstack.app.upserts import Upserts, forget_report, upsert_lines
from flitstack.app.wiring import open_destination
from flitstack.deduping.document import DedupeDocument
from flitstack.destinations.port import Facts
from flitstack.destinations.virtual import Assumed
from flitstack.documents import save_json
from flitstack.errors import Problem, UsageError
from flitstack.journal.journal import Journal
from flitstack.packs.playbook import vocabulary_strategies
from flitstack.planning.build import build_plan, sample_plan
from flitstack.planning.bulk import bulk_lines
from flitstack.planning.document import Plan
from flitstack.planning.licence import check_licence
from flitstack.planning.owners import OwnerMap, owners_document
from flitstack.staging.document import StagingDocument
from flitstack.staging.engine.engine import Engine


def plan(project: Project, progress: Progress) -> Result:
    """Make the plan and its sample. Raises GateClosed while the map is not approved."""
    staged, deduped = _inputs(project)
    if staged.number and load_loaded(project) is not None:
        what = "a later export is staged, and the environment was loaded already"
        raise UsageError(Problem("delta-wanted", what, do="run: flitstack plan --delta"))
    require(current_gates(project), before="map")
    prepared = prepare(project, progress, staged)
    with open_engine(project) as engine, open_journal(project, write=True) as journal:
        progress.phase("mapping", sum(table.records for table in deduped.tables.values()))
        inputs = plan_inputs(project, prepared, staged, deduped, engine, journal)
        owners = inputs.owners
        progress.phase("planning")
        _fresh(plan_folder(project))
        made = build_plan(engine, journal, plan_folder(project), inputs)
        made, there = run_async(_look(project, prepared, made, engine, journal), project.target.url)
        operations = [operation for step in made.steps for operation in step.operations]
        strategies = vocabulary_strategies(project.pack.playbook)
        check_licence(project.target.licence, operations, project.decisions, strategies)
        sample = sample_plan(
            engine, plan_folder(project), made, project.settings.sample_rows, project.settings.sample_total
        )
        exported = write_exports(engine, project, deduped)
        copies = write_copy_plan(engine, project, staged, inputs.mapping)
        save_json(plan_folder(project) / "plan.json", made)
        save_json(plan_folder(project) / "sample.json", sample)
        save_json(project.env_state / "facts.json", _facts(prepared.environment.facts))
        remember_access(project, made, prepared.environment.live, prepared.environment.facts)
        checks = run_checks(engine, project, current_gates(project))
    remember_operator(project, "plan")
    held = any(account["held"] for account in made.accounts.values())
    bulk = tuple(bulk_lines(made.tables, prepared.environment.live))
    lines = [
        *_lines(made, sample, owners),
        *there,
        *bulk,
        *check_lines(checks),
        *export_lines(project, exported),
        *copies,
    ]
    document = _document(made, sample, owners)
    return Result(
        {**document, "bulk": list(bulk), "exported": exports_document(exported), "checks": checks_document(checks)},
        tuple(lines),
        EXIT_REJECTS if held else EXIT_DONE,
        next="flitstack approve schema; flitstack approve owners; flitstack load --sample",
    )


async def _look(
    project: Project, prepared: Prepared, made: Plan, engine: Engine, journal: Journal
) -> tuple[Plan, list[str]]:
    """The plan with what is to be sent about rows that are there already, and what a person reads of them."""
    if not any(send.was_there for send in made.tables):
        forget_report(project)
        return made, []
    destination = open_destination(project)
    try:
        upserts = Upserts(project, engine, journal, destination, prepared.environment.live)
        decided = await upserts.decide(made, plan_folder(project))
        return decided, upsert_lines(decided, upserts.report(decided, plan_folder(project)))
    finally:
        await destination.close()


def _inputs(project: Project) -> tuple[StagingDocument, DedupeDocument]:
    staged, deduped = load_staging(project), load_dedupe(project)
    if staged is None or deduped is None:
        raise UsageError(
            Problem(
                "not-deduped", "nothing is staged and deduped yet", do="run: flitstack stage, then flitstack dedupe"
            )
        )
    return staged, deduped


def _facts(facts: Facts) -> EnvironmentFacts:
    people = [user for user in facts.users if user.table == "systemuser"]
    return EnvironmentFacts(facts.max_upload_bytes, len(people), sum(user.is_disabled for user in people))


def _fresh(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _document(made: Plan, sample: Plan, owners: OwnerMap) -> dict[str, Any]:
    return {
        "sha256": made.sha256,
        "environment": made.environment,
        "steps": [
            {"index": s.index, "kind": s.kind, "phase": s.phase, "table": s.table, "rows": s.rows} for s in made.steps
        ],
        "schema": [dict(operation) for step in made.steps for operation in step.operations],
        "owners": owners_document(owners),
        "accounts": made.accounts,
        "requests": made.requests,
        "forecast": forecast_document(forecast(made, (1,), Assumed()), Assumed()),
        "sample": {"sha256": sample.sha256, "rows": sum(t.rows for t in sample.tables)},
        "notes": list(made.notes),
    }


def _lines(made: Plan, sample: Plan, owners: OwnerMap) -> list[str]:
    lines = []
    for step in made.steps:
        if step.operations:
            lines.append(f"schema: {len(step.operations)} operations")
            lines += [
                f"  + {o['kind'].replace('_', ' ')} {o['table']}.{o['name']}"
                for o in step.operations
                if o["kind"] != "publish"
            ]
        else:
            lines.append(f"{step.phase:<14} {step.kind:<10} {step.table:<24} {step.rows:>10,} rows")
    matched = sum(owner.status == "matched" for owner in owners.owners)
    lines.append(f"owners: {matched} matched, {len(owners.queue)} to provision, {len(owners.blocked)} not settled")
    lines.append(
        f"about {made.requests['requests']:,} requests for {made.requests['rows']:,} rows; sample of {sum(t.rows for t in sample.tables)} rows"
    )
    assumed = Assumed()
    lines += forecast_lines(forecast(made, (1,), assumed), assumed)
    return lines + list(made.notes)
