"""What points to other rows, and what closes a row: lookups, participants of activities, states."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flitstack.catalogue.types import State
from flitstack.errors import Problem
from flitstack.mapping.maps import Alternative
from flitstack.mapping.surroundings import Spot

# Tables whose rows every environment has before anything is loaded; records may point to them.
ENVIRONMENT_TABLES = frozenset(
    (
        "businessunit", "connectionrole", "pricelevel", "processstage", "queue", "subject", "systemuser", "team", "territory",
        "transactioncurrency", "uom", "uomschedule",
    )
)  # fmt: skip
# Participation types of activities. Source: Microsoft Learn, "Activity Party table reference".
_MASKS = range(1, 13)
_ACTIONS = {
    "win": ("opportunity", "quote"),
    "lose": ("opportunity", "quote"),
    "fulfil": ("salesorder",),
    "cancel": ("salesorder",),
}


def alternative_problems(spot: Spot, name: str, one: Alternative, targets: Sequence[str]) -> Iterator[Problem]:
    """One way of a lookup. `targets`: tables the column can point to, none where that is not limited."""
    routed = spot.around.routed_tables
    existing = spot.around.pack.playbook.get("existing") or {}
    for table in one.tables:
        if targets and table not in targets:
            known = ", ".join(targets)
            yield spot.problem(
                "lookup-target", f"{name} cannot point to {table}", "name a table it can point to", known
            )
        if one.via in (existing.get(table) or {}) or spot.around.is_awaited(table, one.via):
            continue
        if table in routed:
            if one.via not in routed[table]:
                what = f"{name}: rows of {table} are not known by {one.via!r}"
                do = f"add {one.via or 'a name'}: under matches: of the route to {table}"
                yield spot.problem("lookup-index", what, do, ", ".join(sorted(routed[table])))
        elif table not in ENVIRONMENT_TABLES:
            do = "route an object to it, or take it out"
            yield spot.problem("lookup-unrouted", f"{name}: no route fills {table}", do, ", ".join(sorted(routed)))


def party_problems(spot: Spot) -> Iterator[Problem]:
    """Participants of a route's activities."""
    table = spot.around.table(spot.route.table)
    if spot.route.parties and table is not None and not table.is_activity:
        what = f"{table.name} is no activity and has no participants"
        yield spot.inside("parties").problem("parties-refused", what, "remove parties:")
    for place, party in enumerate(spot.route.parties):
        inside, mask = spot.inside("parties", place), party.get("mask")
        if mask not in _MASKS:
            what = f"{mask!r} is no kind of participation"
            yield inside.problem("party-mask", what, "write mask: with a number from 1 (sender) to 12")
        if "owner" not in party and names_somebody(party):
            tables = party["table"] if isinstance(party["table"], list) else [party["table"]]
            one = Alternative(tuple(map(str, tables)), str(party["via"]), each=str(party["each"]))
            yield from alternative_problems(inside, "a participant", one, ())


def names_somebody(party: Mapping[str, Any]) -> bool:
    """Whether a party says who takes part: an owner, or rows found by the elements of a list."""
    return "owner" in party or {"table", "via", "each"} <= party.keys()


def state_problems(spot: Spot) -> Iterator[Problem]:
    """States that the table does not have."""
    table = spot.around.table(spot.route.table)
    for place, state in enumerate(spot.route.states):
        inside, action = spot.inside("states", place), str(state.get("action", "patch"))
        if action == "patch":
            if table is not None and table.states:
                yield from _pair_problems(inside, state, table.states)
        elif spot.route.table not in _ACTIONS.get(action, ()):
            what = f"{action} is nothing that {spot.route.table} can do"
            yield inside.problem("state-action", what, "write state: and status:", "win, lose, fulfil, cancel, patch")


def _pair_problems(spot: Spot, state: Mapping[str, Any], states: Sequence[State]) -> Iterator[Problem]:
    table, given, status = spot.route.table, state.get("state"), state.get("status")
    statuses = {one.value: {reason.value: reason.label for reason in one.statuses} for one in states}
    if given not in statuses:
        known = ", ".join(f"{one.label} = {one.value}" for one in states)
        yield spot.problem("state-unknown", f"{table} has no state {given!r}", "name a state of the table", known)
    elif status is not None and status not in statuses[given]:
        known = ", ".join(f"{label} = {value}" for value, label in statuses[given].items())
        what = f"state {given} of {table} has no status {status!r}"
        yield spot.problem("status-unknown", what, "name a status of that state", known)
