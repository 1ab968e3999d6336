"""`flitstack plan`."""

from typing import Annotated

import typer

from flitstack.app.cli.face import HERE, AsOption, EnvOption, JsonOption, ProjectOption, with_project
from flitstack.app.steps.plan import plan
from flitstack.app.steps.plan_delta import plan_delta


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(
        "plan",
        help="Run the map, compare schema and owners with the live destination, order everything into one plan.",
        epilog="Example: flitstack plan --project acme, then: flitstack approve schema; flitstack approve owners; later: flitstack plan --delta",
    )
    def command(
        delta: Annotated[
            bool, typer.Option("--delta", help="Plan what a later export changes; edits made in Dynamics stay.")
        ] = False,
        project: ProjectOption = HERE,
        operator: AsOption = "",
        env: EnvOption = "",
        as_json: JsonOption = False,
    ) -> None:
        with_project(plan_delta if delta else plan, project, as_json=as_json, operator=operator, env=env)
