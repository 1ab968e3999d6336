"""Staging: the export's files become staged tables (staging/document.py). Nothing is changed, nothing is dropped."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp

from flitstack.documents import file_sha256, fingerprint, save_json
from flitstack.errors import Finding, Problem, UsageError
from flitstack.packs.found import found_document
from flitstack.packs.types import Pack, SourceObject
from flitstack.staging.attachments import export_files, is_named_in_utf8
from flitstack.staging.document import StagedField, StagedFile, StagedTable, StagingDocument
from flitstack.staging.engine.engine import Engine, literal, quoted, read_parquet
from flitstack.staging.engine.findings import FindingsWriter
from flitstack.staging.found import FoundTables, complete_found, found_remark
from flitstack.staging.inline import take_out
from flitstack.staging.parts import TABLES, Intake, Part, read_directory, read_file
from flitstack.staging.recognise import fits, object_of
from flitstack.staging.write import RejectsFile

# What a reader noticed about a whole file: outcome, what to do. Unread files of an object are held: nobody knows how
# many records are in them.
_REMARKS = {
    "empty_export_file": ("listed", "ask for the file again if it should hold records"),
    "not_text": ("held", "export the file as CSV and stage again"),
    "not_a_workbook": ("held", "open the file, save it as .xlsx and stage again"),
    "empty_sheet": ("listed", ""),
    "header_missing": ("listed", "write the columns' names into the file's first line and stage again"),
    "file_by_content": ("listed", ""),
    "beside_the_list": ("listed", ""),
    "not_fhir": ("held", "correct these entries in the export and stage again"),
    "fhir_unread": ("listed", "have it exported as a table too if it is to be migrated"),
    "duplicate_column": ("listed", "rename one of the two columns in the file if the name matters"),
    "object_found": (
        "listed",
        "confirm or change what is proposed for it; to leave it out: flitstack map --reject 'Object=why it is not moved'",
    ),
    "unnamed_column": ("listed", "name the column in the file if it matters"),
    "unreadable_column": (
        "listed",
        "save the file in one encoding, or name the field under headers in flitstack.yaml, and stage again",
    ),
}
_DO_REJECT = (
    "correct this record in the export and stage again; its text is kept in rejects.parquet of the staging folder"
)


@dataclass(frozen=True, slots=True)
class StageOptions:
    """`suppress`: object -> fields that are never staged (the agreed read scope, by data minimisation); "" is every object.

    `partial`: the export holds changed records only, a record's absence means nothing.
    """

    suppress: Mapping[str, Sequence[str]] = field(default_factory=dict)
    partial: bool = False


def stage(
    pack: Pack, export: Path, folder: Path, options: StageOptions, engine: Engine, findings: FindingsWriter
) -> StagingDocument:
    """Read everything below `export` into `folder` (replaced as a whole when done).

    Raises UsageError only when there is nothing to read at all; what is wrong inside files becomes findings.
    """
    export = export.resolve()
    files, refused = export_files(export)
    if not files:
        empty = Problem("export-empty", f"{export} holds no files", do="name the folder the export files lie in")
        found = [_refused(path, pack) for path in refused]
        raise UsageError(empty, *(Problem(one.code, one.what, where=one.file, do=one.do) for one in found))
    findings.add(_refused(path, pack) for path in refused)
    findings.add(_not_portable(pack, files))
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(mkdtemp(prefix=".staging-", dir=folder.parent))
    try:
        rejects = RejectsFile(work / "rejects.parquet")
        try:
            intake = Intake(pack, export, work, engine, options.suppress, rejects, FoundTables(pack))
            parts = _read_all(intake, files)
        finally:
            rejects.close()
        pack = complete_found(engine, pack, intake.found, parts)
        for part in parts:
            if part.object and pack.objects[part.object].found:
                part.remarks.append(found_remark(pack.objects[part.object]))
            findings.add(_findings_of(part))
            findings.add(_missing_fields(part, pack))
        findings.add_sql(_reject_findings(rejects.path))
        document = _document(pack, export, files, parts, work, options, engine)
        inside = take_out(engine, pack, document.tables, work, folder.parent / "inline")
        if inside:
            kept = str((folder.parent / "inline").resolve())
            document = replace(document, attachments={**document.attachments, **inside}, kept=kept)
        save_json(work / "document.json", document)
        swap_folder(work, folder)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    return document


def _read_all(intake: Intake, files: Sequence[PurePosixPath]) -> list[Part]:
    mixed = {inside.parent for inside in files if inside.suffix.lower() not in TABLES}
    intake.directory = read_directory(intake, files)
    return [part for inside in files for part in read_file(intake, inside, among_tables=inside.parent not in mixed)]


def _document(
    pack: Pack,
    export: Path,
    files: Sequence[PurePosixPath],
    parts: Sequence[Part],
    work: Path,
    options: StageOptions,
    engine: Engine,
) -> StagingDocument:
    hashes = {str(inside): file_sha256(export / inside) for inside in files}
    sizes = {str(inside): (export / inside).stat().st_size for inside in files}
    staged = tuple(
        StagedFile(
            part.path, part.object, part.format, part.encoding, part.delimiter, sizes[part.file],
            hashes[part.file], part.records, part.rejects, tuple(part.header),
        )
        for part in parts
    )  # fmt: skip
    tables = {
        name: _combine(engine, source, mine, work)
        for name, source in pack.objects.items()
        if (mine := [part for part in parts if part.object == name and part.parquet is not None])
    }
    table_files = {part.file for part in parts if part.object}
    return StagingDocument(
        pack=pack.name,
        export=str(export),
        fingerprint=_fingerprint(hashes, pack, options),
        at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        tables=tables,
        files=staged,
        attachments={path: size for path, size in sizes.items() if path not in table_files},
        partial=options.partial,
        found=dict(found_document(pack)["objects"]),
    )


def _combine(engine: Engine, source: SourceObject, parts: list[Part], work: Path) -> StagedTable:
    """One Parquet file an object: the pack's fields in order, then unknown columns in the order first met."""
    fields: dict[str, StagedField] = {}
    for part in parts:
        for name, column in part.columns.items():
            fields.setdefault(name, StagedField(name, column.header, column.known, column.how))
    ordered = [fields[name] for name in source.fields if name in fields] + [f for f in fields.values() if not f.known]
    selects = " UNION ALL ".join(_select(source, part, ordered) for part in parts)
    records = engine.write_parquet(selects, work / f"{source.name}.parquet")
    for part in parts:
        if part.parquet is not None:
            part.parquet.unlink()
    missing = tuple(name for name in source.fields if name not in fields)
    return StagedTable(source.name, f"{source.name}.parquet", records, tuple(ordered), missing)


