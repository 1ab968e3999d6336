"""`flitstack approve`: a person opens a gate for exactly what stands now."""

from flitstack.app.gates import approve as record
from flitstack.app.operators import maker_of
from flitstack.app.project import Project
from flitstack.app.result import Result
from flitstack.app.subjects import approvals_file, current_subjects


def approve(project: Project, gate: str, note: str = "") -> Result:
    """Write the approval. Raises GateClosed when there is nothing to approve yet, or for one's own work under four eyes."""
    subject = current_subjects(project).get(gate)
    opened = record(
        approvals_file(project),
        project.environment,
        gate,
        subject,
        project.operator,
        note,
        operator_of_step=maker_of(project, gate),
    )
    document = {"gate": opened.name, "sha256": opened.sha256, "by": opened.by, "at": opened.at}
    return Result(document, (f"gate {gate} is open: {opened.sha256[:12]} approved by {opened.by} at {opened.at}",))
