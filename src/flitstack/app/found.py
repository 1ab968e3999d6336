"""objects.yaml: the objects that the export holds and the pack does not know, kept where a person can see and change them."""

from typing import Any

from flitstack.app.project import OBJECTS_FILE, Project
from flitstack.documents import edit_yaml, write_yaml
from flitstack.staging.document import StagingDocument


def remember_found(project: Project, staged: StagingDocument) -> Project:
    """The project with what staging found; what objects.yaml says of an object already stays as it is."""
    path = project.folder / OBJECTS_FILE
    data: dict[str, Any] = edit_yaml(path) if path.exists() else {"format": 1, "objects": {}}
    known = data.setdefault("objects", {})
    news = {name: entry for name, entry in staged.found.items() if name not in known}
    if not news:
        return project
    known.update(news)
    write_yaml(path, data)
    return project.reopened()
