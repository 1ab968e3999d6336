"""`flitstack emulator`: the local Dataverse, a program of its own behind these commands."""

from pathlib import Path
from typing import Annotated

import typer

from flitstack.app.cli.face import JsonOption, answer
from flitstack.app.steps import emulator as steps

UrlOption = Annotated[str, typer.Option("--url", metavar="URL", help="The running emulator.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="A local Dataverse to rehearse against.", no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name="emulator")
    _serving(group)
    _seeding(group)
    _keeping(group)


def _serving(group: typer.Typer) -> None:
    @group.command(
        "serve",
        help="Serve an environment kept in a folder.",
        epilog="Example: flitstack emulator serve --data ./org --port 8800",
    )
    def serve(
        data: Annotated[
            Path, typer.Option("--data", metavar="DIR", help="Folder of the environment; made when missing.")
        ],
        port: Annotated[int, typer.Option("--port", help="0 takes a free port.")] = 8800,
        host: Annotated[str, typer.Option("--host")] = "127.0.0.1",
        auth: Annotated[str, typer.Option("--auth", help="on: tokens are checked; off: any token passes.")] = "off",
        profile: Annotated[
            str, typer.Option("--profile", help="Service protection limits: relaxed, documented or strict.")
        ] = "relaxed",
        faults: Annotated[Path | None, typer.Option("--faults", metavar="FILE", help="Fault plan (YAML).")] = None,
        ready_file: Annotated[
            Path | None, typer.Option("--ready-file", metavar="FILE", help="The URL is written here once it answers.")
        ] = None,
    ) -> None:
        raise typer.Exit(
            steps.serve(data, port, host=host, auth=auth, profile=profile, faults=faults, ready_file=ready_file)
        )


def _seeding(group: typer.Typer) -> None:
    @group.command(
        "seed",
        help="Put a destination/ folder (org.json, systemusers.csv; accounts, contacts, leads .csv; processes.json) into the emulator.",
        epilog="Example: flitstack emulator seed ./export/destination --url http://127.0.0.1:8800",
    )
    def seed(
        folder: Annotated[Path, typer.Argument(metavar="DIR")], url: UrlOption, as_json: JsonOption = False
    ) -> None:
        answer(lambda _: steps.seed(folder, url), as_json=as_json)


def _keeping(group: typer.Typer) -> None:
    @group.command(
        "snapshot",
        help="Keep the state under a name.",
        epilog="Example: flitstack emulator snapshot before --url http://127.0.0.1:8800",
    )
    def snapshot(
        name: Annotated[str, typer.Argument(metavar="NAME")], url: UrlOption, as_json: JsonOption = False
    ) -> None:
        answer(lambda _: steps.snapshot(name, url), as_json=as_json)

    @group.command(
        "restore",
        help="Go back to a kept state.",
        epilog="Example: flitstack emulator restore before --url http://127.0.0.1:8800",
    )
    def restore(
        name: Annotated[str, typer.Argument(metavar="NAME")], url: UrlOption, as_json: JsonOption = False
    ) -> None:
        answer(lambda _: steps.restore(name, url), as_json=as_json)

    @group.command(
        "fingerprint",
        help="Rows and a hash for every table.",
        epilog="Example: flitstack emulator fingerprint --url http://127.0.0.1:8800 --json",
    )
    def fingerprint(url: UrlOption, as_json: JsonOption = False) -> None:
        answer(lambda _: steps.fingerprint(url), as_json=as_json)
