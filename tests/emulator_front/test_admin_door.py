"""What tests and tools do to an environment from outside."""

from typing import Any

import pytest
from front_wire import Wire

ORG = {
    "name": "Case org",
    "license": "professional",
    "basecurrency": "UAH",
    "sharepoint": True,
    "maxuploadfilesize_kb": 256,
    "lcid": 1031,
    "currencies": [{"isocurrencycode": "UAH", "exchangerate": 1.0}, {"isocurrencycode": "USD", "exchangerate": 0.0241}],
    "blockedattachments": "exe;js",
}
ANA = "00000000-0000-4000-8000-000000000001"
BEN = "00000000-0000-4000-8000-000000000002"


def user(id_: str, name: str, **more: str) -> dict[str, Any]:
    return {
        "systemuserid": id_,
        "firstname": name,
        "lastname": "Martin",
        "fullname": f"{name} Martin",
        "internalemailaddress": f"{name.lower()}@agency.example",
        "domainname": f"{name.lower()}@agency.example",
        "isdisabled": "0",
        "accessmode": "Read-Write",
        "securityroles": "Salesperson",
        **more,
    }


def test_the_handshake_names_the_product(shared_wire: Wire) -> None:
    found = shared_wire.admin("")
    assert found["product"] == "flitstack-emulator"
    assert found["data"] == str(shared_wire.instance.options.data)


def test_the_door_knows_what_it_knows(shared_wire: Wire) -> None:
    assert shared_wire.send("GET", "/flitstack-admin/nosuch").status == 404
    assert shared_wire.send("POST", "/flitstack-admin/snapshot", {"name": "../x"}).status == 400
    assert shared_wire.send("POST", "/flitstack-admin/snapshot", b"not json").status == 400


def test_seeding_brings_organization_currencies_users_and_rows(wire: Wire) -> None:
    account = {"accountid": "10000000-0000-4000-8000-000000000000", "name": "HOLDİNG", "websiteurl": ""}
    body = {
        "org": ORG,
        "systemusers": [
            user(ANA, "Ana"),
            user(BEN, "Ben", isdisabled="1"),
            user("00000000-0000-4000-8000-000000000003", "App", accessmode="Application"),
        ],
        "accounts": [account],
        "contacts": [{"lastname": "Here", "emailaddress1": "here@agency.example"}],
    }
    first = wire.admin("seed", body)
    assert first == {"systemusers": 3, "accounts": 1, "contacts": 1, "leads": 0, "currencies": 2}
    assert [row["lastname"] for row in wire.get("contacts")["value"]] == ["Here"]
    before = wire.admin("fingerprint")
    assert wire.admin("seed", body) == first
    assert wire.admin("fingerprint") == before
    (organization,) = wire.get("organizations?$expand=basecurrencyid($select=isocurrencycode)")["value"]
    assert organization["name"] == "Case org"
    assert organization["maxuploadfilesize"] == 256 * 1024
    assert organization["languagecode"] == 1031
    assert organization["basecurrencyid"]["isocurrencycode"] == "UAH"
    users = {row["systemuserid"]: row for row in wire.get("systemusers")["value"]}
    assert users[ANA]["fullname"] == "Ana Martin"
    assert users[BEN]["isdisabled"] is True
    assert users["00000000-0000-4000-8000-000000000003"]["applicationid"]
    roles = wire.get(f"systemusers({ANA})/systemuserroles_association?$select=name")["value"]
    assert [role["name"] for role in roles] == ["Salesperson"]
    assert wire.get("accounts?$select=name")["value"][0]["name"] == "HOLDİNG"
    assert len(wire.get("sharepointsites")["value"]) == 1


def test_rows_of_seeded_users_can_be_owned_by_them(wire: Wire) -> None:
    wire.admin("seed", {"systemusers": [user(ANA, "Ana"), user(BEN, "Ben", isdisabled="1")]})
    owned = wire.post("accounts", {"name": "A", "ownerid@odata.bind": f"/systemusers({ANA})"})
    assert owned.status == 204, owned.body
    refused = wire.post("accounts", {"name": "A", "ownerid@odata.bind": f"/systemusers({BEN})"})
    assert refused.code == "0x8004022B"


