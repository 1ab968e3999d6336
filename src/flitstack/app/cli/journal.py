"""`flitstack journal recover`."""

import typer

from flitstack.app.cli.face import HERE, AsOption, EnvOption, JsonOption, ProjectOption, with_project
from flitstack.app.steps.recover import recover


def register(app: typer.Typer) -> None:
    """Add the command."""
    group = typer.Typer(help="The journal of an environment.", no_args_is_help=True)

    @group.command(
        "recover",
        help="Make a lost journal again from the source keys in the destination; says what cannot be found again.",
        epilog="Example: flitstack journal recover --as ana",
    )
    def recover_command(
        project: ProjectOption = HERE,
        operator: AsOption = "",
        env: EnvOption = "",
        as_json: JsonOption = False,
    ) -> None:
        with_project(recover, project, as_json=as_json, operator=operator, env=env)

    app.add_typer(group, name="journal")