def _select(source: SourceObject, part: Part, ordered: Sequence[StagedField]) -> str:
    values = []
    for known in ordered:
        column = part.columns.get(known.name)
        values.append(f"{f'c{column.place}' if column else 'NULL::VARCHAR'} AS {quoted(known.name)}")
    number = "CAST(_record AS VARCHAR)"
    if source.found and not source.key:
        number = f"{literal(part.path)} || '#' || {number}"  # nothing but its place tells such a record from others
    own_id = f"coalesce({_key_sql(source, part)}, {number})"
    columns = ", ".join([f"{literal(part.path)} AS _file", "_record", "_line", f"{own_id} AS _id", *values])
    return f"SELECT {columns} FROM {part.rows}"


def _key_sql(source: SourceObject, part: Part) -> str:
    """The record's own id; NULL unless every field of the key is there."""
    parts = [part.columns.get(name) for name in (source.key, *source.also_key)]
    known = [f"clean(c{column.place})" for column in parts if column is not None]
    return " || '-' || ".join(known) if len(known) == len(parts) else "NULL"


def _findings_of(part: Part) -> list[Finding]:
    found = []
    for code, text in part.remarks:
        outcome, do = _REMARKS[code]
        found.append(Finding(code, part.object, part.path, "", outcome if part.object else "listed", what=text, do=do))
    for name in part.suppressed:
        what = "never staged, by the project's read scope"
        found.append(Finding("suppressed_field", part.object, part.path, "", "excluded", field=name, what=what))
    return found


