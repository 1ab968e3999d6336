"""`flitstack packs`."""

import typer

from flitstack.app.cli.face import JsonOption, answer
from flitstack.app.steps.packs import packs


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("packs", help="The source systems there are packs for.", epilog="Example: flitstack packs --json")
    def command(as_json: JsonOption = False) -> None:
        answer(lambda _: packs(), as_json=as_json)
