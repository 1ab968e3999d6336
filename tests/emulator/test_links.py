"""Lookups, owners, alternate keys, N:N relationships and what a delete takes along."""

from pathlib import Path

import pytest
from core_driver import Driver

from flitstack.catalogue.types import Column, Key
from flitstack.emulator.core import Caller, Environment, Refusal, Request, Switches


def test_a_polymorphic_lookup_keeps_one_target(driver: Driver) -> None:
    account, friend = driver.create("accounts", name="A"), driver.create("contacts", lastname="F")
    row = driver.create("contacts", lastname="X", parentcustomerid_account__bind=f"/accounts({account})")
    wanted = {"select": "_parentcustomerid_value,_accountid_value", "prefer": 'odata.include-annotations="*"'}
    read = driver.get(f"contacts({row})", **wanted)
    assert read["_parentcustomerid_value"] == read["_accountid_value"] == account
    assert read["_parentcustomerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "account"
    driver.patch(f"contacts({row})", parentcustomerid_contact__bind=f"contacts({friend})")
    read = driver.get(f"contacts({row})", **wanted)
    assert read["_parentcustomerid_value"] == friend
    assert read["_accountid_value"] is None
    assert read["_parentcustomerid_value@Microsoft.Dynamics.CRM.associatednavigationproperty"] == (
        "parentcustomerid_contact"
    )


def test_a_lookup_is_cleared_by_null_and_by_ref(driver: Driver) -> None:
    contact = driver.create("contacts", lastname="C")
    account = driver.create("accounts", name="A", primarycontactid__bind=f"/contacts({contact})")
    driver.patch(f"accounts({account})", primarycontactid=None)
    assert driver.get(f"accounts({account})", select="_primarycontactid_value")["_primarycontactid_value"] is None
    link = {"@odata.id": f"http://localhost/api/data/v9.2/contacts({contact})"}
    driver.send("PUT", f"accounts({account})/primarycontactid/$ref", link)
    assert driver.get(f"accounts({account})/primarycontactid", select="lastname")["lastname"] == "C"
    driver.delete(f"accounts({account})/primarycontactid/$ref")
    assert driver.send("GET", f"accounts({account})/primarycontactid").status == 204


def test_the_wrong_table_in_a_binding_is_refused(driver: Driver) -> None:
    account = driver.create("accounts", name="A")
    with pytest.raises(Refusal, match="400 0x80048d19"):
        driver.create("accounts", primarycontactid__bind=f"/accounts({account})")


def test_a_deep_insert_makes_parent_row_and_children(driver: Driver) -> None:
    body = {
        "name": "A",
        "primarycontactid": {"lastname": "Boss"},
        "contact_customer_accounts": [{"lastname": "One"}, {"lastname": "Two"}],
    }
    driver.send("POST", "accounts", body)
    (row,) = driver.rows(
        "accounts",
        select="name",
        expand="primarycontactid($select=lastname),contact_customer_accounts($select=lastname;$orderby=lastname desc)",
    )
    assert row["primarycontactid"]["lastname"] == "Boss"
    assert [c["lastname"] for c in row["contact_customer_accounts"]] == ["Two", "One"]


def test_owners_are_users_or_teams_that_exist_and_are_enabled(driver: Driver) -> None:
    unit = driver.rows("businessunits", select="name")[0]["businessunitid"]
    user = driver.create("systemusers", firstname="U", lastname="V", businessunitid__bind=f"/businessunits({unit})")
    team = driver.create("teams", name="T", businessunitid__bind=f"/businessunits({unit})")
    row = driver.create("accounts", name="A", ownerid__bind=f"/teams({team})")
    read = driver.get(f"accounts({row})", select="_ownerid_value,_owningteam_value,_owninguser_value")
    assert (read["_ownerid_value"], read["_owningteam_value"], read["_owninguser_value"]) == (team, team, None)
    driver.patch(f"accounts({row})", ownerid__bind=f"/systemusers({user})")
    assert driver.get(f"accounts({row})", select="_owninguser_value")["_owninguser_value"] == user
    driver.patch(f"systemusers({user})", isdisabled=True)
    with pytest.raises(Refusal, match="400 0x8004022B"):
        driver.create("accounts", name="B", ownerid__bind=f"/systemusers({user})")


def test_a_switch_lets_disabled_users_own_rows(tmp_path: Path) -> None:
    environment = Environment.open(tmp_path, Switches(refuse_disabled_owner=False))
    driver = Driver(environment)
    unit = driver.rows("businessunits", select="name")[0]["businessunitid"]
    user = driver.create("systemusers", lastname="V", businessunitid__bind=f"/businessunits({unit})")
    driver.patch(f"systemusers({user})", isdisabled=True)
    driver.create("accounts", name="B", ownerid__bind=f"/systemusers({user})")
    environment.close()


def _give_key(driver: Driver) -> None:
    column = Column(
        "new_key", "new_Key", "String", creatable=True, updatable=True, max_length=100,
    )  # fmt: skip
    driver.environment.put_column("account", column)
    driver.environment.put_key("account", Key("new_accountkey", ("new_key",)))


def test_an_alternate_key_finds_binds_and_refuses_duplicates(driver: Driver) -> None:
    driver.create("accounts", name="before")
    _give_key(driver)
    row = driver.create("accounts", name="A", new_key="Straße")
    assert driver.get("accounts(new_key='straße')", select="name")["accountid"] == row
    contact = driver.create("contacts", lastname="C", parentcustomerid_account__bind="/accounts(new_key='Straße')")
    assert driver.get(f"contacts({contact})", select="_accountid_value")["_accountid_value"] == row
    with pytest.raises(Refusal, match="412 0x80060892"):
        driver.create("accounts", name="B", new_key="STRASSE")
    with pytest.raises(Refusal, match="404 0x80060891"):
        driver.get("accounts(new_key='other')")
    with pytest.raises(Refusal, match="400 0x80060890"):
        driver.get("accounts(name='A')")


def test_upsert_by_alternate_key_takes_the_key_from_the_url(driver: Driver) -> None:
    _give_key(driver)
    answer = driver.patch("accounts(new_key='k1')", name="first")
    assert answer.headers["OData-EntityId"].endswith("accounts(new_key='k1')")
    driver.patch("accounts(new_key='k1')", name="second", new_key="dropped")
    assert [(r["name"], r["new_key"]) for r in driver.rows("accounts", select="name,new_key")] == [("second", "k1")]


def test_a_key_over_colliding_rows_is_refused_and_leaves_nothing(driver: Driver) -> None:
    for name in ("same", "SAME"):
        driver.create("accounts", name=name)
    with pytest.raises(Refusal, match="412 0x80060892"):
        driver.environment.put_key("account", Key("by_name", ("name",)))
    assert driver.environment.tables["account"].keys == ()
    driver.create("accounts", name="same")


def test_custom_metadata_and_keys_survive_reopening(tmp_path: Path) -> None:
    environment = Environment.open(tmp_path)
    _give_key(Driver(environment))
    Driver(environment).create("accounts", name="A", new_key="k")
    environment.close()
    environment = Environment.open(tmp_path)
    assert Driver(environment).get("accounts(new_key='K')", select="name")["name"] == "A"
    environment.drop_key("account", "new_accountkey")
    environment.drop_column("account", "new_key")
    assert "new_key" not in environment.tables["account"].columns
    assert Driver(environment).rows("accounts", select="name")[0]["name"] == "A"
    environment.close()


def test_many_to_many_links_are_made_read_and_cut(driver: Driver) -> None:
    competitor = driver.create("competitors", name="Rival")
    row = driver.create("opportunities", name="O")
    nav = "opportunitycompetitors_association"
    driver.send("POST", f"opportunities({row})/{nav}/$ref", {"@odata.id": f"competitors({competitor})"})
    assert [c["name"] for c in driver.rows(f"opportunities({row})/{nav}", select="name")] == ["Rival"]
    assert [o["name"] for o in driver.rows(f"competitors({competitor})/{nav}", select="name")] == ["O"]
    driver.delete(f"opportunities({row})/{nav}({competitor})/$ref")
    assert driver.rows(f"opportunities({row})/{nav}") == []


def test_delete_cascades_to_activities_notes_and_parties(driver: Driver) -> None:
    account = driver.create("accounts", name="A")
    driver.create("tasks", subject="t", regardingobjectid_account_task__bind=f"/accounts({account})")
    driver.create("annotations", subject="n", objectid_account__bind=f"/accounts({account})")
    opportunity = driver.create("opportunities", name="o", customerid_account__bind=f"/accounts({account})")
    driver.create("annotations", subject="n2", objectid_opportunity__bind=f"/opportunities({opportunity})")
    driver.delete(f"accounts({account})")
    for table in ("accounts", "tasks", "annotations", "opportunities", "activityparties"):
        assert driver.rows(table) == [], table


def test_delete_removes_links_and_respects_restrict(driver: Driver) -> None:
    contact = driver.create("contacts", lastname="C")
    account = driver.create("accounts", name="A", primarycontactid__bind=f"/contacts({contact})")
    driver.delete(f"contacts({contact})")
    assert driver.get(f"accounts({account})", select="_primarycontactid_value")["_primarycontactid_value"] is None
    scheduled = driver.create("uomschedules", name="S", baseuomname="Box")
    unit = driver.create("uoms", name="Each", quantity=1, uomscheduleid__bind=f"/uomschedules({scheduled})")
    driver.create(
        "products", name="P", productnumber="1",
        defaultuomid__bind=f"/uoms({unit})", defaultuomscheduleid__bind=f"/uomschedules({scheduled})",
    )  # fmt: skip
    with pytest.raises(Refusal, match="405 0x80040227"):
        driver.delete(f"uoms({unit})")


def test_a_deleted_users_rows_cannot_arise_because_users_stay(driver: Driver) -> None:
    with pytest.raises(Refusal, match="405"):
        driver.delete(f"systemusers({driver.environment.application_user})")


def test_a_child_leaves_a_collection_by_id_query(driver: Driver) -> None:
    account = driver.create("accounts", name="A")
    contact = driver.create("contacts", lastname="C", parentcustomerid_account__bind=f"/accounts({account})")
    path = f"accounts({account})/contact_customer_accounts"
    assert [row["contactid"] for row in driver.rows(path, select="lastname")] == [contact]
    driver.send("DELETE", f"{path}/$ref", query={"$id": f"http://localhost/api/data/v9.2/contacts({contact})"})
    assert driver.rows(path) == []
    assert driver.send("GET", f"{path}/$count").body == b"0"
    driver.send("POST", f"{path}/$ref", {"@odata.id": f"/contacts({contact})"})
    assert len(driver.rows(path)) == 1


def test_a_change_sets_content_id_can_be_bound_and_addressed(driver: Driver) -> None:
    ids = {"1": f"accounts({driver.create('accounts', name='A')})"}
    caller = Caller(driver.environment.application_user)
    body = b'{"lastname":"C","parentcustomerid_account@odata.bind":"$1"}'
    driver.environment.handle(Request("POST", "contacts", body=body, content_ids=ids), caller)
    driver.environment.handle(Request("PATCH", "$1", body=b'{"name":"B"}', content_ids=ids), caller)
    (row,) = driver.rows("contacts", select="lastname", expand="parentcustomerid_account($select=name)")
    assert row["parentcustomerid_account"]["name"] == "B"
    with pytest.raises(Refusal, match=r"Content-ID Reference: '\$2' does not exist in the batch context"):
        driver.environment.handle(Request("PATCH", "$2", body=b"{}", content_ids=ids), caller)


def test_a_lookup_can_be_part_of_an_alternate_key(driver: Driver) -> None:
    contact = driver.create("contacts", lastname="C")
    driver.environment.put_key("account", Key("by_contact", ("primarycontactid", "accountnumber")))
    address = f"accounts(_primarycontactid_value={contact},accountnumber='7')"
    driver.patch(address, name="made")
    driver.patch(address, name="changed")
    (row,) = driver.rows("accounts", select="name,accountnumber,_primarycontactid_value")
    assert (row["name"], row["accountnumber"], row["_primarycontactid_value"]) == ("changed", "7", contact)


def test_a_user_takes_roles_of_the_own_business_unit_alone(driver: Driver) -> None:
    (root,) = [row["businessunitid"] for row in driver.get("businessunits", select="businessunitid")["value"]]
    unit = driver.create("businessunits", name="Lviv", parentbusinessunitid__bind=f"/businessunits({root})")
    there = driver.create("roles", name="Salesperson", businessunitid__bind=f"/businessunits({unit})")
    here = driver.create("roles", name="Teacher", businessunitid__bind=f"/businessunits({root})")
    user = driver.get("systemusers", select="systemuserid")["value"][0]["systemuserid"]
    for row, nav, other in (
        (f"systemusers({user})", "systemuserroles_association", f"roles({there})"),
        (f"roles({there})", "systemuserroles_association", f"systemusers({user})"),
    ):
        link = {"@odata.id": f"http://localhost/api/data/v9.2/{other}"}
        with pytest.raises(Refusal, match="belongs to another business unit than the systemuser"):
            driver.send("POST", f"{row}/{nav}/$ref", link)
    link = {"@odata.id": f"http://localhost/api/data/v9.2/roles({here})"}
    driver.send("POST", f"systemusers({user})/systemuserroles_association/$ref", link)
    held = driver.get(f"systemusers({user})/systemuserroles_association", select="name")["value"]
    assert "Teacher" in {role["name"] for role in held}
