"""`flitstack map`: propose, confirm, reject, check; the matrix out and in."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from flitstack.app.gates import now
from flitstack.app.local import open_engine
from flitstack.app.operators import remember_operator
from flitstack.app.project import Project
from flitstack.app.result import Progress, Result
from flitstack.app.store import load_staging, staged_folder
from flitstack.catalogue.read import load_catalogue
from flitstack.errors import Problem, UsageError
from flitstack.mapping.check import check_maps
from flitstack.mapping.confirm import confirm as confirm_columns
from flitstack.mapping.confirm import reject as reject_field
from flitstack.mapping.excel import read_matrix, write_matrix
from flitstack.mapping.maps import MapFile, open_proposals, read_maps
from flitstack.mapping.propose import propose_maps


def map_(
    project: Project,
    progress: Progress,
    *,
    confirm: Sequence[str] = (),
    reject: Sequence[str] = (),
    to_excel: Path | None = None,
    from_excel: Path | None = None,
) -> Result:
    """Propose what nobody has decided, then do what is asked; every mistake of the map is told in one go."""
    staged = load_staging(project)
    if staged is None:
        raise UsageError(Problem("not-staged", "nothing is staged yet", do="run: flitstack stage"))
    if from_excel is not None:
        read_matrix(from_excel, project.maps, project.operator, now())
    progress.phase("proposing the map")
    tables = load_catalogue().tables
    existing = read_maps(project.maps) if project.maps.exists() else {}
    with open_engine(project) as engine:
        propose_maps(
            project.pack,
            staged,
            staged_folder(project),
            existing,
            tables,
            project.decisions,
            project.settings.prefix,
            project.settings.option_prefix,
            engine,
            project.maps,
        )
    for what in confirm:
        confirm_columns(project.maps, what, project.operator, now())
    for entry in reject:
        field, _, reason = entry.partition("=")
        if not reason.strip():
            raise UsageError(
                Problem(
                    "reject-reason",
                    f"{entry!r} gives no reason",
                    do="write --reject 'Object.Field=why it is not moved'",
                )
            )
        reject_field(project.maps, field.strip(), reason.strip(), project.operator, now())
    remember_operator(project, "map")
    maps = read_maps(project.maps)
    if problems := check_maps(maps, project.pack, staged, tables):
        raise UsageError(*problems)
    if to_excel is not None:
        write_matrix(maps, to_excel)
    return _result(project, maps, to_excel)


def _result(project: Project, maps: Mapping[str, MapFile], to_excel: Path | None) -> Result:
    waiting = open_proposals(maps)
    objects = {
        name: {
            "routes": [
                {"name": route.name, "table": route.table, "columns": len(route.columns)} for route in found.routes
            ],
            "proposed": [entry for entry in waiting if entry.split(".", 1)[0] == name],
            "unmapped": {field: why.reason for route in found.routes for field, why in route.unmapped.items()},
        }
        for name, found in maps.items()
    }
    lines = [
        f"{name} -> {', '.join(f'{r.table} ({len(r.columns)} columns)' for r in found.routes)}"
        for name, found in maps.items()
        if found.routes
    ]
    lines.append(f"{len(waiting)} proposals wait for a person" if waiting else "every field is confirmed or rejected")
    if to_excel is not None:
        lines.append(f"matrix: {to_excel}")
    next_step = "look at mapping/*.yaml, then: flitstack map --confirm all" if waiting else "flitstack approve map"
    return Result(
        {"objects": objects, "proposed": len(waiting), "folder": str(project.maps)}, tuple(lines), next=next_step
    )
