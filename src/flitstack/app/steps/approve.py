"""`flitstack approve`: a person opens a gate for exactly what stands now."""

from flitstack.app.gates import approve as record
from flitstack.app.project import Project
from flitstack.app.result import Result
from flitstack.app.subjects import approvals_file, current_subjects


def approve(project: Project, gate: str, note: str = "") -> Result:
    """Write the approval. Raises GateClosed when there is nothing to approve yet."""
    subject = current_subjects(project).get(gate)
    opened = record(approvals_file(project), project.environment, gate, subject, project.operator, note)
    document = {"gate": opened.name, "sha256": opened.sha256, "by": opened.by, "at": opened.at}
    return Result(document, (f"gate {gate} is open: {opened.sha256[:12]} approved by {opened.by} at {opened.at}",))
