"""The terminal's face: options every command has, what is printed where, exit codes, the one broad except.

stdout carries results (one JSON object with --json, nothing else), stderr the talk.
"""

import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from flitstack.app.project import Project
from flitstack.app.result import EXIT_FAILED, EXIT_STOPPED, Progress, Result, Silent
from flitstack.errors import FlitError

ProjectOption = Annotated[Path, typer.Option("--project", help="The project folder.", show_default="this folder")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
AsOption = Annotated[
    str,
    typer.Option(
        "--as", metavar="NAME", help="Who runs this (kept in journal and approvals).", show_default="login name"
    ),
]
EnvOption = Annotated[
    str,
    typer.Option(
        "--env", metavar="NAME", help="The environment of flitstack.yaml to work on.", show_default="production"
    ),
]

HERE = Path()


class Bar:
    """A progress bar with rate and remaining time on stderr."""

    def __init__(self, console: Console) -> None:
        self._progress = RichProgress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def phase(self, title: str, total: int | None = None) -> None:
        """Begin a new bar; the one before is done."""
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(title, total=total, rate="")

    def advance(self, rows: int) -> None:
        """Move the bar and show rows per second."""
        if self._task is None:
            return
        self._progress.advance(self._task, rows)
        speed = self._progress.tasks[0].speed
        self._progress.update(self._task, rate=f"{speed:,.0f} rows/s" if speed else "")


def answer(step: Callable[[Progress], Result], *, as_json: bool) -> None:
    """Run a step and end the process as its outcome asks. Raises typer.Exit."""
    talk = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        if talk.is_terminal and not as_json:
            with Bar(talk) as bar:
                result = step(bar)
        else:
            result = step(Silent())
    except FlitError as error:
        _tell_error(error, talk, as_json=as_json)
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt as error:
        talk.print("stopped; what was done is in the journal: run the same command to go on")
        raise typer.Exit(EXIT_STOPPED) from error
    except BrokenPipeError as error:
        raise typer.Exit(EXIT_FAILED) from error
    except Exception as error:
        _tell_unforeseen(error, talk, as_json=as_json)
        raise typer.Exit(EXIT_FAILED) from error
    _tell(result, talk, as_json=as_json)
    raise typer.Exit(result.exit_code)


def with_project(
    step: Callable[[Project, Progress], Result], project: Path, *, as_json: bool, operator: str = "", env: str = ""
) -> None:
    """Open the project and run the step on it."""
    answer(lambda progress: step(Project.open(project, operator, env), progress), as_json=as_json)


def _tell(result: Result, talk: Console, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(orjson.dumps(result.document, option=orjson.OPT_INDENT_2, default=str).decode() + "\n")
        return
    for line in result.lines:
        sys.stdout.write(line + "\n")
    if result.next:
        talk.print(f"next: {result.next}", markup=False)


def _tell_error(error: FlitError, talk: Console, *, as_json: bool) -> None:
    if as_json:
        problems = [
            {name: getattr(p, name) for name in ("code", "what", "where", "rule", "known", "do")}
            for p in error.problems
        ]
        sys.stdout.write(orjson.dumps({"errors": problems}, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        talk.print(error.render(), markup=False)


def _tell_unforeseen(error: Exception, talk: Console, *, as_json: bool) -> None:
    """Something nobody foresaw: nothing was retried. Says where the journal stands and how to go on."""
    if as_json:
        problem = {
            "code": "unforeseen",
            "what": f"{type(error).__name__}: {error}",
            "do": "report this with the traceback on stderr",
        }
        sys.stdout.write(orjson.dumps({"errors": [problem]}, option=orjson.OPT_INDENT_2).decode() + "\n")
    traceback.print_exception(error, file=sys.stderr)
    talk.print(
        f"error[unforeseen] {type(error).__name__}: {error}\n"
        "  where  the traceback above\n"
        "  do     nothing was retried; `flitstack status` says how far the journal is, the same command goes on from there; please report this",
        markup=False,
    )
