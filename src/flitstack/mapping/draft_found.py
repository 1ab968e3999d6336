"""The proposed route of an object that the pack does not know: a custom table, its name, its lookups; the rest as leftovers."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flitstack.mapping.drafting import Drafting
from flitstack.mapping.expressions import ExpressionError, Scope, compile_expression, fields_of
from flitstack.mapping.guess import Guess, names_taken, plain_name, slug
from flitstack.packs.found import FOUND_PHASE, singular
from flitstack.packs.types import SourceObject
from flitstack.staging.engine.engine import quoted

_LOOKS_LIKE_A_NAME = ("name", "title", "subject", "label", "description", "designation", "назва", "bezeichnung")
_CONFIDENCE = 0.7


def found_routes(source: SourceObject, guesses: Mapping[str, Guess], drafting: Drafting) -> list[dict[str, Any]]:
    """One route, in the form of a playbook's, names with the publisher prefix already."""
    prefix = drafting.prefix
    keys = [key for key in (source.key, *source.also_key) if key]
    key = f"clean({quoted(keys[0])})" if len(keys) == 1 else f"concat_ws('/', {', '.join(map(_clean, keys))})"
    table = table_of(source, prefix)
    one = singular(source.label or source.name)
    columns: dict[str, Any] = {}
    named = _name_field(source, guesses)
    if named:
        columns[f"{prefix}_name"] = {"from": _clean(named), "why": ["reads like its name", guesses[named].why]}
    for name, field in source.fields.items():
        if field.links:
            columns |= _lookups(field.name, field.links, [*columns, *names_taken(table, prefix)], drafting)
        elif name in keys and name != named and name in guesses:
            column = slug(name, prefix, [*columns, *names_taken(table, prefix)])
            columns[column] = {"from": quoted(name), "create": guesses[name].create, "why": ["key", guesses[name].why]}
    route: dict[str, Any] = {
        "table": table,
        "name": "own_table",  # a name that no field has: fields in it would count as read
        "phase": FOUND_PHASE,
        "create_table": {
            "label": one[:50],
            "plural": (source.label or source.name)[:50],
            "name_label": named or "Name",
        },
        "columns": {
            column: {**rule, "status": "proposed", "confidence": _CONFIDENCE} for column, rule in columns.items()
        },
    }
    return [route | ({"key": key, "matches": {"id": key}} if keys else {})]


def table_of(source: SourceObject, prefix: str) -> str:
    """Logical name of the custom table an object is proposed as."""
    return slug(singular(source.name), prefix, ())


def _name_field(source: SourceObject, guesses: Mapping[str, Guess]) -> str:
    """The field that reads like a row's name: by its header, else the first text, else the key."""
    texts = [
        name
        for name, field in source.fields.items()
        if not field.links and not field.means and name in guesses
        and guesses[name].filled and guesses[name].create["type"] == "String"
    ]  # fmt: skip
    keys = {source.key, *source.also_key}
    for word in _LOOKS_LIKE_A_NAME:
        for name in texts:
            if word in plain_name(name) and not plain_name(name).endswith("id"):
                return name
    return next((name for name in texts if name not in keys), source.key if source.key in guesses else "")


def _lookups(name: str, target: str, taken: Sequence[str], drafting: Drafting) -> dict[str, Any]:
    """A lookup for each table that records of the other object become rows of; the later ones where the first finds none."""
    plain = re.sub(r"(?i)[\s_-]*(id|key|no|code)$", "", name.strip()) or name
    columns: dict[str, Any] = {}
    first = ""
    for table, via in _rows_of(target, drafting):
        label = plain if not first else f"{plain} ({table})"
        column = slug(
            f"{plain}id" if not first else f"{plain}{table.rpartition('_')[2]}id", drafting.prefix, [*taken, *columns]
        )
        columns[column] = {
            "lookup": [{"table": table, "via": via, "by": _clean(name)}],
            "missing": "blank",
            "field": name,
            **({"instead_of": first} if first else {}),
            "create": {"type": "Lookup", "targets": [table], "label": label[:100]},
            "why": [f"its values are keys of {target}"],
        }
        first = first or column
    return columns


def _rows_of(target: str, drafting: Drafting) -> Iterator[tuple[str, str]]:
    """Tables and indexes that rows of an object are known by its key in, under these decisions."""
    source = drafting.pack.objects[target]
    if source.found:
        yield table_of(source, drafting.prefix), "id"
        return
    seen = set()
    for route in drafting.pack.playbook.get("routes", {}).get(target, ()):
        table = str(route["table"])
        table = f"{drafting.prefix}_{table[2:]}" if table.startswith("x_") else table
        via = next((via for via, text in (route.get("matches") or {}).items() if _is_key(str(text), source)), "")
        if via and table not in seen and not route.get("also") and _stands(route, source, drafting):
            seen.add(table)
            yield table, str(via)


def _is_key(text: str, source: SourceObject) -> bool:
    try:
        return list(fields_of(text, tuple(source.fields))) == [source.key]
    except ExpressionError:
        return False


def _stands(route: Mapping[str, Any], source: SourceObject, drafting: Drafting) -> bool:
    if not route.get("when"):
        return True
    try:
        scope = Scope(tuple(source.fields), drafting.decisions)
        return compile_expression(str(route["when"]), scope).constant is not False
    except ExpressionError:
        return True  # a derived field: the records decide


def _clean(name: str) -> str:
    return f"clean({quoted(name)})"
