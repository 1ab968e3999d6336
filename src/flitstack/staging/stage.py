"""Staging: the export's files become staged tables (staging/document.py). Nothing is changed, nothing is dropped."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp

from flitstack.documents import file_sha256, fingerprint, save_json
from flitstack.errors import Finding, Problem, UsageError, shape_of
from flitstack.packs.types import Pack, SourceObject
from flitstack.staging.attachments import export_files, inventory
from flitstack.staging.document import StagedField, StagedFile, StagedTable, StagingDocument
from flitstack.staging.engine.engine import Engine, literal, quoted
from flitstack.staging.engine.findings import FindingsWriter
from flitstack.staging.parts import Part, read_file


@dataclass(frozen=True, slots=True)
class StageOptions:
    """`suppress`: object -> fields that are never staged (the agreed read scope, by data minimisation)."""

    suppress: Mapping[str, Sequence[str]] = field(default_factory=dict)


def stage(
    pack: Pack, export: Path, folder: Path, options: StageOptions, engine: Engine, findings: FindingsWriter
) -> StagingDocument:
    """Read everything below `export` into `folder` (replaced as a whole when done).

    Raises UsageError only when there is nothing to read at all; what is wrong inside files becomes findings.
    """
    export = export.resolve()
    files, refused = export_files(export)
    if not files:
        raise UsageError(
            Problem("export-empty", f"{export} holds no files", do="name the folder the export files lie in")
        )
    for path in refused:
        what = "a link is not followed: it could lead out of the export"
        findings.add(
            [Finding("link_refused", "", str(path), "", "listed", what=what, do="put the file itself into the export")]
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(mkdtemp(prefix=".staging-", dir=folder.parent))
    try:
        parts, staged_files = _read_all(pack, export, files, work, options, engine, findings)
        tables = {
            name: _combine(engine, source, [part for part in parts if part.object == name], work)
            for name, source in pack.objects.items()
            if any(part.object == name for part in parts)
        }
        table_files = {file.path.partition("#")[0] for file in staged_files if file.object}
        document = StagingDocument(
            pack=pack.name,
            export=str(export),
            fingerprint=_fingerprint(export, files, pack, options),
            at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            tables=tables,
            files=tuple(staged_files),
            attachments={path: size for path, size in inventory(export, files).items() if path not in table_files},
        )
        for leftover in work.glob("part-*.parquet"):
            leftover.unlink()
        save_json(work / "document.json", document)
        _swap(work, folder)
    finally:
        # Swapped into place by then, unless something failed.
        shutil.rmtree(work, ignore_errors=True)
    return document


def _read_all(
    pack: Pack,
    export: Path,
    files: Sequence[PurePosixPath],
    work: Path,
    options: StageOptions,
    engine: Engine,
    findings: FindingsWriter,
) -> tuple[list[Part], list[StagedFile]]:
    parts: list[Part] = []
    staged: list[StagedFile] = []
    for inside in files:
        for part in read_file(pack, export, inside, work, len(parts), engine):
            if part.parquet is not None:
                parts.append(part)
            findings.add(_findings_of(part))
            for name in options.suppress.get(part.object, ()):
                if name in part.columns:
                    part.columns.pop(name)
                    what = "never staged, by the project's read scope"
                    findings.add([Finding("suppressed", part.object, part.path, "", "excluded", field=name, what=what)])
            if part.object or part.is_table:
                sha256 = file_sha256(export / inside)
                size = (export / inside).stat().st_size
                staged.append(
                    StagedFile(
                        part.path, part.object, part.format, part.encoding, part.delimiter, size, sha256,
                        part.records, len(part.rejects), tuple(part.header),
                    )
                )  # fmt: skip
    return parts, staged


def _findings_of(part: Part) -> list[Finding]:
    found = [
        Finding(
            code,
            part.object,
            part.path,
            "",
            "listed",
            what=text,
            do="correct the header in the export if the name matters",
        )
        for code, text in part.remarks
    ]
    found += [
        Finding(
            reject.code,
            part.object,
            part.path,
            str(reject.number),
            reject.outcome,
            line=reject.line,
            shape=shape_of(reject.raw),
            what=reject.reason,
            do=""
            if reject.outcome == "excluded"
            else "correct this record in the export and stage again; its text is kept in staged/rejects.jsonl",
        )
        for reject in part.rejects
    ]
    return found


def _combine(engine: Engine, source: SourceObject, parts: list[Part], work: Path) -> StagedTable:
    """One Parquet file an object: the pack's fields in order, then unknown columns in the order first met."""
    fields: dict[str, StagedField] = {}
    for part in parts:
        for name, (header, known, how) in part.columns.items():
            fields.setdefault(name, StagedField(name, header, known, how))
    ordered = [fields[name] for name in source.fields if name in fields] + [f for f in fields.values() if not f.known]
    selects = []
    for part in parts:
        values = [
            f"{quoted(part.columns[f.name][0])} AS {quoted(f.name)}"
            if f.name in part.columns
            else f"NULL::VARCHAR AS {quoted(f.name)}"
            for f in ordered
        ]
        key = part.columns.get(source.key)
        own_id = f"coalesce(clean({quoted(key[0])}), CAST(_record AS VARCHAR))" if key else "CAST(_record AS VARCHAR)"
        selects.append(
            f"SELECT {literal(part.path)} AS _file, _record, _line, {own_id} AS _id, {', '.join(values)} "
            f"FROM read_parquet({literal(str(part.parquet))})"
        )
    records = engine.write_parquet(" UNION ALL ".join(selects), work / f"{source.name}.parquet")
    missing = tuple(name for name in source.fields if name not in fields)
    return StagedTable(source.name, f"{source.name}.parquet", records, tuple(ordered), missing)


def _fingerprint(export: Path, files: Sequence[PurePosixPath], pack: Pack, options: StageOptions) -> str:
    parts = [f"{path}:{file_sha256(export / path)}" for path in files]
    scope = repr([(name, sorted(source.fields)) for name, source in pack.objects.items()])
    return fingerprint(pack.name, scope, repr(sorted((k, sorted(v)) for k, v in options.suppress.items())), *parts)


def _swap(work: Path, folder: Path) -> None:
    """Put the finished snapshot in place of the one before."""
    before = folder.with_name(f".{folder.name}.before")
    shutil.rmtree(before, ignore_errors=True)
    if folder.exists():
        folder.rename(before)
    work.rename(folder)
    shutil.rmtree(before, ignore_errors=True)
