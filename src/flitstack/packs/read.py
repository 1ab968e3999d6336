"""Reads a pack: pack.yaml and playbook.yaml become types; every mistake is reported in one go, with file and line."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flitstack.documents import read_yaml
from flitstack.errors import Problem, UsageError
from flitstack.packs.gotchas import review_gotchas
from flitstack.packs.page import Page, Place
from flitstack.packs.playbook import read_decisions, review_playbook
from flitstack.packs.processes import review_process
from flitstack.packs.types import FhirObject, Field, Pack, SourceObject

BUNDLED = Path(__file__).parent
FIELD_TYPES = (
    "text", "html", "email", "phone", "url", "number", "money", "date", "datetime", "boolean", "choice", "list", "file",
)  # fmt: skip
_PACK_WORDS = ("pack", "title", "format", "api", "objects")
OBJECT_WORDS = ("files", "key", "fields", "optional", "label", "owner", "each")
_FIELD_WORDS = (
    "means", "type", "links", "headers", "pattern", "zone", "separator", "values", "sensitive", "required",
)  # fmt: skip


def pack_names() -> list[str]:
    """Names of the bundled packs."""
    return sorted(path.parent.name for path in BUNDLED.glob("*/pack.yaml"))


def load_pack(name_or_path: str | Path) -> Pack:
    """A bundled pack by name, or a folder with pack.yaml and playbook.yaml.

    Rules of a `dedupe.yaml` beside them become the playbook's `dedupe`. Raises UsageError listing every mistake.
    """
    pack, problems = read_pack(find_pack(name_or_path))
    if problems:
        raise UsageError(*problems)
    return pack


def read_pack(folder: Path) -> tuple[Pack, list[Problem]]:
    """What can be read of a pack's folder, and its mistakes. Raises UsageError only for what is no YAML at all."""
    data, lines = read_yaml(folder / "pack.yaml")
    page = Page(folder / "pack.yaml", lines)
    page.mapping(data, "a pack", (), _PACK_WORDS)
    objects = {
        name: read_object(name, entry, page)
        for name, entry in page.children(data, "objects", "an object", OBJECT_WORDS)
    }
    if not objects:
        page.wrong("pack-empty", "the pack names no objects", (), "list them under objects:")
    review_links(objects, objects, page)
    playbook, other = _playbook(folder)
    decisions = read_decisions(playbook, other)
    review_playbook(playbook, objects, other)
    fhir, third = _fhir(folder, objects)
    review_gotchas(playbook, objects, decisions, other)
    review_process(playbook, objects, decisions, other)
    name, title = str(data.get("pack", folder.name)), str(data.get("title", folder.name))
    pack = Pack(name, title, objects, decisions, playbook, folder, fhir)
    return pack, [*page.problems, *other.problems, *third.problems]


def find_pack(name_or_path: str | Path) -> Path:
    """The folder of a pack. Raises UsageError naming the bundled ones."""
    for folder in (BUNDLED / str(name_or_path), Path(name_or_path)):
        if (folder / "pack.yaml").exists():
            return folder
    raise UsageError(
        Problem(
            "pack-unknown",
            f"there is no pack {str(name_or_path)!r}",
            known=", ".join(pack_names()),
            do="name one of these, or a folder that holds a pack.yaml",
        )
    )


def _playbook(folder: Path) -> tuple[dict[str, Any], Page]:
    page = Page(folder / "playbook.yaml")
    playbook: dict[str, Any] = {}
    if page.path.exists():
        playbook, page.lines = read_yaml(page.path)
    rules = folder / "dedupe.yaml"
    if rules.exists():
        playbook["dedupe"], _ = read_yaml(rules)
    return playbook, page


def _fhir(folder: Path, objects: Mapping[str, SourceObject]) -> tuple[tuple[FhirObject, ...], Page]:
    """How objects are read from FHIR resources (`fhir.yaml`); paths are checked where they are compiled."""
    page, found = Page(folder / "fhir.yaml"), []
    if not page.path.exists():
        return (), page
    data, page.lines = read_yaml(page.path)
    for name, value in page.mapping(data, "fhir.yaml", (), objects).items():
        entry = page.mapping(value, "an object", (name,), ("resource", "fields"))
        if name not in objects:
            continue
        fields = page.mapping(entry.get("fields"), "fields", (name, "fields"), objects[name].fields)
        found.append(FhirObject(name, str(entry.get("resource", name)), {str(k): str(v) for k, v in fields.items()}))
    return tuple(found), page


def read_object(name: str, entry: Mapping[str, Any], page: Page, *, found: bool = False) -> SourceObject:
    """One object of pack.yaml, or of objects.yaml (`found`: it may have no key); mistakes are noted on the page."""
    place = ("objects", name)
    fields = {
        field: _field(field, details, page, (*place, "fields", field))
        for field, details in page.children(entry, "fields", "a field", _FIELD_WORDS, place)
    }
    given = entry.get("key", "")
    keys = page.texts(given, f"{name}: key", place) if isinstance(given, list) else (str(given),)
    for key in keys or ("",):
        if key not in fields and not (found and not key):
            page.wrong("pack-key", f"object {name}: key {key!r} is not one of its fields", place, "name a field as key")
    files = page.texts(entry.get("files", []), f"{name}: files", (*place, "files"))
    owner = str(entry.get("owner", ""))
    if owner and owner not in fields:
        page.wrong("pack-owner", f"object {name}: owner {owner!r} is not one of its fields", place, "name a field")
    return SourceObject(
        name=name,
        files=files,
        key=keys[0] if keys else "",
        fields=fields,
        optional=found or bool(entry.get("optional", False)),
        label=str(entry.get("label", name)),
        also_key=keys[1:],
        each=str(entry.get("each", "")),
        owner=owner,
        found=found,
    )


def _field(name: str, entry: Mapping[str, Any], page: Page, place: Place) -> Field:
    kind, zone = str(entry.get("type", "text")), str(entry.get("zone", ""))
    if kind not in FIELD_TYPES:
        page.unknown(f"field {name}: {kind!r} is no type", place, FIELD_TYPES)
    if zone and not _is_zone(zone):
        page.wrong("pack-zone", f"field {name}: {zone!r} is no time zone", place, "write an IANA name: Europe/Berlin")
    means = str(entry.get("means", ""))
    own = page.texts(entry.get("headers", []), f"field {name}: headers", place)
    return Field(
        name=name,
        means=means,
        type=kind,
        links=str(entry.get("links", "")),
        headers=(*own, *(word for word in common_headers().get(means, ()) if word not in own)),
        pattern=str(entry.get("pattern", "")),
        zone=zone,
        separator=str(entry.get("separator", "")),
        values=page.texts(entry.get("values", []), f"field {name}: values", place),
        sensitive=bool(entry.get("sensitive", False)),
        required=bool(entry.get("required", False)),
    )


@cache
def common_headers() -> dict[str, list[str]]:
    """What columns of a common meaning are called in other languages; a pack's own headers come first."""
    return dict(read_yaml(BUNDLED / "words.yaml")[0]["words"])


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return False
    return True


def review_links(objects: Mapping[str, SourceObject], known: Mapping[str, SourceObject], page: Page) -> None:
    """Note on the page links of `objects` that lead to no object of `known`."""
    for name, source in objects.items():
        for field in source.fields.values():
            if field.links and field.links not in known:
                what = f"{name}.{field.name} links to {field.links!r}, which is no object"
                page.wrong("pack-link", what, ("objects", name, "fields", field.name), "name an object", known)
