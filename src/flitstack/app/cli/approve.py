"""`flitstack approve`."""

from typing import Annotated

import typer

from flitstack.app.cli.face import HERE, AsOption, EnvOption, JsonOption, ProjectOption, with_project
from flitstack.app.gates import GATES
from flitstack.app.steps.approve import approve


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(
        "approve",
        help=f"Open a gate for exactly what stands now. Gates, in order: {', '.join(GATES)}.",
        epilog='Example: flitstack approve map --as ana --note "checked with sales"',
    )
    def command(
        gate: Annotated[str, typer.Argument(metavar="GATE")],
        note: Annotated[str, typer.Option("--note", help="Why, or what was checked.")] = "",
        project: ProjectOption = HERE,
        operator: AsOption = "",
        env: EnvOption = "",
        as_json: JsonOption = False,
    ) -> None:
        with_project(lambda p, _: approve(p, gate, note), project, as_json=as_json, operator=operator, env=env)
