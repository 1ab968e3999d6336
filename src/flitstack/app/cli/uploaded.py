"""`flitstack uploaded`."""

from pathlib import Path
from typing import Annotated

import typer

from flitstack.app.cli.face import HERE, AsOption, EnvOption, JsonOption, ProjectOption, with_project
from flitstack.app.steps.uploaded import uploaded


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(
        "uploaded",
        help="Whether the files for SharePoint lie in the library: compares its synced or downloaded copy with the manifest.",
        epilog='Example: flitstack uploaded "/home/ana/Acme/MigratedDocuments"',
    )
    def command(
        library: Annotated[Path, typer.Argument(metavar="DIR", help="The library's synced or downloaded copy.")],
        project: ProjectOption = HERE,
        operator: AsOption = "",
        env: EnvOption = "",
        as_json: JsonOption = False,
    ) -> None:
        with_project(
            lambda p, progress: uploaded(p, library, progress), project, as_json=as_json, operator=operator, env=env
        )
