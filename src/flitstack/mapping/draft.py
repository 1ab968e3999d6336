"""Draft routes of one object: the playbook's, completed by meanings, and a proposal for whatever is left."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from flitstack.mapping.draft_found import found_routes
from flitstack.mapping.draft_shared import shared_columns
from flitstack.mapping.drafting import Drafting
from flitstack.mapping.expressions import ExpressionError, fields_of
from flitstack.mapping.guess import Guess, guess_columns, names_taken, similar_column, slug
from flitstack.mapping.meanings import columns_for
from flitstack.mapping.target import takes_columns
from flitstack.staging.document import StagedTable
from flitstack.staging.engine.engine import quoted

# Places of a route that hold expressions, for finding out which fields are used.
_EXPRESSIONS = frozenset(
    ("from", "by", "each", "when", "at", "value", "path", "name", "mime", "size", "copy_to", "owner", "key")
)


def draft_object(name: str, drafting: Drafting) -> dict[str, Any]:
    """The whole map file of an object, everything in it proposed."""
    playbook, source = drafting.pack.playbook, drafting.pack.objects[name]
    if source.found:
        staged = drafting.staged.tables[name]
        guesses = _guess(name, staged, [field.name for field in staged.fields], drafting)
        routes = found_routes(source, guesses, drafting)
        _add_meanings(name, routes, drafting)
        _add_leftovers(name, routes, drafting)
        return {"format": 1, "object": name, "routes": routes}
    routes = [_draft_route(given, drafting) for given in playbook.get("routes", {}).get(name, ())]
    _add_meanings(name, routes, drafting)
    _add_leftovers(name, routes, drafting)
    document: dict[str, Any] = {"format": 1, "object": name, "routes": routes}
    if name in playbook.get("unrouted", {}):
        document["unrouted"] = dict(playbook["unrouted"][name])
    return document


def used_fields(node: Any, fields: Sequence[str], place: str = "") -> Iterator[str]:
    """Fields that any expression below a node of a map reads; a `field:` that is named counts as well."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            inside = "by" if place in {"matches"} else str(key)
            if key == "field" and value in fields:
                yield str(value)
            elif key not in {"unmapped", "create", "choices"}:
                yield from used_fields(value, fields, inside)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from used_fields(value, fields, place)
    elif isinstance(node, str) and place in _EXPRESSIONS:
        try:
            yield from fields_of(node, fields)
        except ExpressionError:
            return


def _draft_route(given: Mapping[str, Any], drafting: Drafting) -> dict[str, Any]:
    route = _with_prefix(deepcopy(dict(given)), drafting.prefix)
    route.setdefault("name", route["table"])
    columns = {}
    for column, rule in (route.get("columns") or {}).items():
        drafted = drafting.numbered(_spelled_out(dict(rule)))
        columns[column] = {**drafted, "status": "proposed", "confidence": 0.99, "why": ["pack"]}
    route["columns"] = columns
    if "vocabulary" in route:
        route["vocabulary"] = {**route["vocabulary"], "status": "proposed", "why": ["pack"]}
    custom = {
        _prefixed(str(table), drafting.prefix): definition
        for table, definition in drafting.pack.playbook.get("tables", {}).items()
    }
    if route["table"] in custom:
        definition = custom[route["table"]]
        route["create_table"] = {
            k: definition[k]
            for k in ("label", "plural", "name_label", "ownership", "notes", "activities", "connections", "documents")
            if k in definition
        }
    order = (
        "table",
        "name",
        "phase",
        "when",
        "also",
        "key",
        "matches",
        "not_matching",
        "create_table",
        "required",
        "columns",
    )
    return {key: route[key] for key in (*order, *route) if key in route}


def _spelled_out(rule: dict[str, Any]) -> dict[str, Any]:
    """`id_of: table, via:, by:` in one mapping, so that `by` is free for who confirmed the column."""
    if "id_of" in rule and not isinstance(rule["id_of"], Mapping):
        rule["id_of"] = {"table": rule["id_of"], "via": rule.pop("via"), "by": rule.pop("by")}
    if isinstance(rule.get("lookup"), str):
        rule["lookup"] = [{"table": rule["lookup"], "via": rule.pop("via", "name"), "by": rule.pop("by")}]
    return rule


def _add_meanings(name: str, routes: list[dict[str, Any]], drafting: Drafting) -> None:
    source = drafting.pack.objects[name]
    present = {field.name for field in drafting.staged.tables[name].fields}
    for route in routes:
        if route.get("distinct"):
            continue  # what many records share is no single record's: it has the columns that the pack gives it
        table = drafting.table(route["table"])
        placed = set(used_fields(route["columns"], tuple(source.fields)))
        for field in source.fields.values():
            if field.name not in present or field.name in placed:
                continue
            for column, expression in columns_for(field.means, route["table"], field.name).items():
                exists = column in table.columns if table else column in {"ownerid", "overriddencreatedon"}
                if column in route["columns"] or not exists:
                    continue
                why = ["meaning", field.means]
                route["columns"][column] = {"from": expression, "status": "proposed", "confidence": 0.97, "why": why}


