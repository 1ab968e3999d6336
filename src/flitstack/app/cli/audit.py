"""`flitstack audit`."""

from pathlib import Path
from typing import Annotated

import typer

from flitstack.app.cli.face import HERE, AsOption, EnvOption, JsonOption, ProjectOption, with_project
from flitstack.app.steps.audit import audit


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(
        "audit",
        help="The log of every operation; --verify walks the journal's hash chain.",
        epilog="Examples: flitstack audit --verify; flitstack audit --export audit.csv",
    )
    def command(
        verify: Annotated[bool, typer.Option("--verify", help="Check every record and the hash chain.")] = False,
        export: Annotated[
            Path | None,
            typer.Option(
                "--export", metavar="FILE", help="Write source id, destination id, operation, time and operator as CSV."
            ),
        ] = None,
        project: ProjectOption = HERE,
        operator: AsOption = "",
        env: EnvOption = "",
        as_json: JsonOption = False,
    ) -> None:
        with_project(
            lambda p, _: audit(p, verify=verify, export=export), project, as_json=as_json, operator=operator, env=env
        )
