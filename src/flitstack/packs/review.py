"""What is missing or odd in a pack that can be read: decisions, objects without a place, the example's files."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flitstack.documents import Lines, read_yaml
from flitstack.errors import Problem
from flitstack.packs.types import Pack

# Decisions that the steps read by name, and what for.
STANDARD = {
    "date_order": "how dates such as 03/04/2025 are read",
    "timezone": "where times without an offset are",
    "owner_unmatched": "who owns records of owners without a user",
    "owner_inactive": "who owns records of disabled owners",
    "fallback_owner": "the user or team that takes such records",
}
BECOMES = ("users", "choice", "columns", "tables", "export", "inventory")
# Decisions that deduping, matching and gates read by name.
_READ_BY_STEPS = frozenset(
    (*STANDARD, "archive_before", "free_mail_domains", "canonical_names", "tag_strategy", "existing_rows", "rehearsal")
)
_COMPARED = re.compile(r"decision\('(\w+)'\)\s*(?:=|<>|!=|IN)\s*\(?((?:'[^']*'(?:\s*,\s*)?)+)")


@dataclass(frozen=True, slots=True)
class _Told:
    lines: Lines
    file: str

    def problem(self, code: str, what: str, keys: tuple[str, ...], do: str) -> Problem:
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return Problem(code, what, where=f"{self.file}:{self.lines.get(keys, 1)}", do=do)


def review_pack(pack: Pack) -> Iterator[Problem]:
    """Everything an author has forgotten that reading alone does not refuse."""
    path = pack.folder / "playbook.yaml"
    if not path.exists():
        yield Problem(
            "playbook-missing", "there is no playbook.yaml", where=str(pack.folder), do="write it: docs/playbook.md"
        )
        return
    data, lines = read_yaml(path)
    told = _Told(lines, f"{pack.folder.name}/playbook.yaml")
    yield from _decisions(pack, data, told)
    yield from _objects(pack, told)
    yield from _references(pack, told)


def review_example(pack: Pack) -> Iterator[Problem]:
    """Files an example export must bring to be loaded into an emulator."""
    folder = pack.folder / "example"
    if not folder.is_dir():
        do = "make example/: a tiny export whose rows say what should happen to them"
        yield Problem("example-missing", "there is no example export", where=str(folder), do=do)
        return
    for name, do in (
        ("scoping.json", "write the customer's choices; {} takes every default"),
        ("destination/org.json", "write the environment: currencies, maxuploadfilesize, blockedattachments"),
        ("destination/systemusers.csv", "write the users that owners are matched with"),
    ):
        if not (folder / name).exists():
            yield Problem("example-missing", f"the example has no {name}", where=f"{pack.folder.name}/example", do=do)


def _decisions(pack: Pack, data: Mapping[str, Any], told: _Told) -> Iterator[Problem]:
    entries = data.get("decisions") or {}
    for name, use in STANDARD.items():
        if name not in pack.decisions:
            yield told.problem(
                "decision-missing", f"nobody asks {name}: {use}", ("decisions",), f"add the decision {name}"
            )
    words = [text for part, node in pack.playbook.items() if part != "decisions" for text in _texts(node)]
    for name, decision in pack.decisions.items():
        place = ("decisions", name)
        entry = entries.get(name) or {}
        if not str(entry.get("question", "")).strip():
            yield told.problem("decision-question", f"decision {name} asks nothing", place, "write question:")
        if "default" not in entry:
            yield told.problem("decision-default", f"decision {name} has no default", place, "write default:")
        if not decision.options and decision.kind == "choice":
            do = "write options: (name: what it means for the customer), or the kind of free value"
            yield told.problem("decision-options", f"decision {name} has neither options nor a kind", place, do)
        for option, meaning in decision.options.items():
            if not meaning.strip() or meaning == "None":
                do = "write what it means for the customer"
                yield told.problem("decision-outcome", f"decision {name}: {option} says no outcome", place, do)
        is_named = name in _READ_BY_STEPS or any(re.search(rf"\b{re.escape(name)}\b", text) for text in words)
        # One option is a statement, not a question: it needs no second outcome.
        if not is_named and len(decision.options.keys() - decision.not_built.keys()) != 1:
            do = "use it in a route, or take it out"
            yield told.problem("decision-unused", f"decision {name} changes nothing", place, do)
    yield from _unknown_options(pack, words, told)


def _unknown_options(pack: Pack, words: list[str], told: _Told) -> Iterator[Problem]:
    seen = set()
    for text in words:
        for name, values in _COMPARED.findall(text):
            decision = pack.decisions.get(name)
            for option in re.findall(r"'([^']*)'", values):
                if decision and decision.options and option not in decision.options and (name, option) not in seen:
                    seen.add((name, option))
                    do = f"compare with one of its options: {', '.join(decision.options)}"
                    yield told.problem("decision-option", f"decision {name} has no option {option!r}", ("routes",), do)


def _objects(pack: Pack, told: _Told) -> Iterator[Problem]:
    routes, reference = pack.playbook.get("routes") or {}, pack.playbook.get("reference") or {}
    for name, source in pack.objects.items():
        if not source.files:
            yield Problem(
                "object-files", f"object {name} names no files", where=f"{pack.folder.name}/pack.yaml",
                do="write files: with patterns on the path inside the export",
            )  # fmt: skip
        if not routes.get(name) and name not in reference:
            do = "write a route for it, or say under reference: what becomes of it"
            yield told.problem("object-not-routed", f"no route takes {name}: it would be excluded", ("routes",), do)


def _references(pack: Pack, told: _Told) -> Iterator[Problem]:
    for name, entry in (pack.playbook.get("reference") or {}).items():
        place = ("reference", str(name))
        if not isinstance(entry, Mapping) or not entry.get("why") or entry.get("becomes") not in BECOMES:
            do = f"write becomes: ({', '.join(BECOMES)}) and why:"
            yield told.problem(
                "reference-form", f"reference {name} does not say what becomes of it, and why", place, do
            )
    for name, entry in (pack.playbook.get("unrouted") or {}).items():
        field = str(entry.get("field", ""))
        if name in pack.objects and field and field not in pack.objects[name].fields:
            do = f"name one of: {', '.join(pack.objects[name].fields)}"
            yield told.problem("field-unknown", f"unrouted {name}: no field {field!r}", ("unrouted", str(name)), do)


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        for value in node.values():
            yield from _texts(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _texts(value)
    elif isinstance(node, str):
        yield node


def bundled_tests(folder: Path) -> Path | None:
    """The checkout's root when this pack lies in one that has tests; None elsewhere."""
    return next((parent for parent in folder.resolve().parents if (parent / "tests" / "route").is_dir()), None)
