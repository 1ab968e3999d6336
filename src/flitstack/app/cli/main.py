"""`flitstack`: one command a step. Each command lives in a file of its own beside this one."""

import importlib
import pkgutil
import sys
from typing import Annotated

import typer

import flitstack
import flitstack.app.cli as commands

app = typer.Typer(
    name="flitstack",
    help="Moves a company's CRM into Microsoft Dynamics 365 Sales, proves that every field arrived, and can undo it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

# Commands in the order of the route, as `flitstack --help` shows them: a line of 80 columns each.
COMMANDS = {
    "demo": "A pack's example into a throwaway emulator, proven, rolled back.",
    "new": "Make a project folder from a source pack and an export.",
    "run": "Take every step up to the first closed gate.",
    "stage": "Read the export's files into tables; list what could not be read.",
    "profile": "Describe every field; write the data-quality report.",
    "dedupe": "Merge what is the same; list what only looks alike.",
    "map": "Propose where every field goes; confirm or reject proposals.",
    "plan": "Compare with the live environment; write what will be done.",
    "solution": "The schema as a solution file for an administrator.",
    "approve": "Open a gate for exactly what stands now.",
    "load": "Execute the approved plan: schema, rows in order, states.",
    "reconcile": "Read every mapped cell of every row back and compare.",
    "uploaded": "Whether the files for SharePoint lie in the library.",
    "rollback": "Take back everything that the journal says was made.",
    "retry": "Load only what was held or rejected, after the fix.",
    "status": "Steps, gates, accounts, and what to do next.",
    "findings": "Every finding: code, object, file, record, field, outcome.",
    "audit": "The log of every operation; --verify walks its hash chain.",
    "trace": "From a cell of the destination back to its source cells.",
    "journal": "The journal of an environment, and how to recover it.",
    "report": "Write the documents for people (HTML and Excel).",
    "inventory": "What the source automates, and what rebuilds it.",
    "packs": "The source systems there are packs for; check your own.",
    "emulator": "A local Dataverse to rehearse against.",
}


def register(only: str = "") -> typer.Typer:
    """Hang the command files into the application: each has `register(app)`. `only` names the one that was called.

    Every command's libraries take most of a second to load; one that was called needs but its own, and a list of all of them
    needs none.
    """
    found = {module.name.rstrip("_"): module.name for module in pkgutil.iter_modules(commands.__path__)}
    if only in COMMANDS:
        importlib.import_module(f"flitstack.app.cli.{found[only]}").register(app)
    else:
        for name, line in COMMANDS.items():
            app.command(name, short_help=line)(_listed)
    app.callback()(_before)
    return app


def run() -> None:
    """Entry point of the `flitstack` program."""
    register(sys.argv[1] if len(sys.argv) > 1 else "")()


def _listed() -> None:
    """A command that is only named in a list."""


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"flitstack {flitstack.__version__}")
        raise typer.Exit


def _before(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """What stands before a command."""
