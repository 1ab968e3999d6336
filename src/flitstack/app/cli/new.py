"""`flitstack new`."""

from pathlib import Path
from typing import Annotated

import typer

from flitstack.app.cli.face import AsOption, JsonOption, answer
from flitstack.app.steps.new import new


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(
        "new",
        help="Make a project folder from a source pack and an export.",
        epilog="Example: flitstack new acme --from klipy --export ./export --to http://127.0.0.1:8800 --scoping scoping.json",
    )
    def command(
        folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make.")],
        pack: Annotated[
            str, typer.Option("--from", metavar="PACK", help="The source system's pack (see: flitstack packs).")
        ],
        export: Annotated[Path, typer.Option("--export", metavar="PATH", help="Folder with the export files.")],
        to: Annotated[str, typer.Option("--to", metavar="URL", help="URL of the production environment.")] = "",
        sandbox: Annotated[
            str, typer.Option("--sandbox", metavar="URL", help="URL of a sandbox environment for rehearsals.")
        ] = "",
        scoping: Annotated[
            Path | None, typer.Option("--scoping", metavar="FILE", help="JSON file with the customer's choices.")
        ] = None,
        prefix: Annotated[
            str, typer.Option("--prefix", help="Publisher prefix of custom columns and tables.")
        ] = "flit",
        licence: Annotated[str, typer.Option("--licence", help="professional, enterprise or premium.")] = "enterprise",
        operator: AsOption = "",
        as_json: JsonOption = False,
    ) -> None:
        answer(
            lambda _: new(
                folder,
                pack,
                export,
                url=to,
                sandbox_url=sandbox,
                scoping=scoping,
                prefix=prefix,
                licence=licence,
                operator=operator,
            ),
            as_json=as_json,
        )
