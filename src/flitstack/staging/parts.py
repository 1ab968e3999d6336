"""One file of the export becomes parts: a CSV file is one, a workbook one a sheet, a JSON file one a list."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path, PurePosixPath

from flitstack.packs.types import Pack, SourceObject
from flitstack.staging.chats import ChatSource, is_chat
from flitstack.staging.delimited import DelimitedSource
from flitstack.staging.delimited_fast import MIN_BYTES, stage_fast
from flitstack.staging.dialect import find_dialect
from flitstack.staging.encodings import find_encoding, is_text, sample_text
from flitstack.staging.engine.engine import Engine, read_parquet
from flitstack.staging.fhir.paths import Directory
from flitstack.staging.fhir.resources import FhirFile, FhirSource, build_directory, is_fhir
from flitstack.staging.found import FoundTables, is_portable
from flitstack.staging.recognise import (
    fits_path,
    header_key,
    header_row,
    lacks_header,
    match_by_values,
    match_columns,
    object_of,
)
from flitstack.staging.sheets import SUFFIXES, SheetSource, read_sheets
from flitstack.staging.source import Record, Reject, Source
from flitstack.staging.trees import read_trees
from flitstack.staging.write import RejectsFile, write_records

DELIMITED = frozenset((".csv", ".tsv", ".txt", ".tab"))
TREES = frozenset((".json", ".jsonl", ".ndjson", ".xml"))
TABLES = DELIMITED | TREES | SUFFIXES
SAMPLE_RECORDS = 200

# Columns of a staged table that say where a record stands (staging/document.py).
PROVENANCE = frozenset(("_file", "_record", "_line", "_id"))


@dataclass(frozen=True, slots=True)
class Column:
    """A staged column: 0-based place in the file, the header there, whether the pack knows it, what made it known."""

    place: int
    header: str
    known: bool
    how: str


@dataclass
class Part:
    """One table-like part of a file. `columns`: by staged name; `parquet` None = nothing of it is staged."""

    file: str
    within: str = ""  # sheet of the workbook, list of the JSON document
    format: str = ""
    encoding: str = ""
    delimiter: str = ""
    object: str = ""
    header: list[str] = field(default_factory=list)
    columns: dict[str, Column] = field(default_factory=dict)
    suppressed: list[str] = field(default_factory=list)
    parquet: Path | None = None
    records: int = 0
    rejects: int = 0
    remarks: list[tuple[str, str]] = field(default_factory=list)

    @property
    def path(self) -> str:
        """How findings and staged records name it: `book.xlsx#Sheet`."""
        return f"{self.file}#{self.within}" if self.within else self.file

    @property
    def rows(self) -> str:
        """SQL of what was staged of it."""
        assert self.parquet is not None
        return read_parquet(self.parquet)


@dataclass
class Intake:
    """What every file of one staging run is read with.

    `suppress`: object -> fields that are never written anywhere ("": of every object). `found`: tables of no object.
    """

    pack: Pack
    export: Path
    work: Path
    engine: Engine
    suppress: Mapping[str, Sequence[str]]
    rejects: RejectsFile
    found: FoundTables
    numbers: Iterator[int] = field(default_factory=count)
    spelled: dict[tuple[str, str], str] = field(default_factory=dict)
    directory: Directory = field(default_factory=Directory)

    def spell(self, object_name: str, name: str) -> str:
        """The spelling an object's earlier file has for this column: the engine takes "Score" and "score" for one."""
        return self.spelled.setdefault((object_name, name.casefold()), name)

    def target(self) -> Path:
        """A file of its own for the next part."""
        return self.work / f"part-{next(self.numbers)}.parquet"


Fast = Callable[[Sequence[int], Path], int | None]


