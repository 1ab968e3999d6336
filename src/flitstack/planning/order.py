"""The order of loading: the playbook's phases, topological inside a phase, a second pass for what cannot come first."""

from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from flitstack.errors import Problem, UsageError
from flitstack.mapping.document import MappedRoute


@dataclass(frozen=True, slots=True)
class Group:
    """Routes that go to one destination table in one phase: they become one send table.

    `held_back`: lookup columns whose target comes in the same group or later; they are set by a second pass.
    """

    phase: str
    table: str
    routes: tuple[MappedRoute, ...]
    held_back: frozenset[str]


def order_groups(routes: Sequence[MappedRoute], phases: Sequence[str]) -> tuple[Group, ...]:
    """Groups in load order. Raises UsageError for a route whose phase the playbook does not name."""
    unknown = [route for route in routes if route.phase not in phases]
    if unknown:
        raise UsageError(
            *(
                Problem(
                    "phase-unknown",
                    f"phase {route.phase!r} of route {route.name!r} is not one of the playbook's phases",
                    where=f"object {route.object}",
                    known=", ".join(phases),
                    do="name one of these phases in the route, or add the phase to the playbook",
                )
                for route in unknown
            )
        )
    ordered: list[tuple[str, str, tuple[MappedRoute, ...]]] = []
    for phase in phases:
        tables: dict[str, list[MappedRoute]] = {}
        for route in routes:
            if route.phase == phase:
                tables.setdefault(route.table, []).append(route)
        ordered += [(phase, table, tuple(tables[table])) for table in order_tables(tables)]
    return _with_second_pass(ordered)


def order_tables(tables: dict[str, list[MappedRoute]]) -> list[str]:
    """Tables of one phase, each after the tables its lookups point to; a cycle is cut at its alphabetically last edge."""
    edges = {
        table: {target for route in routes for target in route.depends_on if target in tables and target != table}
        for table, routes in tables.items()
    }
    while True:
        try:
            return list(TopologicalSorter({t: sorted(edges[t]) for t in sorted(edges)}).static_order())
        except CycleError as cycle:
            # graphlib names the cycle as [a, b, ..., a], each node a predecessor of the next.
            nodes = cycle.args[1]
            before, after = max(pairwise(nodes))
            edges[after].discard(before)


def _with_second_pass(ordered: list[tuple[str, str, tuple[MappedRoute, ...]]]) -> tuple[Group, ...]:
    last_place: dict[str, int] = {}
    for place, (_, table, _) in enumerate(ordered):
        last_place[table] = place
    groups = []
    for place, (phase, table, routes) in enumerate(ordered):
        held_back = frozenset(
            column.name
            for route in routes
            for column in route.columns
            if column.kind == "lookup" and any(last_place.get(t, -1) >= place for t in column.targets)
        )
        groups.append(Group(phase, table, routes, held_back))
    return tuple(groups)
