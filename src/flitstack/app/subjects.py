"""What each gate would approve now: a hash of exactly that, or why there is nothing to approve yet."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flitstack.app.emulators import is_emulator
from flitstack.app.gates import Gate, Subject, gate_states
from flitstack.app.project import Project
from flitstack.app.rounds import load_loaded
from flitstack.app.store import load_dedupe, load_outcome, load_plan, load_reconciliation, load_staging
from flitstack.documents import file_sha256, fingerprint, to_json
from flitstack.errors import Problem
from flitstack.mapping.maps import open_proposals, read_maps
from flitstack.planning.document import Plan

# How many open owners an error names; owners.yaml holds them all.
NAMED_OWNERS = 20


def current_gates(project: Project) -> dict[str, Gate]:
    """All gates of the chosen environment, in order."""
    return gate_states(approvals_file(project), project.environment, current_subjects(project))


def approvals_file(project: Project) -> Path:
    """approvals.yaml."""
    return project.folder / "approvals.yaml"


def current_subjects(project: Project) -> dict[str, Subject]:
    """Subjects by gate; a gate that is not asked is left out."""
    subjects = {
        "export": _export(project),
        "quality": _quality(project),
        "map": _map(project),
        "schema": _schema(project),
        "owners": _owners(project),
        "sample": _sample(project),
        "load": _load(project),
        "cutover": _cutover(project),
    }
    if _asks_rehearsal(project):
        subjects["rehearsal"] = _rehearsal(project)
    return subjects | _settled(project)


def _settled(project: Project) -> dict[str, Subject]:
    """Gates that a later export does not shut: what they approved before the first load stands. The map is not among them."""
    loaded, staged = load_loaded(project), load_staging(project)
    if loaded is None or staged is None or not staged.number:
        return {}
    settled = ("export", "quality", "schema", "owners", "sample", "rehearsal")
    return {name: Subject(loaded.gates[name]) for name in settled if name in loaded.gates}


def _export(project: Project) -> Subject:
    staged = load_staging(project)
    if staged is None:
        return Subject("", "run: flitstack stage")
    given_up = sorted({*project.settings.absent, *project.settings.awaited})
    needed = {name for name, source in project.pack.objects.items() if not source.optional} - set(given_up)
    sha256 = fingerprint(staged.fingerprint, *given_up) if given_up else staged.fingerprint
    absent = sorted(name for name in needed if name not in staged.tables)
    if absent:
        unread = {file.object: file.path for file in staged.files if file.object in absent}
        told = [f"{name} ({unread[name]} could not be read)" if name in unread else name for name in absent]
        what = f"the export holds no records for {', '.join(told)}"
        return Subject(
            sha256,
            f"{what}: ask for the files, or write awaited: (they come later) or absent: [{', '.join(absent)}] in flitstack.yaml",
        )
    return Subject(sha256)


def _quality(project: Project) -> Subject:
    deduped = load_dedupe(project)
    if deduped is None:
        return Subject("", "run: flitstack dedupe")
    staged = load_staging(project)
    if staged is not None and deduped.staged != staged.fingerprint:
        return Subject("", "the export was staged anew: run flitstack dedupe")
    return Subject(deduped.fingerprint)


def _map(project: Project) -> Subject:
    if not project.maps.exists() or not any(project.maps.glob("*.yaml")):
        return Subject("", "run: flitstack map")
    maps = read_maps(project.maps)
    waiting = open_proposals(maps)
    sha256 = fingerprint(
        *(part for name in sorted(maps) for part in (name, file_sha256(project.maps / f"{name}.yaml")))
    )
    staged, routes = load_staging(project), project.pack.playbook.get("routes") or {}
    news = [
        name
        for name in (staged.tables if staged else ())
        if name not in maps and (routes.get(name) or project.pack.objects[name].found)
    ]
    if news:
        # A later batch brought them: without a map their records would be planned nowhere.
        return Subject(sha256, f"{', '.join(news)} came with a later export and has no map yet: run flitstack map")
    if waiting:
        return Subject(sha256, f"{len(waiting)} fields are still proposed: flitstack map --confirm all, or --reject")
    return Subject(sha256)


def _schema(project: Project) -> Subject:
    plan = load_plan(project)
    if plan is None:
        return Subject("", "run: flitstack plan")
    if why := _outdated(project, plan):
        return Subject("", why)
    operations = [list(step.operations) for step in plan.steps if step.kind == "schema"]
    return Subject(fingerprint(to_json(operations)))


def _outdated(project: Project, plan: Plan) -> str:
    """What the plan was made from and is no more; "" for a plan of what is there now."""
    staged, deduped = load_staging(project), load_dedupe(project)
    again = f"run: flitstack plan{' --delta' if plan.kind == 'delta' else ''}"
    if staged is not None and plan.staged != staged.fingerprint:
        if load_loaded(project) is not None and staged.number:
            return "a later export was staged: run flitstack plan --delta"
        return f"the export was staged anew after the plan: {again}"
    if deduped is not None and plan.deduped != deduped.fingerprint:
        return f"duplicates were looked for anew after the plan: {again}"
    if plan.maps != {path.stem: file_sha256(path) for path in project.maps.glob("*.yaml")}:
        return f"the map was changed after the plan: {again}"
    return ""


def _owners(project: Project) -> Subject:
    plan = load_plan(project)
    path = project.folder / "owners.yaml"
    if plan is None or not path.exists():
        return Subject("", "run: flitstack plan")
    if file_sha256(path) != plan.owners:
        return Subject("", "owners.yaml was changed after the plan: run flitstack plan")
    return Subject(plan.owners, _open_owners(plan))


def _open_owners(plan: Plan) -> str:
    """Why owners hold a plan back; "" when all are settled."""
    blocked = [note.removeprefix("owner ").partition(" ")[0] for note in plan.notes if note.startswith("owner ")]
    if not blocked:
        return ""
    told = ", ".join(blocked[:NAMED_OWNERS]) + (" ..." if len(blocked) > NAMED_OWNERS else "")
    how = f"give each one `to:` and `by:`, then run flitstack plan{' --delta' if plan.kind == 'delta' else ''}"
    return f"{len(blocked)} owners are not settled in owners.yaml ({told}): {how}"


def _sample(project: Project) -> Subject:
    plan = load_plan(project, sample=True)
    if plan is None:
        return Subject("", "run: flitstack plan")
    sha256 = fingerprint(to_json([[t.table, [c.name for c in t.columns]] for t in plan.tables]), to_json(plan.maps))
    outcome = load_reconciliation(project, sample=True)
    if outcome is None or outcome.plan != plan.sha256:
        return Subject(sha256, "run: flitstack load --sample")
    if outcome.differences:
        return Subject(
            sha256, f"the sample shows {outcome.differences} differences: see reports/sample/reconciliation.html"
        )
    return Subject(sha256)


def _rehearsal(project: Project) -> Subject:
    sandbox = Project(
        project.folder, project.settings, project.pack, project.decisions, project.operator, "sandbox", project.decided
    )
    outcome, plan = load_reconciliation(sandbox), load_plan(sandbox)
    if outcome is None or plan is None:
        return Subject("", "make the full run in the sandbox: flitstack run --env sandbox")
    if _outdated(sandbox, plan):
        return Subject("", "export, duplicates or map changed since the rehearsal: flitstack run --env sandbox")
    return Subject(fingerprint(outcome.plan), "" if not outcome.differences else "the rehearsal shows differences")


def _load(project: Project) -> Subject:
    plan, staged, loaded = load_plan(project), load_staging(project), load_loaded(project)
    if plan is None:
        return Subject("", "run: flitstack plan")
    if why := _outdated(project, plan):
        return Subject("", why)
    if loaded is None or staged is None or not staged.number:
        return Subject(plan.sha256)
    return Subject(plan.sha256, _open_owners(plan))


def _cutover(project: Project) -> Subject:
    outcome = load_reconciliation(project)
    if outcome is None or load_outcome(project) is None:
        return Subject("", "run: flitstack load, flitstack reconcile")
    return Subject(fingerprint(outcome.plan, to_json(outcome.accounts)))


def _asks_rehearsal(project: Project) -> bool:
    asked: Mapping[str, Any] = project.pack.playbook
    wanted = project.decisions.get("rehearsal", asked.get("rehearsal"))
    if project.environment == "sandbox" or not wanted or not project.settings.environments:
        return False
    return not is_emulator(project.target.url)


def plan_missing() -> Problem:
    """How a missing plan is told."""
    return Problem("no-plan", "there is no plan for this environment", do="run: flitstack plan")
