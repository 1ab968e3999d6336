"""`flitstack dedupe`: what is the same becomes one, what only looks alike is listed for sign-off."""

from pathlib import Path

from flitstack.app.archive import write_archive
from flitstack.app.local import open_engine
from flitstack.app.operators import remember_operator
from flitstack.app.project import Project
from flitstack.app.result import Progress, Result
from flitstack.app.rounds import load_state
from flitstack.app.store import deduped_folder, load_staging, staged_folder
from flitstack.deduping.dedupe import dedupe as dedupe_snapshot
from flitstack.deduping.review import MergeDecisions, add_decisions, read_decisions, read_review
from flitstack.errors import Problem, UsageError
from flitstack.reporting.merges import write_merges
from flitstack.staging.engine.engine import Engine, literal, read_parquet
from flitstack.staging.engine.findings import FindingsWriter


def dedupe(project: Project, progress: Progress) -> Result:
    """Merge the current snapshot; the clusters go to reports/merges.xlsx. Decisions in merges.yaml are respected."""
    staged = load_staging(project)
    if staged is None:
        raise UsageError(Problem("not-staged", "nothing is staged yet", do="run: flitstack stage"))
    progress.phase("deduping")
    with open_engine(project) as engine:
        findings = FindingsWriter(engine, "dedupe")
        document = dedupe_snapshot(
            project.pack,
            staged,
            staged_folder(project),
            deduped_folder(project),
            project.decisions,
            engine,
            findings,
            _decided(project),
            established=_established(project, engine),
        )
        findings.save(project.state / "findings" / "dedupe.parquet")
        archived = write_archive(engine, project, staged)
        report = write_merges(engine, document, deduped_folder(project), project.reports / "merges.xlsx")
    remember_operator(project, "dedupe")
    tables = {
        name: {"records": table.records, "merged": table.merged, "flagged": table.flagged}
        for name, table in document.tables.items()
    }
    lines = [
        f"{name}: {table['records']:,} records stay, {table['merged']:,} merged away, {table['flagged']:,} look alike and stay apart"
        for name, table in tables.items()
        if table["merged"] or table["flagged"]
    ]
    lines += [
        f"{name}: {count:,} records before {project.decisions['archive_before']} go to reports/archive, not to Dynamics"
        for name, count in archived.items()
    ]
    return Result(
        {"fingerprint": document.fingerprint, "tables": tables, "archived": archived, "report": str(report)},
        tuple(lines or ["no duplicates"]),
        next="look at reports/merges.xlsx, then: flitstack approve quality",
    )


def _decided(project: Project) -> MergeDecisions:
    """What people decided: merges.yaml, into which the decision column of the review sheet goes first."""
    decisions = project.folder / "merges.yaml"
    sheet = project.reports / "merges.xlsx"
    if sheet.exists():
        add_decisions(decisions, read_review(sheet), by=project.operator)
    return read_decisions(decisions)


def _established(project: Project, engine: Engine) -> dict[str, Path]:
    """Object -> Parquet with `_id` of the records that are rows of the chosen environment: they stay who they are."""
    state = load_state(project)
    if state is None:
        return {}
    folder = project.env_state / "established"
    found: dict[str, Path] = {}
    for name in sorted({name for send in state.whole.tables for name in send.objects}):
        parts = " UNION ".join(
            f"SELECT _record AS _id FROM {read_parquet(state.folder / send.parquet)}"
            f" WHERE _object = {literal(name)} AND NOT _beside"
            for send in state.whole.tables
            if name in send.objects
        )
        found[name] = folder / f"{name}.parquet"
        engine.write_parquet(parts, found[name])
    return found
