"""`flitstack stage`."""

from pathlib import Path
from typing import Annotated

import typer

from flitstack.app.cli.face import HERE, AsOption, JsonOption, ProjectOption, with_project
from flitstack.app.steps.stage import stage


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(
        "stage",
        help="Read the export's files into staged tables; list what was not recognised or could not be read.",
        epilog="Example: flitstack stage --project acme",
    )
    def command(
        export: Annotated[
            Path | None,
            typer.Option("--export", metavar="PATH", help="Another export folder than flitstack.yaml names."),
        ] = None,
        project: ProjectOption = HERE,
        operator: AsOption = "",
        as_json: JsonOption = False,
    ) -> None:
        with_project(lambda p, progress: stage(p, progress, export), project, as_json=as_json, operator=operator)
