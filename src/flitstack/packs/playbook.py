"""The playbook's own words: decisions as types, and what its parts must agree on with the pack."""

from collections.abc import Mapping
from typing import Any

from flitstack.packs.automations import review_automations
from flitstack.packs.page import Page
from flitstack.packs.types import Decision, SourceObject

WORDS = (
    "playbook", "format", "phases", "reference", "vocabularies", "decisions", "tables", "routes", "unrouted",
    "automations", "dedupe", "delta", "rehearsal", "derived", "existing", "upsert", "suppress", "not_portable", "gotchas",
    "shared_fields", "process", "staff_roles",
)  # fmt: skip
# What a derived field is made of the other records' values; exactly one of these.
_DERIVED = ("count", "sum", "max", "min", "first", "list", "lines", "circle")
_DERIVED_WORDS = ("is", "from", "own", "their", "when", *_DERIVED)
_DECISION_WORDS = ("question", "options", "default", "kind", "not_built")
_KINDS = ("choice", "text", "number", "list", "boolean", "zone", "map", "date")


def read_decisions(playbook: Mapping[str, Any], page: Page) -> dict[str, Decision]:
    """The decisions by name; mistakes are noted on the page."""
    return {
        name: _decision(name, entry, page)
        for name, entry in page.children(playbook, "decisions", "a decision", _DECISION_WORDS)
    }


def review_playbook(playbook: Mapping[str, Any], objects: Mapping[str, SourceObject], page: Page) -> None:
    """Note on the page what names objects, fields, phases or words that are not there. What routes say of columns is
    checked by mapping, against the destination."""
    page.mapping(playbook, "a playbook", (), WORDS)
    for part in ("reference", "unrouted"):
        for name in page.mapping(playbook.get(part), part, (part,)):
            if name not in objects:
                page.unknown(f"{part} names {name!r}, which is no object", (part, str(name)), objects)
    suppress = playbook.get("suppress")
    if suppress is not None and suppress not in page.mapping(playbook.get("decisions"), "decisions", ("decisions",)):
        page.unknown(f"suppress names {suppress!r}, which is no decision", ("suppress",), playbook["decisions"])
    for name, entry in page.children(playbook, "vocabularies", "a vocabulary", ("of", "separator")):
        for field in page.texts(entry.get("of", []), f"vocabulary {name}: of", ("vocabularies", name)):
            owner, _, column = field.partition(".")
            if owner not in objects or column not in objects[owner].fields:
                what = f"vocabulary {name}: there is no field {field}"
                page.wrong("pack-link", what, ("vocabularies", name), "write Object.Field of the pack", objects)
    for number, entry in enumerate(playbook.get("not_portable") or ()):
        place = ("not_portable", str(number))
        said = page.mapping(entry, "not_portable", place, ("files", "what", "do"))
        page.texts(said.get("files", ""), "not_portable: files", place)
    _review_shared(playbook, objects, page)
    review_automations(playbook, objects, page)
    _review_derived(playbook, objects, page)
    _review_staff(playbook, objects, page)
    _review_routes(playbook, objects, page)


def _review_shared(playbook: Mapping[str, Any], objects: Mapping[str, SourceObject], page: Page) -> None:
    decisions = page.mapping(playbook.get("decisions"), "decisions", ("decisions",))
    for number, entry in enumerate(playbook.get("shared_fields") or ()):
        place = ("shared_fields", str(number))
        said = page.mapping(entry, "shared_fields", place, ("of", "on", "fields", "decision", "option"))
        for name in (said.get("of"), *page.texts(said.get("on", []), "shared_fields: on", place)):
            if name not in objects:
                page.unknown(f"shared_fields name {name!r}, which is no object", place, objects)
        known = objects[said["of"]].fields if said.get("of") in objects else {}
        for field in page.texts(said.get("fields", []), "shared_fields: fields", place):
            if field not in known:
                page.unknown(f"shared_fields: {said.get('of')} has no field {field!r}", place, known)
        if said.get("decision") not in decisions:
            page.unknown(f"shared_fields name {said.get('decision')!r}, which is no decision", place, decisions)


