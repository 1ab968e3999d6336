"""`flitstack rollback`."""

from typing import Annotated

import typer

from flitstack.app.cli.face import HERE, AsOption, EnvOption, JsonOption, ProjectOption, with_project
from flitstack.app.steps.rollback import rollback


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(
        "rollback",
        help="Take everything back that the journal says was made; rows edited since are kept and listed.",
        epilog="Examples: flitstack rollback --dry-run; flitstack rollback; flitstack rollback --schema --force",
    )
    def command(
        force: Annotated[bool, typer.Option("--force", help="Also take back rows edited or referenced since.")] = False,
        schema: Annotated[
            bool, typer.Option("--schema", help="Also remove the columns, tables and keys that were made.")
        ] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would happen.")] = False,
        last: Annotated[
            bool,
            typer.Option("--last", help="Only the last delta: changed cells, states and rows as they were before it."),
        ] = False,
        project: ProjectOption = HERE,
        operator: AsOption = "",
        env: EnvOption = "",
        as_json: JsonOption = False,
    ) -> None:
        with_project(
            lambda p, progress: rollback(p, progress, force=force, with_schema=schema, dry_run=dry_run, last=last),
            project,
            as_json=as_json,
            operator=operator,
            env=env,
        )
