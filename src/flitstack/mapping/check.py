"""Checks the map before anything runs: every mistake at once, each with file and line."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flitstack.catalogue.types import Table
from flitstack.errors import Problem
from flitstack.mapping.convert import Unsuitable, choice_values
from flitstack.mapping.expressions import Scope, problems_of
from flitstack.mapping.maps import ColumnRule, MapFile, Route
from flitstack.mapping.target import NoSuchColumn, Target, describe_table, target_of
from flitstack.packs.types import Pack
from flitstack.staging.document import StagingDocument

_WORDS = {
    "status": ("proposed", "confirmed"),
    "missing": ("", "hold", "blank", "skip"),
    "too_long": ("", "hold", "truncate_keep_full"),
}
_LOOKUPS = frozenset(("Lookup", "Customer", "Owner"))


def check_maps(
    maps: Mapping[str, MapFile], pack: Pack, staged: StagingDocument, live: Mapping[str, Table | None]
) -> list[Problem]:
    """What is wrong with the map, in the order of its files; empty when it can run.

    `live`: table -> its metadata, None for a table that does not exist; tables it leaves out are taken from the
    catalogue.
    """
    matches = _matches(maps)
    found: list[Problem] = []
    for name, file in maps.items():
        if name not in pack.objects:
            found.append(
                Problem(
                    "object-unknown",
                    f"the pack has no object {name!r}",
                    rule=file.at("object"),
                    known=", ".join(pack.objects),
                    do="name an object of the pack, or remove the file",
                )
            )
            continue
        check = _Check(file, pack, live, matches, _scope(name, pack, staged))
        found += check.problems()
    return list(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class _Check:
    file: MapFile
    pack: Pack
    live: Mapping[str, Table | None]
    matches: Mapping[str, frozenset[str]]  # table -> names of its match indexes
    scope: Scope

    def problems(self) -> Iterator[Problem]:
        """All of this file's problems."""
        names: set[str] = set()
        for number, route in enumerate(self.file.routes):
            if route.name in names:
                yield self._wrong(
                    "route-twice",
                    f"two routes are named {route.name!r}",
                    ("routes", number),
                    "give each route a name of its own",
                )
            names.add(route.name)
            yield from self._route(route, ("routes", number))

    def _route(self, route: Route, place: tuple[str | int, ...]) -> Iterator[Problem]:
        phases = [str(phase) for phase in self.pack.playbook.get("phases", ())]
        if route.phase not in phases:
            what = f"phase {route.phase!r} of route {route.name!r} is not one of the playbook's phases"
            yield self._wrong("phase-unknown", what, (*place, "phase"), "name one of these phases", ", ".join(phases))
        table = describe_table(route.table, self.live)
        if table is None and route.create_table is None:
            what = f"there is no table {route.table}"
            do = "name a table the environment has, or say under create_table: what to make"
            yield self._wrong("table-missing", what, (*place, "table"), do)
        for text, inside in _texts(route):
            yield from self._expression(text, (*place, *inside))
        for rule in route.columns.values():
            yield from self._column(route, table, rule, (*place, "columns", rule.name))
        for number, party in enumerate(route.parties):
            if "table" in party:
                yield from self._way(_tables(party["table"]), str(party.get("via", "")), (*place, "parties", number))
        for name in route.required:
            if name not in route.columns:
                what = f"{route.table}.{name} is required but no field fills it"
                yield self._wrong("required-unmapped", what, (*place, "required"), "map a field to it")

    def _column(
        self, route: Route, table: Table | None, rule: ColumnRule, place: tuple[str | int, ...]
    ) -> Iterator[Problem]:
        for word, known in _WORDS.items():
            if getattr(rule, word) not in known:
                listed = ", ".join(filter(None, known))
                yield self._wrong(
                    "map-unknown-word",
                    f"{getattr(rule, word)!r} is no {word}",
                    (*place, word),
                    "use one of the known words",
                    listed,
                )
        yield from self._otherwise(rule, place)
        if rule.source:
            yield from self._expression(rule.source, (*place, "from"))
        elif not rule.alternatives:
            yield self._wrong("column-empty", f"nothing fills {rule.name}", place, "say from: or lookup:")
        for one in rule.alternatives:
            for text in (one.by, one.each, one.when):
                if text:
                    yield from self._expression(text, place)
            yield from self._way(one.tables, one.via, place)
        try:
            target = target_of(rule, table, rule.name.partition("_")[0])
        except NoSuchColumn:
            do = "name a column the table has, or say under create: what column to make"
            yield self._wrong("column-unknown", f"{route.table} has no column {rule.name}", place, do)
            return
        yield from self._fits(route, table, rule, target, place)

    def _fits(
        self, route: Route, table: Table | None, rule: ColumnRule, target: Target, place: tuple[str | int, ...]
    ) -> Iterator[Problem]:
        column = table.column(rule.name) if table else None
        if column is not None and not column.creatable:
            yield self._wrong(
                "column-readonly",
                f"{route.table}.{rule.name} cannot be written",
                place,
                "map the field to another column",
            )
        if (rule.kind == "lookup") != (target.type in _LOOKUPS) and rule.kind in {"lookup", "value"}:
            what = f"{route.table}.{rule.name} is of type {target.type}"
            yield self._wrong(
                "column-unsuitable", what, place, "use lookup: for lookups, and from: for everything else"
            )
        elif rule.kind == "lookup" and target.targets:
            for name in {name for one in rule.alternatives for name in one.tables} - set(target.targets):
                what = f"{route.table}.{rule.name} cannot point to {name}"
                yield self._wrong(
                    "lookup-target", what, place, "look into tables the column can point to", ", ".join(target.targets)
                )
        try:
            choice_values(rule, target)
        except Unsuitable as error:
            yield self._wrong(
                "option-unknown",
                f"{route.table}.{rule.name}: {error}",
                (*place, "choices"),
                "use the label or the value of an option",
            )

    def _otherwise(self, rule: ColumnRule, place: tuple[str | int, ...]) -> Iterator[Problem]:
        decision = rule.otherwise.removeprefix("decision:")
        if rule.otherwise in {"", "hold", "blank"} or (decision != rule.otherwise and decision in self.pack.decisions):
            return
        known = ", ".join(("hold", "blank", *(f"decision:{name}" for name in self.pack.decisions)))
        yield self._wrong(
            "map-unknown-word",
            f"{rule.otherwise!r} is no otherwise",
            (*place, "otherwise"),
            "use one of the known words",
            known,
        )

    def _way(self, tables: tuple[str, ...], via: str, place: tuple[str | int, ...]) -> Iterator[Problem]:
        for table in tables:
            known = self.matches.get(table)
            # Rows of a table that no route fills are those of the environment: the run knows them.
            if known is not None and via not in known:
                what = f"no route to {table} has a match index {via!r}"
                yield self._wrong(
                    "match-unknown",
                    what,
                    place,
                    "name one of these, or add it under matches:",
                    ", ".join(sorted(known)),
                )

    def _expression(self, text: str, place: tuple[str | int, ...]) -> Iterator[Problem]:
        for what in problems_of(text, self.scope):
            yield self._wrong("expression-refused", what, place, "correct the expression", ", ".join(self.scope.fields))

    def _wrong(self, code: str, what: str, place: tuple[str | int, ...], do: str, known: str = "") -> Problem:
        return Problem(code, what, rule=self.file.at(*place), known=known, do=do)


