"""What a source system automates, as the playbook declares it, and what rebuilds such things in Power Automate.

Nothing here is guessed about a customer: an entry either says where the export carries the definitions (`object` and
expressions over its fields), or it is a question. `counterparts.yaml` knows triggers and actions by their words.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from flitstack.documents import read_yaml
from flitstack.packs.page import Page
from flitstack.packs.types import SourceObject

COUNTERPARTS = Path(__file__).with_name("counterparts.yaml")
# Expressions over the object's fields; those of the second line see `_item`, an element of the list `each`.
EXPRESSIONS = ("id", "title", "enabled", "on", "trigger", "condition", "each")
OF_ITEM = ("action", "detail")
_WORDS = ("name", "why", "counterpart", "by_hand", "question", "object", *EXPRESSIONS, *OF_ITEM)


@dataclass(frozen=True, slots=True)
class Automation:
    """One kind of automation. `expressions` by part where an object of the export holds the definitions."""

    name: str
    why: str
    counterpart: str
    by_hand: str
    question: str
    object: str
    expressions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Counterpart:
    """What rebuilds a trigger or an action: words that name it in source systems, and what stays to be done by hand."""

    words: tuple[str, ...]
    counterpart: str
    by_hand: str


def read_automations(playbook: Mapping[str, Any]) -> tuple[Automation, ...]:
    """The entries of the playbook's `automations`."""
    return tuple(_automation(entry) for entry in playbook.get("automations") or ())


def review_automations(playbook: Mapping[str, Any], objects: Mapping[str, SourceObject], page: Page) -> None:
    """Note on the page entries that name no object of the pack, say nothing to ask, or nothing to rebuild them with."""
    for number, entry in enumerate(playbook.get("automations") or ()):
        place = ("automations", str(number))
        said = page.mapping(entry, "an automation", place, _WORDS)
        if not said:
            continue
        what = f"automation {said.get('name', number + 1)}"
        for part in ("name", "why", "counterpart", "by_hand", "question"):
            if not said.get(part):
                page.wrong("automation-part", f"{what} says no {part}", place, f"write {part}:")
        if said.get("object") and said["object"] not in objects:
            page.unknown(f"{what}: {said['object']!r} is no object", place, objects)
        if said.get("object") and not (said.get("trigger") and said.get("action")):
            do = "write trigger: and action:, expressions over the object's fields"
            page.wrong("automation-part", f"{what} does not say where trigger and action stand", place, do)


def counterpart_of(kind: str, text: str) -> Counterpart | None:
    """What rebuilds the trigger or action a text names (`kind`: triggers | actions); None where nobody knows.

    All words of a phrase must be in the text; the phrase with most words wins.
    """
    given = _tokens(text)
    found = [
        (len(_tokens(phrase)), -place, known)
        for place, known in enumerate(_counterparts()[kind])
        for phrase in known.words
        if _tokens(phrase) <= given
    ]
    return max(found, key=lambda one: one[:2])[2] if found else None


def named_object(text: str, objects: Mapping[str, SourceObject]) -> str:
    """The pack's object that a trigger's text names, by name or label ("New lead" is about Lead); "" if none."""
    given = {_single(token) for token in _tokens(text)}
    for name, source in objects.items():
        for words in (name, source.label):
            wanted = {_single(token) for token in _tokens(words)}
            if wanted and wanted <= given:
                return name
    return ""


def _automation(entry: Mapping[str, Any]) -> Automation:
    texts = {part: str(entry.get(part, "")) for part in ("name", "why", "counterpart", "by_hand", "question", "object")}
    given = {part: str(entry[part]) for part in (*EXPRESSIONS, *OF_ITEM) if entry.get(part)}
    return Automation(**texts, expressions=given)


@cache
def _counterparts() -> dict[str, tuple[Counterpart, ...]]:
    data, _ = read_yaml(COUNTERPARTS)
    return {
        kind: tuple(Counterpart(tuple(e["words"]), e["counterpart"], e.get("by_hand", "")) for e in data[kind])
        for kind in ("triggers", "actions")
    }


def _tokens(text: str) -> frozenset[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return frozenset(re.findall(r"\w+", spaced.replace("_", " ").casefold()))


def _single(word: str) -> str:
    """Singular of an English word, well enough to meet a label."""
    return word[:-3] + "y" if word.endswith("ies") else word.removesuffix("s")
