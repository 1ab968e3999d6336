"""`flitstack solution`: the schema that the plan needs, as a solution file that an administrator imports."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flitstack.app.emulators import EmulatorProcess, call
from flitstack.app.project import Project
from flitstack.app.result import Progress, Result
from flitstack.app.running import run_async
from flitstack.app.store import load_plan
from flitstack.app.wiring import make_solution, open_destination
from flitstack.destinations.port import Facts
from flitstack.destinations.solution import SolutionFile, SolutionName
from flitstack.documents import save_bytes
from flitstack.errors import Problem, UsageError


def solution(project: Project, progress: Progress, *, to: Path) -> Result:
    """Write the file. Raises UsageError while nothing is planned."""
    plan = load_plan(project)
    if plan is None:
        raise UsageError(Problem("not-planned", "nothing is planned yet", do="run: flitstack plan"))
    operations = [dict(o) for step in plan.steps if step.kind == "schema" for o in step.operations]
    if not operations:
        return Result(
            {"file": None, "operations": 0, "left": []},
            ("the environment has all that the plan needs; no file is written",),
        )
    progress.phase("making the schema in a blank environment", len(operations))
    language = run_async(_facts(project), project.target.url).language
    title = f"{project.pack.title} schema"
    name = SolutionName(
        f"{project.settings.prefix}_schema", title, project.settings.prefix, project.settings.option_prefix, language
    )
    scratch = project.state / "scratch" / "blank"
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        with EmulatorProcess(scratch) as blank:
            call(blank.url, "seed", {"org": {"lcid": language}})
            found = run_async(make_solution(blank.url, operations, name), blank.url)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    save_bytes(to, found.content)
    return Result(_document(found, to, name), tuple(_lines(found, to, name)), next="flitstack plan, after the import")


async def _facts(project: Project) -> Facts:
    destination = open_destination(project)
    try:
        return await destination.facts()
    finally:
        await destination.close()


def _document(found: SolutionFile, to: Path, name: SolutionName) -> dict[str, Any]:
    return {
        "file": str(to),
        "unique_name": name.unique_name,
        "operations": len(found.made),
        "left": [
            {"kind": o["kind"], "table": o["table"], "name": o["name"], "value": o.get("value")} for o in found.left
        ],
    }


def _left(operation: Mapping[str, Any]) -> str:
    if operation["kind"] == "add_option":
        return f"option {operation['value']} ({operation['label']})"
    return ", ".join(f"{name} {operation[name]}" for name in ("length", "precision", "min", "max") if name in operation)


def _lines(found: SolutionFile, to: Path, name: SolutionName) -> list[str]:
    lines = [f"+ {o['kind'].replace('_', ' ')} {o['table']}.{o['name']}" for o in found.made if o["kind"] != "publish"]
    lines += [
        f"not in the file: {_left(o)} of {o['table']}.{o['name']}, a column the environment has already; "
        "change it there or let `flitstack load` do it"
        for o in found.left
    ]
    lines.append(f"{to}: unmanaged solution {name.unique_name}; labels in language {name.language}")
    lines.append(
        "import it in the Power Platform (make.powerapps.com, Solutions, Import), publish all customizations, then plan again: what the "
        "administrator imported is the administrator's, and rollback leaves it"
    )
    return lines
