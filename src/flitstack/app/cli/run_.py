"""`flitstack run`."""

from typing import Annotated

import typer

from flitstack.app.cli.face import HERE, AsOption, EnvOption, JsonOption, ProjectOption, with_project
from flitstack.app.steps.run import run


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(
        "run",
        help="Take every step up to the first closed gate.",
        epilog="Examples: flitstack run; flitstack run --rehearse (opens every gate by itself, against an emulator only)",
    )
    def command(
        rehearse: Annotated[
            bool, typer.Option("--rehearse", help="Open every gate by itself; works only against an emulator.")
        ] = False,
        project: ProjectOption = HERE,
        operator: AsOption = "",
        env: EnvOption = "",
        as_json: JsonOption = False,
    ) -> None:
        with_project(
            lambda p, progress: run(p, progress, rehearse=rehearse),
            project,
            as_json=as_json,
            operator=operator,
            env=env,
        )
