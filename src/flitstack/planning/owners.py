"""Owners before anything loads: each distinct source owner meets a user or team, by e-mail.

Why by a gate of its own: activities of a disabled owner fail silently in Dynamics (checklist X5), so every owner is
settled, listed and signed before a row moves.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flitstack.destinations.port import User
from flitstack.errors import Problem, UsageError

BLOCK, FALLBACK = "block", "fallback"


@dataclass(frozen=True, slots=True)
class OwnerCount:
    """A source owner (e-mail, trimmed and lower case; "" = none named) and the number of records that name it.

    A source may name owners otherwise: then `email` is that text, and `address` the e-mail its own list of users has.
    """

    email: str
    records: int
    address: str = ""


@dataclass(frozen=True, slots=True)
class Owner:
    """How one source owner lands. `status`: matched | inactive | unmatched | blank. `to`: user | team | fallback | block."""

    email: str
    status: str
    records: int
    to: str
    user: User | None
    by: str = ""  # a person's decision; empty = derived from the playbook's decisions


@dataclass(frozen=True, slots=True)
class OwnerMap:
    """All owners of a plan; `fallback` takes what has no user."""

    owners: tuple[Owner, ...]
    fallback: User | None
    queue: tuple[str, ...] = field(default=())  # to provision: unmatched and disabled owners

    @property
    def blocked(self) -> tuple[Owner, ...]:
        """Owners that nobody has settled yet."""
        return tuple(owner for owner in self.owners if owner.to == BLOCK)


def match_owners(
    counts: Iterable[OwnerCount],
    users: Iterable[User],
    decisions: Mapping[str, Any],
    decided: Mapping[str, Mapping[str, Any]],
) -> OwnerMap:
    """Meet owners and users. `decided` is the `owners` part of an existing owners.yaml; entries with `by` are kept.

    Where two users share an address the enabled one is taken (checklist X5). An owner without any address is the one user
    of that full name. Raises UsageError when a decision names a user or team the environment does not have, or a disabled user.
    """
    everyone = list(users)
    problems: list[Problem] = []
    named = str(decisions.get("fallback_owner") or "")
    fallback = _find(named, everyone)
    if named and (fallback is None or fallback.is_disabled):
        problems.append(_no_owner("fallback_owner", named, fallback, "decisions.yaml"))
    owners = []
    for count in sorted(counts, key=lambda c: c.email):
        person = decided.get(count.email or "(none)", {})
        if person.get("by"):
            owners.append(_decided(count, person, everyone, fallback, problems))
        else:
            owners.append(_derived(count, everyone, decisions, fallback))
    if fallback is None and not problems:
        problems += _nobody_takes(owners, decisions)
    if problems:
        raise UsageError(*problems)
    queue = tuple(owner.email for owner in owners if owner.status in {"unmatched", "inactive"})
    return OwnerMap(tuple(owners), fallback, queue)


def owners_document(owner_map: OwnerMap) -> dict[str, Any]:
    """The content of owners.yaml: text a person can read, change and sign."""
    return {
        "format": 1,
        "fallback": _name(owner_map.fallback) if owner_map.fallback else "",
        "owners": {
            owner.email or "(none)": {
                "status": owner.status,
                "to": _name(owner.user) if owner.to in {"user", "team"} and owner.user else owner.to,
                "records": owner.records,
                **({"by": owner.by} if owner.by else {}),
            }
            for owner in owner_map.owners
        },
        "provisioning_queue": list(owner_map.queue),
    }


def _derived(count: OwnerCount, users: list[User], decisions: Mapping[str, Any], fallback: User | None) -> Owner:
    if not count.email:
        # A record without an owner is no open question: the fallback takes it, or whoever loads.
        return Owner("", "blank", count.records, FALLBACK, fallback)
    match = _match(count, users)
    if match is not None and not match.is_disabled:
        return Owner(count.email, "matched", count.records, "user", match)
    status = "unmatched" if match is None else "inactive"
    takes_fallback = fallback is not None and decisions.get(f"owner_{status}") == FALLBACK
    return Owner(
        count.email, status, count.records, FALLBACK if takes_fallback else BLOCK, fallback if takes_fallback else None
    )


def _decided(
    count: OwnerCount, person: Mapping[str, Any], users: list[User], fallback: User | None, problems: list[Problem]
) -> Owner:
    to, by = str(person.get("to", BLOCK)), str(person["by"])
    match = _match(count, users)
    status = (
        "blank" if not count.email else "unmatched" if match is None else "inactive" if match.is_disabled else "matched"
    )
    if to in {BLOCK, FALLBACK}:
        return Owner(count.email, status, count.records, to, fallback if to == FALLBACK else None, by)
    chosen = _find(to, users)
    if chosen is None or chosen.is_disabled:
        problems.append(_no_owner(count.email or "(none)", to, chosen, "owners.yaml"))
        return Owner(count.email, status, count.records, BLOCK, None, by)
    return Owner(count.email, status, count.records, "team" if chosen.table == "team" else "user", chosen, by)


def _match(count: OwnerCount, users: list[User]) -> User | None:
    if count.address or "@" in count.email:
        return _by_email(count.address or count.email, users)
    same = [user for user in users if count.email and user.table == "systemuser" and user.name.lower() == count.email]
    enabled = [user for user in same if not user.is_disabled]
    return (enabled or same)[0] if len(enabled) == 1 or len(same) == 1 else None


def _by_email(email: str, users: list[User]) -> User | None:
    same = [user for user in users if user.table == "systemuser" and user.email == email]
    return min(same, key=lambda user: (user.is_disabled, str(user.id)), default=None)


def _find(name: str, users: list[User]) -> User | None:
    wanted = name.strip().lower()
    if not wanted:
        return None
    return _by_email(wanted, users) or next((u for u in users if u.table == "team" and u.name.lower() == wanted), None)


def _name(user: User) -> str:
    return user.email or user.name


def _nobody_takes(owners: Sequence[Owner], decisions: Mapping[str, Any]) -> Iterable[Problem]:
    """Decisions and entries of owners.yaml that give owners to the fallback while nobody is named as fallback."""
    for status in ("unmatched", "inactive"):
        waiting = [owner.email for owner in owners if owner.status == status and not owner.by]
        if waiting and decisions.get(f"owner_{status}") == FALLBACK:
            what = f"{len(waiting)} owners go to the fallback owner ({', '.join(waiting[:3])}), and nobody is named as that"
            do = f"name a user or team as fallback_owner, or choose block for owner_{status}"
            yield Problem("fallback-missing", what, where="decisions.yaml, fallback_owner", do=do)
    for owner in owners:
        if owner.by and owner.to == FALLBACK and owner.email:
            what = f"{owner.email} goes to the fallback owner, and nobody is named as that"
            do = "name a user or team as fallback_owner in decisions.yaml, or another owner here"
            yield Problem("fallback-missing", what, where=f"owners.yaml, {owner.email}", do=do)


def _no_owner(owner: str, named: str, found: User | None, file: str) -> Problem:
    """Why who was named for an owner cannot be one: nobody of the environment, or disabled there."""
    if found is not None:
        return Problem(
            "owner-disabled",
            f"{named!r}, named for {owner}, is disabled in the environment: rows cannot be given to such a user",
            where=file,
            do="name an enabled user or a team, or ask an administrator of the environment to enable the user",
        )
    return Problem(
        "owner-unknown",
        f"{named!r}, named for {owner}, is neither an e-mail address of a user nor a team of the environment",
        where=file,
        do="name an existing user or team, or ask an administrator of the environment to provision it",
    )
