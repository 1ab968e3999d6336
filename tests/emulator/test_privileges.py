"""Who may do what: roles, depths, teams and acting for somebody else."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from core_driver import Driver
from hypothesis import given, settings
from hypothesis import strategies as st

from flitstack.emulator.core import Caller, Environment, Refusal, Request, Switches

DEPTHS = ("Basic", "Local", "Deep", "Global")


class People:
    """Three business units in a line, a user in each, and one role whose privileges a test sets, a copy of it in each unit."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.unit_of: dict[str, str] = {}
        self.copies: dict[str, dict[str, str]] = {}  # role -> unit -> role
        root = driver.rows("businessunits", select="name")[0]["businessunitid"]
        self.units = [root]
        for name in ("middle", "bottom"):
            above = self.units[-1]
            self.units.append(
                driver.create("businessunits", name=name, parentbusinessunitid__bind=f"/businessunits({above})")
            )
        self.users = [self.user(f"user{number}", unit) for number, unit in enumerate(self.units)]
        self.role = self.new_role("test")

    def user(self, name: str, unit: str) -> str:
        columns: dict[str, Any] = {"businessunitid__bind": f"/businessunits({unit})"}
        made = self.driver.create("systemusers", lastname=name, domainname=f"{name}@x.invalid", **columns)
        self.unit_of[made] = unit
        return made

    def new_role(self, name: str) -> str:
        made = {
            unit: self.driver.create("roles", name=name, businessunitid__bind=f"/businessunits({unit})")
            for unit in self.units
        }
        self.copies[made[self.units[0]]] = made
        return made[self.units[0]]

    def role_of(self, user: str, role: str) -> str:
        """The copy of a role that a user may hold."""
        return self.copies[role][self.unit_of[user]]

    def give(self, user: str, role: str) -> None:
        path = f"systemusers({user})/systemuserroles_association/$ref"
        self.driver.send("POST", path, {"@odata.id": f"roles({self.role_of(user, role)})"})

    def hold(self, role: str, **privileges: str) -> None:
        known = {row["name"]: row["privilegeid"] for row in self.driver.get("privileges")["value"]}
        body = {"Privileges": [{"PrivilegeId": known[name], "Depth": depth} for name, depth in privileges.items()]}
        for copy in self.copies[role].values():
            self.driver.send("POST", f"roles({copy})/Microsoft.Dynamics.CRM.ReplacePrivilegesRole", body)

    def as_user(self, number: int) -> Driver:
        return replace(self.driver, user=UUID(self.users[number]))


@pytest.fixture
def people(driver: Driver) -> People:
    return People(driver)


def account(driver: Driver, owner: str, name: str = "A") -> str:
    return driver.create("accounts", name=name, ownerid__bind=f"/systemusers({owner})")


def test_a_user_without_roles_is_refused_where_roles_are_required(tmp_path: Path) -> None:
    for switches in (Switches(require_roles=True), Switches()):
        environment = Environment.open(tmp_path / str(switches.require_roles), switches)
        people = People(Driver(environment))
        if switches.require_roles:
            with pytest.raises(Refusal, match="403 0x80042F09"):
                people.as_user(1).rows("accounts")
        else:
            assert people.as_user(1).rows("accounts") == []
        environment.close()


def test_privileges_can_be_left_unchecked(tmp_path: Path) -> None:
    environment = Environment.open(tmp_path, Switches(check_privileges=False))
    people = People(Driver(environment))
    people.give(people.users[1], people.role)
    people.as_user(1).create("accounts", name="A")
    environment.close()


def test_a_missing_privilege_is_named(people: People) -> None:
    people.give(people.users[1], people.role)
    people.hold(people.role, prvReadContact="Basic")
    seller = people.as_user(1)
    for call, name in (
        (lambda: seller.rows("accounts"), "prvReadAccount"),
        (lambda: seller.create("accounts", name="A"), "prvCreateAccount"),
        (lambda: seller.multiple("CreateMultiple", "accounts", "account", [{"name": "A"}]), "prvCreateAccount"),
    ):
        with pytest.raises(Refusal, match=f"403 0x80040220 .*{people.users[1]}.* is missing {name} privilege .*OTC=1 "):
            call()
    assert seller.rows("contacts") == []


# Depth -> numbers of the users (one in each unit, from the top) whose rows the middle one reaches.
REACHED = {"Basic": {1}, "Local": {1}, "Deep": {1, 2}, "Global": {0, 1, 2}}