def _matches(maps: Mapping[str, MapFile]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for route in (route for file in maps.values() for route in file.routes):
        found[route.table] = found.get(route.table, frozenset()) | frozenset(route.matches)
    return found


def _scope(name: str, pack: Pack, staged: StagingDocument) -> Scope:
    fields = dict.fromkeys(pack.objects[name].fields)
    if name in staged.tables:
        fields |= dict.fromkeys(field.name for field in staged.tables[name].fields)
    decisions: dict[str, Any] = {decision: taken.default for decision, taken in pack.decisions.items()}
    return Scope(tuple(fields), decisions)


def _texts(route: Route) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """Expressions of a route beside its columns, and where they stand."""
    yield from ((text, (word,)) for text, word in ((route.when, "when"), (route.key, "key")) if text)
    yield from ((text, ("matches", name)) for name, text in route.matches.items())
    for word, parts, inside in (
        ("parties", route.parties, ("when", "owner", "each")),
        ("states", route.states, ("when", "at", "value")),
        ("checks", route.checks, ("when",)),
        ("file", (route.file,) if route.file else (), ("path", "name", "mime", "size")),
    ):
        for number, part in enumerate(parts):
            yield from ((str(part[key]), (word, number, key)) for key in inside if key in part)


def _tables(given: Any) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)