def read_file(intake: Intake, inside: PurePosixPath, *, among_tables: bool) -> Iterator[Part]:
    """The parts of one file, written where they belong to an object; none for a file that travels with a record.

    `among_tables`: the file's folder holds nothing but files that can be tables. In other folders only a pattern that
    names the whole path makes a file one: a list that somebody attached to a deal is no export of contacts.
    """
    path, suffix = intake.export / inside, inside.suffix.lower()
    named = fits_path(str(inside), intake.pack)
    if not named and (suffix not in TABLES or not (among_tables or len(inside.parts) == 1)):
        return
    if path.stat().st_size == 0:
        yield _unread(intake, inside, "empty_export_file", "the file holds nothing: 0 bytes")
    elif suffix in SUFFIXES:
        yield from _workbook(intake, path, inside)
    elif not is_text(path):
        yield _unread(intake, inside, "not_text", f"named {inside.name}, but holds binary data")
    elif suffix in TREES or (suffix not in DELIMITED and _begins_as_tree(path)):
        encoding = find_encoding(path)
        if intake.pack.fhir and is_fhir(path, encoding):
            yield from _fhir(intake, inside, encoding)
            return
        is_xml = sample_text(path, encoding).lstrip().startswith("<")
        expected, _ = object_of(str(inside), [], intake.pack)
        for name, source in read_trees(path, encoding, expected.each if expected else ""):
            part = Part(str(inside), name, "xml" if is_xml else "json", encoding)
            yield _staged(intake, source, part)
    elif suffix == ".txt" and is_chat(path, encoding := find_encoding(path)):
        yield _staged(intake, ChatSource(path, inside, encoding), Part(str(inside), "", "chat", encoding))
    else:
        yield _delimited(intake, path, inside)


def read_directory(intake: Intake, files: Sequence[PurePosixPath]) -> Directory:
    """Who is who in all FHIR files: practitioners and places are pointed to from other files, by their identifiers."""
    if not intake.pack.fhir:
        return Directory()
    paths = [intake.export / inside for inside in files if inside.suffix.lower() in TREES - {".xml"}]
    return build_directory(path for path in paths if path.stat().st_size and is_fhir(path, find_encoding(path)))


def _fhir(intake: Intake, inside: PurePosixPath, encoding: str) -> Iterator[Part]:
    file = FhirFile(intake.export / inside, encoding)
    parts: list[Part] = []
    types = file.types()
    for how in intake.pack.fhir:
        if types.pop(how.resource, 0):
            known = intake.pack.objects[how.object]
            separators = {name: f.separator or "; " for name, f in known.fields.items() if f.type == "list"}
            source = FhirSource(file, how, separators, intake.directory, names_broken=not parts)
            parts.append(_staged(intake, source, Part(str(inside), how.resource, "fhir", encoding), known=known))
    types.pop("PractitionerRole", 0)  # read with the practitioners
    broken = types.pop("", 0)
    whole = parts[0] if parts else Part(str(inside), "", "fhir", encoding)
    if types:
        kinds = ", ".join(f"{kind} ({number})" for kind, number in sorted(types.items()))
        whole.remarks.append(("fhir_unread", f"resources that no object is made of: {kinds}"))
    if broken and not parts:
        whole.remarks.append(("not_fhir", f"{broken} entries are no FHIR resources"))
    yield from parts or [whole]


def _unread(intake: Intake, inside: PurePosixPath, code: str, text: str) -> Part:
    expected, _ = object_of(str(inside), [], intake.pack)
    return Part(str(inside), object=expected.name if expected else "", remarks=[(code, text)])


def _begins_as_tree(path: Path) -> bool:
    return sample_text(path, find_encoding(path)).lstrip()[:1] in {"{", "[", "<"}


def _workbook(intake: Intake, path: Path, inside: PurePosixPath) -> Iterator[Part]:
    try:
        for sheet in read_sheets(path):
            part = Part(str(inside), sheet.name, "xlsx")
            if any(cell for row in sheet.rows for cell in row):
                place = _find_header(intake, sheet.head(), part.path)
                yield _staged(intake, SheetSource(sheet, place), part)
            else:
                part.remarks.append(("empty_sheet", "the sheet holds nothing"))
                yield part
    except ValueError as error:
        yield _unread(intake, inside, "not_a_workbook", f"cannot be read as a workbook: {error}")


def _delimited(intake: Intake, path: Path, inside: PurePosixPath) -> Part:
    dialect = find_dialect(path, find_encoding(path))
    part = Part(str(inside), "", "csv", dialect.encoding, dialect.delimiter)
    place = _find_header(intake, DelimitedSource(path, dialect).first_rows(), part.path)
    source = DelimitedSource(path, dialect, place)

    def fast(places: Sequence[int], target: Path) -> int | None:
        return stage_fast(intake.engine, path, dialect, len(source.header), places, target)

    is_large = path.stat().st_size >= MIN_BYTES
    return _staged(intake, source, part, fast if is_large and place == 0 else None)


