"""Roles of staff by decision: of the user's own business unit, journalled, and taken back exactly; nobody becomes administrator."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from route.rounds_case import take_round
from route.route_case import TO_LOAD, TO_PLAN, Migration, begin, serving

from flitstack.packs.read import load_pack

pytestmark = pytest.mark.slow

USER = "00000000-0000-4000-8000-0000000000"
ROLE_MAP = {"Teacher": "Salesperson", "Administrator": "sales manager", "Owner": "System Administrator"}
STAFF = """S1,Олена Бойко,olena@lisova.example,Teacher,active
S2,Ihor Moroz,Ihor@lisova.example,teacher,active
S3,Nadiia Hai,nadiia@lisova.example,Administrator,active
S4,Olha Director,olha@lisova.example,Owner,active
S5,Left School,left@lisova.example,Teacher,inactive
S6,Switched Off,off@lisova.example,Teacher,active
S7,Not A User,nobody@lisova.example,Teacher,active
S8,Cleaner,cleaner@lisova.example,Cleaner,active
"""
USERS = """{0}d3,Ihor,Moroz,Ihor Moroz,ihor@lisova.example,ihor@lisova.example,0,Read-Write,
{0}d4,Nadiia,Hai,Nadiia Hai,nadiia@lisova.example,nadiia@lisova.example,0,Read-Write,
{0}d5,Olha,Director,Olha Director,olha@lisova.example,olha@lisova.example,0,Read-Write,
{0}d6,Left,School,Left School,left@lisova.example,left@lisova.example,0,Read-Write,
{0}d7,Switched,Off,Switched Off,off@lisova.example,off@lisova.example,1,Read-Write,
{0}d8,Clean,Er,Cleaner,cleaner@lisova.example,cleaner@lisova.example,0,Read-Write,
"""
LVIV = "10000000-0000-4000-8000-000000000001"


@contextmanager
def school(folder: Path, *, with_manager: bool = True, **decided: object) -> Iterator[Migration]:
    """The school's example with more staff; Ihor works in a business unit of his own, which has its own copies of the roles."""
    export = folder / "export"
    shutil.copytree(load_pack("voopty").folder / "example", export)
    (export / "staff.csv").write_text("id,full_name,email,role,status\n" + STAFF, encoding="utf-8")
    with (export / "destination" / "systemusers.csv").open("a", encoding="utf-8") as file:
        file.write(USERS.format(USER))
    scoping = json.loads((export / "scoping.json").read_text()) | {"role_map": ROLE_MAP} | decided
    (export / "scoping.json").write_text(json.dumps(scoping))
    with serving(folder / "emulator") as url:
        migration = begin(folder / "acme", url, export, pack="voopty")
        (root,) = [one["businessunitid"] for one in migration.rows("businessunits")]
        parent = {"parentbusinessunitid@odata.bind": f"/businessunits({root})"}
        migration.post("businessunits", {"businessunitid": LVIV, "name": "Lviv", **parent})
        units = [("Salesperson", LVIV), ("Sales Manager", LVIV), *([("Sales Manager", root)] if with_manager else [])]
        for name, unit in units:
            migration.post("roles", {"name": name, "businessunitid@odata.bind": f"/businessunits({unit})"})
        migration.patch(f"systemusers({USER}d3)", {"businessunitid@odata.bind": f"/businessunits({LVIV})"})
        yield migration


def roles_of(migration: Migration) -> dict[str, list[tuple[str, bool]]]:
    """By the end of a user's id: roles, and whether each is of the user's own business unit."""
    found = {}
    for user in migration.rows("systemusers?$select=systemuserid,_businessunitid_value"):
        if user["systemuserid"].startswith(USER):
            given = migration.rows(f"systemusers({user['systemuserid']})/systemuserroles_association")
            own = user["_businessunitid_value"]
            found[user["systemuserid"][-2:]] = sorted(
                (one["name"], one["_businessunitid_value"] == own) for one in given
            )
    return found


BEFORE = {"d1": [("Salesperson", True)], "d2": [("Salesperson", True)], **{f"d{n}": [] for n in range(3, 9)}}
GIVEN = BEFORE | {"d3": [("Salesperson", True)], "d4": [("Sales Manager", True)]}


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Migration, dict[str, object]]]:
    with school(tmp_path_factory.mktemp("roles"), assign_roles="assign") as migration:
        migration.go(TO_PLAN[:-1])
        planned = migration.do("plan", code={0, 3})
        migration.go(TO_LOAD)
        assert roles_of(migration) == BEFORE, "neither the sample nor an approval gives anybody a role"
        migration.do("load", code={0, 3})
        yield migration, planned


