"""`flitstack solution`."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from flitstack.app.cli.face import HERE, AsOption, EnvOption, JsonOption, ProjectOption, with_project
from flitstack.app.steps.solution import solution


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(
        "solution",
        help="The schema that the plan needs, as a solution file for an administrator to import instead of the first load step.",
        epilog="Example: flitstack solution --to schema.zip",
    )
    def command(
        to: Annotated[Path, typer.Option("--to", help="The zip to write.")] = Path("schema.zip"),
        project: ProjectOption = HERE,
        operator: AsOption = "",
        env: EnvOption = "",
        as_json: JsonOption = False,
    ) -> None:
        with_project(partial(solution, to=to), project, as_json=as_json, operator=operator, env=env)
