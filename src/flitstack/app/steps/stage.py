"""`flitstack stage`: the export's files become staged tables."""

from pathlib import Path

from flitstack.app.operators import remember_operator
from flitstack.app.project import Project
from flitstack.app.result import EXIT_DONE, EXIT_REJECTS, Progress, Result
from flitstack.app.steps.findings import findings_source
from flitstack.app.store import staged_folder
from flitstack.app.wiring import open_engine
from flitstack.staging.document import StagingDocument
from flitstack.staging.engine.findings import FindingsWriter
from flitstack.staging.stage import StageOptions
from flitstack.staging.stage import stage as stage_export

LONGEST_NAME = 60


def stage(project: Project, progress: Progress, export: Path | None = None) -> Result:
    """Stage the export; exit code 3 when some records could not be read."""
    progress.phase("staging")
    with open_engine(project) as engine:
        options = StageOptions(suppress=suppressed_fields(project))
        findings = FindingsWriter(engine, "stage")
        staged = stage_export(project.pack, export or project.export, staged_folder(project), options, engine, findings)
        findings.save(project.state / "findings" / "stage.parquet")
        held = int(engine.one(f"SELECT count(*) FROM {findings_source(project)} WHERE outcome = 'held'")[0])
    remember_operator(project, "stage")
    return Result(
        _document(staged), tuple(_lines(staged)), EXIT_REJECTS if held else EXIT_DONE, next="flitstack profile"
    )


def suppressed_fields(project: Project) -> dict[str, list[str]]:
    """Fields that are never staged, by object: those of the project's settings, and of the decision the pack names."""
    agreed = project.decisions.get(str(project.pack.playbook.get("suppress", ""))) or []
    names = [str(name) for name in agreed] if isinstance(agreed, list) else [str(agreed)]
    return {name: [*project.settings.suppress.get(name, ()), *names] for name in project.pack.objects}


def _document(staged: StagingDocument) -> dict[str, object]:
    return {
        "fingerprint": staged.fingerprint,
        "objects": {
            name: {"records": t.records, "unknown": _unknown(staged, name), "missing": list(t.missing)}
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
