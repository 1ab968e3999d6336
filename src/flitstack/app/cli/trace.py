"""`flitstack trace`."""

from typing import Annotated

import typer

from flitstack.app.cli.face import HERE, AsOption, EnvOption, JsonOption, ProjectOption, with_project
from flitstack.app.steps.trace import trace


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(
        "trace",
        help="From a cell of the destination back to the cells of the export, with everything that was done to them.",
        epilog="Example: flitstack trace contact 5f0c2d3e-... emailaddress1 --values",
    )
    def command(
        table: Annotated[str, typer.Argument(help="Logical name of the table.")],
        row: Annotated[str, typer.Argument(metavar="ID", help="The row's GUID.")],
        column: Annotated[str, typer.Argument(help="Logical name of the column.")],
        values: Annotated[
            bool, typer.Option("--values", help="Show values as they are; without it personal values stay shapes.")
        ] = False,
        project: ProjectOption = HERE,
        operator: AsOption = "",
        env: EnvOption = "",
        as_json: JsonOption = False,
    ) -> None:
        with_project(
            lambda p, _: trace(p, table, row, column, shows_values=values),
            project,
            as_json=as_json,
            operator=operator,
            env=env,
        )
