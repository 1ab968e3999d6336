"""`flitstack plan`."""

import typer

from flitstack.app.cli.face import HERE, AsOption, EnvOption, JsonOption, ProjectOption, with_project
from flitstack.app.steps.plan import plan


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(
        "plan",
        help="Run the map, compare schema and owners with the live destination, order everything into one plan.",
        epilog="Example: flitstack plan --project acme, then: flitstack approve schema; flitstack approve owners",
    )
    def command(
        project: ProjectOption = HERE, operator: AsOption = "", env: EnvOption = "", as_json: JsonOption = False
    ) -> None:
        with_project(plan, project, as_json=as_json, operator=operator, env=env)
