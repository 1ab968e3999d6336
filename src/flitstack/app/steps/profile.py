"""`flitstack profile`: what is in every field; the written data-quality report."""

from typing import Any

from flitstack.app.local import open_engine
from flitstack.app.project import Project
from flitstack.app.result import Progress, Result
from flitstack.app.steps.report import write_quality_report
from flitstack.app.store import load_staging, staged_folder
from flitstack.errors import Problem, UsageError
from flitstack.profiling.profile import profile as profile_snapshot


def profile(project: Project, progress: Progress) -> Result:
    """Profile the current snapshot and write reports/quality.html and .xlsx."""
    staged = load_staging(project)
    if staged is None:
        raise UsageError(Problem("not-staged", "nothing is staged yet", do="run: flitstack stage"))
    progress.phase("profiling")
    with open_engine(project) as engine:
        document = profile_snapshot(
            project.pack, staged, staged_folder(project), project.state / "profile", project.decisions, engine
        )
        report, _ = write_quality_report(project, engine)
    objects: dict[str, dict[str, Any]] = {
        name: {
            "records": found.records,
            "fields": len(found.fields),
            "unknown": [field.name for field in found.fields if not field.known],
            "personal": [field.name for field in found.fields if field.personal],
            "repeated": {key.field: key.repeated for key in found.keys if key.repeated},
        }
        for name, found in document.objects.items()
    }
    lines = [
        f"{name}: {entry['records']:,} records, {entry['fields']} fields, {len(entry['personal'])} hold personal data"
        + (
            f"; repeated keys: {', '.join(f'{k} {n:,}' for k, n in entry['repeated'].items())}"
            if entry["repeated"]
            else ""
        )
        for name, entry in objects.items()
    ]
    return Result(
        {"objects": objects, "report": str(report)}, (*lines, f"data-quality report: {report}"), next="flitstack dedupe"
    )
