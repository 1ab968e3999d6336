"""What routes must agree on: with the environment's tables, with the pack, with each other."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from flitstack.errors import Problem
from flitstack.mapping.check_columns import column_problems, definition_problems
from flitstack.mapping.check_links import alternative_problems, names_somebody, party_problems, state_problems
from flitstack.mapping.maps import MapFile
from flitstack.mapping.reads import derived_reads, route_reads
from flitstack.mapping.surroundings import Spot, Surroundings

_DECISION = re.compile(r"decision\('(\w+)'\)")


def shape_problems(spot: Spot) -> Iterator[Problem]:
    """What is so wrong with a route that it cannot even be compiled."""
    route = spot.route
    if not route.table:
        yield spot.problem("table-missing", "the route names no table", "write table:")
    elif spot.around.table(route.table) is None and route.create_table is None:
        asked = ", ".join(dict.fromkeys(_DECISION.findall(route.when)))
        do = "name a table of the environment, or define it under create_table:"
        if asked:
            do = f"decide otherwise on {asked} in decisions.yaml, or have an administrator install the app that brings the table"
        yield spot.inside("table").problem("table-unknown", f"there is no table {route.table}", do)
    for rule in route.columns.values():
        yield from definition_problems(spot.inside("columns", rule.name), rule)
    for place, party in enumerate(route.parties):
        if not names_somebody(party):
            do = "write owner:, or table:, via: and each:"
            yield spot.inside("parties", place).problem("party-empty", "the party names nobody", do)
    for one in route.unless:
        if not one.by and not one.each:
            do = "write by: with an expression"
            yield spot.inside("unless").problem("lookup-key", "unless: looks for a row by nothing", do)
    for word, parts, needed in (
        ("checks", route.checks, ("code", "when")),
        ("file", [route.file] if route.file is not None else [], ("path",)),
        ("vocabulary", [route.vocabulary] if route.vocabulary is not None else [], ("of", "field", "column")),
    ):
        for part in parts:
            if absent := [name for name in needed if name not in part]:
                what = f"{word}: {' and '.join(absent)} is not said"
                yield spot.inside(word).problem("map-incomplete", what, f"write {': and '.join(absent)}:")


def object_problems(
    file: MapFile, fields: Sequence[str], present: Sequence[str], around: Surroundings
) -> Iterator[Problem]:
    """What is wrong with the routes of one object, expressions aside. `present`: those of its fields that files have."""
    if file.object not in around.pack.objects:
        known = ", ".join(around.pack.objects)
        what, do = f"the pack has no object {file.object!r}", "name an object of the pack, or remove the file"
        yield Problem("object-unknown", what, rule=file.at("object"), known=known, do=do)
        return
    names = Counter(route.name for route in file.routes)
    for number, route in enumerate(file.routes):
        spot = Spot(file, number, around)
        if names[route.name] > 1:
            yield spot.problem("route-twice", f"two routes of {file.object} are called {route.name}", "rename one")
        yield from _route_problems(spot)
        for rule in route.columns.values():
            yield from column_problems(spot.inside("columns", rule.name), rule, fields)
        for one in route.unless:
            yield from alternative_problems(spot.inside("unless"), "unless:", one, ())
        yield from party_problems(spot)
        yield from state_problems(spot)
    yield from _forgotten(file, present, around)


def shared_problems(maps: Mapping[str, MapFile]) -> Iterator[Problem]:
    """Columns that two routes would make differently."""
    made: dict[tuple[str, str], tuple[object, str]] = {}
    for file in maps.values():
        for number, route in enumerate(file.routes):
            for rule in route.columns.values():
                if rule.create is None:
                    continue
                where = file.at("routes", number, "columns", rule.name, "create")
                definition, first = made.setdefault((route.table, rule.name), (rule.create, where))
                if definition != rule.create:
                    what = f"{route.table}.{rule.name} is defined differently here and in {first}"
                    yield Problem("create-twice", what, rule=where, do="make both definitions the same")


def _route_problems(spot: Spot) -> Iterator[Problem]:
    route, playbook = spot.route, spot.around.pack.playbook
    phases = [str(phase) for phase in playbook.get("phases") or ()]
    if route.phase not in phases:
        what = f"{route.phase!r} is no phase of the pack {spot.around.pack.name}"
        yield spot.inside("phase").problem("phase-unknown", what, "name a phase", ", ".join(phases))
    known = playbook.get("vocabularies") or {}
    if route.vocabulary is not None and route.vocabulary.get("of") not in known:
        what = f"{route.vocabulary.get('of')!r} is no vocabulary of the pack"
        yield spot.inside("vocabulary").problem("vocabulary-unknown", what, "name one", ", ".join(known))


def _forgotten(file: MapFile, fields: Sequence[str], around: Surroundings) -> Iterator[Problem]:
    """Staged fields that the map neither reads nor names as unmapped."""
    told = {name.casefold() for route in file.routes for name in (*route_reads(route), *route.unmapped)}
    told |= {name.casefold() for name in derived_reads(around.pack.playbook, file.object)}
    source = around.pack.objects.get(file.object)
    if source is not None:
        keys = (source.key, *source.also_key)
        told |= {
            *(key.casefold() for key in keys),
            *(f.name.casefold() for f in source.fields.values() if f.means == "record.id"),
        }
    for field in fields:
        if field.casefold() not in told and file.routes:
            what = f"the map says nothing about {file.object}.{field}"
            do = "run: flitstack map, which proposes a place for it"
            yield Problem("field-forgotten", what, rule=file.at("routes"), do=do)
