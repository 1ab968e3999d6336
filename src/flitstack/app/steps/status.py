"""`flitstack status`: steps, gates, accounts, rows by table."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from flitstack.app.accounts import accounts_before, accounts_now, rows_by_table
from flitstack.app.buckets import verdict
from flitstack.app.checks import check_lines, checks_document, run_checks
from flitstack.app.gates import Gate
from flitstack.app.hypercare import hypercare_until
from flitstack.app.local import open_engine, open_journal
from flitstack.app.project import Project
from flitstack.app.result import Result
from flitstack.app.rounds import load_loaded
from flitstack.app.store import (
    load_dedupe,
    load_mapping,
    load_outcome,
    load_plan,
    load_profile,
    load_reconciliation,
    load_rollback,
    load_staging,
)
from flitstack.app.subjects import current_gates
from flitstack.app.undoing import planned_before
from flitstack.loading.rows import make_done_view
from flitstack.planning.document import Plan
from flitstack.staging.engine.engine import Engine


def status(project: Project) -> Result:
    """Readable at any time, also while a load runs."""
    undone = _rollback(project)
    plan = load_plan(project)
    standing = None if plan is not None and undone and planned_before(plan, undone["at"]) else plan
    steps = _steps(project, undone, standing)
    gates = current_gates(project)
    with open_engine(project) as engine:
        accounts, tables = _accounts(engine, project, plan, standing)
        checks = run_checks(engine, project, gates)
    document: dict[str, Any] = {
        "project": str(project.folder),
        "environment": project.environment,
        "steps": steps,
        "gates": {
            name: {"state": g.state, "sha256": g.sha256, "by": g.by, "at": g.at, "why": g.why}
            for name, g in gates.items()
        },
        "accounts": accounts,
        "tables": tables,
        "rollback": undone,
        "rounds": _rounds(project),
        "freeze": _freeze(project, gates["cutover"].state),
        "hypercare": _hypercare(gates["cutover"]),
        "checks": checks_document(checks),
    }
    return Result(document, (*_lines(document), *check_lines(checks)), next=_next(steps, undone))


def _rounds(project: Project) -> list[dict[str, Any]]:
    """Every finished load that stands: the first, and each delta."""
    loaded = load_loaded(project)
    return [asdict(each) for each in loaded.rounds] if loaded else []


def _freeze(project: Project, cutover: str) -> str:
    """What must be done before the switch; "" before anything is loaded and once the cutover is approved."""
    loaded = load_loaded(project)
    if loaded is None or cutover == "open":
        return ""
    if len(loaded.rounds) < 2:
        return "before the switch: freeze writes in the source, take the last export, load it as a delta, reconcile"
    last = loaded.rounds[-1]
    return (
        f"last delta loaded at {last.at}: if writes in the source were frozen before its export was taken, reconcile and "
        "approve cutover; otherwise freeze, export and load one more delta"
    )


def _hypercare(cutover: Gate) -> dict[str, str]:
    """From the signed switch on; {} before."""
    if cutover.state != "open":
        return {}
    switched = datetime.fromisoformat(cutover.at)
    return {"since": cutover.at, "by": cutover.by, "until": hypercare_until(switched.date()).isoformat()}


def _rollback(project: Project) -> dict[str, Any]:
    """The last rollback, when nothing was loaded since; {} otherwise."""
    undone, loaded = load_rollback(project), load_outcome(project)
    if undone is None or (loaded is not None and loaded.at > undone["at"]):
        return {}
    return {name: undone[name] for name in ("at", "reversed", "kept", "failed", "equal")} | {"verdict": verdict(undone)}


def _steps(project: Project, undone: dict[str, Any], standing: Plan | None) -> dict[str, bool]:
    """`standing`: the plan that a load would take."""
    sample = load_outcome(project, sample=True)
    return {
        "stage": load_staging(project) is not None,
        "profile": load_profile(project) is not None,
        "dedupe": load_dedupe(project) is not None,
        "map": load_mapping(project) is not None or any(project.maps.glob("*.yaml")),
        "plan": standing is not None,
        "sample": sample is not None and (not undone or sample.at > undone["at"]),
        "load": load_outcome(project) is not None and not undone,
        "reconcile": load_reconciliation(project) is not None and not undone,
    }


def _accounts(
    engine: Engine, project: Project, plan: Plan | None, standing: Plan | None
) -> tuple[dict[str, Any], dict[str, int]]:
    """Accounts by object, and by table the rows that stand by our doing: after a rollback those it kept."""
    staged, deduped = load_staging(project), load_dedupe(project)
    if staged is None or deduped is None:
        return {}, {}
    if plan is None:
        return dict(accounts_before(engine, project, staged)), {}
    with open_journal(project, write=False) as journal:
        make_done_view(engine, journal)
        tables = rows_by_table(engine, project, plan)
        if standing is None:
            return dict(accounts_before(engine, project, staged)), tables
        return dict(accounts_now(engine, project, standing, journal)), tables


def _lines(document: dict[str, Any]) -> list[str]:
    lines = [f"environment {document['environment']}"]
    lines.append(
        "steps    " + ", ".join(f"{name} {'done' if done else '-'}" for name, done in document["steps"].items())
    )
    for name, gate in document["gates"].items():
        by = f" by {gate['by']} at {gate['at']}" if gate["by"] else ""
        why = f": {gate['why']}" if gate["why"] else ""
        lines.append(f"gate     {name:<10} {gate['state']}{by}{why}")
    if document["accounts"]:
        heads = ("read", "created", "updated", "merged", "unchanged", "held", "rejected", "excluded", "pending")
        lines.append("account  " + f"{'object':<16}" + "".join(f"{head:>10}" for head in heads) + "  closes")
        for name, account in document["accounts"].items():
            cells = "".join(f"{account.get(head, 0):>10,}" for head in heads)
            lines.append("         " + f"{name:<16}" + cells + f"  {'yes' if account.get('closes') else 'not yet'}")
    for entry in document["rounds"][1:]:
        counts: dict[str, int] = {}
        for each in entry["tables"].values():
            for word, number in each.items():
                counts[word] = counts.get(word, 0) + number
        told = ", ".join(f"{number:,} {word}" for word, number in counts.items() if number)
        lines.append(f"round    {entry['number']} at {entry['at']}: {told or 'nothing changed'}")
    if document["freeze"]:
        lines.append(f"freeze   {document['freeze']}")
    if switch := document["hypercare"]:
        lines.append(f"switched at {switch['since']} by {switch['by']}; hypercare until {switch['until']}")
    for table, rows in document["tables"].items():
        lines.append(f"rows     {table:<32}{rows:>10,}")
    if undone := document["rollback"]:
        lines.append(f"rolled back at {undone['at']}: {undone['reversed']:,} rows; {undone['verdict']}")
    return lines


def _next(steps: dict[str, bool], undone: dict[str, Any]) -> str:
    if undone and undone["failed"]:
        return "flitstack rollback"
    names = {"sample": "load --sample"}
    return next((f"flitstack {names.get(name, name)}" for name, done in steps.items() if not done), "")
