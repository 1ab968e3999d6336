"""A rollback that was interrupted, with people who work in Dynamics before it goes on."""

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from route.route_case import EXAMPLE, TO_LOAD, TO_PLAN, Migration, begin, serving
from route.test_upsert_rows import MARTA, seed

pytestmark = pytest.mark.slow


def edit(migration: Migration, path: str, body: dict[str, Any], user: str) -> None:
    """Change a row as one of the users, not as the migration's application user."""
    headers = {"Content-Type": "application/json", "MSCRMCallerID": user}
    address = f"{migration.url}/api/data/v9.2/{path}"
    urllib.request.urlopen(
        urllib.request.Request(address, json.dumps(body).encode(), headers, method="PATCH"), timeout=60
    )


def contact(migration: Migration, email: str) -> dict[str, Any]:
    (row,) = [row for row in migration.rows("contacts") if str(row["emailaddress1"]).lower() == email.lower()]
    return row


def interrupted(migration: Migration, *words: str, **rule: object) -> None:
    """A rollback whose sign-in ends at a request, and with it the command."""
    migration.admin("faults", {"rules": [{"kind": "expired_token"} | rule]})
    assert migration.run("rollback", *words).code == 1
    migration.admin("faults", {"rules": []})


def loaded_into(folder: Path, url: str) -> Migration:
    """The example, loaded where some of its contacts stand already."""
    migration = begin(folder, url, EXAMPLE)
    seed(migration)
    migration.go(TO_PLAN + TO_LOAD)
    migration.do("load", code={0, 3})
    return migration


def test_what_others_edit_before_it_goes_on_is_kept_and_everything_else_taken_back(tmp_path: Path) -> None:
    with serving(tmp_path / "emulator") as url:
        migration = begin(tmp_path / "O'Neill & Söhne", url, EXAMPLE)
        seed(migration)
        before = contact(migration, MARTA["emailaddress1"])
        migration.go(TO_PLAN + TO_LOAD)
        migration.do("load", code={0, 3})
        (ana,) = [row["systemuserid"] for row in migration.rows("systemusers") if row["firstname"] == "Ana"]
        (admin,) = [row["roleid"] for row in migration.rows("roles") if row["name"] == "System Administrator"]
        migration.post(f"systemusers({ana})/systemuserroles_association/$ref", {"@odata.id": f"roles({admin})"})
        marta, ours = f"contacts({before['contactid']})", contact(migration, "ipek@ozturktekstil.example")

        interrupted(migration, request="UpdateMultiple")
        assert contact(migration, MARTA["emailaddress1"])["telephone1"], "nothing was given back yet"
        edit(migration, marta, {"telephone1": "+1 999"}, ana)
        interrupted(migration, request="batch", skip=3)
        edit(migration, f"contacts({ours['contactid']})", {"jobtitle": "Head of buying"}, ana)

        undone = migration.do("rollback")
        assert undone["equal"], undone["tables"]
        kept = {(row["table"], row["why"], row.get("column", "")) for row in undone["kept_rows"]}
        assert kept == {("contact", "edited", ""), ("account", "parent", ""), ("contact", "edited", "telephone1")}
        after = contact(migration, MARTA["emailaddress1"])
        assert after["telephone1"] == "+1 999"
        assert after["_parentcustomerid_value"] == before["_parentcustomerid_value"]
        stays = contact(migration, "ipek@ozturktekstil.example")
        assert (stays["jobtitle"], stays["_parentcustomerid_value"]) == (
            "Head of buying",
            ours["_parentcustomerid_value"],
        )
        assert len(migration.rows("contacts")) == 4, "three that stood there, and the one that was edited"
        assert not migration.rows("opportunities")


def test_without_edits_an_interrupted_rollback_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    with serving(tmp_path / "emulator") as url:
        migration = loaded_into(tmp_path / "O'Neill & Söhne", url)
        interrupted(migration, request="batch", skip=4)
        undone = migration.do("rollback")
        assert (undone["equal"], undone["kept_rows"]) == (True, [])
        assert len(migration.rows("contacts")) == 3


def test_whoever_thinks_better_of_it_loads_again_and_has_everything_back(tmp_path: Path) -> None:
    with serving(tmp_path / "emulator") as url:
        migration = loaded_into(tmp_path / "O'Neill & Söhne", url)
        loaded = migration.admin("fingerprint")
        interrupted(migration, request="batch", skip=10)
        assert not migration.rows("opportunities"), "most of it was taken back"

        migration.do("load", code={0, 3})
        again = migration.admin("fingerprint")
        assert {name: table["rows"] for name, table in again["tables"].items()} == {
            name: table["rows"] for name, table in loaded["tables"].items()
        }
        # The service gives these two ids of its own.
        assert {
            name
            for name, table in again["tables"].items()
            if table != loaded["tables"][name] and name not in {"activityparty", "opportunityclose"}
        } == set()
        assert again["pairs"] == loaded["pairs"]
        assert migration.do("reconcile", code={0, 3})["differences"] == 0
        assert migration.do("rollback")["equal"]
