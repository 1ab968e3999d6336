"""`$expand`: published answers, links to the rest, what may not be combined; order by lookups, counts, echoes."""

from typing import Any

import orjson
import pytest
from core_driver import BASE, Driver

from flitstack.emulator.core import Refusal


@pytest.fixture
def litware(driver: Driver) -> str:
    account = driver.create("accounts", name="Litware, Inc. (sample)")
    bound = f"/accounts({account})"
    contact = driver.create("contacts", firstname="Susanna", lastname="Stubberod", parentcustomerid_account__bind=bound)
    driver.patch(f"accounts({account})", primarycontactid__bind=f"/contacts({contact})")
    for number in (1, 2, 3):
        driver.create("tasks", subject=f"Task {number} for Litware", regardingobjectid_account_task__bind=bound)
    return account


def page(driver: Driver, expand: str, size: int = 1) -> Any:
    return driver.get("accounts", f"odata.maxpagesize={size}", select="name", expand=expand)


def test_a_single_expand_brings_all_rows_and_a_link_without_paging(driver: Driver, litware: str) -> None:
    """Source: Microsoft Learn, "Join tables using OData", Single $expand on collection-valued navigation properties."""
    driver.create("accounts", name="other")
    found = page(driver, "Account_Tasks($select=subject),contact_customer_accounts($select=fullname)")
    assert found["@odata.context"] == (
        f"{BASE}$metadata#accounts(name,Account_Tasks(subject),contact_customer_accounts(fullname))"
    )
    (row,) = found["value"]
    assert len(row["Account_Tasks"]) == 3
    assert row["Account_Tasks"][0]["_regardingobjectid_value"] == litware
    assert row["Account_Tasks@odata.nextLink"] == f"{BASE}accounts({litware})/Account_Tasks?$select=subject"
    assert row["contact_customer_accounts"][0]["fullname"] == "Susanna Stubberod"
    assert "@odata.nextLink" in found


def test_a_nested_expand_pages_each_collection(driver: Driver, litware: str) -> None:
    """Source: the same page, Nested $expand on collection-valued navigation properties."""
    expand = "Account_Tasks($select=subject),contact_customer_accounts($select=fullname;$expand=owninguser($select=fullname))"
    found = page(driver, expand, 2)
    assert found["@odata.context"].endswith(
        "#accounts(name,Account_Tasks(subject),contact_customer_accounts(fullname,owninguser(fullname)))"
    )
    (row,) = found["value"]
    assert [task["subject"] for task in row["Account_Tasks"]] == ["Task 1 for Litware", "Task 2 for Litware"]
    assert "_regardingobjectid_value" not in row["Account_Tasks"][0]
    link = row["Account_Tasks@odata.nextLink"]
    start, _, token = link.partition("&$skiptoken=")
    assert start == f"{BASE}accounts({litware})/Account_Tasks?$select=subject"
    query = {"$select": "subject", "$skiptoken": token.replace("%25", "%")}
    answer = driver.send("GET", f"accounts({litware})/Account_Tasks", None, query, {"prefer": "odata.maxpagesize=2"})
    rest = orjson.loads(answer.body or b"")
    assert [task["subject"] for task in rest["value"]] == ["Task 3 for Litware"]
    assert "@odata.nextLink" not in rest
    assert row["contact_customer_accounts"][0]["owninguser"]["fullname"] == "# flitstack"


def test_links_are_expanded_for_lookups_only(driver: Driver, litware: str) -> None:
    found = page(driver, "primarycontactid/$ref")
    assert found["@odata.context"].endswith("#accounts(name,primarycontactid,primarycontactid/$ref())")
    contact = driver.rows("contacts", select="contactid")[0]["contactid"]
    assert found["value"][0]["primarycontactid"] == {"@odata.id": f"{BASE}contacts({contact})"}
    with pytest.raises(Refusal, match=r"400 0x80060888 Expand with \$ref is only supported on lookup type"):
        page(driver, "Account_Tasks/$ref")


ONLY = r"400 0x80060888 Only \$select and \$filter clause can be provided while doing \$expand"


