"""Proposes the map: pack, meanings, values and live metadata in; files in which every column is marked proposed out.

Proposing again keeps what people decided: confirmed columns, reasons given, edits of any other part of a route.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flitstack.catalogue.types import Table
from flitstack.mapping.confirm import is_left_out
from flitstack.mapping.draft import draft_object, used_fields
from flitstack.mapping.drafting import Drafting
from flitstack.mapping.maps import MapFile, edit_map, open_proposals, read_maps, write_map
from flitstack.packs.types import Pack
from flitstack.staging.document import StagingDocument
from flitstack.staging.engine.engine import Engine

CERTAIN = 0.9  # below it a proposal is a guess from names and values, above it the pack says so


@dataclass(frozen=True, slots=True)
class ProposeReport:
    """`written`: objects whose file changed; `proposed`: what waits for a person; `unrouted`: staged objects for which
    the pack knows no route and which are no reference objects either."""

    written: tuple[str, ...]
    proposed: tuple[str, ...]
    unrouted: tuple[str, ...]


def propose_maps(
    pack: Pack,
    staged: StagingDocument,
    staged_folder: Path,
    existing: Mapping[str, MapFile],
    live: Mapping[str, Table | None],
    decisions: Mapping[str, Any],
    prefix: str,
    option_prefix: int,
    engine: Engine,
    folder: Path,
) -> ProposeReport:
    """Write `<folder>/<Object>.yaml` for every staged object that the pack routes or does not know at all."""
    drafting = Drafting(pack, staged, staged_folder, live, decisions, prefix, option_prefix, engine)
    routed, reference = pack.playbook.get("routes", {}), pack.playbook.get("reference", {})
    written = []
    for name, table in staged.tables.items():
        before = existing.get(name)
        if (name not in routed and not pack.objects[name].found) or (before and is_left_out(before.data)):
            continue
        draft, fields = draft_object(name, drafting), [f.name for f in table.fields]
        if before is None:
            folder.mkdir(parents=True, exist_ok=True)
            write_map(folder / f"{name}.yaml", draft)
        elif merge_draft(before.data, draft, fields) != before.data:
            write_map(before.path, merge_draft(edit_map(before).data, draft, fields))
        else:
            continue
        written.append(name)
    maps_of_found = [name for name in staged.tables if pack.objects[name].found]
    unrouted = tuple(name for name in staged.tables if name not in {*routed, *reference, *maps_of_found})
    return ProposeReport(tuple(written), tuple(open_proposals(read_maps(folder))), unrouted)


def merge_draft(before: dict[str, Any], draft: Mapping[str, Any], fields: list[str]) -> dict[str, Any]:
    """The file as it stands with the draft's news: what is not marked proposed stays; stale proposals go."""
    merged = deepcopy(before)
    routes = {_name(route): route for route in merged.setdefault("routes", [])}
    for route in draft["routes"]:
        if _name(route) in routes:
            _merge_route(routes[_name(route)], route, fields)
        else:
            merged["routes"].append(route)
    for key, value in draft.items():
        merged.setdefault(key, value)
    return merged


def _merge_route(route: dict[str, Any], draft: Mapping[str, Any], fields: list[str]) -> None:
    for key, value in draft.items():
        if key not in {"columns", "unmapped", "vocabulary"}:
            route.setdefault(key, value)
    columns = route.setdefault("columns", {})
    reasons = route.get("unmapped") or {}
    # Fields, and columns that were rejected by their name.
    settled = {
        f for f, reason in reasons.items() if not (isinstance(reason, Mapping) and reason.get("status") == "proposed")
    }
    tags = draft.get("vocabulary")
    is_open = route.get("vocabulary", {}).get("status", "proposed") == "proposed"
    if tags and is_open and not settled & {tags["field"], tags["column"]}:
        route["vocabulary"] = tags
    for name in [n for n, rule in columns.items() if rule.get("status") == "proposed" and n not in draft["columns"]]:
        del columns[name]
    decided = {f for rule in columns.values() if rule.get("status") != "proposed" for f in used_fields(rule, fields)}
    for name, rule in draft["columns"].items():
        # What carries no status was written by a person.
        if name in columns and columns[name].get("status") != "proposed":
            continue
        reads = set(used_fields(rule, fields))
        is_guess = rule["confidence"] < CERTAIN
        if name in settled or (reads and (reads <= settled or (is_guess and reads <= decided))):
            columns.pop(name, None)  # a field that a person took out, or put elsewhere, is not proposed again
        else:
            columns[name] = rule
    kept = {f: reason for f, reason in reasons.items() if f in settled}
    news = {f: r for f, r in (draft.get("unmapped") or {}).items() if f not in kept and f not in decided}
    if kept or news:
        route["unmapped"] = {**kept, **news}
    else:
        route.pop("unmapped", None)


def _name(route: Mapping[str, Any]) -> str:
    return str(route.get("name") or route.get("table"))
