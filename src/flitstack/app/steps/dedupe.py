"""`flitstack dedupe`: what is the same becomes one, what only looks alike is listed for sign-off."""

from collections.abc import Iterable
from pathlib import Path

from flitstack.app.archive import write_archive
from flitstack.app.local import open_engine
from flitstack.app.operators import remember_operator
from flitstack.app.project import Project
from flitstack.app.result import Progress, Result
from flitstack.app.rounds import load_state
from flitstack.app.store import deduped_folder, load_dedupe, load_staging, staged_folder
from flitstack.deduping.dedupe import dedupe as dedupe_snapshot
from flitstack.deduping.review import MergeDecisions, Pair, add_decisions, read_decisions, read_review
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
            _decided(project, engine),
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


def _decided(project: Project, engine: Engine) -> MergeDecisions:
    """What people decided: merges.yaml, into which the decision columns of the review sheets go first."""
    path = project.folder / "merges.yaml"
    decided = read_review(*filter(Path.exists, (project.reports / "merges.xlsx", project.reports / "merges.csv")))
    before = read_decisions(path)
    new = (decided.keep_apart | decided.merge) - before.keep_apart - before.merge
    listed = load_dedupe(project)
    if new and listed is not None:
        folder = deduped_folder(project)
        _check_listed(engine, new, folder / listed.survivors, folder / listed.alike)
    add_decisions(path, decided, by=project.operator)
    return read_decisions(path)


def _check_listed(engine: Engine, decided: Iterable[Pair], survivors: Path, alike: Path) -> None:
    """Raise UsageError naming every pair that the last run did not list: a spreadsheet turns the id 0017 of a CSV into 17."""
    pairs = sorted((pair.object, pair.a, pair.b) for pair in decided)
    asked = ", ".join(f"({', '.join(map(literal, pair))})" for pair in pairs)
    listed = (
        f"SELECT object, loser_id AS x, survivor_id AS y FROM {read_parquet(survivors)}"
        f" UNION ALL SELECT object, id, other_id FROM {read_parquet(alike)}"
    )
    unknown = engine.rows(
        f"SELECT * FROM (VALUES {asked}) d(object, a, b) WHERE (object, a, b) NOT IN"
        f" (SELECT (object, least(x, y), greatest(x, y)) FROM ({listed})) ORDER BY ALL"
    )
    do = "name both records in merges.yaml, or decide in reports/merges.xlsx: spreadsheets change ids of a CSV (0017 becomes 17)"
    if unknown:
        raise UsageError(
            *(
                Problem("merge-decision", f"no such pair is listed: {name} {a} and {b}", where="reports/merges", do=do)
                for name, a, b in unknown
            )
        )


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