@pytest.mark.parametrize(
    ("expand", "code"),
    [
        ("contact_customer_accounts($top=1;$expand=owninguser)", ONLY),
        ("Account_Tasks($orderby=subject),contact_customer_accounts($expand=owninguser)", ONLY),
        ("primarycontactid($orderby=fullname)", ONLY),
        ("contact_customer_accounts($expand=Contact_Tasks($top=1))", ONLY),
        ("contact_customer_accounts($expand=contactleads_association)", "501 .*N:N"),
        ("accountleads_association,primarycontactid", "501 .*N:N"),
        ("primarycontactid($filter=fullname eq 'x')", "501 "),
        ("Account_Tasks($levels=2)", r"400 0x80060888 .*\$levels"),
        ("Account_Tasks($count=true)", r"400 0x80060888 .*\$count"),
        ("Account_Tasks($skip=1)", r"400 0x80060888 .*\$skip"),
        ("contact_customer_accounts($expand=nothing)", "400 0x0"),
        (",".join(["primarycontactid($expand=owninguser)"] * 8), "400 0x80060888"),
    ],
)
def test_expands_that_the_platform_refuses(driver: Driver, litware: str, expand: str, code: str) -> None:
    with pytest.raises(Refusal, match=f"^{code}"):
        page(driver, expand)


def test_top_zero_inside_an_expand_brings_no_rows(driver: Driver, litware: str) -> None:
    assert page(driver, "Account_Tasks($top=0)")["value"][0]["Account_Tasks"] == []
    filtered = page(driver, "Account_Tasks($select=subject;$filter=contains(subject,'2');$orderby=createdon desc)")
    (row,) = filtered["value"]
    assert [task["subject"] for task in row["Account_Tasks"]] == ["Task 2 for Litware"]
    assert row["Account_Tasks@odata.nextLink"].endswith(
        "?$select=subject&$filter=contains(subject,'2')&$orderby=createdon%20desc"
    )


def test_lookups_sort_by_the_name_of_the_row_they_hold(driver: Driver) -> None:
    """Source: Microsoft Learn, "Order rows using OData", Lookup Columns."""
    for name in ("beta", "Alpha", "gamma"):
        account = driver.create("accounts", name=name)
        driver.create("contacts", firstname=name, parentcustomerid_account__bind=f"/accounts({account})")
    person = driver.create("contacts", firstname="single", lastname="Boss")
    driver.create("contacts", firstname="under boss", parentcustomerid_contact__bind=f"/contacts({person})")
    rows = driver.rows("contacts", orderby="_parentcustomerid_value desc", select="firstname")
    assert [row["firstname"] for row in rows] == ["under boss", "gamma", "beta", "Alpha", "single"]
    page = driver.get("contacts", "odata.maxpagesize=2", orderby="_parentcustomerid_value", select="firstname")
    assert [row["firstname"] for row in page["value"]] == ["single", "Alpha"]
    token = page["@odata.nextLink"].partition("$skiptoken=")[2].replace("%25", "%")
    rest = driver.get("contacts", orderby="_parentcustomerid_value", select="firstname", skiptoken=token)
    assert rest["value"][0]["firstname"] == "beta"


def test_counts_say_whether_there_are_more_than_five_thousand(driver: Driver) -> None:
    """Source: Microsoft Learn, "Count rows using OData"."""
    driver.create("tasks", subject="first")
    more = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) "
        "INSERT INTO task$rows (activityid, subject, versionnumber) SELECT randomblob(16), 'more', i FROM n"
    )
    prefer = 'odata.include-annotations="Microsoft.Dynamics.CRM.*"'
    seen = []
    for number in (4999, 1):
        driver.environment.connection.execute(more.format(number))
        found = driver.get("tasks", prefer, select="activityid", count="true", top="1")
        seen.append((found["@odata.count"], found["@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"]))
    assert seen == [(5000, False), (5000, True)]
    assert driver.send("GET", "tasks/$count").body == b"5000"
    assert driver.get("tasks", prefer, top="1")["@Microsoft.Dynamics.CRM.totalrecordcount"] == -1


@pytest.mark.parametrize("argument", ["@p1", '["account","contact"]', "['account','contact']"])
def test_total_record_counts_take_lists_and_aliases(driver: Driver, argument: str) -> None:
    driver.create("accounts", name="A")
    query = {"@p1": "['account','contact']"}
    answer = driver.send("GET", f"RetrieveTotalRecordCount(EntityNames={argument})", None, query)
    found = orjson.loads(answer.body or b"")["EntityRecordCountCollection"]
    assert (found["Count"], found["Keys"], found["Values"]) == (2, ["account", "contact"], [1, 0])


def test_an_unchanged_row_is_not_sent_again(driver: Driver) -> None:
    account = driver.create("accounts", name="A")
    first = driver.send("GET", f"accounts({account})", None, {"$select": "name"})
    etag = first.headers["ETag"]
    again = driver.send("GET", f"accounts({account})", None, {}, {"if-none-match": etag})
    assert (again.status, again.body) == (304, None)
    driver.patch(f"accounts({account})", name="B")
    assert driver.send("GET", f"accounts({account})", None, {}, {"if-none-match": etag}).status == 200
    assert driver.send("GET", f"accounts({account})", None, {}, {"if-none-match": "null"}).status == 200
