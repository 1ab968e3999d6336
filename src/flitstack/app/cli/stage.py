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
        epilog="Examples: flitstack stage --project acme; later: flitstack stage --export changes --partial",
    )
    def command(
        export: Annotated[
            Path | None,
            typer.Option("--export", metavar="PATH", help="Another export folder than flitstack.yaml names."),
        ] = None,
        partial: Annotated[
            bool, typer.Option("--partial", help="A later export that holds changed records only (the default then).")
        ] = False,
        full: Annotated[
            bool,
            typer.Option("--full", help="A later export that holds everything: what it lacks is gone in the source."),
        ] = False,
        project: ProjectOption = HERE,
        operator: AsOption = "",
        as_json: JsonOption = False,
    ) -> None:
        with_project(
            lambda p, progress: stage(p, progress, export, partial=partial, full=full),
            project,
            as_json=as_json,
            operator=operator,
        )
