"""`flitstack report`."""

import typer

from flitstack.app.cli.face import HERE, AsOption, EnvOption, JsonOption, ProjectOption, with_project
from flitstack.app.steps.report import report


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(
        "report",
        help="Write the documents for people (HTML and Excel) from what the steps know now.",
        epilog="Example: flitstack report",
    )
    def command(
        project: ProjectOption = HERE, operator: AsOption = "", env: EnvOption = "", as_json: JsonOption = False
    ) -> None:
        with_project(report, project, as_json=as_json, operator=operator, env=env)
