"""Files that go to SharePoint (decision attachments: sharepoint): their folders are rows of Dynamics, the files a copy plan.

Dataverse keeps pointers only and no file reaches SharePoint through it. So the files are laid out in `sharepoint/` as they
have to lie below the library, with a manifest; an administrator uploads them.
Source: Microsoft Learn, "Actions on SharePoint location records"; "Manage your documents using SharePoint".
"""

import csv
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from flitstack.app.project import Project
from flitstack.app.store import mapped_folder
from flitstack.catalogue.types import Table
from flitstack.documents import file_sha256
from flitstack.errors import Problem, StepFailed, UsageError
from flitstack.mapping.document import MappedRoute, MappingDocument
from flitstack.reporting.workbook import guarded
from flitstack.staging.document import StagingDocument, exported_file
from flitstack.staging.engine.engine import Engine, read_parquet

SITE, LOCATION = "sharepointsite", "sharepointdocumentlocation"
MANIFEST = "manifest.csv"
INSTEAD = "or choose attachments: annotation in decisions.yaml"
_FILES_AT_ONCE, _TOLD = 1_000, 20
HEADER = ("target", "source", "size", "sha256", "object", "record")


def sharepoint_problems(
    decisions: Mapping[str, Any],
    live: Mapping[str, Table | None],
    existing: Mapping[str, Path],
) -> list[Problem]:
    """Why this environment can keep no document locations at all, where the decisions ask for them."""
    if decisions.get("attachments") != "sharepoint":
        return []
    absent = [name for name in (SITE, LOCATION) if live.get(name) is None]
    if absent:
        what = f"the environment has no table {' and no '.join(absent)}"
        return [Problem("sharepoint-missing", what, do=f"have an administrator enable document management, {INSTEAD}")]
    known = [name for table in (LOCATION, SITE) for name in _names(existing.get(table))]
    wanted = str(decisions.get("sharepoint_parent") or "")
    if not known:
        what = "no SharePoint site is set up in this environment"
        do = f"have an administrator set up SharePoint integration (Document Management Settings), {INSTEAD}"
        return [Problem("sharepoint-missing", what, do=do)]
    if wanted.casefold().strip() not in {name.casefold().strip() for name in known}:
        what = f"there is no SharePoint site or document location {wanted!r}"
        do = f"name one as sharepoint_parent in decisions.yaml, {INSTEAD}"
        return [Problem("sharepoint-missing", what, known=", ".join(known), do=do)]
    return []


def folder_problems(
    engine: Engine, mapping: MappingDocument, mapped: Path, live: Mapping[str, Table | None]
) -> list[Problem]:
    """Tables whose rows are to have folders, and keep no documents in this environment: only those that records lead to.

    A table that this plan makes, with document management, keeps them from the start.
    """
    location = live.get(LOCATION)
    about = location.column("regardingobjectid") if location else None
    targets = set(about.targets if about else ())
    targets |= {route.table for route in mapping.routes if live.get(route.table) is None and _is_made_for(route)}
    parts = [
        f"SELECT regardingobjectid__table AS name, _record FROM {read_parquet(mapped / route.parquet)}"
        for route in mapping.routes
        if route.table == LOCATION and any(column.name == "regardingobjectid" for column in route.columns)
    ]
    if not parts:
        return []
    sql = f"SELECT name, count(*), min(_record) FROM ({' UNION ALL '.join(parts)}) WHERE name IS NOT NULL GROUP BY 1 ORDER BY 1"
    do = "have an administrator enable document management for the table (Document Management Settings)"
    return [
        Problem(
            "sharepoint-missing",
            f"rows of {name} keep no documents in this environment; {count:,} of them would need a folder",
            where=f"record {record!r}",
            do=f"{do}, {INSTEAD}",
        )
        for name, count, record in engine.rows(sql)
        if name not in targets
    ]


def _is_made_for(route: MappedRoute) -> bool:
    return bool(route.create_table and route.create_table.get("documents"))


def write_copy_plan(
    engine: Engine, project: Project, staged: StagingDocument, mapping: MappingDocument
) -> tuple[str, ...]:
    """Lay the files out below `sharepoint/` with a manifest, replacing what was there; what a person reads of it."""
    parts = [
        f"SELECT _copy_to, _copy_from, _copy_size, _object, _record FROM {read_parquet(path)}"
        for route in mapping.routes
        if route.has_copies and (path := mapped_folder(project) / route.parquet)
    ]
    folder = project.folder / "sharepoint"
    shutil.rmtree(folder, ignore_errors=True)
    if not parts:
        return ()
    files = f"SELECT * FROM ({' UNION ALL '.join(parts)})"
    _refuse_one_place_for_two(engine, files)
    count = total = 0
    folder.mkdir(parents=True)
    with (folder / MANIFEST).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for batch in engine.batches(f"{files} ORDER BY 1", _FILES_AT_ONCE):  # there may be a million
            for target, source, size, *record in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                path = _lay(staged, source, folder / "files" / target, folder)
                writer.writerow((target, guarded(source), size, file_sha256(path), *map(guarded, record)))
                count, total = count + 1, total + (size or 0)
    where = f"{folder / 'files'}, listed in {folder / MANIFEST}"
    told = f"for SharePoint: {count:,} files ({total:,} bytes) lie in {where}: an administrator uploads them to the library"
    return (f"{told}, nothing here does; then run: flitstack uploaded DIR",)


def _refuse_one_place_for_two(engine: Engine, files: str) -> None:
    """Raise UsageError where files would lie at one place: SharePoint knows no upper and lower case."""
    taken = engine.rows(
        f"""SELECT min(_copy_to), count(*), min(_object), min(_record), max(_record) FROM ({files})
        GROUP BY lower(nfc_normalize(_copy_to)) HAVING count(*) > 1 ORDER BY 1 LIMIT {_TOLD}"""
    )
    if taken:
        do = "make copy_to in the map tell them apart, for example by the record's id"
        raise UsageError(
            *(
                Problem("copy-place-taken", f"{count:,} files would lie at {place}", where=f"{name}, records {one!r} and {other!r}", do=do)
                for place, count, name, one, other in taken
            )
        )  # fmt: skip


def _lay(staged: StagingDocument, source: str, target: Path, folder: Path) -> Path:
    """A second name of the file where the file system has such, else a copy. Mapping has cleaned the target."""
    if not target.resolve().is_relative_to(folder.resolve()):
        raise StepFailed(Problem("file-outside", f"{target} leads out of {folder}", do="correct copy_to in the map"))
    path = exported_file(Path(staged.export), staged.kept, source)
    if path is None:
        what = "a file that is to go to SharePoint is no longer in the export"
        do = "put the export folder back as it was staged, then run `flitstack plan` again"
        raise StepFailed(Problem("export-file-missing", what, where=source, do=do))
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():  # written to, it would write into the export's own file, of which it is a second name
        raise StepFailed(
            Problem("copy-place-taken", f"two files would lie at {target}", do="correct copy_to in the map")
        )
    try:
        os.link(path, target)
    except OSError:
        shutil.copyfile(path, target)
    return target


def _names(rows: Path | None) -> list[str]:
    return [str(name) for name in pq.read_table(rows)["name"].to_pylist() if name] if rows else []
