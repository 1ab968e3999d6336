"""Duplicate detection. Source: Microsoft Learn, "Detect duplicate data using the Web API"."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from core_driver import BASE, Driver

from flitstack.emulator.core import Answer, Caller, Environment, Refusal, Request, Switches

CREATE_MULTIPLE = "contacts/Microsoft.Dynamics.CRM.CreateMultiple"


def checked(driver: Driver, method: str, path: str, **body: Any) -> Answer:
    """As a request with `MSCRM.SuppressDuplicateDetection: false`."""
    request = Request(method, path, body=orjson.dumps(body), base_url=BASE)
    return driver.environment.handle(request, Caller(driver.environment.application_user, suppress_duplicates=False))


def test_a_duplicate_is_refused_only_when_the_request_asks(driver: Driver) -> None:
    first = driver.create("contacts", lastname="A", emailaddress1="Someone@Example.com")
    with pytest.raises(Refusal, match="412 0x80040333"):
        checked(driver, "POST", "contacts", lastname="B", emailaddress1="someone@example.com ")
    second = driver.create("contacts", lastname="B", emailaddress1="someone@example.com")
    checked(driver, "POST", "contacts", lastname="C", emailaddress1=None)
    checked(driver, "POST", "contacts", lastname="D")
    checked(driver, "PATCH", f"contacts({second})", lastname="renamed")
    with pytest.raises(Refusal, match="412 0x80040333"):
        checked(driver, "PATCH", f"contacts({second})", emailaddress1="SOMEONE@example.com")
    driver.delete(f"contacts({first})")
    checked(driver, "PATCH", f"contacts({second})", emailaddress1="SOMEONE@example.com")


def test_rows_of_one_request_are_compared_with_each_other(driver: Driver) -> None:
    rows = [
        {"@odata.type": "Microsoft.Dynamics.CRM.contact", "lastname": name, "emailaddress1": mail}
        for name, mail in (("A", "a@example.com"), ("B", "A@example.com"))
    ]
    with pytest.raises(Refusal, match="412 0x80040333"):
        checked(driver, "POST", CREATE_MULTIPLE, Targets=rows)
    assert driver.rows("contacts") == []
    driver.send("POST", CREATE_MULTIPLE, {"Targets": rows})
    assert len(driver.rows("contacts")) == 2


def test_rules_and_the_status_are_chosen(tmp_path: Path) -> None:
    environment = Environment.open(tmp_path, Switches(duplicate_status=500))
    driver = Driver(environment)
    environment.put_document(
        "duplicate_rule", "names", {"table": "account", "columns": ["name", "address1_city"], "first_characters": 3,
                                    "excludes_inactive": True},
    )  # fmt: skip
    row = driver.create("accounts", name="Contoso", address1_city="Paris")
    checked(driver, "POST", "accounts", name="Contoso", address1_city="Rome")
    with pytest.raises(Refusal, match="500 0x80040333"):
        checked(driver, "POST", "accounts", name="CONfusion", address1_city="Parma")
    driver.patch(f"accounts({row})", statecode=1)
    checked(driver, "POST", "accounts", name="CONfusion", address1_city="Parma")
    environment.close()


def test_duplicates_of_a_row_that_is_not_stored_are_shown(driver: Driver) -> None:
    row = driver.create("contacts", lastname="A", emailaddress1="a@example.com")
    driver.create("contacts", lastname="B", emailaddress1="b@example.com")
    body = {"@odata.type": "Microsoft.Dynamics.CRM.contact", "emailaddress1": "A@EXAMPLE.COM"}
    query = {"@p1": orjson.dumps(body).decode(), "@p2": "'contact'", "@p3": '{"PageNumber":1,"Count":50}'}
    path = "RetrieveDuplicates(BusinessEntity=@p1,MatchingEntityName=@p2,PagingInfo=@p3)"
    answer = driver.send("GET", path, query=query)
    found = orjson.loads(answer.body or b"")
    assert [one["contactid"] for one in found["value"]] == [row]
    assert found["@odata.context"].endswith("$metadata#contacts")
