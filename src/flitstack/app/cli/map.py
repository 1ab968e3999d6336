"""`flitstack map`."""

from pathlib import Path
from typing import Annotated

import typer

from flitstack.app.cli.face import HERE, AsOption, EnvOption, JsonOption, ProjectOption, with_project
from flitstack.app.steps.map import map_


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(
        "map",
        help="Propose where every field goes, confirm or reject proposals, check the map.",
        epilog=(
            "Examples: flitstack map; flitstack map --confirm all; flitstack map --confirm Contact.Score; "
            "flitstack map --reject 'Contact.Score=not used since 2023'; flitstack map --to-excel matrix.xlsx"
        ),
    )
    def command(
        confirm: Annotated[
            list[str] | None,
            typer.Option(
                "--confirm", metavar="WHAT", help="all, an object, or Object.column; may be given several times."
            ),
        ] = None,
        reject: Annotated[
            list[str] | None,
            typer.Option("--reject", metavar="FIELD=REASON", help="Object.Field=reason: the field is not moved."),
        ] = None,
        to_excel: Annotated[
            Path | None, typer.Option("--to-excel", metavar="FILE", help="Write the mapping matrix.")
        ] = None,
        from_excel: Annotated[
            Path | None, typer.Option("--from-excel", metavar="FILE", help="Take the mapping matrix back.")
        ] = None,
        project: ProjectOption = HERE,
        operator: AsOption = "",
        env: EnvOption = "",
        as_json: JsonOption = False,
    ) -> None:
        with_project(
            lambda p, progress: map_(
                p, progress, confirm=confirm or [], reject=reject or [], to_excel=to_excel, from_excel=from_excel
            ),
            project,
            as_json=as_json,
            operator=operator,
            env=env,
        )