def test_matched_users_get_the_role_of_their_own_business_unit(moved: tuple[Migration, dict[str, object]]) -> None:
    migration, _ = moved
    assert roles_of(migration) == GIVEN


def test_who_gets_what_stands_in_the_file_that_is_signed_and_the_plan_says_what_is_left(
    moved: tuple[Migration, dict[str, object]],
) -> None:
    migration, planned = moved
    text = (migration.folder / "owners.yaml").read_text(encoding="utf-8")
    assert "nadiia@lisova.example:\n  - Sales Manager" in text.replace("    - ", "  - ").replace(
        "sales manager", "Sales Manager"
    )
    notes = "\n".join(planned["notes"])  # type: ignore[arg-type]
    assert "1 left: System Administrator is given by an administrator" in notes
    assert "1 left: Cleaner: role_map does not say what it means" in notes
    assert "2 left: Teacher: no enabled user of that address" in notes
    assert all(account["closes"] for account in migration.do("status")["accounts"].values())


def test_reconciliation_names_who_lacks_a_role_that_was_given(moved: tuple[Migration, dict[str, object]]) -> None:
    migration, _ = moved
    assert migration.do("reconcile", code={0, 3})["differences"] == 0
    (given,) = migration.rows(f"systemusers({USER}d3)/systemuserroles_association")
    taken = f"systemusers({USER}d3)/systemuserroles_association({given['roleid']})/$ref"
    migration.delete(taken)
    found = migration.do("reconcile", code=5)
    (roles,) = [table for table in found["tables"] if table["phase"] == "roles"]
    assert (found["differences"], roles["cells"], roles["differences"]) == (1, 3, 1)
    (told,) = migration.do("findings", "--code", "role_lacking")
    assert (told["object"], told["record"]) == ("Staff", "S2")
    assert f"user {USER}d3 does not hold the role Salesperson" in told["what"]
    link = {"@odata.id": f"{migration.url}/api/data/v9.2/roles({given['roleid']})"}
    migration.post(taken.replace(f"({given['roleid']})", ""), link)
    assert migration.do("reconcile", code={0, 3})["differences"] == 0


def test_loading_again_gives_nothing_twice_and_a_rollback_takes_away_what_was_given_and_no_more(
    moved: tuple[Migration, dict[str, object]],
) -> None:
    migration, _ = moved
    migration.do("load", code={0, 3})
    assert roles_of(migration) == GIVEN
    assert migration.do("rollback")["equal"]
    assert roles_of(migration) == BEFORE, "Olena had hers before"


def test_system_administrator_is_given_where_the_decision_names_it(tmp_path: Path) -> None:
    with school(tmp_path, assign_roles="assign_all") as migration:
        migration.do("run", "--rehearse", code={0, 3})
        assert roles_of(migration) == GIVEN | {"d5": [("System Administrator", True)]}


def test_by_default_nobody_gets_a_role(tmp_path: Path) -> None:
    with school(tmp_path) as migration:
        migration.do("run", "--rehearse", code={0, 3})
        assert roles_of(migration) == BEFORE


def test_a_role_that_the_business_unit_has_not_stops_the_plan(tmp_path: Path) -> None:
    with school(tmp_path, with_manager=False, assign_roles="assign") as migration:
        migration.go(TO_PLAN[:-1])
        problem = migration.run("plan").errors["role-missing"]
    assert "no security role 'sales manager' in the business unit" in problem["what"]
    assert "have an administrator make the role" in problem["do"]


def test_a_later_export_gives_who_came_a_role_and_a_rollback_takes_them_all(tmp_path: Path) -> None:
    with school(tmp_path, assign_roles="assign") as migration:
        migration.do("run", "--rehearse", code={0, 3})
        later = tmp_path / "later"
        shutil.copytree(tmp_path / "export", later)
        staff = later / "staff.csv"
        staff.write_text(
            staff.read_text(encoding="utf-8").replace("Teacher,inactive", "Teacher,active"), encoding="utf-8"
        )
        take_round(migration, later, "--full")
        assert roles_of(migration) == GIVEN | {"d6": [("Salesperson", True)]}
        assert migration.do("rollback", "--last")["equal"]
        assert roles_of(migration) == GIVEN
        assert migration.do("rollback")["equal"]
        assert roles_of(migration) == BEFORE
