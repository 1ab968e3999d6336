"""Owners meet users by e-mail; what is not settled blocks the gate."""

from uuid import UUID

import pytest

from flitstack.destinations.port import User
from flitstack.errors import UsageError
from flitstack.planning.owners import Owner, OwnerCount, OwnerMap, match_owners, owners_document

ANA = User(UUID(int=1), "systemuser", "Ana", "ana@x.example", False)
OLD_BEN = User(UUID(int=2), "systemuser", "Ben (old)", "ben@x.example", True)
BEN = User(UUID(int=3), "systemuser", "Ben", "ben@x.example", False)
CARA = User(UUID(int=4), "systemuser", "Cara", "cara@x.example", True)
FALLBACK = User(UUID(int=5), "systemuser", "Fallback", "fallback@x.example", False)
SALES = User(UUID(int=6), "team", "Sales", "", False)
USERS = (ANA, OLD_BEN, BEN, CARA, FALLBACK, SALES)
COUNTS = [OwnerCount(email, 1) for email in ("ana@x.example", "ben@x.example", "cara@x.example", "gone@x.example", "")]
TAKE_FALLBACK = {"owner_unmatched": "fallback", "owner_inactive": "fallback", "fallback_owner": "Fallback@X.example "}


def found(owners: OwnerMap, email: str) -> Owner:
    return next(owner for owner in owners.owners if owner.email == email)


def test_where_two_users_share_an_address_the_enabled_one_is_taken() -> None:
    assert found(match_owners(COUNTS, USERS, {}, {}), "ben@x.example").user == BEN


def test_without_a_decision_missing_and_disabled_owners_block() -> None:
    owners = match_owners(COUNTS, USERS, {"owner_unmatched": "block", "owner_inactive": "block"}, {})
    assert {owner.email: owner.status for owner in owners.blocked} == {
        "cara@x.example": "inactive",
        "gone@x.example": "unmatched",
    }
    assert owners.queue == ("cara@x.example", "gone@x.example")


def test_the_fallback_takes_what_the_decision_gives_it_and_the_queue_still_names_them() -> None:
    owners = match_owners(COUNTS, USERS, TAKE_FALLBACK, {})
    assert not owners.blocked
    assert found(owners, "gone@x.example").user == FALLBACK
    assert found(owners, "").user == FALLBACK
    assert owners.queue == ("cara@x.example", "gone@x.example")


def test_a_persons_entry_in_owners_yaml_wins_and_may_name_a_team() -> None:
    decided = {"gone@x.example": {"to": "Sales", "by": "ana"}}
    owner = found(match_owners(COUNTS, USERS, TAKE_FALLBACK, decided), "gone@x.example")
    assert (owner.to, owner.user, owner.by) == ("team", SALES, "ana")


def test_an_unknown_fallback_and_an_unknown_owner_are_told_in_one_go() -> None:
    decided = {"gone@x.example": {"to": "nobody@x.example", "by": "ana"}}
    with pytest.raises(UsageError) as error:
        match_owners(COUNTS, USERS, TAKE_FALLBACK | {"fallback_owner": "no@x.example"}, decided)
    assert [problem.code for problem in error.value.problems] == ["owner-unknown", "owner-unknown"]


def test_an_owner_named_otherwise_is_met_by_the_sources_own_list_or_by_one_full_name() -> None:
    twins = (
        User(UUID(int=7), "systemuser", "Eve", "e1@x.example", False),
        User(UUID(int=8), "systemuser", "Eve", "", False),
    )
    counts = [OwnerCount("u7", 1, "ana@x.example"), OwnerCount("cara", 1), OwnerCount("sales", 1), OwnerCount("eve", 1)]
    owners = match_owners(counts, (*USERS, *twins), {}, {})
    assert {owner.email: (owner.status, owner.to) for owner in owners.owners} == {
        "u7": ("matched", "user"),
        "cara": ("inactive", "block"),
        "sales": ("unmatched", "block"),
        "eve": ("unmatched", "block"),
    }


def test_a_fallback_that_is_chosen_but_not_named_is_asked_for() -> None:
    with pytest.raises(UsageError) as error:
        match_owners(COUNTS, USERS, {"owner_unmatched": "fallback", "owner_inactive": "block"}, {})
    (problem,) = error.value.problems
    assert problem.code == "fallback-missing"
    assert "gone@x.example" in problem.what
    assert "fallback_owner" in problem.do


def test_the_document_is_what_the_next_run_reads() -> None:
    first = match_owners(COUNTS, USERS, TAKE_FALLBACK, {})
    again = match_owners(COUNTS, USERS, TAKE_FALLBACK, owners_document(first)["owners"])
    assert owners_document(again) == owners_document(first)


def test_a_disabled_user_can_be_neither_fallback_nor_named_by_a_person() -> None:
    decided = {"gone@x.example": {"to": "cara@x.example", "by": "ana"}}
    with pytest.raises(UsageError) as error:
        match_owners(COUNTS, USERS, TAKE_FALLBACK | {"fallback_owner": "cara@x.example"}, decided)
    told = [(problem.code, problem.where) for problem in error.value.problems]
    assert told == [("owner-disabled", "decisions.yaml"), ("owner-disabled", "owners.yaml")]


def test_a_person_who_names_the_fallback_that_nobody_is_is_asked_for_it() -> None:
    with pytest.raises(UsageError) as error:
        match_owners(COUNTS, USERS, {}, {"ana@x.example": {"to": "fallback", "by": "ben"}})
    (problem,) = error.value.problems
    assert (problem.code, problem.where) == ("fallback-missing", "owners.yaml, ana@x.example")
