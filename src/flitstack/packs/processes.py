"""What a playbook says of business process flows: whose records follow one, and which decisions say how."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flitstack.packs.page import Page
from flitstack.packs.types import Decision, SourceObject

FOLLOW = "follow"
_WORDS = ("object", "table", "pipeline", "stage", "decision", "processes", "stages", "order")
_DECISIONS = ("decision", "processes", "stages", "order")


@dataclass(frozen=True, slots=True)
class ProcessRule:
    """Records of `object`, rows of `table`, stand in a process at their stage. `pipeline` ("" where there is only one) and
    `stage` are fields. Names of decisions: `decision` takes the option follow; of kind map are `processes` (pipeline -> name of
    a process), `stages` (stage, or pipeline / stage -> stage of the process) and `order` (process -> its stages)."""

    object: str
    table: str
    pipeline: str
    stage: str
    decision: str
    processes: str
    stages: str
    order: str


def read_process_rule(playbook: Mapping[str, Any]) -> ProcessRule | None:
    """The playbook's `process`, None where it has none."""
    said = playbook.get("process")
    if not said:
        return None
    return ProcessRule(**{word: str(said.get(word, "")) for word in _WORDS})


def review_process(
    playbook: Mapping[str, Any], objects: Mapping[str, SourceObject], decisions: Mapping[str, Decision], page: Page
) -> None:
    """Note on the page what it lacks, and what it names that is not there."""
    said = page.mapping(playbook.get("process"), "process", ("process",), _WORDS)
    if not said:
        return
    for word in _WORDS:
        if word != "pipeline" and not said.get(word):
            page.wrong("pack-form", f"process says no {word}", ("process",), f"write {word}:")
    if said.get("object") not in objects:
        page.unknown(f"process names {said.get('object')!r}, which is no object", ("process",), objects)
        return
    known = objects[str(said["object"])].fields
    for word in ("pipeline", "stage"):
        if said.get(word) and said[word] not in known:
            page.unknown(f"process: {said['object']} has no field {said[word]!r}", ("process",), known)
    for word in _DECISIONS:
        if said.get(word) and said[word] not in decisions:
            page.unknown(f"process names {said[word]!r}, which is no decision", ("process",), decisions)
