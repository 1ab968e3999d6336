"""A later export on top of the snapshot before it: what it holds replaces, what it does not mention stays.

Records meet by object and their own id. A field of which the later files have no column keeps its value. A record without an
id of its own goes by its number in the file, and numbers of two files mean nothing to each other: in a partial export only the
very same record, field by field, is the one that was there; any other is new, as `<number>~<number of the snapshot>`.

`read.parquet` beside the tables lists what the later export held, one row a record:
    object, file, id VARCHAR, line BIGINT, fate VARCHAR (new | changed | same, by the hash of all fields)
"""

import os
import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

from flitstack.documents import fingerprint, save_json
from flitstack.packs.types import Pack, SourceObject
from flitstack.staging.document import INLINE, StagedField, StagedTable, StagingDocument
from flitstack.staging.engine.engine import Engine, literal, quoted, read_parquet

READ = "read.parquet"


def unite(
    engine: Engine,
    pack: Pack,
    earlier: StagingDocument,
    before: Path,
    later: StagingDocument,
    folder: Path,
    files: Path,
) -> StagingDocument:
    """Turn `folder`, which holds the later export as it was staged, into the snapshot that follows `earlier` in `before`.

    `later.partial`: absence means nothing; otherwise the later export is the whole truth and only `read.parquet` is made.
    `files`: where the attachments of both exports are laid together when both have some.
    """
    work = Path(mkdtemp(prefix=".union-", dir=folder.parent))
    try:
        tables = dict(later.tables)
        reads = []
        for name, table in later.tables.items():
            source = pack.objects[name]
            was = earlier.tables.get(name)
            rows = f"(SELECT *, {_is_numbered(source, table)} AS _numbered FROM {_relation(folder / table.parquet)})"
            if later.partial and was is not None:
                rows = _name_numbered(engine, source, (was, before), (table, folder), f"~{earlier.number + 1}")
                tables[name] = _unite_table(engine, source, (was, before), table, rows, work)
            else:
                _link(folder / table.parquet, work / table.parquet)
            reads.append(_read_sql(source, table, rows, was, before, later.partial))
        if later.partial:
            for name, table in earlier.tables.items():
                if name not in tables:
                    _link(before / table.parquet, work / table.parquet)
                    tables[name] = table
        nothing = "SELECT '' AS object, '' AS file, '' AS id, 0::BIGINT AS line, '' AS fate WHERE FALSE"
        engine.write_parquet(" UNION ALL ".join(reads) or nothing, work / READ)
        document = _document(earlier, later, tables, files)
        save_json(work / "later.json", later)
        save_json(work / "document.json", document)
        _link(folder / "rejects.parquet", work / "rejects.parquet")
        shutil.rmtree(folder)
        work.rename(folder)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    return document


def _name_numbered(
    engine: Engine, source: SourceObject, earlier: tuple[StagedTable, Path], later: tuple[StagedTable, Path], mark: str
) -> str:
    """SQL of the later records with `_numbered` and their order, `file_row_number`.

    A numbered record has the id of the very same one before, else its number with `mark`.
    """
    (was, before), (now, folder) = earlier, later
    everything = sorted({field.name for field in (*was.fields, *now.fields)})

    def numbered(table: StagedTable, path: Path) -> str:
        mine = {field.name for field in table.fields}
        values = ", ".join(quoted(name) if name in mine else "NULL" for name in everything)
        return (
            f"(SELECT file_row_number AS n, _id, hash({values}) AS h, row_number() OVER (PARTITION BY h ORDER BY n) AS k"
            f" FROM {read_parquet(path, 'file_row_number = true')} WHERE {_is_numbered(source, table)})"
        )

    named = f"union_named_{now.object}"
    new, old = numbered(now, folder / now.parquet), numbered(was, before / was.parquet)
    engine.run(
        f"CREATE OR REPLACE TEMP TABLE {quoted(named)} AS"
        f" SELECT n.n AS file_row_number, coalesce(o._id, n._id || {literal(mark)}) AS named"
        f" FROM {new} n LEFT JOIN {old} o ON o.h = n.h AND o.k = n.k"
    )
    rows = read_parquet(folder / now.parquet, "file_row_number = true")
    return (
        f"(SELECT * EXCLUDE (named) REPLACE (coalesce(named, _id) AS _id), named IS NOT NULL AS _numbered"
        f" FROM {rows} LEFT JOIN {quoted(named)} USING (file_row_number))"
    )


