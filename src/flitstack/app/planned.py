"""What every plan is made from: the environment is asked, the map is run, owners are settled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flitstack.app.accounts import accounts_before
from flitstack.app.existing import Rules, existing_rows, existing_rules, fetch_existing
from flitstack.app.gates import now
from flitstack.app.owners import decided_owners, named_owners, owner_counts, remember_owners, save_owner_findings
from flitstack.app.process_definitions import Definition, read_definitions
from flitstack.app.processes import instances_of, settle_following, wanted_rule
from flitstack.app.project import Project
from flitstack.app.result import Progress
from flitstack.app.running import run_async
from flitstack.app.sharepoint import LOCATION, SITE, folder_problems, sharepoint_problems
from flitstack.app.staff_roles import fetch_units, roles_lines, roles_listed, settle_roles
from flitstack.app.store import deduped_folder, load_applied_schema, mapped_folder, staged_folder
from flitstack.app.upserts import match_existing, matched_files, rules_to_read
from flitstack.app.wiring import open_destination
from flitstack.catalogue.types import Table
from flitstack.deduping.document import DedupeDocument
from flitstack.destinations.port import Facts
from flitstack.documents import file_sha256, read_yaml, save_json, write_yaml
from flitstack.errors import UsageError
from flitstack.journal.journal import Journal
from flitstack.limits import file_bytes_allowed
from flitstack.mapping.check import check_maps
from flitstack.mapping.context import MapContext
from flitstack.mapping.document import MappingDocument
from flitstack.mapping.maps import MapFile, read_maps
from flitstack.mapping.processes import STAGE_INDEX, Following, stage_rows, with_processes
from flitstack.mapping.reads import names_of
from flitstack.mapping.run import run_map
from flitstack.planning.build import PlanInputs
from flitstack.planning.changes import Side
from flitstack.planning.document import Plan
from flitstack.planning.live import as_we_called_it, still_made, without_operations
from flitstack.planning.owners import OwnerMap, match_owners, owners_document
from flitstack.planning.roles import Roles
from flitstack.planning.schema import Standing
from flitstack.staging.document import StagingDocument
from flitstack.staging.engine.engine import Engine
from flitstack.staging.engine.findings import FindingsWriter


@dataclass(frozen=True)
class Environment:
    """What planning asked the destination: facts, live metadata of every table the map names (None: not there), processes."""

    facts: Facts
    live: dict[str, Table | None]
    existing: dict[str, Path]
    units: dict[str, Path]  # see staff_roles.fetch_units
    processes: tuple[Definition, ...] = ()


@dataclass(frozen=True)
class Prepared:
    """The confirmed maps and the environment they go to; `live`: its metadata without what we made there ourselves (`made`),
    so that a plan made again is the same plan."""

    maps: dict[str, MapFile]
    environment: Environment
    live: dict[str, Table | None]
    made: tuple[Mapping[str, Any], ...]
    following: Following | None = None


def prepare(project: Project, progress: Progress, staged: StagingDocument) -> Prepared:
    """Ask the environment and check the maps against it. Raises UsageError with every mistake."""
    maps = read_maps(project.maps)
    progress.phase("asking the destination")
    environment = run_async(_ask(project, maps), project.target.url)
    following = settle_following(project, environment.processes, environment.live)
    maps = with_processes(maps, following) if following else maps
    made = still_made(environment.live, load_applied_schema(project))
    live = without_operations(environment.live, made)
    problems = check_maps(maps, project.pack, staged, live, project.decisions) or sharepoint_problems(
        project.decisions, environment.live, environment.existing
    )
    if problems:
        raise UsageError(*problems)
    return Prepared(maps, environment, live, made, following)


def plan_inputs(
    project: Project,
    prepared: Prepared,
    staged: StagingDocument,
    deduped: DedupeDocument,
    engine: Engine,
    journal: Journal,
    standing: Sequence[Side] = (),
) -> PlanInputs:
    """Run the map and settle the owners: everything a plan of the whole snapshot is built from. `standing`: of a delta."""
    rules, environment = _rules(project), prepared.environment
    earlier = matched_files(project)
    known = existing_rows(engine, journal, rules, environment.existing, earlier, _existing_folder(project))
    mapping = _run_map(project, prepared, staged, deduped, engine, known)
    homeless = folder_problems(engine, mapping, mapped_folder(project), environment.live)
    if homeless:
        raise UsageError(*homeless)
    matched = match_existing(
        project, engine, journal, mapping, mapped_folder(project), environment.live, known, environment.existing
    )
    roles = settle_roles(engine, project, staged, environment.facts, environment.units)
    owners = _owners(project, staged, mapping, environment.facts, engine, roles)
    gone = engine.one("SELECT count(*) FROM gone_matches")[0]
    return PlanInputs(
        environment=project.environment,
        url=project.target.url,
        system=project.pack.name,
        prefix=project.settings.prefix,
        phases=tuple(project.pack.playbook["phases"]),
        staged=staged.fingerprint,
        deduped=deduped.fingerprint,
        export=Path(staged.export),
        kept=staged.kept,
        mapped=mapped_folder(project),
        mapping=mapping,
        live=prepared.live,
        owners=owners,
        owners_sha256=file_sha256(project.folder / "owners.yaml"),
        accounts=accounts_before(engine, project, staged),
        notes=(
            *(f"owner {o.email or '(none)'} is not settled: edit owners.yaml" for o in owners.blocked),
            *roles_lines(roles),
            *(
                [
                    f"{gone:,} rows that the sample filled were deleted in Dynamics since: flitstack findings --code match_deleted"
                ]
                if gone
                else []
            ),
        ),
        at=now(),
        matched=matched,
        roles=roles.grants,
        instances=instances_of(prepared.following),
        schema=Standing(environment.live, prepared.made),
        standing=tuple(standing),
    )


async def _ask(project: Project, maps: dict[str, MapFile]) -> Environment:
    destination = open_destination(project)
    try:
        rules = _rules(project)
        live = {name: await destination.table(name) for name in sorted(_tables_named(maps) | rules.keys())}
        existing = await fetch_existing(destination, rules, live, _existing_folder(project))
        rule = wanted_rule(project)
        processes = await read_definitions(destination, rule.table) if rule else ()
        live |= {
            name: await destination.table(name) for name in sorted({one.table for one in processes if one.is_active})
        }
        units = await fetch_units(project, destination, _existing_folder(project) / "units")
        return Environment(await destination.facts(), live, existing, units, processes)
    finally:
        await destination.close()


def _rules(project: Project) -> Rules:
    """What the environment's rows are known by; SharePoint's are asked for only where the decisions want them."""
    rules = {table: dict(indexes) for table, indexes in existing_rules(project.pack.playbook).items()}
    if project.decisions.get("attachments") != "sharepoint":
        rules = {table: indexes for table, indexes in rules.items() if table not in {SITE, LOCATION}}
    for table, indexes in rules_to_read(project).items():
        rules[table] = rules.get(table, {}) | indexes
    return rules


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
    prepared: Prepared,
    staged: StagingDocument,
    deduped: DedupeDocument,
    engine: Engine,
    existing: Mapping[str, Mapping[str, Path | tuple[()]]],
) -> MappingDocument:
    facts, decisions = prepared.environment.facts, project.decisions
    currencies = [(c.iso_code.upper(), str(c.id)) for c in facts.currencies]
    context = MapContext(
        system=project.pack.name,
        decisions=decisions,
        prefix=project.settings.prefix,
        date_order=str(decisions.get("date_order", "DMY")),
        zone=str(decisions.get("timezone", "UTC")),
        live=prepared.live,
        there=as_we_called_it(prepared.environment.live, prepared.made),
        rows={**existing, "transactioncurrency": {"isocurrencycode": currencies}, **_stages(prepared.following)},
        max_file_bytes=file_bytes_allowed(facts.max_upload_bytes),
        blocked_extensions=facts.blocked_extensions,
        attachments=staged.attachments,
        export=Path(staged.export),
        option_prefix=project.settings.option_prefix,
        staged=staged_folder(project),
        awaited=_awaited_tables(project, staged),
    )
    findings = FindingsWriter(engine, "map")
    mapping = run_map(
        prepared.maps, project.pack, deduped, deduped_folder(project), engine, context, mapped_folder(project), findings
    )
    findings.save(project.state / "findings" / "map.parquet")
    return mapping


def _stages(following: Following | None) -> dict[str, dict[str, list[tuple[str, str]]]]:
    return {"processstage": {STAGE_INDEX: stage_rows(following.processes)}} if following else {}


def _awaited_tables(project: Project, staged: StagingDocument) -> frozenset[str]:
    """Tables that objects told to come with a later batch will fill."""
    routes, prefix = project.pack.playbook.get("routes") or {}, project.settings.prefix
    later = [name for name in project.settings.awaited if name not in staged.tables]
    named = [str(route["table"]) for name in later for route in routes.get(name, ()) if not route.get("also")]
    return frozenset(f"{prefix}_{table[2:]}" if table.startswith("x_") else table for table in named)


def _owners(
    project: Project, staged: StagingDocument, mapping: MappingDocument, facts: Facts, engine: Engine, roles: Roles
) -> OwnerMap:
    path = project.folder / "owners.yaml"
    decided = decided_owners(project)
    named = named_owners(engine, project, staged, mapping)
    counts = owner_counts(engine, project, staged, named)
    owners = match_owners(counts, facts.users, project.decisions, decided)
    document = owners_document(owners) | ({"roles": roles_listed(roles.grants)} if roles.grants else {})
    if not path.exists() or read_yaml(path)[0] != document:
        write_yaml(path, document)
    remember_owners(project, document)
    save_owner_findings(engine, project, owners, named)
    return owners


def remember_schema(project: Project, made: Plan) -> None:
    """Keep the schema operations of a plan that is about to be loaded: what we make there counts as not there when planning.

    What a plan alone wanted is not kept: an administrator may have made it, and then it is not ours to remove.
    """
    known = load_applied_schema(project)
    operations = [dict(operation) for step in made.steps for operation in step.operations]
    save_json(
        project.env_state / "schema.json", known + [operation for operation in operations if operation not in known]
    )


def forget_schema(project: Project, undone: Sequence[Mapping[str, Any]]) -> None:
    """What a rollback removed is no longer ours: the next load may give the same numbers to other words."""
    if undone:
        left = [operation for operation in load_applied_schema(project) if operation not in undone]
        save_json(project.env_state / "schema.json", left)