@pytest.mark.parametrize("depth", DEPTHS)
def test_each_depth_reaches_its_rows(people: People, depth: str) -> None:
    """Source: Microsoft Learn, "Security roles and privileges", access levels."""
    driver = people.driver
    rows = [account(driver, owner, str(number)) for number, owner in enumerate(people.users)]
    people.give(people.users[1], people.role)
    verbs = ("Read", "Write", "Delete", "Create", "Assign")
    people.hold(people.role, **{f"prv{verb}Account": depth for verb in verbs})
    middle = people.as_user(1)
    assert {int(row["name"]) for row in middle.rows("accounts", select="name")} == REACHED[depth]
    assert int(middle.send("GET", "accounts/$count").body or b"0") == len(REACHED[depth])
    for number, row in enumerate(rows):
        bound: dict[str, Any] = {"ownerid__bind": f"/systemusers({people.users[number]})"}
        if number in REACHED[depth]:
            middle.get(f"accounts({row})/name")
            middle.patch(f"accounts({row})", name=str(number))
            middle.create("accounts", name="new", **bound)
            middle.delete(f"accounts({row})")
            continue
        for call in (
            lambda row=row: middle.get(f"accounts({row})"),
            lambda row=row: middle.patch(f"accounts({row})", name="x"),
            lambda row=row: middle.delete(f"accounts({row})"),
            lambda bound=bound: middle.create("accounts", name="new", **bound),
        ):
            with pytest.raises(Refusal, match="403 0x80048306"):
                call()


def test_local_depth_reaches_colleagues(people: People) -> None:
    colleague = people.user("colleague", people.units[1])
    account(people.driver, colleague)
    people.give(people.users[1], people.role)
    for depth, expected in (("Basic", 0), ("Local", 1)):
        people.hold(people.role, prvReadAccount=depth)
        assert len(people.as_user(1).rows("accounts")) == expected


def test_a_team_lends_its_role_and_its_rows(people: People) -> None:
    driver, bound = people.driver, f"/businessunits({people.units[2]})"
    team = driver.create("teams", name="T", teamtype=0, businessunitid__bind=bound)
    driver.create("accounts", name="of the team", ownerid__bind=f"/teams({team})")
    driver.send(
        "POST", f"teams({team})/teammembership_association/$ref", {"@odata.id": f"systemusers({people.users[0]})"}
    )
    role = people.copies[people.role][people.units[2]]
    driver.send("POST", f"teams({team})/teamroles_association/$ref", {"@odata.id": f"roles({role})"})
    people.hold(people.role, prvReadAccount="Basic")
    assert [row["name"] for row in people.as_user(0).rows("accounts")] == ["of the team"]


def test_lookups_need_append_and_append_to(people: People) -> None:
    mine = people.users[1]
    target = account(people.driver, mine)
    people.give(mine, people.role)
    columns: dict[str, Any] = {"lastname": "C", "parentcustomerid_account__bind": f"/accounts({target})"}
    held = {"prvCreateContact": "Basic"}
    for missing in ("prvAppendContact", "prvAppendToAccount"):
        people.hold(people.role, **held)
        with pytest.raises(Refusal, match=f"403 0x80040220 .*{missing}"):
            people.as_user(1).create("contacts", **columns)
        held[missing] = "Basic"
    people.hold(people.role, **held)
    people.as_user(1).create("contacts", **columns)


def test_assigning_and_old_dates_need_their_own_privileges(people: People) -> None:
    mine = people.users[1]
    row = account(people.driver, mine)
    people.give(mine, people.role)
    people.hold(people.role, prvWriteAccount="Global", prvCreateAccount="Global")
    with pytest.raises(Refusal, match="prvAssignAccount"):
        people.as_user(1).patch(f"accounts({row})", ownerid__bind=f"/systemusers({people.users[0]})")
    with pytest.raises(Refusal, match="prvOverrideCreatedOnCreatedBy"):
        people.as_user(1).create("accounts", name="old", overriddencreatedon="2001-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("mscrm.bypasscustompluginexecution", "prvBypassCustomPlugins"),
        ("mscrm.bypassbusinesslogicexecution", "prvBypassCustomBusinessLogic"),
    ],
)
def test_bypassing_logic_needs_its_privilege(people: People, header: str, name: str) -> None:
    people.give(people.users[1], people.role)
    people.hold(people.role, prvCreateAccount="Basic")
    with pytest.raises(Refusal, match=f"403 0x80040220 .*{name}"):
        people.as_user(1).send("POST", "accounts", {"name": "A"}, headers={header: "true"})


