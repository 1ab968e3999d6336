"""What the migration user may not do is told before the load, with the privilege's name and who can help."""

from pathlib import Path
from typing import Any

import pytest
from route.route_case import EXAMPLE, TO_PLAN, Migration, ask, begin, serving

from flitstack.documents import read_yaml, write_yaml

pytestmark = pytest.mark.slow
CLIENT = "22222222-3333-4444-8555-666666666666"
NAME = "Privileges of the migration user"


def told(migration: Migration) -> dict[str, Any]:
    """The check, as status tells it."""
    return next(dict(check) for check in migration.do("status")["checks"] if check["name"] == NAME)


def sign_in(migration: Migration) -> str:
    """The project signs in as an application user of its own; the id of that user."""
    migration.admin("clients", {"client_id": CLIENT, "secret": "s3cret"})
    path = migration.folder / "flitstack.yaml"
    data, _ = read_yaml(path)
    data["environments"]["production"] |= {
        "auth": "client_credentials",
        "token_url": f"{migration.url}/t/oauth2/v2.0/token",
    }
    write_yaml(path, data)
    users = migration.rows("systemusers?$select=systemuserid,applicationid")
    return next(str(user["systemuserid"]) for user in users if user["applicationid"] == CLIENT)


def hold(migration: Migration, user: str, *without: str) -> None:
    """Leave the user one role, which holds everything but these privileges, and no other."""
    api = f"{migration.url}/api/data/v9.2"
    unit = migration.rows("businessunits?$select=businessunitid")[0]["businessunitid"]
    had = migration.rows(f"systemusers({user})/systemuserroles_association?$select=roleid")
    migration.post("roles", {"name": "Migration", "businessunitid@odata.bind": f"/businessunits({unit})"})
    role = next(row["roleid"] for row in migration.rows("roles?$select=roleid,name") if row["name"] == "Migration")
    held = [
        {"PrivilegeId": one["privilegeid"], "Depth": "Global", "BusinessUnitId": unit}
        for one in ask(f"{api}/privileges")["value"]
        if one["name"] not in without
    ]
    migration.post(f"roles({role})/Microsoft.Dynamics.CRM.ReplacePrivilegesRole", {"Privileges": held})
    migration.post(f"systemusers({user})/systemuserroles_association/$ref", {"@odata.id": f"{api}/roles({role})"})
    for row in had:
        migration.delete(f"systemusers({user})/systemuserroles_association({row['roleid']})/$ref")


def test_each_missing_privilege_is_named_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLITSTACK_CLIENT_ID", CLIENT)
    monkeypatch.setenv("FLITSTACK_CLIENT_SECRET", "s3cret")
    with serving(tmp_path / "emulator") as url:
        migration = begin(tmp_path / "acme", url, EXAMPLE)
        assert told(migration)["state"] == "waiting"
        migration.go(TO_PLAN)
        first = told(migration)
        assert first["state"] == "pass", first
        user = sign_in(migration)
        hold(
            migration,
            user,
            "prvCreateContact",
            "prvAppendToAccount",
            "prvOverrideCreatedOnCreatedBy",
            "prvDeleteContact",
        )
        migration.do("plan", code={0, 3})
        check = told(migration)
        assert check["state"] == "block"
        assert "3 of" in check["evidence"]
        assert "prvCreateContact (Contacts are created)" in check["evidence"]
        assert all(name in check["evidence"] for name in ("prvAppendToAccount", "prvOverrideCreatedOnCreatedBy"))
        assert "not held, needed later or in part: prvDeleteContact" in check["evidence"]
        assert "an administrator of the environment" in check["do"]
        migration.do("approve", "schema")
        migration.do("approve", "owners")
        stopped = migration.run("load", "--sample")
        assert "privileges on flit_notedetail come into being with the schema step" in check["evidence"]
        assert "prvReadflit_notedetail" in stopped.errors["destination-refused"]["what"], "as was told"


def test_a_tables_metadata_names_its_privileges(tmp_path: Path) -> None:
    """Source: Microsoft Learn, "SecurityPrivilegeMetadata ComplexType"."""
    with serving(tmp_path / "emulator") as url:
        api = f"{url}/api/data/v9.2"
        known = {row["name"]: row["privilegeid"] for row in ask(f"{api}/privileges")["value"]}
        for table, name in (("account", "Account"), ("phonecall", "Activity"), ("annotation", "Note")):
            privileges = ask(f"{api}/EntityDefinitions(LogicalName='{table}')")["Privileges"]
            assert {one["PrivilegeType"]: one["Name"] for one in privileges}["Create"] == f"prvCreate{name}"
            assert all(known[one["Name"]] == one["PrivilegeId"] for one in privileges)
        shared = ask(f"{api}/EntityDefinitions(LogicalName='transactioncurrency')")["Privileges"]
        assert not {"Assign", "Share"} & {one["PrivilegeType"] for one in shared}
