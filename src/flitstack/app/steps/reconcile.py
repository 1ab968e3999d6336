"""`flitstack reconcile`: every mapped cell is read back and compared, in both directions."""

from dataclasses import asdict, replace

from flitstack.app.gates import now
from flitstack.app.local import open_engine, open_journal
from flitstack.app.operators import remember_operator
from flitstack.app.project import Project
from flitstack.app.promote import kept_file
from flitstack.app.result import EXIT_DIFFERENCES, EXIT_DONE, EXIT_REJECTS, Progress, Result, worst_exit
from flitstack.app.rounds import load_state
from flitstack.app.running import run_async
from flitstack.app.spot_check import make_spot_check, spot_check_file
from flitstack.app.store import Reconciliation, load_plan, plan_folder
from flitstack.app.subjects import plan_missing
from flitstack.app.wiring import open_destination
from flitstack.destinations.port import Destination
from flitstack.documents import save_json
from flitstack.errors import UsageError
from flitstack.journal.journal import Journal
from flitstack.planning.document import Plan
from flitstack.reconciling.document import ReconcileDocument
from flitstack.reconciling.reconcile import reconcile as compare
from flitstack.reconciling.tables import Landed, Place
from flitstack.staging.engine.engine import Engine


def reconcile(project: Project, progress: Progress) -> Result:
    """Compare the plan with the destination; exit code 5 on differences, 3 when records were held or rejected."""
    plan = load_plan(project)
    if plan is None:
        raise UsageError(plan_missing())
    progress.phase("reconciling", sum(send.rows for send in plan.tables))
    with open_engine(project) as engine, open_journal(project, write=False) as journal:
        document = run_async(_compare(project, plan, engine, journal), plan.url)
    remember_operator(project, "reconcile")
    fallen = any(account.held or account.rejected for account in document.accounts.values())
    code = worst_exit(EXIT_DIFFERENCES if document.differences else EXIT_DONE, EXIT_REJECTS if fallen else EXIT_DONE)
    sheet = spot_check_file(project)
    lines = (*_lines(document), f"records to compare by hand: {sheet}")
    return Result({**to_document(document), "spot_check": str(sheet)}, lines, code, next="flitstack report")


async def reconcile_plan(
    project: Project, plan: Plan, destination: Destination, engine: Engine, journal: Journal, *, only_sample: bool
) -> ReconcileDocument:
    """Compare, keep the outcome beside the plan, save the findings."""
    prefix = "sample-" if only_sample else ""
    state = load_state(project) if not only_sample else None
    scratch = project.env_state / f"{prefix}readback"
    scratch.mkdir(parents=True, exist_ok=True)
    if plan.kind == "delta" and state is not None:
        # After a delta everything is compared that stands, not the delta alone.
        place = Place(state.folder, scratch, kept=kept_file(state))
        whole = state.whole
        document, findings = await compare(whole, destination, engine, Landed.of(journal), place, at=now())
        document = replace(document, plan=plan.sha256)
    else:
        place, whole = Place(plan_folder(project), scratch), plan
        document, findings = await compare(plan, destination, engine, Landed.of(journal), place, at=now())
    if not only_sample:
        findings.save(project.env_state / "findings" / "reconcile.parquet")
    else:
        findings.save(project.env_state / "sample-differences.parquet")
    save_json(project.env_state / f"{prefix}reconciliation.json", _kept(document))
    save_json(project.env_state / f"{prefix}reconciliation-tables.json", document)
    if not only_sample:
        await make_spot_check(project, whole, destination, engine, journal, place)
    return document


async def _compare(project: Project, plan: Plan, engine: Engine, journal: Journal) -> ReconcileDocument:
    destination = open_destination(project)
    try:
        return await reconcile_plan(project, plan, destination, engine, journal, only_sample=False)
    finally:
        await destination.close()


def to_document(document: ReconcileDocument) -> dict[str, object]:
    """What `--json` prints: rows, cells, differences, and the counts behind them."""
    return {
        "rows": document.rows,
        "cells": document.cells,
        "differences": document.differences,
        "closes": document.closes,
        "accounts": {name: {**asdict(a), "closes": a.closes} for name, a in document.accounts.items()},
        "phases": [asdict(phase) for phase in document.phases],
        "tables": [
            {
                "table": t.table, "phase": t.phase, "planned": t.planned, "landed": t.landed, "rejected": t.rejected,
                "missing": t.missing, "extra": t.extra, "cells": t.cells, "differences": t.differences,
                "unreadable": list(t.unreadable),
                "columns": {c.name: {"field": c.field, "cells": c.cells, "differences": c.differences} for c in t.columns},
            }
            for t in document.tables
        ],
        "derived": document.derived,
    }  # fmt: skip


def _kept(document: ReconcileDocument) -> Reconciliation:
    return Reconciliation(
        plan=document.plan,
        at=document.at,
        rows=document.rows,
        cells=document.cells,
        differences=document.differences,
        missing=sum(table.missing for table in document.tables),
        extra=sum(table.extra for table in document.tables),
        tables={
            f"{t.phase}/{t.table}": {"rows": t.landed, "cells": t.cells, "differences": t.differences}
            for t in document.tables
        },
        accounts={name: asdict(account) for name, account in document.accounts.items()},
    )


def _lines(document: ReconcileDocument) -> list[str]:
    lines = [
        f"{table.phase:<14} {table.table:<24} {table.landed:>9,} rows {table.cells:>11,} cells {table.differences:>6,} differences"
        for table in document.tables
    ]
    share = (
        "100 %" if not document.differences else f"{100 * (1 - document.differences / max(1, document.cells)):.4f} %"
    )
    lines.append(
        f"verified: {document.rows:,} rows, {document.cells:,} cells, {document.differences:,} differences ({share} equal)"
    )
    still_open = [name for name, account in document.accounts.items() if not account.closes]
    lines.append(f"accounts that do not close: {', '.join(still_open)}" if still_open else "every account closes")
    if document.differences:
        lines.append("each one with file, record and field: flitstack findings --step reconcile")
    return lines
