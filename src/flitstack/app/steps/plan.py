"""`flitstack plan`: the map is run, schema and owners meet the live destination, everything gets its order."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flitstack.app.accounts import accounts_before
from flitstack.app.checks import check_lines, checks_document, run_checks
from flitstack.app.existing import existing_rows, existing_rules, fetch_existing
from flitstack.app.exports import export_lines, exports_document, write_exports
from flitstack.app.forecast import forecast, forecast_document, forecast_lines
from flitstack.app.gates import now, require
from flitstack.app.operators import remember_operator
from flitstack.app.owners import decided_owners, owner_counts, remember_owners, save_owner_findings
from flitstack.app.project import Project
from flitstack.app.result import EXIT_DONE, EXIT_REJECTS, Progress, Result
from flitstack.app.running import run_async
from flitstack.app.store import (
    EnvironmentFacts,
    deduped_folder,
    load_applied_schema,
    load_dedupe,
    load_staging,
    mapped_folder,
    plan_folder,
    staged_folder,
)
from flitstack.app.subjects import current_gates
from flitstack.app.wiring import open_destination, open_engine, open_journal
from flitstack.catalogue.types import Table
from flitstack.deduping.document import DedupeDocument
from flitstack.destinations.port import Facts
from flitstack.destinations.virtual import Assumed
from flitstack.documents import file_sha256, read_yaml, save_json, write_yaml
from flitstack.errors import Problem, UsageError
from flitstack.journal.journal import Journal
from flitstack.limits import file_bytes_allowed
from flitstack.mapping.check import check_maps
from flitstack.mapping.context import MapContext
from flitstack.mapping.document import MappingDocument
from flitstack.mapping.maps import MapFile, read_maps
from flitstack.mapping.reads import names_of
from flitstack.mapping.run import run_map
from flitstack.planning.build import PlanInputs, build_plan, sample_plan
from flitstack.planning.document import Plan
from flitstack.planning.licence import check_licence
from flitstack.planning.live import without_operations
from flitstack.planning.owners import OwnerMap, match_owners, owners_document
from flitstack.staging.document import StagingDocument
from flitstack.staging.engine.engine import Engine
from flitstack.staging.engine.findings import FindingsWriter


@dataclass(frozen=True)
class Environment:
    """What planning asked the destination: facts, and live metadata of every table the map names (None: not there)."""

    facts: Facts
    live: dict[str, Table | None]
    existing: dict[str, Path]


def plan(project: Project, progress: Progress) -> Result:
    """Make the plan and its sample. Raises GateClosed while the map is not approved."""
    require(current_gates(project), before="map")
    staged, deduped = _inputs(project)
    maps = read_maps(project.maps)
    progress.phase("asking the destination")
    environment = run_async(_ask(project, maps), project.target.url)
    # What we made there ourselves counts as not there, so that a plan made again is the same plan.
    live = without_operations(environment.live, load_applied_schema(project))
    if problems := check_maps(maps, project.pack, staged, live):
        raise UsageError(*problems)
    with open_engine(project) as engine, open_journal(project, write=True) as journal:
        progress.phase("mapping", sum(table.records for table in deduped.tables.values()))
        mapping = _run_map(project, maps, staged, deduped, environment, live, engine, journal)
        owners = _owners(project, staged, environment.facts, engine)
        progress.phase("planning")
        _fresh(plan_folder(project))
        inputs = PlanInputs(
            environment=project.environment,
            url=project.target.url,
            system=project.pack.name,
            prefix=project.settings.prefix,
            phases=tuple(project.pack.playbook["phases"]),
            staged=staged.fingerprint,
            deduped=deduped.fingerprint,
            export=Path(staged.export),
            mapped=mapped_folder(project),
            mapping=mapping,
            live=live,
            owners=owners,
            owners_sha256=file_sha256(project.folder / "owners.yaml"),
            accounts=accounts_before(engine, project, staged),
            notes=tuple(f"owner {o.email or '(none)'} is not settled: edit owners.yaml" for o in owners.blocked),
            at=now(),
        )
        made = build_plan(engine, journal, plan_folder(project), inputs)
        check_licence(project.target.licence, [o for step in made.steps for o in step.operations], project.decisions)
        sample = sample_plan(engine, plan_folder(project), made, project.settings.sample_rows)
        exported = write_exports(engine, project, deduped)
        save_json(plan_folder(project) / "plan.json", made)
        save_json(plan_folder(project) / "sample.json", sample)
        save_json(project.env_state / "facts.json", _facts(environment.facts))
        checks = run_checks(engine, project)
    remember_operator(project, "plan")
    _remember_schema(project, made)
    held = any(account["held"] for account in made.accounts.values())
    lines = [*_lines(made, sample, owners), *check_lines(checks), *export_lines(project, exported)]
    document = _document(made, sample, owners)
    return Result(
        {**document, "exported": exports_document(exported), "checks": checks_document(checks)},
        tuple(lines),
        EXIT_REJECTS if held else EXIT_DONE,
        next="flitstack approve schema; flitstack approve owners; flitstack load --sample",
    )


def _inputs(project: Project) -> tuple[StagingDocument, DedupeDocument]:
    staged, deduped = load_staging(project), load_dedupe(project)
    if staged is None or deduped is None:
        raise UsageError(
            Problem(
                "not-deduped", "nothing is staged and deduped yet", do="run: flitstack stage, then flitstack dedupe"
            )
        )
    return staged, deduped


async def _ask(project: Project, maps: dict[str, MapFile]) -> Environment:
    destination = open_destination(project)
    try:
        rules = existing_rules(project.pack.playbook)
        live = {name: await destination.table(name) for name in sorted(_tables_named(maps) | rules.keys())}
        existing = await fetch_existing(destination, rules, live, _existing_folder(project))
        return Environment(await destination.facts(), live, existing)
    finally:
        await destination.close()


def _existing_folder(project: Project) -> Path:
    return project.env_state / "existing"


def _tables_named(maps: dict[str, MapFile]) -> set[str]:
    """Tables that routes fill, lookups and parties point to, or vocabularies make."""
    named: set[str] = set()
    for route in (route for each in maps.values() for route in each.routes):
        named.add(route.table)
        named |= {table for column in route.columns.values() for way in column.alternatives for table in way.tables}
        named |= {table for party in route.parties if party.get("table") for table in names_of(party["table"])}
        if route.vocabulary and route.vocabulary.get("table"):
            named.add(str(route.vocabulary["table"]))
    return named


def _run_map(
    project: Project,
    maps: dict[str, MapFile],
    staged: StagingDocument,
    deduped: DedupeDocument,
    environment: Environment,
    live: dict[str, Table | None],
    engine: Engine,
    journal: Journal,
) -> MappingDocument:
    facts, decisions = environment.facts, project.decisions
    rules = existing_rules(project.pack.playbook)
    existing = existing_rows(engine, journal, rules, environment.existing, _existing_folder(project))
    currencies = [(c.iso_code.upper(), str(c.id)) for c in facts.currencies]
    context = MapContext(
        system=project.pack.name,
        decisions=decisions,
        prefix=project.settings.prefix,
        date_order=str(decisions.get("date_order", "DMY")),
        zone=str(decisions.get("timezone", "UTC")),
        live=live,
        rows={**existing, "transactioncurrency": {"isocurrencycode": currencies}},
        max_file_bytes=file_bytes_allowed(facts.max_upload_bytes),
        blocked_extensions=facts.blocked_extensions,
        attachments=staged.attachments,
        export=Path(staged.export),
        option_prefix=project.settings.option_prefix,
        staged=staged_folder(project),
    )
    findings = FindingsWriter(engine, "map")
    mapping = run_map(
        maps, project.pack, deduped, deduped_folder(project), engine, context, mapped_folder(project), findings
    )
    findings.save(project.state / "findings" / "map.parquet")
    return mapping


def _owners(project: Project, staged: StagingDocument, facts: Facts, engine: Engine) -> OwnerMap:
    path = project.folder / "owners.yaml"
    decided = decided_owners(project)
    counts = owner_counts(engine, project, staged)
    owners = match_owners(counts, facts.users, project.decisions, decided)
    document = owners_document(owners)
    if not path.exists() or read_yaml(path)[0] != document:
        write_yaml(path, document)
    remember_owners(project, document)
    save_owner_findings(engine, project, staged, owners)
    return owners


def _facts(facts: Facts) -> EnvironmentFacts:
    people = [user for user in facts.users if user.table == "systemuser"]
    return EnvironmentFacts(facts.max_upload_bytes, len(people), sum(user.is_disabled for user in people))


def _fresh(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _remember_schema(project: Project, made: Plan) -> None:
    known = load_applied_schema(project)
    operations = [dict(operation) for step in made.steps for operation in step.operations]
    save_json(
        project.env_state / "schema.json", known + [operation for operation in operations if operation not in known]
    )


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
