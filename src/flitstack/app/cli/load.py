"""`flitstack load`."""

from typing import Annotated

import typer

from flitstack.app.cli.face import HERE, AsOption, EnvOption, JsonOption, ProjectOption, with_project
from flitstack.app.steps.load import load
from flitstack.app.steps.simulate import simulate


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(
        "load",
        help="Execute the approved plan: schema, rows in order, states. Run again to go on after a stop.",
        epilog="Examples: flitstack load --sample; flitstack load --simulate --row-ms 5; flitstack load",
    )
    def command(
        sample: Annotated[
            bool, typer.Option("--sample", help="Only the sample of the plan; unlocks the full run.")
        ] = False,
        simulates: Annotated[
            bool,
            typer.Option(
                "--simulate", help="Send nothing: play the plan against the documented limits in virtual time."
            ),
        ] = False,
        row_ms: Annotated[
            float, typer.Option("--row-ms", min=0, help="With --simulate: execution time of a row.")
        ] = 2.0,
        latency_ms: Annotated[
            float, typer.Option("--latency-ms", min=0, help="With --simulate: the network's part of an answer's time.")
        ] = 100.0,
        project: ProjectOption = HERE,
        operator: AsOption = "",
        env: EnvOption = "",
        as_json: JsonOption = False,
    ) -> None:
        with_project(
            lambda p, progress: (
                simulate(p, row_ms=row_ms, latency_ms=latency_ms, only_sample=sample)
                if simulates
                else load(p, progress, only_sample=sample)
            ),
            project,
            as_json=as_json,
            operator=operator,
            env=env,
        )