def _missing_fields(part: Part, pack: Pack) -> list[Finding]:
    """The key, and fields that must be there, of which no column of a file was recognised."""
    if part.parquet is None:
        return []
    source = pack.objects[part.object]
    unknown = [column.header for column in part.columns.values() if not column.known]
    example = unknown[0] if len(unknown) == 1 else "the column's header"
    found, keys = [], (source.key, *source.also_key)
    for name, known in source.fields.items():
        if name in part.columns or name in part.suppressed or not (known.required or name in keys):
            continue
        what = "no column is recognised as this field"
        what += f"; not recognised: {', '.join(unknown)}" if unknown else ""
        what += "; records go by their number" if name in keys else ""
        do = f"write headers: {{{source.name}: {{{example}: {name}}}}} in flitstack.yaml and stage again"
        found.append(Finding("field_missing", part.object, part.path, "", "listed", field=name, what=what, do=do))
    return found


def _reject_findings(rejects: Path) -> str:
    return f"""
        SELECT code, object, file, record, line, '' AS field, outcome, coalesce(shape(raw), '') AS shape, reason AS what,
               CASE WHEN outcome = 'held' THEN {literal(_DO_REJECT)} ELSE '' END AS "do"
        FROM {read_parquet(rejects)}"""


def _refused(path: PurePosixPath, pack: Pack) -> Finding:
    if not is_named_in_utf8(path):
        shown = str(path).encode(errors="replace").decode()
        expected, _ = object_of(shown, [], pack)
        code, what = "unreadable_name", "the file's name holds bytes that are no UTF-8, so it is not read"
        outcome, do = "held" if expected else "listed", "rename the file and stage again"
        return Finding(code, expected.name if expected else "", shown, "", outcome, what=what, do=do)
    what = "a link is not followed: it could lead out of the export"
    return Finding("link_refused", "", str(path), "", "listed", what=what, do="put the file itself into the export")


def _not_portable(pack: Pack, files: Sequence[PurePosixPath]) -> list[Finding]:
    """Files that no other system can use, as the playbook names them; the first entry that fits a file counts."""
    found: dict[PurePosixPath, Finding] = {}
    for entry in pack.playbook.get("not_portable") or ():
        what = str(entry.get("what", "no other system can read this file"))
        do = str(entry.get("do", "keep the file where the source system is kept"))
        for path in files:
            if path not in found and any(fits(str(path), str(pattern)) for pattern in entry["files"]):
                found[path] = Finding("not_portable", "", str(path), path.name, "listed", what=what, do=do)
    return list(found.values())


def _fingerprint(hashes: Mapping[str, str], pack: Pack, options: StageOptions) -> str:
    """Changes with any file, with what the pack looks for, and with the read scope."""
    scope = [
        (
            source.name,
            source.files,
            source.told,
            source.key,
            source.also_key,
            source.each,
            [(f.name, f.type, f.headers) for f in source.fields.values()],
        )
        for source in pack.objects.values()
    ]
    fhir = [(how.object, how.resource, how.fields) for how in pack.fhir]
    suppress = sorted((name, sorted(fields)) for name, fields in options.suppress.items())
    return fingerprint(
        pack.name, repr(scope), repr(fhir), repr(suppress), *(f"{path}:{sha}" for path, sha in hashes.items())
    )


def swap_folder(work: Path, folder: Path) -> None:
    """Put the finished snapshot in place of the one before."""
    before = folder.with_name(f".{folder.name}.before")
    shutil.rmtree(before, ignore_errors=True)
    if folder.exists():
        folder.rename(before)
    work.rename(folder)
    shutil.rmtree(before, ignore_errors=True)
