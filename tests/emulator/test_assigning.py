"""Owners: whom they may be, whom they hand their rows to; loops in hierarchies."""

from pathlib import Path
from typing import Any

import pytest
from core_driver import Driver

from flitstack.emulator.core import Environment, Refusal, Switches


def user(driver: Driver, name: str, *, is_disabled: bool = False) -> str:
    unit = driver.rows("businessunits", select="name")[0]["businessunitid"]
    columns: dict[str, Any] = {"businessunitid__bind": f"/businessunits({unit})", "domainname": f"{name}@x.invalid"}
    row = driver.create("systemusers", lastname=name, **columns)
    if is_disabled:
        driver.patch(f"systemusers({row})", isdisabled=True)
    return row


def owner(driver: Driver, path: str) -> str:
    return str(driver.get(path, select="_ownerid_value")["_ownerid_value"])


def test_an_account_takes_its_contacts_tasks_and_orders_along(driver: Driver) -> None:
    new = user(driver, "new")
    account = driver.create("accounts", name="A")
    contact = driver.create("contacts", lastname="C", parentcustomerid_account__bind=f"/accounts({account})")
    task = driver.create("tasks", subject="t", regardingobjectid_contact_task__bind=f"/contacts({contact})")
    order = driver.create("salesorders", name="o", customerid_account__bind=f"/accounts({account})")
    line = driver.create("salesorderdetails", salesorderid__bind=f"/salesorders({order})", productdescription="p")
    other = driver.create("contacts", lastname="O")
    before = owner(driver, f"contacts({other})")
    driver.patch(f"accounts({account})", ownerid__bind=f"/systemusers({new})")
    for path in (f"contacts({contact})", f"tasks({task})", f"salesorders({order})", f"salesorderdetails({line})"):
        assert owner(driver, path) == new, path
    assert owner(driver, f"contacts({other})") == before
    parties = driver.rows(f"tasks({task})/task_activity_parties", select="participationtypemask,_partyid_value")
    assert new in {row["_partyid_value"] for row in parties if row["participationtypemask"] == 9}


def test_a_line_belongs_to_the_owner_of_its_document(driver: Driver) -> None:
    seller = user(driver, "seller")
    quote = driver.create("quotes", name="q", ownerid__bind=f"/systemusers({seller})")
    line = driver.create("quotedetails", quoteid__bind=f"/quotes({quote})", productdescription="p")
    assert owner(driver, f"quotedetails({line})") == seller


@pytest.mark.parametrize(
    "switches", [Switches(), Switches(refuse_disabled_owner=False), Switches(drop_disabled_owner=True)]
)
def test_a_disabled_owner_is_refused_taken_or_passed_over(tmp_path: Path, switches: Switches) -> None:
    environment = Environment.open(tmp_path, switches)
    driver = Driver(environment)
    gone, me = user(driver, "gone", is_disabled=True), str(environment.application_user)
    bound: dict[str, Any] = {"ownerid__bind": f"/systemusers({gone})"}
    kept = driver.create("accounts", name="K")
    if switches == Switches():
        with pytest.raises(Refusal, match="400 0x8004022B"):
            driver.create("accounts", name="A", **bound)
        with pytest.raises(Refusal, match="400 0x8004022B"):
            driver.patch(f"accounts({kept})", **bound)
    else:
        expected = me if switches.drop_disabled_owner else gone
        assert owner(driver, f"accounts({driver.create('accounts', name='A', **bound)})") == expected
        driver.patch(f"accounts({kept})", name="changed", **bound)
        assert owner(driver, f"accounts({kept})") == expected
        rows: list[dict[str, object]] = [
            {"name": str(n), "ownerid@odata.bind": f"/systemusers({gone})"} for n in range(3)
        ]
        driver.multiple("CreateMultiple", "accounts", "account", rows)
        assert {row["_ownerid_value"] for row in driver.rows("accounts")} == {expected}
    environment.close()


@pytest.mark.parametrize(
    ("entity_set", "nav", "code"),
    [
        ("accounts", "parentaccountid", "0x80040507"),
        ("subjects", "parentsubject", "0x80043E01"),
        ("contacts", "parentcustomerid_contact", "0x80040203"),
    ],
)
def test_no_row_is_its_own_ancestor(driver: Driver, entity_set: str, nav: str, code: str) -> None:
    names: dict[str, Any] = {"lastname": "x"} if entity_set == "contacts" else {}
    if entity_set == "subjects":
        names = {"title": "x"}
    top = driver.create(entity_set, **names)
    middle = driver.create(entity_set, **names, **{f"{nav}__bind": f"/{entity_set}({top})"})
    bottom = driver.create(entity_set, **names, **{f"{nav}__bind": f"/{entity_set}({middle})"})
    for loop in (top, middle, bottom):
        with pytest.raises(Refusal, match=f"400 {code}"):
            driver.patch(f"{entity_set}({top})", **{f"{nav}__bind": f"/{entity_set}({loop})"})
    driver.patch(f"{entity_set}({bottom})", **{f"{nav}__bind": f"/{entity_set}({top})"})
