"""Puts a plan together: schema, rows with ids, steps in order, one document with its hash."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flitstack.catalogue.types import Table
from flitstack.documents import fingerprint, to_json
from flitstack.journal.journal import Journal
from flitstack.mapping.document import MappedRoute, MappingDocument
from flitstack.planning.changes import Side
from flitstack.planning.document import Grant, Plan, SendTable, Step
from flitstack.planning.instances import Instances, settle_instances
from flitstack.planning.order import order_groups
from flitstack.planning.owners import OwnerMap
from flitstack.planning.rows import RowContext, allocate_ids, load_keys, load_owners, write_send_table
from flitstack.planning.sample import choose_sample
from flitstack.planning.schema import Operation, Standing, schema_operations
from flitstack.planning.upsert import split_matched
from flitstack.staging.engine.engine import Engine, literal, read_parquet

ROWS_PER_REQUEST = 500  # forecast only; the loader adapts


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """What a full plan is made from. `accounts` as in `Plan.accounts`, without `planned`."""

    environment: str
    url: str
    system: str
    prefix: str
    phases: tuple[str, ...]
    staged: str
    deduped: str
    export: Path
    kept: str  # see Plan
    mapped: Path
    mapping: MappingDocument
    live: Mapping[str, Table | None]
    owners: OwnerMap
    owners_sha256: str
    accounts: Mapping[str, Mapping[str, int]]
    notes: tuple[str, ...]
    at: str
    matched: Mapping[str, Path] = field(default_factory=dict)  # of matching.match_rows
    roles: tuple[Grant, ...] = ()
    instances: tuple[Instances, ...] = ()
    schema: Standing = field(default_factory=Standing)
    standing: tuple[Side, ...] = ()  # of a delta: what we hold to be there, the newest first


def build_plan(engine: Engine, journal: Journal, folder: Path, inputs: PlanInputs) -> Plan:
    """Write the send tables below `folder` and return the plan (not saved)."""
    operations = schema_operations(inputs.mapping, inputs.live, inputs.prefix, inputs.schema)
    groups = order_groups(inputs.mapping.routes, inputs.phases)
    context = RowContext(inputs.system, inputs.prefix, inputs.mapped, inputs.live, inputs.owners)
    allocate_ids(engine, journal, groups, context)
    tables_named = {g.table for g in groups} | {t for r in inputs.mapping.routes for t in r.depends_on}
    load_keys(engine, journal, tables_named)
    context = replace(context, keyed=frozenset(tables_named), beside=_beside(inputs.mapping.routes))
    load_owners(engine, inputs.owners)
    written = [write_send_table(engine, group, n, folder, context) for n, group in enumerate(groups, start=1)]
    written, notes = settle_instances(engine, written, inputs.instances, inputs.matched, inputs.standing, folder)
    tables = tuple(
        part
        for table in written
        if table.rows
        for part in split_matched(engine, table, inputs.matched.get(table.table), folder, inputs.prefix)
    )
    steps = plan_steps(operations, tables, inputs.phases, roles=inputs.roles)
    plan = Plan(
        format=1,
        kind="full",
        environment=inputs.environment,
        url=inputs.url,
        system=inputs.system,
        prefix=inputs.prefix,
        staged=inputs.staged,
        deduped=inputs.deduped,
        maps=dict(inputs.mapping.map_sha256),
        owners=inputs.owners_sha256,
        steps=steps,
        tables=tables,
        phases=inputs.phases,
        accounts={name: dict(account) for name, account in inputs.accounts.items()},
        export=str(inputs.export),
        kept=inputs.kept,
        requests=forecast_requests(steps),
        notes=(*inputs.notes, *notes),
        at=inputs.at,
        roles=inputs.roles,
    )
    return sealed(plan)


def _beside(routes: Sequence[MappedRoute]) -> frozenset[str]:
    """Mapped tables of routes beside an object's own; where all of its routes are such (sessions of a schedule), none."""
    own = {route.object for route in routes if route.is_primary}
    return frozenset(route.parquet for route in routes if not route.is_primary and route.object in own)


