"""`flitstack`: one command a step. Each command lives in a file of its own beside this one."""

import importlib
import pkgutil
import sys

import typer

import flitstack.app.cli as commands

app = typer.Typer(
    name="flitstack",
    help="Moves a company's CRM into Microsoft Dynamics 365 Sales, proves that every field arrived, and can undo it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

# The order of the route; `flitstack --help` shows commands so.
ORDER = (
    "demo", "new", "run", "stage", "profile", "dedupe", "map", "plan", "solution", "approve", "load", "reconcile", "uploaded", "rollback",
    "retry", "status", "findings", "audit", "trace", "journal", "report", "inventory", "packs", "emulator",
)  # fmt: skip


def register(only: str = "") -> typer.Typer:
    """Hang the command files into the application: each has `register(app)`. `only` names the one that is wanted.

    Every command's libraries take most of a second to load; the one that was called needs but its own.
    """
    found = {m.name for m in pkgutil.iter_modules(commands.__path__)} - {"face", "main"}
    called = {name for name in found if name.rstrip("_") == only}
    for name in sorted(called or found, key=_place):
        importlib.import_module(f"flitstack.app.cli.{name}").register(app)
    if called:
        app.callback()(_keep_names)  # with a single command Typer would drop its name
    return app


def run() -> None:
    """Entry point of the `flitstack` program."""
    register(sys.argv[1] if len(sys.argv) > 1 else "")()


def _place(name: str) -> tuple[int, str]:
    shown = name.rstrip("_")
    return (ORDER.index(shown) if shown in ORDER else len(ORDER), shown)


def _keep_names() -> None:
    """Nothing to do before a command."""
