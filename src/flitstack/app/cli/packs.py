"""`flitstack packs`."""

from typing import Annotated

import typer

from flitstack.app.cli.face import JsonOption, answer
from flitstack.app.steps.check_pack import check_pack
from flitstack.app.steps.packs import packs, packs_table


def register(app: typer.Typer) -> None:
    """Add the command and what hangs on it."""
    group = typer.Typer(
        help="The source systems there are packs for; check one that you write.",
        epilog="Example: flitstack packs --json",
        rich_markup_mode=None,
    )
    app.add_typer(group, name="packs")
    _listing(group)
    _checking(group)
    _tabling(group)


def _listing(group: typer.Typer) -> None:
    @group.callback(invoke_without_command=True)
    def listing(context: typer.Context, as_json: JsonOption = False) -> None:
        if context.invoked_subcommand is None:
            answer(lambda _: packs(), as_json=as_json)


def _checking(group: typer.Typer) -> None:
    @group.command(
        "check",
        help="Everything that is missing or wrong in a pack's folder, in one go; its example is taken to a plan.",
        epilog="Example: flitstack packs check ./mypack",
    )
    def check(
        folder: Annotated[str, typer.Argument(metavar="DIR", help="The pack's folder, or a bundled pack's name.")],
        as_json: JsonOption = False,
    ) -> None:
        answer(lambda progress: check_pack(folder, progress), as_json=as_json)


def _tabling(group: typer.Typer) -> None:
    @group.command(
        "table",
        help="What each source's migration must do, how it is done and which test shows it, as Markdown.",
        epilog="Example: flitstack packs table > docs/packs.md",
    )
    def table(as_json: JsonOption = False) -> None:
        answer(lambda _: packs_table(), as_json=as_json)