def sample_plan(engine: Engine, folder: Path, plan: Plan, per_group: int, total: int = 0) -> Plan:
    """The plan cut down to a sample closed over parents; its send tables go to `folder`/sample."""
    choose_sample(engine, folder, plan.tables, per_group, total)
    tables = []
    for table in plan.tables:
        name = f"sample/{table.parquet}"
        rows = engine.write_parquet(
            f"SELECT t.* FROM {read_parquet(folder / table.parquet)} t SEMI JOIN sample s "
            f'ON s."table" = {literal(table.table)} AND s."row" = t._row ORDER BY t._ord',
            folder / name,
        )
        source = read_parquet(folder / name)
        total = engine.one(f"SELECT coalesce(sum(hash(t))::VARCHAR, '0') FROM {source} t")[0]
        if rows:
            tables.append(replace(table, parquet=name, rows=rows, content_hash=f"{rows}:{total}"))
    operations = [step for step in plan.steps if step.kind == "schema"]
    steps = plan_steps((), tables, plan.phases, existing=operations)
    # Nobody needs a role to look at a sample.
    return sealed(
        replace(plan, kind="sample", tables=tuple(tables), steps=steps, requests=forecast_requests(steps), roles=())
    )


def plan_steps(
    operations: Sequence[Operation],
    tables: Sequence[SendTable],
    phases: Iterable[str],
    existing: Sequence[Step] = (),
    roles: Sequence[Grant] = (),
) -> tuple[Step, ...]:
    """Schema first; then, phase by phase: rows, held-back lookups, links, states; then what was there before; roles last.

    Where a held-back lookup points to a table of a later phase, it and what follows it (a closed row takes no update) wait
    for that phase.
    """
    phases = list(phases)
    held = {phase: [table for table in tables if _last_phase(table, tables, phases) == phase] for phase in phases}
    drafts: list[dict[str, Any]] = [
        {"kind": s.kind, "phase": s.phase, "table": "", "title": s.title, "operations": s.operations} for s in existing
    ]
    if operations:
        title = f"{len(operations)} schema operations"
        plain = tuple(operation.to_dict() for operation in operations)
        drafts.append({"kind": "schema", "phase": "schema", "table": "", "title": title, "operations": plain})
    for phase in phases:
        mine = [table for table in tables if table.phase == phase]
        drafts += [_rows_step(table) for table in mine]
        full = held[phase]
        drafts += [_more(table, "lookups", "held-back lookups", phase) for table in full if _second_pass(table)]
        drafts += [_more(table, "associate", "links", phase) for table in full if table.has_links]
        drafts += [_more(table, "state", "states", phase) for table in full if table.has_states]
    there = [table for table in tables if table.was_there]
    drafts += [_more(table, "update", "what is there already") | {"rows": table.to_send} for table in there]
    drafts += [_more(table, "associate", "links") for table in there if table.has_links]
    drafts += roles_step(roles)
    return tuple(Step(index=index, **draft) for index, draft in enumerate(drafts))


def roles_step(roles: Sequence[Grant]) -> list[dict[str, Any]]:
    """The step that gives users their roles, less its index; none where nobody gets one."""
    users = len({grant.user for grant in roles})
    step = {"kind": "roles", "phase": "roles", "table": "systemuser", "title": "roles of users", "rows": users}
    return [step] if users else []


def forecast_requests(steps: Sequence[Step]) -> dict[str, int]:
    """Rows written and HTTP requests they take; each row counts against the daily entitlement."""
    rows = sum(step.rows for step in steps)
    requests = sum(-(-step.rows // ROWS_PER_REQUEST) for step in steps) + sum(len(s.operations) for s in steps)
    return {"rows": rows, "requests": requests}


def sealed(plan: Plan) -> Plan:
    """The plan with the hash of everything but itself and its time of making."""
    return replace(plan, sha256=fingerprint(to_json(replace(plan, at="", sha256=""))))


def _rows_step(table: SendTable) -> dict[str, Any]:
    kind = "files" if table.has_files else "create"
    return _more(table, kind, "rows")


def _last_phase(table: SendTable, tables: Sequence[SendTable], phases: Sequence[str]) -> str:
    """The phase after whose rows everything that the table's held-back lookups point to is there; else its own."""
    targets = {target for column in table.columns if column.second_pass for target in column.targets}
    later = {one.phase for one in tables if one.table in targets and one.phase in phases}
    return max(table.phase, *later, key=phases.index) if later and table.phase in phases else table.phase


def _more(table: SendTable, kind: str, what: str, phase: str = "") -> dict[str, Any]:
    title = f"{what} of {table.table}"
    return {
        "kind": kind,
        "phase": phase or table.phase,
        "table": table.table,
        "title": title,
        "send": table.name,
        "rows": table.rows,
    }


def _second_pass(table: SendTable) -> bool:
    return any(column.second_pass for column in table.columns)
