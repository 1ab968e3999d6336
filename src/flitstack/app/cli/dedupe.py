"""`flitstack dedupe`."""

import typer

from flitstack.app.cli.face import HERE, AsOption, JsonOption, ProjectOption, with_project
from flitstack.app.steps.dedupe import dedupe


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(
        "dedupe",
        help="Find duplicates, merge what is the same, list what only looks alike for sign-off.",
        epilog="Example: flitstack dedupe --project acme, then look at reports/merges.xlsx and: flitstack approve quality",
    )
    def command(project: ProjectOption = HERE, operator: AsOption = "", as_json: JsonOption = False) -> None:
        with_project(dedupe, project, as_json=as_json, operator=operator)
