"""What staging hands on: which files became which staged tables, what was not recognised, what was refused.

A staged table is a Parquet file `<folder>/<object>.parquet`. Columns:

    _file VARCHAR     path inside the export (posix); a sheet is `book.xlsx#Sheet`
    _record BIGINT    1-based number of the record in its file
    _line BIGINT      1-based physical line (sheet row) where the record begins; NULL where the format has none
    _id VARCHAR       the source's own id (the pack's key field, trimmed), else the record number as text (union.py of later ones)
    <field> VARCHAR   one column a recognised field, named as the pack names it, then unknown columns under their own
                      header. Values are the source's text as it stood; an empty value is NULL. Dates of Excel cells are
                      ISO text, numbers of Excel cells plain decimal text; nested JSON is JSON text.

Values are never changed here: what a text means is decided by the map.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Where files that stand inside records are found: a folder that no export has, kept beside the staged tables
# (staging/inline.py). Here, not in the engine: commands that read documents need no engine.
INLINE = ".inline"


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A file (or sheet) of the export and how it was read."""

    path: str
    object: str  # "" = matched no object
    format: str  # csv | xlsx | json | jsonl | folder
    encoding: str
    delimiter: str
    size_bytes: int
    sha256: str
    records: int
    rejects: int
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StagedField:
    """A column of a staged table: the header it came from and the pack's field, if one was recognised."""

    name: str  # column name in the staged table
    header: str  # as the file spells it (first file that has it)
    known: bool  # False: no field of the pack; a custom column will be proposed
    how: str  # "name" | "header" | "values" | "unknown": what made it recognised


@dataclass(frozen=True, slots=True)
class StagedTable:
    """One staged object."""

    object: str
    parquet: str  # path relative to the staging folder
    records: int
    fields: tuple[StagedField, ...]
    missing: tuple[str, ...]  # fields of the pack that no file has


@dataclass(frozen=True, slots=True)
class StagingDocument:
    """The snapshot of one export. `fingerprint` is a sha256 over the files' hashes and the pack's version of the fields.

    `number`: 0 the first export, then one more with each later export laid over it (staging/union.py); `later` is the
    fingerprint of that export alone.
    """

    pack: str
    export: str
    fingerprint: str
    at: str  # ISO time, UTC
    tables: dict[str, StagedTable]
    files: tuple[StagedFile, ...]
    attachments: dict[str, int] = field(default_factory=dict)  # path inside the export -> size in bytes
    partial: bool = False
    number: int = 0
    later: str = ""
    kept: str = ""  # folder of the files that stood inside records; their paths in `attachments` begin with INLINE
    found: dict[str, Any] = field(default_factory=dict)  # objects the pack does not know, as objects.yaml has them


def kept_file(kept: Path, inside: str) -> Path:
    """Where a file that stood inside a record is kept."""
    return kept / inside.removeprefix(f"{INLINE}/")


def file_root(export: Path, kept: str, inside: str) -> tuple[Path, str]:
    """The folder that a file travelling with a record lies in, and its path there."""
    if kept and inside.startswith(f"{INLINE}/"):
        return Path(kept), inside.removeprefix(f"{INLINE}/")
    return export, inside


def exported_file(export: Path, kept: str, inside: str) -> Path | None:
    """Where the file is now; None when none is there, or its path leads out of the folder, be it over a link."""
    root, rest = file_root(export, kept, inside)
    path = (root / rest).resolve()
    return path if path.is_relative_to(root.resolve()) and path.is_file() else None
