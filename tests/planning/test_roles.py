"""Who of the staff gets a role, and who is left to people."""

from uuid import UUID

import pytest

from flitstack.destinations.port import User
from flitstack.planning.roles import ASSIGN, Person, Units, match_roles

UNIT, ROLE = UUID(int=1), UUID(int=2)
ROLES = {(UNIT, "salesperson"): ROLE}


def user(number: int, email: str, *, is_disabled: bool = False) -> User:
    return User(UUID(int=number), "systemuser", email, email, is_disabled, False)


def teacher(email: str) -> Person:
    return Person(email, " TEACHER", "Staff", "staff.csv", email)


@pytest.mark.parametrize(
    ("users", "given", "left"),
    [
        ([user(10, "a@x.invalid")], [UUID(int=10)], {}),
        # Which of two people of one address is meant nobody can tell; one who is switched off is not meant.
        ([user(10, "a@x.invalid"), user(11, "a@x.invalid")], [], {" TEACHER: more than one enabled user of that address": 1}),
        ([user(10, "a@x.invalid", is_disabled=True), user(11, "a@x.invalid")], [UUID(int=11)], {}),
        ([user(10, "b@x.invalid")], [], {" TEACHER: no enabled user of that address": 1}),
    ],
)  # fmt: skip
def test_a_role_is_given_where_one_enabled_user_has_the_address(
    users: list[User], given: list[UUID], left: dict[str, int]
) -> None:
    units = Units({one.id: UNIT for one in users}, ROLES, {UNIT: "root"})
    found = match_roles([teacher("a@x.invalid")], users, units, {"Teacher": "Salesperson"}, ASSIGN)
    assert ([UUID(grant.user) for grant in found.grants], found.left, found.problems) == (given, left, ())
