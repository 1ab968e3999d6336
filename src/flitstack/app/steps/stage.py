"""`flitstack stage`: the export's files become staged tables."""

import shutil
from pathlib import Path

from flitstack.app.found import remember_found
from flitstack.app.local import open_engine
from flitstack.app.operators import remember_operator
from flitstack.app.project import Project
from flitstack.app.result import EXIT_DONE, EXIT_REJECTS, Progress, Result
from flitstack.app.rounds import is_later, is_loaded, keep_snapshot, loaded_anywhere
from flitstack.app.steps.findings import findings_source
from flitstack.app.store import load_staging, staged_folder
from flitstack.errors import Problem, UsageError
from flitstack.staging.document import StagingDocument
from flitstack.staging.engine.engine import Engine, read_parquet
from flitstack.staging.engine.findings import FindingsWriter
from flitstack.staging.stage import StageOptions, swap_folder
from flitstack.staging.stage import stage as stage_export
from flitstack.staging.union import READ, unite

LONGEST_NAME = 60


def stage(
    project: Project, progress: Progress, export: Path | None = None, *, partial: bool = False, full: bool = False
) -> Result:
    """Stage the export, or a later one over the snapshot; exit code 3 when some records could not be read.

    An export is a later one when something was loaded already and another folder is named, or `partial` or `full` says so.
    """
    progress.phase("staging")
    if is_later(project, export, asked=partial or full):
        return stage_later(project, progress, (export or project.export).resolve(), full=full)
    current = load_staging(project)
    if current is not None and current.number:
        lines = (f"snapshot {current.number} stands; stage a later export with --export PATH",)
        return Result(_document(current), lines, next="flitstack plan --delta")
    with open_engine(project) as engine:
        options = StageOptions(suppress=suppressed_fields(project))
        findings = FindingsWriter(engine, "stage")
        staged = stage_export(project.pack, export or project.export, staged_folder(project), options, engine, findings)
        findings.save(project.state / "findings" / "stage.parquet")
        project = remember_found(project, staged)
        held = _held(engine, project)
    remember_operator(project, "stage")
    return Result(
        _document(staged), tuple(_lines(staged)), EXIT_REJECTS if held else EXIT_DONE, next="flitstack profile"
    )


def stage_later(project: Project, progress: Progress, export: Path, *, full: bool) -> Result:
    """Lay a later export over the snapshot. `full`: what it does not hold is gone in the source."""
    earlier = load_staging(project)
    if earlier is None or not loaded_anywhere(project):
        what = "nothing was loaded yet that a later export could be compared with"
        raise UsageError(Problem("nothing-loaded", what, do="stage it as the export: flitstack stage --export PATH"))
    draft = project.state / "staged-later"
    with open_engine(project) as engine:
        options = StageOptions(suppress=suppressed_fields(project), partial=not full)
        findings = FindingsWriter(engine, "stage")
        later = stage_export(project.pack, export, draft, options, engine, findings)
        if later.fingerprint == earlier.later and later.partial == earlier.partial and not is_loaded(project, earlier):
            shutil.rmtree(draft)
            return Result(_document(earlier), ("this export is the snapshot already",), next="flitstack plan --delta")
        project = remember_found(project, later)
        kept = project.state / "findings" / "stage.parquet"
        united = unite(
            engine,
            project.pack,
            earlier,
            staged_folder(project),
            later,
            draft,
            project.state / f"files-{earlier.number + 1}",
        )
        if later.partial:
            # They are about files, and records that could not be read: no later record is known to be one of those.
            findings.add_sql(f"FROM {read_parquet(kept)}")
        keep_snapshot(project, earlier)
        swap_folder(draft, staged_folder(project))
        findings.save(kept)
        fates = dict(engine.rows(f"SELECT fate, count(*) FROM {_read_file(project)} GROUP BY fate"))
        held = _held(engine, project)
    remember_operator(project, "stage")
    told = {fate: int(fates.get(fate, 0)) for fate in ("new", "changed", "same")}
    heading = f"snapshot {united.number}: {told['new']:,} records new, {told['changed']:,} changed, {told['same']:,} as before"
    document = {**_document(later), "fingerprint": united.fingerprint, "snapshot": united.number, "fates": told}
    lines = (heading, *_lines(later))
    return Result(document, lines, EXIT_REJECTS if held else EXIT_DONE, next="flitstack plan --delta")


def _held(engine: Engine, project: Project) -> int:
    return int(engine.one(f"SELECT count(*) FROM {findings_source(project)} WHERE outcome = 'held'")[0])


def _read_file(project: Project) -> str:
    return read_parquet(staged_folder(project) / READ)


def suppressed_fields(project: Project) -> dict[str, list[str]]:
    """Fields that are never staged, by object: those of the project's settings, and of the decision the pack names."""
    agreed = project.decisions.get(str(project.pack.playbook.get("suppress", ""))) or []
    names = [str(name) for name in agreed] if isinstance(agreed, list) else [str(agreed)]
    return {"": names} | {name: [*project.settings.suppress.get(name, ()), *names] for name in project.pack.objects}


def _document(staged: StagingDocument) -> dict[str, object]:
    return {
        "fingerprint": staged.fingerprint,
        "objects": {
            name: {
                "records": t.records,
                "unknown": _unknown(staged, name),
                "missing": list(t.missing),
                "found": name in staged.found,
            }
            for name, t in staged.tables.items()
        },
        "files": [
            {
                "path": f.path,
                "object": f.object,
                "encoding": f.encoding,
                "delimiter": f.delimiter,
                "records": f.records,
                "rejects": f.rejects,
            }
            for f in staged.files
        ],
        "unmatched": [f.path for f in staged.files if not f.object],
    }


def _lines(staged: StagingDocument) -> list[str]:
    lines = []
    for file in staged.files:
        if file.object:
            how = ", ".join(part for part in (file.format, file.encoding, _delimiter(file.delimiter)) if part)
            rejects = f", {file.rejects} unreadable" if file.rejects else ""
            lines.append(f"{file.path}: {file.records:,} records of {file.object} ({how}{rejects})")
    for name, entry in staged.found.items():
        if name in staged.tables:
            lines.append(f"{name} ({entry['label']}): no object of the pack, to be proposed as a table of its own")
    for name, table in staged.tables.items():
        if unknown := _unknown(staged, name):
            lines.append(
                f"{name}: columns the pack does not know, to be proposed as custom columns: {', '.join(map(_clip, unknown))}"
            )
        if table.missing:
            lines.append(f"{name}: fields no file has: {', '.join(table.missing)}")
    unmatched = [file.path for file in staged.files if not file.object]
    if unmatched:
        lines.append(f"files that match no object: {', '.join(unmatched)}")
    return lines


def _unknown(staged: StagingDocument, name: str) -> list[str]:
    return [field.header for field in staged.tables[name].fields if not field.known]


def _clip(header: str) -> str:
    """A column name for a line of text; a broken file can name its columns in thousands of characters."""
    return header if len(header) <= LONGEST_NAME else header[:LONGEST_NAME] + "..."


def _delimiter(text: str) -> str:
    return {"\t": "tab", "": ""}.get(text, f"'{text}'" if text else "")
