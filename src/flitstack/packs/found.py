"""Objects that this customer's export holds and the pack does not know: objects.yaml of the project, written by staging.

They have the form of a pack's objects (a key may be missing: the records then go by file and number). A person may give
one another label, key or link, or take it out of the file, which has it told anew by the next `flitstack stage`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from flitstack.documents import read_yaml
from flitstack.errors import UsageError
from flitstack.packs.page import Page
from flitstack.packs.read import OBJECT_WORDS, read_object, review_links
from flitstack.packs.types import Pack, SourceObject

# Custom tables made of them come last: what they point to is there by then.
FOUND_PHASE = "custom tables"


def with_found(pack: Pack, found: Iterable[SourceObject]) -> Pack:
    """The pack with these objects; its phases end with theirs."""
    added = {source.name: source for source in found}
    if not added:
        return pack
    phases = [phase for phase in pack.playbook.get("phases") or () if phase != FOUND_PHASE]
    playbook = {**pack.playbook, "phases": [*phases, FOUND_PHASE]}
    return replace(pack, objects={**pack.objects, **added}, playbook=playbook)


def read_found(path: Path, pack: Pack) -> Pack:
    """The pack with the objects of an objects.yaml. Raises UsageError with every mistake in it."""
    if not path.exists():
        return pack
    data, lines = read_yaml(path)
    page = Page(path, lines)
    found = {
        name: read_object(name, entry, page, found=True)
        for name, entry in page.children(data, "objects", "an object", OBJECT_WORDS)
    }
    for name in found:
        if name in pack.objects:
            page.wrong("pack-form", f"{name} is an object of the pack", ("objects", name), "give it another name")
    review_links(found, {**pack.objects, **found}, page)
    if page.problems:
        raise UsageError(*page.problems)
    return with_found(pack, found.values())


def found_document(pack: Pack) -> Mapping[str, Any]:
    """objects.yaml of a pack's found objects."""
    return {"format": 1, "objects": {s.name: _entry(s) for s in pack.objects.values() if s.found}}


def singular(name: str) -> str:
    """One of them: Companies, Company; Trusts, Trust. English only, other words stay as they are."""
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("ches", "ch"), ("xes", "x"), ("s", "")):
        if (
            name.lower().endswith(ending)
            and len(name) > len(ending) + 2
            and not name.lower().endswith(("ss", "us", "is"))
        ):
            return name[: -len(ending)] + instead
    return name


def _entry(source: SourceObject) -> dict[str, Any]:
    keys = [key for key in (source.key, *source.also_key) if key]
    entry: dict[str, Any] = {"label": source.label, "files": list(source.files)}
    if keys:
        entry["key"] = keys[0] if len(keys) == 1 else keys
    entry["fields"] = {
        field.name: {word: said for word, said in (("means", field.means), ("links", field.links)) if said}
        for field in source.fields.values()
    }
    return entry
