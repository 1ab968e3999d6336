"""What has no home in a CRM (`reference: {becomes: export}`, claims for a billing system): CSV and JSON beside the project.

Everything that was staged of it, text as the source had it, merged duplicates once; counts and sums stand beside.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flitstack.app.project import Project
from flitstack.app.store import deduped_folder
from flitstack.deduping.document import DedupeDocument
from flitstack.documents import save_json
from flitstack.staging.engine.engine import Engine, literal, quoted, read_parquet

SUMMED = frozenset({"money", "number"})


@dataclass(frozen=True, slots=True)
class Exported:
    """One object that was written. `sums` by field that holds numbers; `unreadable` counts what is no number there."""

    object: str
    records: int
    files: tuple[str, ...]
    sums: dict[str, float]
    unreadable: dict[str, int]


def export_folder(project: Project) -> Path:
    """Where they lie."""
    return project.folder / "exports"


def write_exports(engine: Engine, project: Project, deduped: DedupeDocument) -> list[Exported]:
    """Write every object that the pack exports; what was written before is replaced."""
    wanted = [
        name
        for name, entry in (project.pack.playbook.get("reference") or {}).items()
        if isinstance(entry, dict) and entry.get("becomes") == "export" and name in deduped.tables
    ]
    if not wanted:
        return []
    folder = export_folder(project)
    work = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    done = [_write(engine, project, deduped, name, work) for name in wanted]
    save_json(work / "summary.json", {each.object: each for each in done})
    shutil.rmtree(folder, ignore_errors=True)
    work.rename(folder)
    return done


def _write(engine: Engine, project: Project, deduped: DedupeDocument, name: str, folder: Path) -> Exported:
    source = read_parquet(deduped_folder(project) / deduped.tables[name].parquet)
    present = [str(row[0]) for row in engine.rows(f"DESCRIBE SELECT * FROM {source}")]
    fields = [column for column in present if not column.startswith("_")]
    listed = ", ".join(map(quoted, fields))
    files = (f"{name.lower()}.csv", f"{name.lower()}.json")
    for file, form in zip(files, ("FORMAT csv, HEADER", "FORMAT json, ARRAY true"), strict=True):
        engine.run(
            f"COPY (SELECT {listed} FROM {source} ORDER BY _file, _record) TO {literal(str(folder / file))} ({form})"
        )
    known = project.pack.objects[name].fields
    summed = [column for column in fields if column in known and known[column].type in SUMMED]
    parts = ["count(*)"]
    for column in summed:
        text, number = quoted(column), f"to_number({quoted(column)})"
        parts += [f"sum({number})", f"count(*) FILTER (WHERE {number} IS NULL AND clean({text}) IS NOT NULL)"]
    count, *numbers = engine.one(f"SELECT {', '.join(parts)} FROM {source}")
    sums = {column: float(total or 0) for column, total in zip(summed, numbers[::2], strict=True)}
    unreadable = {column: int(bad) for column, bad in zip(summed, numbers[1::2], strict=True) if bad}
    return Exported(name, int(count), files, sums, unreadable)


def export_lines(project: Project, done: list[Exported]) -> list[str]:
    """What a person reads of it."""
    lines = []
    for each in done:
        sums = "".join(f", {field} {total:,.2f}" for field, total in each.sums.items())
        bad = "".join(f", {count:,} of {field} no number" for field, count in each.unreadable.items())
        where = export_folder(project) / each.files[0]
        lines.append(f"exported, not loaded: {each.records:,} records of {each.object}{sums}{bad}: {where} and .json")
    return lines


def exports_document(done: list[Exported]) -> list[dict[str, Any]]:
    """The same for programs."""
    return [
        {"object": e.object, "records": e.records, "files": list(e.files), "sums": e.sums, "unreadable": e.unreadable}
        for e in done
    ]