def test_acting_for_somebody_needs_the_privilege_and_gives_what_both_have(people: People) -> None:
    real, other = people.users[1], people.users[2]
    for user in (real, other):
        people.give(user, people.role)
    people.hold(people.role, prvReadAccount="Basic")
    acting = replace(people.driver, user=UUID(other), on_behalf_of=UUID(real))
    with pytest.raises(Refusal, match="403 0x8004A110"):
        acting.rows("accounts")
    people.hold(people.role, prvReadAccount="Global", prvActOnBehalfOfAnotherUser="Global")
    limited = people.new_role("limited")
    people.hold(limited, prvReadAccount="Basic", prvReadContact="Global")
    path = f"systemusers({other})/systemuserroles_association({people.role_of(other, people.role)})/$ref"
    people.driver.send("DELETE", path)
    people.give(other, limited)
    account(people.driver, people.users[0], "top"), account(people.driver, other, "own")
    assert [row["name"] for row in acting.rows("accounts", select="name")] == ["own"]
    with pytest.raises(Refusal, match="prvReadContact"):
        acting.rows("contacts")


def test_privileges_are_asked_for_given_and_taken(people: People) -> None:
    driver = people.driver
    (found,) = driver.get("privileges", filter="name eq 'prvReadAccount'")["value"]
    body = {"Privileges": [{"PrivilegeId": found["privilegeid"], "Depth": "Deep", "BusinessUnitId": people.units[0]}]}
    role = people.role_of(people.users[1], people.role)
    driver.send("POST", f"roles({role})/Microsoft.Dynamics.CRM.AddPrivilegesRole", body)
    people.give(people.users[1], people.role)
    for path in (
        f"roles({role})/Microsoft.Dynamics.CRM.RetrieveRolePrivilegesRole()",
        f"systemusers({people.users[1]})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()",
    ):
        (held,) = driver.get(path)["RolePrivileges"]
        assert (held["PrivilegeName"], held["Depth"]) == ("prvReadAccount", "Deep")
    row = account(driver, people.users[2])
    access = f"systemusers({people.users[1]})/Microsoft.Dynamics.CRM.RetrievePrincipalAccess(Target=@t)"
    query = {"@t": f"{{'@odata.id':'accounts({row})'}}"}
    answer = driver.send("GET", access, query=query)
    assert b'"AccessRights":"ReadAccess"' in (answer.body or b"")
    remove = {"PrivilegeId": found["privilegeid"]}
    driver.send("POST", f"roles({role})/Microsoft.Dynamics.CRM.RemovePrivilegeRole", remove)
    assert b'"AccessRights":"None"' in (driver.send("GET", access, query=query).body or b"")


def test_expands_and_paths_show_only_what_may_be_read(people: People) -> None:
    hidden = account(people.driver, people.users[0], "hidden")
    bound: dict[str, Any] = {
        "parentcustomerid_account__bind": f"/accounts({hidden})",
        "ownerid__bind": f"/systemusers({people.users[1]})",
    }
    people.driver.create("contacts", lastname="C", **bound)
    people.give(people.users[1], people.role)
    people.hold(people.role, prvReadAccount="Basic", prvReadContact="Basic")
    mine = people.as_user(1)
    (row,) = mine.rows("contacts", expand="parentcustomerid_account($select=name)")
    assert row["parentcustomerid_account"] is None
    assert mine.rows("contacts", filter="parentcustomerid_account/name eq 'hidden'") == []


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Any:
    environment = Environment.open(tmp_path_factory.mktemp("crowd"))
    people = People(Driver(environment))
    for user in people.users:
        people.give(user, people.role)
    yield people
    environment.close()


@settings(max_examples=40, deadline=None)
@given(
    st.fixed_dictionaries(
        {}, optional={f"prv{verb}Account": st.sampled_from(DEPTHS) for verb in ("Read", "Write", "Delete")}
    ),
    st.integers(0, 2),
    st.integers(0, 2),
)
def test_the_matrix_of_privileges(crowd: People, held: dict[str, str], caller: int, owner: int) -> None:
    """Any privileges, any caller, any owner: units lie in a line, so a depth reaches by comparing numbers."""
    row = account(crowd.driver, crowd.users[owner])
    crowd.hold(crowd.role, **held)
    asked = crowd.as_user(caller)
    for verb, call in (
        ("Read", lambda: asked.get(f"accounts({row})")),
        ("Write", lambda: asked.patch(f"accounts({row})", name="x")),
        ("Delete", lambda: asked.delete(f"accounts({row})")),
    ):
        depth = held.get(f"prv{verb}Account")
        reached = {None: False, "Global": True, "Deep": owner >= caller}.get(depth, owner == caller)
        if reached:
            call()
            continue
        with pytest.raises(Refusal, match="403 0x80040220" if depth is None else "403 0x80048306"):
            call()


def test_the_application_user_is_never_asked(driver: Driver) -> None:
    request = Request("POST", "accounts", body=b'{"name": "A"}')
    assert driver.environment.handle(request, Caller(driver.environment.application_user)).status == 204
