"""`flitstack inventory`."""

import typer

from flitstack.app.cli.face import HERE, AsOption, EnvOption, JsonOption, ProjectOption, with_project
from flitstack.app.steps.inventory import inventory


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(
        "inventory",
        help="What the source automates, what rebuilds it in Power Automate or Dynamics, and what to ask the customer.",
        epilog="Example: flitstack inventory --json",
    )
    def command(
        project: ProjectOption = HERE, operator: AsOption = "", env: EnvOption = "", as_json: JsonOption = False
    ) -> None:
        with_project(inventory, project, as_json=as_json, operator=operator, env=env)