def test_an_access_mode_nobody_knows_is_refused(wire: Wire) -> None:
    reply = wire.send("POST", "/flitstack-admin/seed", {"systemusers": [user(ANA, "Ana", accessmode="Sometimes")]})
    assert reply.status == 400
    assert b"Sometimes" in reply.body


def test_a_snapshot_brings_everything_back(wire: Wire) -> None:
    row = wire.post("accounts", {"name": "before"}).entity
    before = wire.admin("fingerprint")
    wire.admin("snapshot", {"name": "before"})
    wire.send("PATCH", row, {"name": "after"})
    wire.post("contacts", {"lastname": "new"})
    assert wire.admin("fingerprint")["hash"] != before["hash"]
    wire.admin("restore", {"name": "before"})
    assert wire.admin("fingerprint") == before
    assert wire.get(f"{row}?$select=name")["name"] == "before"
    assert wire.post("contacts", {"lastname": "new"}).status == 204
    assert wire.send("POST", "/flitstack-admin/restore", {"name": "nosuch"}).status == 404


def test_the_fingerprint_knows_neither_order_nor_time(wire: Wire) -> None:
    ids = ["20000000-0000-4000-8000-00000000000a", "20000000-0000-4000-8000-00000000000b"]
    for id_ in ids:
        wire.post("accounts", {"accountid": id_, "name": id_[-1]})
    first = wire.admin("fingerprint")["tables"]["account"]
    for id_ in reversed(ids):
        wire.send("DELETE", f"accounts({id_})")
    assert "account" not in wire.admin("fingerprint")["tables"]
    for id_ in reversed(ids):
        wire.post("accounts", {"accountid": id_, "name": id_[-1]})
    assert wire.admin("fingerprint")["tables"]["account"] == first


def test_one_changed_cell_changes_the_fingerprint_and_nothing_else(wire: Wire) -> None:
    row = wire.post("accounts", {"name": "right", "revenue": 10}).entity
    id_ = row[len("accounts(") : -1]
    modified = wire.get(f"{row}?$select=modifiedon")["@odata.etag"]
    before = wire.admin("fingerprint")["hash"]
    assert wire.admin("cell", {"table": "account", "id": id_, "column": "revenue", "value": 11.0}) == {"changed": 1}
    found = wire.get(f"{row}?$select=revenue,modifiedon")
    assert (found["revenue"], found["@odata.etag"]) == (11, modified)
    assert wire.admin("fingerprint")["hash"] != before
    wire.admin("cell", {"table": "account", "id": id_, "column": "revenue", "value": 10})
    assert wire.admin("fingerprint")["hash"] == before


@pytest.mark.parametrize(
    "cell",
    [
        {"table": "nosuch", "id": ANA, "column": "name", "value": 1},
        {"table": "account", "id": ANA, "column": "nosuch", "value": 1},
        {"table": "account", "id": ANA, "column": "name", "value": "x"},
    ],
)
def test_a_cell_that_is_not_there_is_refused(wire: Wire, cell: dict[str, object]) -> None:
    assert wire.send("POST", "/flitstack-admin/cell", cell).status in {400, 404}


def test_organization_settings_can_be_set(wire: Wire) -> None:
    wire.admin("organization", {"maxuploadfilesize": 1024})
    assert wire.get("organizations?$select=maxuploadfilesize")["value"][0]["maxuploadfilesize"] == 1024
    assert wire.send("POST", "/flitstack-admin/organization", {"nosuch": 1}).status == 400


def test_counters_tell_what_was_asked(wire: Wire) -> None:
    wire.post("accounts", {"name": "A"})
    targets = [{"@odata.type": "Microsoft.Dynamics.CRM.account", "name": str(n)} for n in range(3)]
    wire.post("accounts/Microsoft.Dynamics.CRM.CreateMultiple", {"Targets": targets})
    wire.get("accounts")
    found = wire.admin("counters")
    assert found["requests"] == {"create": 1, "CreateMultiple": 1, "read": 1}
    assert found["methods"] == {"POST": 2, "GET": 1}
    assert found["rows_created"] == 4
    wire.admin("counters/reset", {})
    assert wire.admin("counters")["total"] == 0
