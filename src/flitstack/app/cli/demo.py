"""`flitstack demo`."""

from pathlib import Path
from typing import Annotated

import typer

from flitstack.app.cli.face import JsonOption, answer
from flitstack.app.steps.demo import demo


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(
        "demo",
        help="A pack's example export into a throwaway emulator: loaded, proven, rolled back, in under a minute.",
        epilog="Example: flitstack demo --keep ./look-at-it",
    )
    def command(
        pack: Annotated[str, typer.Argument(metavar="PACK")] = "klipy",
        keep: Annotated[
            Path | None,
            typer.Option("--keep", metavar="DIR", help="Keep project, reports and emulator data in this folder."),
        ] = None,
        as_json: JsonOption = False,
    ) -> None:
        answer(lambda progress: demo(pack, keep, progress), as_json=as_json)
