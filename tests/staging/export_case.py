"""A small export written to disk, staged with a pack made for the purpose, read back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flitstack.packs.types import Field, Pack, SourceObject
from flitstack.staging.document import StagedFile, StagingDocument
from flitstack.staging.engine.engine import Engine, literal, quoted
from flitstack.staging.engine.findings import FindingsWriter
from flitstack.staging.stage import StageOptions, stage

CONTACT_FIELDS = (
    Field("Id", "record.id"),
    Field("Name", "person.name", headers=("Full Name", "İsim", "Имя")),
    Field("Email", "person.email", "email", headers=("E-Mail Address",)),
    Field("Note", "record.description", headers=("Açıklama",)),
)


def pack_of(*objects: SourceObject) -> Pack:
    return Pack("test", "Test", {source.name: source for source in objects}, {}, {}, Path())


def object_of_fields(name: str, files: Iterable[str], *fields: Field, key: str = "Id") -> SourceObject:
    return SourceObject(name, tuple(files), key, {known.name: known for known in fields})


CONTACTS = pack_of(object_of_fields("Contact", ["contacts*.*"], *CONTACT_FIELDS))


@dataclass
class Export:
    """Files of an export; `staged` reads them in."""

    folder: Path
    engine: Engine
    pack: Pack = CONTACTS
    options: StageOptions = field(default_factory=StageOptions)

    def write(self, path: str, content: bytes | str) -> "Export":
        target = self.folder / "export" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        return self

    def staged(self) -> "Staged":
        findings = FindingsWriter(self.engine, "stage")
        folder = self.folder / "staged"
        document = stage(self.pack, self.folder / "export", folder, self.options, self.engine, findings)
        return Staged(document, folder, self.engine, self.engine.rows(f"SELECT * FROM {findings.table} ORDER BY ALL"))


@dataclass
class Staged:
    """What came of it."""

    document: StagingDocument
    folder: Path
    engine: Engine
    found: Sequence[tuple[Any, ...]]

    def rows(self, columns: str = "*", object_name: str = "Contact") -> list[tuple[Any, ...]]:
        source = literal(str(self.folder / f"{object_name}.parquet"))
        return self.engine.rows(f"SELECT {columns} FROM read_parquet({source}) ORDER BY _file, _record")

    def column(self, name: str, object_name: str = "Contact") -> list[Any]:
        return [row[0] for row in self.rows(quoted(name), object_name)]

    def records(self, object_name: str = "Contact") -> list[dict[str, Any]]:
        """Rows by the source's columns alone."""
        names = [known.name for known in self.document.tables[object_name].fields]
        rows = self.rows(", ".join(map(quoted, names)), object_name)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def how(self, object_name: str = "Contact") -> Mapping[str, str]:
        return {known.name: known.how for known in self.document.tables[object_name].fields}

    def file(self, path: str) -> StagedFile:
        return next(file for file in self.document.files if file.path == path)

    def findings(self, code: str) -> list[dict[str, Any]]:
        names = ("code", "object", "file", "record", "line", "field", "outcome", "shape", "what", "do")
        return [dict(zip(names, row, strict=True)) for row in self.found if row[0] == code]

    def rejects(self) -> list[tuple[Any, ...]]:
        """(line, record, raw) of what could not be read."""
        source = literal(str(self.folder / "rejects.parquet"))
        return self.engine.rows(f"SELECT line, record, raw FROM read_parquet({source}) ORDER BY line")
