"""`flitstack`: one command a step. Each command lives in a file of its own beside this one."""

import importlib
import pkgutil

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
    "demo", "new", "run", "stage", "profile", "dedupe", "map", "plan", "approve", "load", "reconcile", "rollback",
    "retry", "status", "findings", "audit", "trace", "report", "packs", "emulator",
)  # fmt: skip


def register() -> typer.Typer:
    """Hang every command file into the application: each has `register(app)`."""
    found = {m.name for m in pkgutil.iter_modules(commands.__path__)} - {"face", "main"}
    for name in sorted(found, key=lambda n: (ORDER.index(n.rstrip("_")) if n.rstrip("_") in ORDER else len(ORDER), n)):
        importlib.import_module(f"flitstack.app.cli.{name}").register(app)
    return app


def run() -> None:
    """Entry point of the `flitstack` program."""
    register()()
