"""What is known to go wrong with a source, as checks a playbook declares; app/checks.py finds the evidence."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flitstack.packs.page import Page
from flitstack.packs.types import Decision, SourceObject

# Kind of check -> the parts it needs.
KINDS: Mapping[str, tuple[str, ...]] = {
    "export_path": (),
    "findings": ("codes",),
    "decision": ("decision",),
    "unknown_columns": (),
    "attachments": (),
    "at_least": ("object", "count"),
    "roles": ("object", "email", "role", "decision"),
    "chats": ("object", "field"),
    "agreed": ("object", "field", "decision"),
    "processes": (),
}
_WORDS = ("name", "check", "says", "do", "codes", "object", "decision", "count", "email", "role", "claimed_kb", "field")


@dataclass(frozen=True, slots=True)
class Gotcha:
    """One check. `says`: what one has to know; `do`: what to do when it does not pass; `parts` by kind."""

    name: str
    check: str
    says: str
    do: str
    parts: Mapping[str, Any] = field(default_factory=dict)


def read_gotchas(playbook: Mapping[str, Any]) -> tuple[Gotcha, ...]:
    """The entries of the playbook's `gotchas`."""
    return tuple(
        Gotcha(str(entry["name"]), str(entry["check"]), str(entry["says"]), str(entry["do"]), entry)
        for entry in playbook.get("gotchas") or ()
    )


def review_gotchas(
    playbook: Mapping[str, Any], objects: Mapping[str, SourceObject], decisions: Mapping[str, Decision], page: Page
) -> None:
    """Note on the page checks that nobody knows, that lack a part, or that name what the pack has not."""
    for number, entry in enumerate(playbook.get("gotchas") or ()):
        place = ("gotchas", str(number))
        said = page.mapping(entry, "a gotcha", place, _WORDS)
        if not said:
            continue
        kind, what = str(said.get("check")), f"gotcha {said.get('name', number + 1)}"
        if kind not in KINDS:
            page.unknown(f"{what}: {kind!r} is no check", place, KINDS)
        for part in ("name", "says", "do", *KINDS.get(kind, ())):
            if said.get(part) is None:
                page.wrong("gotcha-part", f"{what} says no {part}", place, f"write {part}:")
        if "object" in said and said["object"] not in objects:
            page.unknown(f"{what}: {said['object']!r} is no object", place, objects)
        elif "object" in said:
            known = objects[str(said["object"])].fields
            for part in ("email", "role", "field"):
                if part in said and said[part] not in known:
                    page.unknown(f"{what}: {said['object']} has no field {said[part]!r}", place, known)
        if "decision" in said and said["decision"] not in decisions:
            page.unknown(f"{what}: {said['decision']!r} is no decision", place, decisions)