def _unite_table(
    engine: Engine,
    source: SourceObject,
    earlier: tuple[StagedTable, Path],
    now: StagedTable,
    new: str,
    work: Path,
) -> StagedTable:
    """`new`: SQL of the later records, as _name_numbered gives them."""
    was, before = earlier
    fields: dict[str, StagedField] = {field.name: field for field in now.fields}
    absent = [field.name for field in was.fields if field.name not in fields]
    fields |= {field.name: field for field in was.fields if field.name in absent}
    old = f"(SELECT *, {_is_numbered(source, was)} AS _numbered FROM {_relation(before / was.parquet)})"
    kept = ", ".join(f"any_value({quoted(name)}) AS {quoted(name)}" for name in absent)
    join = (
        f"LEFT JOIN (SELECT _id, _numbered, {kept} FROM {old} GROUP BY ALL) o USING (_id, _numbered)" if absent else ""
    )
    values = [*(f"n.{quoted(field.name)}" for field in now.fields), *(f"o.{quoted(name)}" for name in absent)]
    # Both parts in the order of their files: of equal records the earlier one counts, in every run.
    records = engine.write_parquet(
        f"SELECT * EXCLUDE (_numbered) FROM {old} WHERE (_id, _numbered) NOT IN (SELECT (_id, _numbered) FROM {new})"
        f" UNION ALL BY NAME SELECT * FROM (SELECT n._file, n._record, n._line, n._id, {', '.join(values)}"
        f" FROM {new} n {join} ORDER BY n.file_row_number)",
        work / now.parquet,
    )
    missing = tuple(name for name in source.fields if name not in fields)
    return replace(now, records=records, fields=tuple(fields.values()), missing=missing)


def _is_numbered(source: SourceObject, table: StagedTable) -> str:
    """SQL: whether a record goes by its number because its key is not there."""
    keys = (source.key, *source.also_key)
    present = {field.name for field in table.fields}
    if not all(key in present for key in keys):
        return "TRUE"
    return f"({' OR '.join(f'clean({quoted(key)}) IS NULL' for key in keys)})"


def _read_sql(
    source: SourceObject, table: StagedTable, new: str, was: StagedTable | None, before: Path, is_partial: bool
) -> str:
    """SELECT of READ for one object: each record's hash over its fields meets that of the record with the same id.

    `new`: SQL of the later records with `_numbered`. The numbers of a whole export name nobody in the one before.
    """
    name = source.name
    shared = sorted({f.name for f in table.fields} & {f.name for f in (was.fields if was else ())})
    if was is None or not shared:
        return f"SELECT {literal(name)} AS object, _file AS file, _id AS id, _line AS line, 'new' AS fate FROM {new}"
    # Fields that only one of the two has count as empty on the other side, so a new column with values is a change.
    more = [f.name for f in table.fields if f.name not in shared]
    digest = f"hash({', '.join(quoted(field) for field in shared)})"
    grown = " OR ".join(f"{quoted(field)} IS NOT NULL" for field in more) or "FALSE"
    meets = f"o._id = n._id AND o._numbered = n._numbered{'' if is_partial else ' AND NOT n._numbered'}"
    return f"""
        SELECT {literal(name)} AS object, n._file AS file, n._id AS id, n._line AS line,
               CASE WHEN o.hashes IS NULL THEN 'new' WHEN list_contains(o.hashes, n.h) AND NOT n.grown THEN 'same'
                    ELSE 'changed' END AS fate
        FROM (SELECT _file, _id, _line, {digest} AS h, {grown} AS grown, _numbered FROM {new}) n
        LEFT JOIN (SELECT _id, {_is_numbered(source, was)} AS _numbered, list({digest}) AS hashes
            FROM {_relation(before / was.parquet)} GROUP BY ALL) o
        ON {meets}"""


def _document(
    earlier: StagingDocument, later: StagingDocument, tables: dict[str, StagedTable], files: Path
) -> StagingDocument:
    made = fingerprint(earlier.fingerprint, later.fingerprint, "partial" if later.partial else "full")
    united = replace(
        later,
        tables=tables,
        fingerprint=made,
        number=earlier.number + 1,
        later=later.fingerprint,
        partial=later.partial,
    )
    if not later.partial:
        return united
    united = replace(united, files=(*earlier.files, *later.files))
    attachments = {**earlier.attachments, **later.attachments}
    united = replace(united, attachments=attachments, kept=later.kept or earlier.kept)
    old, new = _own_files(earlier), _own_files(later)
    if not new:
        return replace(united, export=earlier.export)
    if not old:
        return united
    for document, paths in ((earlier, old), (later, new)):
        for path in paths:
            _link(Path(document.export) / path, files / path)
    return replace(united, export=str(files))


def _own_files(document: StagingDocument) -> list[str]:
    """Files of the export itself; those that stood inside records are kept elsewhere for all snapshots."""
    return [path for path in document.attachments if not path.startswith(f"{INLINE}/")]


def _relation(path: Path) -> str:
    return read_parquet(path)


def _link(source: Path, target: Path) -> None:
    """The same file under another name; a copy where the file system has no second names."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