def _find_header(intake: Intake, rows: Sequence[Sequence[str]], path: str) -> int | None:
    place = header_row(rows, intake.pack, path)
    return None if lacks_header(rows, place, intake.pack, path) else place


def _staged(
    intake: Intake, source: Source, part: Part, fast: Fast | None = None, known: SourceObject | None = None
) -> Part:
    found, seen = (known, "") if known else object_of(part.path, source.header, intake.pack)
    part.header = source.header
    read = list(islice(source.records(), SAMPLE_RECORDS))
    sample = [record.values for record in read if isinstance(record, Record)]
    if found is not None:
        part.object = found.name
        _name_columns(intake, part, sample, found)
    elif _is_table(intake, part, len(read), len(sample)):
        part.object = intake.found.name(part.path, part.header)
        _keep_columns(intake, part)
    else:
        return part
    part.parquet = intake.target()
    part.remarks += source.remarks.found
    if seen == "content":
        part.remarks.append(("file_by_content", f"no pattern names this file; its columns are those of {part.object}"))
    places = [column.place for column in part.columns.values()]
    key = part.columns.get(found.key) if found else None
    ids = {_outline(row[key.place]) for row in sample} if key else set()

    def refuse(reject: Reject) -> None:
        part.rejects += 1
        guess = reject.values[key.place] if key and key.place < len(reject.values) else None
        record = guess.strip() if guess and reject.code == "bad_row" and _outline(guess) in ids else str(reject.number)
        intake.rejects.add(part.path, part.object, record, reject, with_text=not part.suppressed)

    records = fast(places, part.parquet) if fast else None
    part.records = write_records(source, places, part.parquet, refuse) if records is None else records
    return part


def _is_table(intake: Intake, part: Part, read: int, records: int) -> bool:
    """Whether a file of no object holds records all the same: several columns, and most lines can be read.

    A chat, a lone JSON object (settings) and prose with commas in it are none.
    """
    if (
        part.format in {"chat", "fhir"}
        or len(part.header) < 2
        or not records
        or not is_portable(part.path, intake.pack)
    ):
        return False
    if part.format in {"json", "xml"} and read == 1:
        return False
    is_prose = part.file.lower().endswith(".txt") and part.delimiter == ","
    return not is_prose and records * 2 >= read


def _keep_columns(intake: Intake, part: Part) -> None:
    """Every column of a table of no object under its own header; what is suppressed everywhere is left out."""
    suppress = {header_key(name) for name in intake.suppress.get("", ())}
    taken = set(PROVENANCE)
    for place, header in enumerate(part.header):
        if header_key(header) in suppress:
            part.suppressed.append(header)
            continue
        name = header
        while name.casefold() in taken:
            name += " (other)"
        taken.add(name.casefold())
        part.columns[intake.spell(part.object, name)] = Column(place, header, known=True, how="name")


def _name_columns(intake: Intake, part: Part, sample: list[list[str | None]], source: SourceObject) -> None:
    """Staged names for the part's columns: the pack's field, else the header. Suppressed ones are left out."""
    suppress = {header_key(name) for name in intake.suppress.get(source.name, ())}
    match = match_by_values(part.header, sample, source, match_columns(part.header, source))
    taken = PROVENANCE | {name.casefold() for name in source.fields}
    for place, header in enumerate(part.header):
        known = match.fields.get(place)
        name = known.name if known else header
        if {header_key(name), header_key(header)} & suppress:
            part.suppressed.append(name)
            continue
        while known is None and name.casefold() in taken:
            name += " (other)"
        taken |= {name.casefold()}
        name = name if known else intake.spell(source.name, name)
        part.columns[name] = Column(place, header, known is not None, match.how.get(place, "unknown"))


def _outline(value: str | None) -> str:
    """What an id looks like: runs of letters and of digits. `per_00012` is `a_9`."""
    return re.sub(r"\d+", "9", re.sub(r"[^\W\d_]+", "a", (value or "").strip()))
