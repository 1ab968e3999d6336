"""`flitstack load`."""

from typing import Annotated

import typer

from flitstack.app.cli.face import HERE, AsOption, EnvOption, JsonOption, ProjectOption, with_project
from flitstack.app.steps.load import load


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(
        "load",
        help="Execute the approved plan: schema, rows in order, states. Run again to go on after a stop.",
        epilog="Examples: flitstack load --sample; flitstack load",
    )
    def command(
        sample: Annotated[
            bool, typer.Option("--sample", help="Only the sample of the plan; unlocks the full run.")
        ] = False,
        project: ProjectOption = HERE,
        operator: AsOption = "",
        env: EnvOption = "",
        as_json: JsonOption = False,
    ) -> None:
        with_project(
            lambda p, progress: load(p, progress, only_sample=sample),
            project,
            as_json=as_json,
            operator=operator,
            env=env,
        )
