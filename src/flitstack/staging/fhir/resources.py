"""The resources of a FHIR file: a Bundle, NDJSON (one resource a line, as bulk exports are), or a lone resource.

Source: HL7 FHIR R4, "Bundle"; HL7, "Bulk Data Access". A Bundle is held in memory as a whole, NDJSON is streamed.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path as FilePath
from typing import Any

from flitstack.errors import Problem, UsageError
from flitstack.packs.types import FhirObject
from flitstack.staging.encodings import find_encoding, read_text, sample_text
from flitstack.staging.fhir.paths import (
    DIRECTORY_TYPES,
    Directory,
    Path,
    PathError,
    compile_path,
    listed,
    reference_key,
)
from flitstack.staging.source import Record, Reject, Remarks
from flitstack.staging.trees import Tree, as_text, document, element_trees, line_trees, parsed

HEAD_LINES = 3
_BEGINS = re.compile(r'\{\s*"(?:resourceType"\s*:\s*"[A-Z]|[^{}]{0,2000}?"resourceType"\s*:\s*"[A-Z])')
# Elements that say nothing about the record: what it is, how it is kept, the same once more as prose.
_BOOKKEEPING = frozenset({"resourceType", "id", "meta", "text", "implicitRules", "language", "contained"})


def is_fhir(path: FilePath, encoding: str) -> bool:
    """Whether a JSON file begins as a FHIR resource, or one of its first lines is one."""
    begin = sample_text(path, encoding).lstrip()
    return _BEGINS.match(begin) is not None or any(_types_of_lines((0, "", parsed(x)) for x in begin.split("\n")))


class FhirFile:
    """The resources of one file, in order; a Bundle's entries count as its records."""

    def __init__(self, path: FilePath, encoding: str) -> None:
        self._path, self._encoding = path, encoding
        types = _types_of_lines(line_trees(path, encoding))
        is_whole = not any(types) or types == ["Bundle"]
        self._entries = _entries_of(document(read_text(path, encoding))) if is_whole else None

    def trees(self) -> Iterator[Tree]:
        """Each resource with its physical line (NDJSON only) and raw text; those of a Bundle on a line by themselves."""
        trees = line_trees(self._path, self._encoding) if self._entries is None else element_trees(self._entries)
        for line, raw, value in trees:
            if type_of(value) == "Bundle":
                yield from ((line, "", entry) for entry in _entries_of(value))
            else:
                yield line, raw, value

    def types(self) -> Counter[str]:
        """How many resources of each type; "" for what is none."""
        return Counter(type_of(value) for _, _, value in self.trees())


class FhirSource:
    """The resources of one type as records of an object; what its paths do not read is remarked."""

    def __init__(
        self,
        file: FhirFile,
        how: FhirObject,
        separators: Mapping[str, str],
        directory: Directory,
        *,
        names_broken: bool,
    ) -> None:
        """`separators`: between the values of fields that take several; the others take the first.

        `names_broken`: what is no resource at all is a reject of this source, so that one of a file's sources tells it.
        """
        self._names_broken = names_broken
        self._file, self._how, self._separators, self._directory = file, how, separators, directory
        self._paths = {name: _compiled(how, name, path) for name, path in how.fields.items()}
        self.header = list(self._paths)
        self.remarks = Remarks()
        unread = self._unread()
        if unread:
            elements = ", ".join(f"{name} ({number})" for name, number in sorted(unread.items()))
            self.remarks.add("fhir_unread", f"elements of {how.resource} that no field is read from: {elements}")

    def records(self) -> Iterator[Record | Reject]:
        """A record for every resource of the type."""
        for number, (line, raw, value) in enumerate(self._file.trees(), start=1):
            kind = type_of(value)
            if not kind and self._names_broken:
                yield Reject(number, line, "bad_row", "not a FHIR resource", raw or as_text(value) or "null")
            elif kind == self._how.resource:
                yield Record(number, line, [self._text(name, path, value) for name, path in self._paths.items()])

    def _text(self, name: str, path: Path, resource: Mapping[str, Any]) -> str | None:
        roles = self._directory.roles.get(str(resource.get("id")))
        if roles and "roles" in path.roots:
            resource = {**resource, "roles": roles}
        found = (_address(value) for value in path.find(resource, self._directory))
        texts = [text for value in found if (text := as_text(value)) is not None]
        separator = self._separators.get(name)
        return (texts[0] if separator is None else separator.join(texts)) if texts else None

    def _unread(self) -> Counter[str]:
        read = frozenset().union(*(path.roots for path in self._paths.values())) | _BOOKKEEPING
        found: Counter[str] = Counter()
        for _, _, value in self._file.trees():
            if type_of(value) == self._how.resource:
                found.update(value.keys() - read)
        return found


def build_directory(files: Iterable[FilePath]) -> Directory:
    """Identifiers of practitioners, organisations and places in all files, and the roles of practitioners."""
    directory, roles = Directory(), []
    for path in files:
        for _, _, value in FhirFile(path, find_encoding(path)).trees():
            kind = type_of(value)
            if kind in DIRECTORY_TYPES and value.get("id"):
                directory.types[str(value["id"])] = kind
                for identifier in (one for one in listed(value.get("identifier")) if isinstance(one, Mapping)):
                    key = f"{kind}|{identifier.get('system', '')}|{identifier.get('value', '')}"
                    directory.identifiers.setdefault(key, str(value["id"]))
            elif kind == "PractitionerRole":
                roles.append(value)
    for role in roles:
        practitioner = reference_key(role.get("practitioner"), directory)
        if practitioner:
            directory.roles.setdefault(practitioner, []).append(role)
    return directory


def _compiled(how: FhirObject, name: str, path: str) -> Path:
    try:
        return compile_path(path)
    except PathError as error:
        do = "write a path as docs/staging.md describes"
        raise UsageError(Problem("pack-path", f"{name}: {error}", where=f"fhir.yaml: {how.object}", do=do)) from error


def type_of(value: Any) -> str:
    """A resource's type; "" for what is none."""
    kind = value.get("resourceType") if isinstance(value, Mapping) else None
    return kind if isinstance(kind, str) else ""


def _types_of_lines(lines: Iterable[Tree]) -> list[str]:
    """Types of the resources on the first lines; a document over several lines has none there."""
    return [type_of(value) for _, _, value in islice(lines, HEAD_LINES)]


def _entries_of(bundle: Any) -> list[Any]:
    if type_of(bundle) != "Bundle":
        return [bundle]
    return [
        entry.get("resource", entry) if isinstance(entry, Mapping) else entry for entry in listed(bundle.get("entry"))
    ]


def _address(value: Any) -> Any:
    """An Attachment as an address: its data where it carries them, else its url; any other value as it is.

    Source: HL7 FHIR R4, "Attachment".
    """
    if not isinstance(value, Mapping) or "contentType" not in value or not {"data", "url"} & value.keys():
        return value
    return f"data:{value['contentType']};base64,{value['data']}" if value.get("data") else value.get("url")
