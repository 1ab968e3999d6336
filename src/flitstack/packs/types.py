"""What a source pack says: objects and what their fields mean (pack.yaml), and how they land (playbook.yaml).

`pack.yaml` never names a Dataverse column; `playbook.yaml` holds what is special to this pair of systems.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a source object. `means` is a dotted meaning (`person.given_name`), the key to the mapping table.

    `headers` are other spellings a header may have (compared without case, blanks and punctuation); `pattern` and
    `zone` describe date text; `links` names the object this field points to; `sensitive` fields can be suppressed.
    """

    name: str
    means: str = ""
    type: str = (
        "text"  # text | html | email | phone | url | number | money | date | datetime | boolean | choice | list | file
    )
    links: str = ""
    headers: tuple[str, ...] = ()
    pattern: str = ""
    zone: str = ""
    separator: str = ""  # of a list
    values: tuple[str, ...] = ()  # known values of a choice
    sensitive: bool = False
    required: bool = False


@dataclass(frozen=True, slots=True)
class SourceObject:
    """An object of the source system: which files hold it, its key field, its fields by name, in order.

    `also_key`: further fields of a key that only several fields make; the record's id is their values joined by `-`.
    `each`: a list inside a JSON record; every element is a record, what stands around it goes with each.
    """

    name: str
    files: tuple[str, ...]  # glob patterns on the path inside the export, `book.xlsx#Sheet` for a sheet
    key: str
    fields: dict[str, Field]
    optional: bool = False  # an export without it is complete
    label: str = ""
    also_key: tuple[str, ...] = ()
    each: str = ""
    told: tuple[str, ...] = ()  # patterns the customer names its files by; they go before those of all packs' objects
    owner: str = ""  # a field that names the owner besides those that mean record.owner (a practitioner's own address)
    found: bool = False  # no object of the pack: a table that this export holds besides (packs/found.py)


@dataclass(frozen=True, slots=True)
class FhirObject:
    """How an object's fields are read from FHIR R4 resources of one type: field -> path (staging/fhir/paths.py)."""

    object: str
    resource: str
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class Decision:
    """A question that scoping answers. `options` maps an option to what it means for the customer, `not_built` those
    that cannot be taken yet to what to do instead."""

    name: str
    question: str
    default: Any
    options: dict[str, str] = field(default_factory=dict)  # empty: free value (number, list, text)
    kind: str = "choice"  # choice | text | number | list | boolean | zone | date | map (source value -> value)
    not_built: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pack:
    """One source system. `playbook` is the parsed playbook.yaml (its schema: docs/playbook.md)."""

    name: str
    title: str
    objects: dict[str, SourceObject]
    decisions: dict[str, Decision]
    playbook: dict[str, Any]
    folder: Path
    fhir: tuple[FhirObject, ...] = ()
