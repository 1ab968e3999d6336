"""`flitstack status`."""

import typer

from flitstack.app.cli.face import HERE, AsOption, EnvOption, JsonOption, ProjectOption, with_project
from flitstack.app.steps.status import status


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(
        "status",
        help="Where the migration stands: steps, gates, the account of every object, rows by table.",
        epilog="Example: flitstack status --json",
    )
    def command(
        project: ProjectOption = HERE, operator: AsOption = "", env: EnvOption = "", as_json: JsonOption = False
    ) -> None:
        with_project(lambda p, _: status(p), project, as_json=as_json, operator=operator, env=env)
