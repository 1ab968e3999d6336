"""`flitstack findings`."""

from typing import Annotated

import typer

from flitstack.app.cli.face import HERE, AsOption, EnvOption, JsonOption, ProjectOption, with_project
from flitstack.app.steps.findings import findings


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(
        "findings",
        help="Every finding: code, object, file, record, field, outcome and what to do.",
        epilog="Examples: flitstack findings; flitstack findings --code orphan_parent; flitstack findings --outcome held --json",
    )
    def command(
        code: Annotated[str, typer.Option("--code", help="Only this code.")] = "",
        outcome: Annotated[
            str, typer.Option("--outcome", help="Only this outcome: held, rejected, merged, excluded, loaded, listed.")
        ] = "",
        step: Annotated[str, typer.Option("--step", help="Only this step's findings.")] = "",
        every: Annotated[
            bool, typer.Option("--all", help="List every finding instead of three examples a code.")
        ] = False,
        project: ProjectOption = HERE,
        operator: AsOption = "",
        env: EnvOption = "",
        as_json: JsonOption = False,
    ) -> None:
        with_project(
            lambda p, _: findings(p, code=code, outcome=outcome, step=step, every=every),
            project,
            as_json=as_json,
            operator=operator,
            env=env,
        )
