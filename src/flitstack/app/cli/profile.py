"""`flitstack profile`."""

import typer

from flitstack.app.cli.face import HERE, AsOption, JsonOption, ProjectOption, with_project
from flitstack.app.steps.profile import profile


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(
        "profile",
        help="Describe every field of the staged tables; write the data-quality report.",
        epilog="Example: flitstack profile --project acme",
    )
    def command(project: ProjectOption = HERE, operator: AsOption = "", as_json: JsonOption = False) -> None:
        with_project(profile, project, as_json=as_json, operator=operator)
