"""Fields that several objects of a source may hold: they become the column that the playbook gives them on one of them.

`shared_fields` of the playbook (docs/playbook.md): a customer's contacts may carry what the pack knows of deals. Such a column is
no stranger; it gets the same name, type and options, instead of a guess.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from flitstack.mapping.choices import choice_key
from flitstack.mapping.drafting import Drafting
from flitstack.mapping.expressions import ExpressionError, fields_of
from flitstack.mapping.options import labels_of
from flitstack.packs.types import Field, Pack
from flitstack.staging.engine.engine import quoted
from flitstack.staging.engine.labels import label_key

_CONFIDENCE = 0.95


def shared_columns(name: str, fields: Sequence[str], drafting: Drafting) -> dict[str, tuple[str, dict[str, Any]]]:
    """Of these fields of an object those the playbook shares with it: field -> (column, its rule; the column as `x_...`)."""
    found = {}
    for entry in drafting.pack.playbook.get("shared_fields") or ():
        if name in entry["on"] and _is_taken(entry, drafting.decisions):
            for shared in entry["fields"]:
                given = _column_of(drafting.pack, str(entry["of"]), str(shared))
                field = _same_header(drafting.pack.objects[entry["of"]].fields[shared], fields)
                if given is not None and field is not None:
                    found[field] = (given[0], _rule(given[1], field, entry, str(shared), drafting))
    return found


def _is_taken(entry: Mapping[str, Any], decisions: Mapping[str, Any]) -> bool:
    """Whether the decision (a list) names what the entry is for."""
    chosen = {choice_key(str(one)) for one in decisions.get(str(entry["decision"])) or ()}
    return choice_key(str(entry["option"])) in chosen


def _column_of(pack: Pack, owner: str, field: str) -> tuple[str, Mapping[str, Any]] | None:
    """The custom column that a route of the owner makes of this field alone."""
    for route in pack.playbook.get("routes", {}).get(owner, ()):
        for column, rule in (route.get("columns") or {}).items():
            if "create" not in rule or "from" not in rule:
                continue
            try:
                reads = fields_of(str(rule["from"]), tuple(pack.objects[owner].fields))
            except ExpressionError:
                reads = (str(rule["from"]),)
            if tuple(reads) == (field,):
                return str(column), rule
    return None


def _heading(text: str) -> str:
    """A heading as staging compares them: without case, accents, blanks and punctuation."""
    letters = unicodedata.normalize("NFKD", text.casefold().replace("ı", "i"))
    return "".join(letter for letter in letters if letter.isalnum())


def _same_header(shared: Field, fields: Sequence[str]) -> str | None:
    known = {_heading(word) for word in (shared.name, *shared.headers)}
    return next((field for field in fields if _heading(field) in known), None)


def _rule(
    given: Mapping[str, Any], field: str, entry: Mapping[str, Any], shared: str, drafting: Drafting
) -> dict[str, Any]:
    rule: dict[str, Any] = {"from": quoted(field), "create": dict(given["create"])}
    if "choices_from" in given:
        # The options of both, those of the object the pack knows them on first: one choice means the same everywhere.
        labels = {label_key(label): label for label in reversed(_labels(entry, shared, drafting))}
        options = list(reversed(labels.values()))
        rule |= {"create": {**given["create"], "options": options}, "choices": {label: label for label in options}}
        rule["otherwise"] = given.get("otherwise", "blank")
    numbered = drafting.numbered(rule)
    why = ["pack", f"as {entry['of']}.{shared}"]
    return {**numbered, "status": "proposed", "confidence": _CONFIDENCE, "why": why}


def _labels(entry: Mapping[str, Any], shared: str, drafting: Drafting) -> list[str]:
    found: list[str] = []
    for name in (entry["of"], *entry["on"]):
        table = drafting.staged.tables.get(str(name))
        known = [field.name for field in table.fields] if table else []
        field = _same_header(drafting.pack.objects[entry["of"]].fields[shared], known)
        if field is not None:
            given = {"object": name, "name": field}
            found += labels_of(given, drafting.pack, drafting.staged, drafting.staged_folder, drafting.engine)
    return found
