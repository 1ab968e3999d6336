"""`flitstack report`: the documents for people, from what the steps know now."""

from pathlib import Path
from typing import Any

from flitstack.app.checks import run_checks
from flitstack.app.gates import now
from flitstack.app.inventory import make_inventory
from flitstack.app.local import open_engine
from flitstack.app.project import Project
from flitstack.app.result import Progress, Result
from flitstack.app.steps.findings import finding_files, findings_of_files
from flitstack.app.store import (
    load_dedupe,
    load_outcome,
    load_profile,
    load_reconciled,
    load_rollback,
    load_staging,
)
from flitstack.app.subjects import current_gates
from flitstack.errors import Problem, UsageError
from flitstack.reporting.checks import write_checks
from flitstack.reporting.document import (
    ChecksReport,
    Heading,
    InventoryReport,
    LoadFacts,
    MigrationReport,
    ProofLine,
    QualityReport,
    RollbackProof,
)
from flitstack.reporting.groups import group_findings
from flitstack.reporting.inventory import write_inventory
from flitstack.reporting.quality import write_quality
from flitstack.reporting.reconciliation import write_reconciliation
from flitstack.staging.engine.engine import Engine


def report(project: Project, progress: Progress) -> Result:
    """Write every document there is something to say for; the paths are the result."""
    progress.phase("writing reports")
    written: list[Path] = []
    with open_engine(project) as engine:
        if load_profile(project) is not None:
            written += write_quality_report(project, engine)
            written += write_inventory_report(project, engine)[1:]
            checks = run_checks(engine, project, current_gates(project))
            written.append(write_checks(ChecksReport(_heading(project), checks), project.reports))
        if load_reconciled(project) is not None:
            written += write_migration_report(project, engine)
    if not written:
        raise UsageError(
            Problem(
                "nothing-to-report",
                "no step has left anything to report yet",
                do="run: flitstack stage, flitstack profile",
            )
        )
    return Result({"reports": [str(path) for path in written]}, tuple(str(path) for path in written))


def write_quality_report(project: Project, engine: Engine) -> tuple[Path, Path]:
    """reports/quality.html and .xlsx. Staging and profile must be there."""
    staged, profiled = load_staging(project), load_profile(project)
    if staged is None or profiled is None:
        raise UsageError(Problem("not-profiled", "nothing is profiled yet", do="run: flitstack profile"))
    early = [path for path in finding_files(project) if path.stem in {"stage", "dedupe"}]
    groups = group_findings(engine, findings_of_files(early))
    return write_quality(
        QualityReport(_heading(project), staged, profiled, groups, load_dedupe(project)), project.reports
    )


def write_migration_report(project: Project, engine: Engine, *, only_sample: bool = False) -> tuple[Path, Path]:
    """reports/reconciliation.html and .xlsx, or those of the sample in reports/sample."""
    reconciled = load_reconciled(project, sample=only_sample)
    if reconciled is None:
        raise UsageError(
            Problem("not-reconciled", "nothing is reconciled yet", do="run: flitstack load, flitstack reconcile")
        )
    files = finding_files(project)
    differences = [path for path in files if path.stem == "reconcile"]
    if only_sample:
        differences = [path for path in [project.env_state / "sample-differences.parquet"] if path.exists()]
    content = MigrationReport(
        heading=_heading(project),
        reconciled=reconciled,
        findings=group_findings(engine, findings_of_files([path for path in files if path.stem != "reconcile"])),
        differences=group_findings(engine, findings_of_files(differences)),
        load=_load_facts(project, only_sample=only_sample),
        rollback=None if only_sample else _proof(load_rollback(project)),
        labels={name: source.label or name for name, source in project.pack.objects.items()},
        decisions={name: str(option) for name, option in project.decisions.items()},
    )
    return write_reconciliation(content, project.reports / "sample" if only_sample else project.reports)


def write_inventory_report(project: Project, engine: Engine) -> tuple[InventoryReport, Path, Path]:
    """reports/inventory.html and .json, and what they say. Staging must be there."""
    staged = load_staging(project)
    if staged is None:
        raise UsageError(Problem("not-staged", "nothing is staged yet", do="run: flitstack stage"))
    made = make_inventory(engine, project, staged, _heading(project))
    return made, *write_inventory(made, project.reports)


def _heading(project: Project) -> Heading:
    target = project.settings.environments.get(project.environment)
    return Heading(
        project.folder.name,
        project.pack.title,
        now(),
        project.environment,
        target.url if target else "",
        project.operator,
    )


def _load_facts(project: Project, *, only_sample: bool) -> LoadFacts | None:
    outcome = load_outcome(project, sample=only_sample)
    if outcome is None:
        return None
    rows = sum(count for table, count in outcome.rows.items() if table not in {"note", "file"})
    return LoadFacts(outcome.at, outcome.seconds, outcome.requests, rows)


def _proof(document: dict[str, Any] | None) -> RollbackProof | None:
    if not document or document.get("equal") is None:
        return None
    lines = tuple(
        ProofLine(name, entry["rows"], entry["gone"], entry["changed"]) for name, entry in document["tables"].items()
    )
    return RollbackProof(
        document["at"], document["reversed"], document["kept"], document["failed"], document["equal"], lines
    )
