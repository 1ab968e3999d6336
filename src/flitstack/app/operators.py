"""Who took a step last: what `four_eyes` asks before somebody approves their own work."""

from flitstack.app.project import Project
from flitstack.documents import load_json, save_json

# The step whose outcome a gate approves.
MAKES = {
    "export": "stage",
    "quality": "dedupe",
    "map": "map",
    "schema": "plan",
    "owners": "plan",
    "sample": "load --sample",
    "rehearsal": "plan",
    "load": "plan",
    "cutover": "reconcile",
}


def remember_operator(project: Project, step: str) -> None:
    """Keep that the project's operator took this step in the chosen environment."""
    path = project.env_state / "operators.json"
    known = load_json(path, dict[str, str]) if path.exists() else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_json(path, known | {step: project.operator})


def maker_of(project: Project, gate: str) -> str:
    """Who took the step that this gate approves; "" when nobody did or the project does not ask for four eyes."""
    path = project.env_state / "operators.json"
    if not project.settings.four_eyes or not path.exists():
        return ""
    return load_json(path, dict[str, str]).get(MAKES[gate], "") if gate in MAKES else ""
