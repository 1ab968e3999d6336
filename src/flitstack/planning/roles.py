"""Security roles of staff: who of the source's people, being a user of the environment, gets which role.

A decision of the playbook's `staff_roles` says whether roles are given at all. A role belongs to a business unit: each unit has
its own copy, and a user takes that of the user's own. Source: Microsoft Learn, "Security roles and privileges".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flitstack.destinations.port import User
from flitstack.errors import Problem
from flitstack.planning.document import Grant

LIST, ASSIGN, ASSIGN_ALL = "list", "assign", "assign_all"
POLICIES = (LIST, ASSIGN, ASSIGN_ALL)
ADMINISTRATOR = "System Administrator"


@dataclass(frozen=True, slots=True)
class Person:
    """One of the source's staff: address in lower case, role as the source calls it, and where the record stands."""

    email: str
    role: str
    object: str
    file: str
    record: str


@dataclass(frozen=True, slots=True)
class Units:
    """`of_users`: user -> business unit; `roles`: (business unit, role name in lower case) -> role; `names`: unit -> name."""

    of_users: Mapping[UUID, UUID]
    roles: Mapping[tuple[UUID, str], UUID]
    names: Mapping[UUID, str]


@dataclass(frozen=True, slots=True)
class Roles:
    """`grants`: what is given, by user and role; `left`: what a person has to do, in words, with how many it concerns."""

    grants: tuple[Grant, ...] = ()
    left: Mapping[str, int] | None = None
    problems: tuple[Problem, ...] = ()


def wanted_role(role_map: Mapping[str, Any], role: str) -> str:
    """The environment's role for one of the source, "" where nobody has decided."""
    keys = {str(name).casefold().strip(): str(meaning).strip() for name, meaning in role_map.items()}
    return keys.get(role.casefold().strip(), "")


def match_roles(
    people: Iterable[Person], users: Sequence[User], units: Units, role_map: Mapping[str, Any], policy: str
) -> Roles:
    """Who gets what. A role that a user's business unit has not is a problem: nothing is given in its place."""
    by_email: dict[str, list[User]] = {}
    for one in users:
        if one.table == "systemuser" and not one.is_application and not one.is_disabled:
            by_email.setdefault(one.email, []).append(one)
    grants: dict[tuple[UUID, UUID], Grant] = {}
    left: dict[str, int] = {}
    missing: dict[tuple[str, str], list[Person]] = {}
    for person in people:
        name, found = wanted_role(role_map, person.role), by_email.get(person.email, [])
        why = _left_to_people(name, len(found), person, policy)
        if why:
            left[why] = left.get(why, 0) + 1
            continue
        (user,) = found
        unit = units.of_users.get(user.id)
        role = units.roles.get((unit, name.casefold())) if unit else None
        if role is None:
            missing.setdefault((name, units.names.get(unit, str(unit)) if unit else ""), []).append(person)
            continue
        grant = Grant(str(user.id), str(role), name, person.email, person.object, person.file, person.record)
        grants.setdefault((user.id, role), grant)
    return Roles(
        tuple(sorted(grants.values(), key=lambda grant: (grant.email, grant.role))),
        left,
        tuple(_missing(name, unit, who) for (name, unit), who in sorted(missing.items())),
    )


def _left_to_people(name: str, users: int, person: Person, policy: str) -> str:
    """Why somebody gets no role from us; "" for who gets one."""
    if not name:
        return f"{person.role or 'no role'}: role_map does not say what it means"
    if users != 1:
        return f"{person.role}: {'more than one' if users else 'no'} enabled user of that address"
    if name.casefold() == ADMINISTRATOR.casefold() and policy != ASSIGN_ALL:
        return f"{ADMINISTRATOR} is given by an administrator, or by the decision {ASSIGN_ALL}"
    return ""


def _missing(name: str, unit: str, who: Sequence[Person]) -> Problem:
    return Problem(
        "role-missing",
        f"there is no security role {name!r} in the business unit {unit!r} of {len(who):,} users who are to get it",
        where=f"{who[0].file}, record {who[0].record}",
        do="have an administrator make the role, or correct role_map in decisions.yaml, or choose list instead of assign",
    )