def vocabulary_strategies(playbook: Mapping[str, Any]) -> tuple[str, ...]:
    """Decisions that say how the words of a vocabulary are kept, each once."""
    routes = (route for routes in (playbook.get("routes") or {}).values() for route in routes)
    found = (str((route.get("vocabulary") or {}).get("strategy", "")) for route in routes)
    return tuple(dict.fromkeys(name for name in found if name))


def _decision(name: str, entry: Mapping[str, Any], page: Page) -> Decision:
    place = ("decisions", name)
    given = page.mapping(entry.get("options"), "options", (*place, "options"))
    options = {str(option): str(meaning) for option, meaning in given.items()}
    default, kind = entry.get("default"), str(entry.get("kind", "choice"))
    if kind not in _KINDS:
        page.unknown(f"decision {name}: {kind!r} is no kind", place, _KINDS)
    if options and str(default) not in options:
        what = f"decision {name}: default {default!r} is not one of its options"
        page.wrong("decision-default", what, place, "make one of the options the default", options)
    refused = page.mapping(entry.get("not_built"), "not_built", (*place, "not_built"), options)
    not_built = {str(option): str(instead) for option, instead in refused.items()}
    return Decision(name, str(entry.get("question", name)), default, options, kind, not_built)


def _review_derived(playbook: Mapping[str, Any], objects: Mapping[str, SourceObject], page: Page) -> None:
    for name in page.mapping(playbook.get("derived"), "derived", ("derived",)):
        if name not in objects:
            page.unknown(f"derived fields of {name!r}, which is no object", ("derived", str(name)), objects)
        for field, rule in page.children(playbook["derived"], name, "a derived field", _DERIVED_WORDS, ("derived",)):
            place, what = ("derived", str(name), field), f"derived {name}.{field}"
            if "is" in rule:
                if len(rule) > 1:
                    page.wrong("pack-form", f"{what} says what it is and more", place, "leave is: alone")
                continue
            if rule.get("from") not in objects:
                page.unknown(f"{what}: from names {rule.get('from')!r}, which is no object", place, objects)
            if not rule.get("own") or not rule.get("their"):
                page.wrong("pack-form", f"{what} does not say what the records share", place, "write own: and their:")
            if len([word for word in _DERIVED if word in rule]) != 1:
                page.wrong(
                    "pack-form", f"{what} says not exactly one aggregate", place, f"one of {', '.join(_DERIVED)}"
                )


def _review_staff(playbook: Mapping[str, Any], objects: Mapping[str, SourceObject], page: Page) -> None:
    place = ("staff_roles",)
    said = page.mapping(
        playbook.get("staff_roles"), "staff_roles", place, ("object", "email", "role", "when", "map", "decision")
    )
    if not said:
        return
    if said.get("object") not in objects:
        page.unknown(f"staff_roles name {said.get('object')!r}, which is no object", place, objects)
        return
    for word in ("email", "role"):
        if said.get(word) not in objects[said["object"]].fields:
            page.unknown(
                f"staff_roles: {word} names no field of {said['object']}", place, objects[said["object"]].fields
            )
    decisions = page.mapping(playbook.get("decisions"), "decisions", ("decisions",))
    for word in ("map", "decision"):
        if said.get(word) not in decisions:
            page.unknown(f"staff_roles: {word} names {said.get(word)!r}, which is no decision", place, decisions)


def _review_routes(playbook: Mapping[str, Any], objects: Mapping[str, SourceObject], page: Page) -> None:
    phases = [str(phase) for phase in playbook.get("phases") or ()]
    for name, routes in page.mapping(playbook.get("routes"), "routes", ("routes",)).items():
        if name not in objects:
            page.unknown(f"routes for {name!r}, which is no object", ("routes", str(name)), objects)
        for number, route in enumerate(routes or ()):
            place = ("routes", str(name), str(number))
            said = page.mapping(route, "a route", place)
            if said and not said.get("table"):
                page.wrong("pack-form", f"route {number + 1} of {name} names no table", place, "write table:")
            if said and str(said.get("phase")) not in phases:
                what = f"route {number + 1} of {name}: phase {said.get('phase')!r} is not among the phases"
                page.unknown(what, place, phases)
