"""`flitstack reconcile`."""

import typer

from flitstack.app.cli.face import HERE, AsOption, EnvOption, JsonOption, ProjectOption, with_project
from flitstack.app.steps.reconcile import reconcile


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(
        "reconcile",
        help="Read every mapped column of every row back and compare both ways; exit code 5 on differences.",
        epilog="Example: flitstack reconcile --json",
    )
    def command(
        project: ProjectOption = HERE, operator: AsOption = "", env: EnvOption = "", as_json: JsonOption = False
    ) -> None:
        with_project(reconcile, project, as_json=as_json, operator=operator, env=env)
