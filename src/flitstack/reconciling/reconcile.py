"""Compares what a plan meant with what the destination holds: every mapped cell of every row, in both directions."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from flitstack.destinations.port import Destination
from flitstack.errors import Problem, StepFailed
from flitstack.planning.document import Plan, SendTable
from flitstack.reconciling.accounts import Ledger
from flitstack.reconciling.document import PhaseCount, ReconcileDocument, TableResult
from flitstack.reconciling.links import compare_links
from flitstack.reconciling.roles import compare_roles
from flitstack.reconciling.tables import Landed, Place, reconcile_table
from flitstack.staging.engine.engine import Engine
from flitstack.staging.engine.findings import FindingsWriter

WRITING_STEPS = frozenset({"create", "files", "update"})


async def reconcile(
    plan: Plan, destination: Destination, engine: Engine, landed: Landed, place: Place, *, at: str
) -> tuple[ReconcileDocument, FindingsWriter]:
    """The document and the findings (examples of differences; `save` them to findings/reconcile.parquet).

    Reads everything back through the destination; writes nothing but files below `place.scratch`.
    Raises StepFailed when a table of the plan is gone, and the destination's faults.
    """
    findings = FindingsWriter(engine, "reconcile")
    ledger = Ledger(engine)
    results: list[TableResult] = []
    for name, sends in _by_table(plan).items():
        table = await destination.table(name)
        if table is None:
            raise StepFailed(
                Problem(
                    "table-missing",
                    f"the destination has no table {name} any more",
                    where=", ".join(send.name for send in sends),
                    do="run `flitstack plan` and `flitstack load` again",
                )
            )
        found = await reconcile_table(plan, sends, table, destination, engine, findings, landed, place)
        for send, result in zip(sends, found, strict=True):
            ledger.add(plan, place.plan, send, place.scratch / f"{name}.parquet")
            if send.has_links:
                links = await compare_links(plan, send, table, destination, engine, findings, place)
                result = replace(result, columns=(*result.columns, links))
            results.append(result)
    roles = await compare_roles(plan, destination, findings)
    results += [roles] if roles else []
    document = ReconcileDocument(
        plan=plan.sha256,
        environment=plan.environment,
        rows=sum(result.landed for result in results),
        cells=sum(result.cells for result in results),
        differences=sum(result.differences for result in results),
        tables=tuple(results),
        accounts=ledger.accounts(plan.accounts),
        phases=_phases(plan, results),
        derived=ledger.derived(),
        at=at,
    )
    return document, findings


def _by_table(plan: Plan) -> Mapping[str, Sequence[SendTable]]:
    """Send tables that write rows, by destination table in plan order."""
    written = {step.send for step in plan.steps if step.kind in WRITING_STEPS}
    found: dict[str, list[SendTable]] = {}
    for send in plan.tables:
        if send.name in written:
            found.setdefault(send.table, []).append(send)
    return found


def _phases(plan: Plan, results: Sequence[TableResult]) -> tuple[PhaseCount, ...]:
    counts = []
    for phase in plan.phases:
        mine = [result for result in results if result.phase == phase]
        counts.append(
            PhaseCount(
                phase,
                planned=sum(result.planned for result in mine),
                landed=sum(result.landed for result in mine),
                rejected=sum(result.rejected for result in mine),
                missing=sum(result.missing for result in mine),
            )
        )
    return tuple(counts)