def _add_leftovers(name: str, routes: list[dict[str, Any]], drafting: Drafting) -> None:
    """Fields that nothing uses: a column that resembles them, a custom column, or a reason why there is none."""
    staged = drafting.staged.tables[name]
    source = drafting.pack.objects[name]
    fields = [field.name for field in staged.fields]
    used = {field for route in routes for field in used_fields(route, fields)} | {source.key, *source.also_key}
    used |= {str((route.get("vocabulary") or {}).get("field", "")) for route in routes}
    # Parts of another expression's meaning: an id is the source key.
    used |= {f.name for f in source.fields.values() if f.means == "record.id"}
    leftovers = [field for field in fields if field not in used]
    if not leftovers or not routes:
        return
    guesses = _guess(name, staged, leftovers, drafting)
    shared = shared_columns(name, leftovers, drafting)
    for route in routes:
        if route.get("also"):
            continue
        for field in leftovers:
            column, rule = shared.get(field, ("", {}))
            if column and guesses[field].filled and takes_columns(drafting.table(route["table"])):
                route["columns"].setdefault(_prefixed(column, drafting.prefix), deepcopy(rule))
            else:
                _propose_field(route, field, guesses[field], drafting)


def _propose_field(route: dict[str, Any], field: str, guess: Guess, drafting: Drafting) -> None:
    table = drafting.table(route["table"])
    columns = route["columns"]
    rule: dict[str, Any] = {"from": quoted(field), "status": "proposed"}
    if not guess.filled:
        route.setdefault("unmapped", {})[field] = {"reason": "no value in the export", "status": "proposed"}
    elif (found := similar_column(field, guess, table, columns)) is not None:
        column, likeness = found
        label = column.label or column.name
        columns[column.name] = {
            **rule,
            "confidence": round(likeness * 0.85, 2),
            "why": [f"named like {label}", guess.why],
        }
    elif takes_columns(table):
        known = [*columns, *(table.columns if table else ())]
        # A column made by an earlier run is this field's own.
        made = names_taken(route["table"], drafting.prefix)
        name = slug(field, drafting.prefix, [*columns, *made])
        if table is not None and name not in table.columns:
            name = slug(field, drafting.prefix, [*known, *made])
        columns[name] = {
            **rule,
            "create": guess.create,
            "confidence": 0.6,
            "why": ["no column of this name", guess.why],
        }
    else:
        reason = f"{route['table']} takes no custom columns and has none like it"
        route.setdefault("unmapped", {})[field] = {"reason": reason, "status": "proposed"}


def _guess(name: str, staged: StagedTable, fields: Sequence[str], drafting: Drafting) -> dict[str, Guess]:
    labels = {field.name: field.header for field in staged.fields}
    order, zone = str(drafting.decisions.get("date_order") or "DMY"), str(drafting.decisions.get("timezone") or "UTC")
    parquet = str(drafting.staged_folder / staged.parquet)
    return guess_columns(drafting.engine, parquet, fields, order, zone, labels)


def _with_prefix(route: dict[str, Any], prefix: str) -> dict[str, Any]:
    """`x_` in names of tables and columns becomes the publisher prefix; expressions stay as they are."""
    for part in ("table",):
        route[part] = _prefixed(str(route[part]), prefix)
    route["columns"] = {
        _prefixed(str(c), prefix): _rule_with_prefix(rule, prefix) for c, rule in (route.get("columns") or {}).items()
    }
    if "required" in route:
        route["required"] = [_prefixed(str(column), prefix) for column in route["required"]]
    if "unless" in route:
        given = route["unless"] if isinstance(route["unless"], list) else [route["unless"]]
        route["unless"] = [{**one, "table": _names_with_prefix(one["table"], prefix)} for one in given]
    for party in route.get("parties") or ():
        if "table" in party:
            party["table"] = _names_with_prefix(party["table"], prefix)
    if "vocabulary" in route:
        for part in ("column", "table"):
            if part in route["vocabulary"]:
                route["vocabulary"][part] = _prefixed(str(route["vocabulary"][part]), prefix)
    return route


def _rule_with_prefix(rule: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    changed = dict(rule)
    for part in ("lookup", "id_of"):
        if isinstance(changed.get(part), str):
            changed[part] = _prefixed(changed[part], prefix)
        elif isinstance(changed.get(part), Mapping):
            changed[part] = {**changed[part], "table": _names_with_prefix(changed[part]["table"], prefix)}
        elif part in changed:
            changed[part] = [{**one, "table": _names_with_prefix(one["table"], prefix)} for one in changed[part]]
    if "targets" in (changed.get("create") or {}):
        changed["create"] = {**changed["create"], "targets": _names_with_prefix(changed["create"]["targets"], prefix)}
    return changed


def _names_with_prefix(names: Any, prefix: str) -> Any:
    return _prefixed(names, prefix) if isinstance(names, str) else [_prefixed(str(name), prefix) for name in names]


def _prefixed(name: str, prefix: str) -> str:
    return f"{prefix}_{name[2:]}" if name.startswith("x_") else name
