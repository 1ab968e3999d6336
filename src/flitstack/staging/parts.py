"""One file of the export becomes parts: a CSV or JSON file is one, a workbook one a sheet."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath

import orjson

from flitstack.packs.types import Pack, SourceObject
from flitstack.staging.delimited import DelimitedSource
from flitstack.staging.delimited_fast import stage_fast
from flitstack.staging.dialect import Dialect, find_delimiter, find_encoding, is_text, sample_text
from flitstack.staging.engine.engine import Engine
from flitstack.staging.recognise import header_row, match_by_values, match_columns, object_of
from flitstack.staging.sheets import SUFFIXES, SheetSource, cell_text, read_sheets
from flitstack.staging.source import Record, Reject, Source
from flitstack.staging.trees import TreeSource
from flitstack.staging.write import write_source

DELIMITED = frozenset((".csv", ".tsv", ".txt", ".tab"))
TREES = frozenset((".json", ".jsonl", ".ndjson"))
SAMPLE_RECORDS = 200


@dataclass
class Part:
    """One table-like part of a file. `columns`: staged name -> (header, is known, how); `parquet` None = not staged."""

    path: str
    object: str = ""
    format: str = ""
    encoding: str = ""
    delimiter: str = ""
    is_table: bool = True
    header: list[str] = field(default_factory=list)
    columns: dict[str, tuple[str, bool, str]] = field(default_factory=dict)
    parquet: Path | None = None
    records: int = 0
    rejects: list[Reject] = field(default_factory=list)
    remarks: list[tuple[str, str]] = field(default_factory=list)


def read_file(
    pack: Pack, export: Path, inside: PurePosixPath, work: Path, number: int, engine: Engine
) -> Iterator[Part]:
    """The parts of one file, written to `work`/part-<n>.parquet where they belong to an object."""
    path, suffix = export / inside, inside.suffix.lower()
    expected, _ = object_of(str(inside), [], pack)
    if suffix not in DELIMITED | TREES | SUFFIXES or (len(inside.parts) > 1 and expected is None):
        return  # a file that travels with a record
    if path.stat().st_size == 0:
        yield _nothing(inside, expected, "empty_export_file", "the file holds nothing: 0 bytes")
    elif suffix in SUFFIXES:
        yield from _workbook(pack, path, inside, work, number)
    elif not is_text(path):
        yield _nothing(inside, expected, "not_text", f"named {suffix}, but holds binary data")
    elif suffix in TREES:
        yield _staged(
            pack, TreeSource(path), Part(str(inside), format="json", encoding=find_encoding(path)), work, number
        )
    else:
        yield _delimited(pack, path, inside, work, number, engine)


def _nothing(inside: PurePosixPath, expected: SourceObject | None, code: str, text: str) -> Part:
    return Part(str(inside), expected.name if expected else "", remarks=[(code, text)])


def _workbook(pack: Pack, path: Path, inside: PurePosixPath, work: Path, number: int) -> Iterator[Part]:
    try:
        sheets = read_sheets(path)
    except ValueError as error:
        expected, _ = object_of(str(inside), [], pack)
        yield _nothing(inside, expected, "not_a_workbook", f"cannot be read as a workbook: {error}")
        return
    for place, (name, rows) in enumerate(sheets.items()):
        part = Part(f"{inside}#{name}", format="xlsx")
        if not rows:
            part.remarks.append(("empty_sheet", "the sheet holds nothing"))
            yield part
            continue
        found = header_row([[cell_text(cell) for cell in row] for row in rows[:20]], pack, part.path)
        yield _staged(pack, SheetSource(rows, found), part, work, number + place)


def _delimited(pack: Pack, path: Path, inside: PurePosixPath, work: Path, number: int, engine: Engine) -> Part:
    encoding = find_encoding(path)
    dialect = Dialect(encoding, find_delimiter(sample_text(path, encoding)))
    first = list(islice(DelimitedSource(path, dialect).first_rows(), 20))
    found = header_row(first, pack, str(inside))
    source = DelimitedSource(path, dialect, found)
    part = Part(str(inside), format="csv", encoding=encoding, delimiter=dialect.delimiter)
    if found == 0 and object_of(part.path, source.header, pack)[0] is not None:
        target = work / f"part-{number}.parquet"
        records = stage_fast(engine, path, dialect, source.header, target)
        if records is not None:
            return _finished(pack, source, part, target, records)
    return _staged(pack, source, part, work, number)


def _staged(pack: Pack, source: Source, part: Part, work: Path, number: int) -> Part:
    if object_of(part.path, source.header, pack)[0] is None:
        part.header = source.header
        return part
    target = work / f"part-{number}.parquet"
    written = write_source(source, target)
    part.rejects = written.rejects
    _keep_rejects(work, part)
    return _finished(pack, source, part, target, written.records)


def _finished(pack: Pack, source: Source, part: Part, target: Path, records: int) -> Part:
    found, how_seen = object_of(part.path, source.header, pack)
    if found is None:
        return part
    part.object, part.parquet, part.records, part.header = found.name, target, records, source.header
    part.remarks += source.remarks.found
    if how_seen == "content":
        part.remarks.append(("file_by_content", f"no pattern names this file; its columns are those of {found.name}"))
    sample = [record.values for record in islice(source.records(), SAMPLE_RECORDS) if isinstance(record, Record)]
    match = match_by_values(source.header, sample, found, match_columns(source.header, found))
    for place, header in enumerate(source.header):
        known = match.fields.get(place)
        name = known.name if known else _free_name(header, found, part)
        part.columns[name] = (header, known is not None, match.how.get(place, "unknown"))
    return part


def _free_name(header: str, source: SourceObject, part: Part) -> str:
    """An unknown column keeps its header, unless a field of the pack is called so and another column is that field."""
    name = header
    while name in part.columns or name in source.fields:
        name += " (other)"
    return name


def _keep_rejects(work: Path, part: Part) -> None:
    """The raw text of what could not be read, so that nothing is lost."""
    with (work / "rejects.jsonl").open("ab") as file:
        for reject in part.rejects:
            entry = {
                "file": part.path,
                "record": reject.number,
                "line": reject.line,
                "reason": reject.reason,
                "raw": reject.raw,
            }
            file.write(orjson.dumps(entry) + b"\n")
