"""`flitstack retry`."""

import typer

from flitstack.app.cli.face import HERE, AsOption, EnvOption, JsonOption, ProjectOption, with_project
from flitstack.app.steps.load import retry


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(
        "retry",
        help="Load only what was held or rejected, after the fix (in the map, the decisions or the destination).",
        epilog="Example: flitstack map, flitstack plan, flitstack approve load, flitstack retry",
    )
    def command(
        project: ProjectOption = HERE, operator: AsOption = "", env: EnvOption = "", as_json: JsonOption = False
    ) -> None:
        with_project(retry, project, as_json=as_json, operator=operator, env=env)
