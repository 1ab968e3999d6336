"""Operators of FetchXML that ask for dates, people and hierarchies; links by documented example; what is refused."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from core_driver import Driver

from flitstack.catalogue.types import Column, Option
from flitstack.emulator.core import Environment, Refusal

NOW = datetime(2026, 3, 18, 14, 30, tzinfo=UTC)  # a Wednesday


@pytest.fixture
def fixed(tmp_path: Path) -> Iterator[Driver]:
    environment = Environment.open(tmp_path / "data", clock=lambda: NOW)
    yield Driver(environment)
    environment.close()


def found(driver: Driver, path: str, name: str, xml: str) -> list[Any]:
    answer = driver.send("GET", path, None, {"fetchXml": xml})
    return [row.get(name) for row in orjson.loads(answer.body or b"")["value"]]


def where(table: str, column: str, conditions: str, extra: str = "") -> str:
    return f"""<fetch version='1.0' output-format='xml-platform' mapping='logical' no-lock='false'><entity name='{table}'>
      <attribute name='{column}' /><filter>{conditions}</filter>{extra}<order attribute='{column}'/></entity></fetch>"""


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [
        ("today", None, ["03-18"]),
        ("yesterday", None, ["03-17"]),
        ("tomorrow", None, ["03-19"]),
        ("this-week", None, ["03-17", "03-18", "03-19"]),
        ("last-month", None, ["02-10"]),
        ("next-month", None, []),
        ("this-year", None, ["02-10", "03-11", "03-17", "03-18", "03-19"]),
        ("last-seven-days", None, ["03-11", "03-17", "03-18"]),
        ("next-seven-days", None, ["03-19"]),
        ("last-x-days", "1", ["03-17", "03-18"]),
        ("last-x-months", "2", ["02-10", "03-11", "03-17", "03-18"]),
        ("next-x-hours", "24", ["03-19"]),
        ("olderthan-x-weeks", "1", ["02-10"]),
        ("on", "2026-03-17", ["03-17"]),
        ("on-or-before", "2026-03-11", ["02-10", "03-11"]),
        ("on-or-after", "2026-03-18", ["03-18", "03-19"]),
        ("eq", "2026-03-18T12:00:00Z", ["03-18"]),
        ("gt", "2026-03-18T12:00:00Z", ["03-19"]),
    ],
)
def test_dates(fixed: Driver, operator: str, value: str | None, expected: list[str]) -> None:
    for day in ("2026-02-10", "2026-03-11", "2026-03-17", "2026-03-18", "2026-03-19"):
        fixed.create("tasks", subject=day[5:], scheduledend=f"{day}T12:00:00Z")
    given = "" if value is None else f"value='{value}'"
    condition = f"<condition attribute='scheduledend' operator='{operator}' {given}/>"
    assert found(fixed, "tasks", "subject", where("task", "subject", condition)) == expected


def test_the_caller_and_the_unit(driver: Driver) -> None:
    driver.create("accounts", name="mine")
    user = str(driver.environment.application_user)
    for operator, count in (("eq-userid", 1), ("ne-userid", 0), ("eq-useroruserteams", 1), ("eq-userteams", 0)):
        assert len(found(driver, "accounts", "name", where("account", "name", _plain("ownerid", operator)))) == count
    for operator, count in (("eq-businessid", 1), ("ne-businessid", 0)):
        xml = where("account", "name", _plain("owningbusinessunit", operator))
        assert len(found(driver, "accounts", "name", xml)) == count
    one = where(
        "account", "name", f"<condition attribute='ownerid' operator='eq' value='{{{user}}}' uitype='systemuser'/>"
    )
    assert found(driver, "accounts", "name", one) == ["mine"]


def _plain(column: str, operator: str) -> str:
    return f"<condition attribute='{column}' operator='{operator}'/>"


def test_hierarchies_and_the_number_of_children(driver: Driver) -> None:
    """Source: Microsoft Learn, "Query hierarchical data"."""
    top = driver.create("accounts", name="1")
    middle = driver.create("accounts", name="2", parentaccountid__bind=f"/accounts({top})")
    driver.create("accounts", name="3", parentaccountid__bind=f"/accounts({middle})")
    driver.create("accounts", name="4")
    expected = {
        "above": ["1"],
        "eq-or-above": ["1", "2"],
        "under": ["3"],
        "eq-or-under": ["2", "3"],
        "not-under": ["1", "2", "4"],
    }
    for operator, names in expected.items():
        condition = f"<condition attribute='accountid' operator='{operator}' value='{middle}'/>"
        assert found(driver, "accounts", "name", where("account", "name", condition)) == names, operator
    counted = """<fetch><entity name='account'><attribute name='name'/><order attribute='name'/>
      <attribute name='accountid' alias='numberOfChildren' rowaggregate='CountChildren'/></entity></fetch>"""
    assert found(driver, "accounts", "numberOfChildren", counted) == [1, 1, 0, 0]


def test_several_choices_in_one_column(driver: Driver) -> None:
    options = tuple(Option(value, str(value)) for value in (1, 2, 11))
    driver.environment.put_column(
        "account",
        Column("new_colours", "new_Colours", "MultiSelectPicklist", creatable=True, updatable=True, options=options),
    )
    for name, colours in (("both", "1,2"), ("one", "11"), ("none", None)):
        driver.create("accounts", name=name, new_colours=colours)
    inside = "<condition attribute='new_colours' operator='{}'><value>1</value><value>{}</value></condition>"
    for operator, other, names in (
        ("contain-values", 11, ["both", "one"]),
        ("contain-values", 2, ["both"]),
        ("not-contain-values", 2, ["none", "one"]),
    ):
        assert found(driver, "accounts", "name", where("account", "name", inside.format(operator, other))) == names
    wrong = where("account", "name", inside.format("contain-values", 1).replace("new_colours", "name"))
    with pytest.raises(Refusal, match="400 0x80040203"):
        found(driver, "accounts", "name", wrong)


def test_rows_without_related_rows(driver: Driver) -> None:
    """Source: Microsoft Learn, "Join tables using FetchXml" (find records not in a set), "Filter rows using FetchXml"."""
    alone, crowded = (driver.create("accounts", name=name) for name in ("alone", "crowded"))
    driver.patch(f"accounts({crowded})", fax="1")
    driver.create("contacts", lastname="crowded", parentcustomerid_account__bind=f"/accounts({crowded})")
    driver.create("contacts", lastname="of alone", parentcustomerid_account__bind=f"/accounts({alone})")
    driver.create("contacts", lastname="nobody's")
    driver.create("accounts", name="empty")
    outer = "<link-entity name='contact' from='parentcustomerid' to='accountid' link-type='outer' alias='contact' />"
    without = "<condition entityname='contact' attribute='parentcustomerid' operator='null' />"
    assert found(driver, "accounts", "name", where("account", "name", without, outer)) == ["empty"]
    by_account = "<link-entity name='account' from='accountid' to='parentcustomerid' link-type='outer' alias='a'/>"
    no_fax = "<condition entityname='a' attribute='fax' operator='null' />"
    assert found(driver, "contacts", "lastname", where("contact", "lastname", no_fax, by_account)) == [
        "nobody's",
        "of alone",
    ]
    same = "<condition attribute='lastname' operator='eq' valueof='a.name' />"
    assert found(driver, "contacts", "lastname", where("contact", "lastname", same, by_account)) == ["crowded"]
    no_relationship = """<fetch><entity name='account'><attribute name='name'/><link-entity name='contact'
      from='lastname' to='name' link-type='inner' alias='contact'><attribute name='lastname'/></link-entity></entity></fetch>"""
    assert found(driver, "accounts", "contact.lastname", no_relationship) == ["crowded"]


def test_links_say_what_they_leave_out(driver: Driver) -> None:
    """Auto-generated aliases count the links of the query; one of `from` and `to` is enough between two tables."""
    account = driver.create("accounts", name="a")
    driver.create("tasks", subject="t", regardingobjectid_account_task__bind=f"/accounts({account})")
    xml = """<fetch><entity name='account'><link-entity name='task' from='regardingobjectid'><attribute name='subject'/>
      <link-entity name='systemuser' to='owninguser' from='systemuserid'><attribute name='lastname'/></link-entity>
      </link-entity></entity></fetch>"""
    assert found(driver, "accounts", "task1.subject", xml) == ["t"]
    assert found(driver, "accounts", "systemuser2.lastname", xml) != [None]
    with pytest.raises(Refusal, match="400 0x80041102 No system many-to-many relationship exists between account and"):
        found(driver, "accounts", "name", xml.replace(" from='regardingobjectid'", ""))


def test_activities_of_every_kind_are_one_table(driver: Driver) -> None:
    for path in ("tasks", "phonecalls", "letters"):
        driver.create(path, subject=path)
    xml = (
        "<fetch><entity name='activitypointer'><attribute name='subject'/><order attribute='subject'/></entity></fetch>"
    )
    assert found(driver, "activitypointers", "subject", xml) == ["letters", "phonecalls", "tasks"]


LINK = "<link-entity name='contact' from='parentcustomerid' to='accountid' {}/>"


@pytest.mark.parametrize(
    ("inside", "code"),
    [
        (
            "<attribute name='nothing'/>",
            "400 0x80041103 'Account' entity doesn't contain attribute with Name = 'nothing'",
        ),
        ("<nothing/>", "400 0x8004111C Invalid Child Node, valid nodes are filter, order"),
        ("<filter><condition attribute='name' operator='resembles' value='x'/></filter>", "400 0x80041120"),
        ("<filter><condition attribute='createdon' operator='this-fiscal-week'/></filter>", "400 .*this-fiscal-week"),
        ("<filter><condition attribute='createdon' operator='on' value='2/28/2022'/></filter>", "501 .*2/28/2022"),
        ("<filter><condition attribute='statecode' operator='eq' value='x'/></filter>", "400 0x80040203"),
        ("<filter><condition attribute='name' operator='eq'/></filter>", "400 0x80040203"),
        ("<filter><condition attribute='name' operator='eq' valueof='numberofemployees'/></filter>", "400 0x80040203"),
        ("<filter><condition attribute='name' operator='eq' entityname='x' value='1'/></filter>", "400 0x8004110A"),
        ("<filter type='xor'/>", "400 0x80041122"),
        ("<order attribute='name' descending='maybe'/>", "400 0x80041119"),
        ("<attribute name='name' aggregate='sum' alias='a'/>", "400 0x80040203"),
        ("<attribute name='name' alias='a b'/>", "400 0x80041109 Invalid character specified for alias: a b"),
        ("<attribute name='name' size='1'/>", "501 .*attribute 'size' of 'attribute'"),
        (LINK.format("link-type='cross'"), "400 0x80041117"),
        (LINK.format("alias='x'") * 2, "400 0x80041109"),
        (LINK.format("") * 16, "400 0x8004430D Number of link entities in query exceeded maximum limit"),
        (LINK.replace("accountid", "name").format(""), "501 .*parentcustomerid.*name"),
        ("<filter>" + _plain("name", "null") * 501 + "</filter>", "400 0x8004430C Number of conditions in query"),
        ("<filter>" * 70 + "</filter>" * 70, "400 0x80040201"),
    ],
)
def test_what_is_wrong_inside_is_refused(driver: Driver, inside: str, code: str) -> None:
    with pytest.raises(Refusal, match=f"^{code}"):
        found(driver, "accounts", "name", f"<fetch><entity name='account'>{inside}</entity></fetch>")


@pytest.mark.parametrize(
    ("xml", "code"),
    [
        ("", "400 0x80040203 Expected non-empty string."),
        ("<fetch><entity", "400 0x80040201 Invalid XML."),
        ("<fetch/>", "400 0x80041102 Entity Name was not specified in FetchXml String."),
        ("<fetch><entity/></fetch>", "400 0x80041102"),
        ("<fetch><entity name='contact'/></fetch>", "400 0x80041128"),
        (
            "<!DOCTYPE f [<!ENTITY a 'name'>]><fetch><entity name='account'><attribute name='&a;'/></entity></fetch>",
            "400",
        ),
        ("<fetch top='2' count='1'><entity name='account'/></fetch>", "400 0x80040203"),
        ("<fetch top='5001'><entity name='account'/></fetch>", "400 0x80040203"),
        ("<fetch count='0'><entity name='account'/></fetch>", "400 0x8004110C"),
        ("<fetch page='11' count='5000'><entity name='account'/></fetch>", "400 0x80040203 Paging cookie is required"),
        (
            "<fetch page='2' paging-cookie='&lt;cookie/&gt;'><entity name='account'/></fetch>",
            "400 0x80040203 Malformed",
        ),
        ("<fetch datasource='retained'><entity name='account'/></fetch>", "501 .*datasource"),
        ("<fetch aggregate='true'><entity name='account'><attribute name='name'/></entity></fetch>", "400 0x8004110B"),
    ],
)
def test_what_is_wrong_as_a_whole_is_refused(driver: Driver, xml: str, code: str) -> None:
    with pytest.raises(Refusal, match=f"^{code}"):
        found(driver, "accounts", "name", xml)


def test_a_large_page_number_skips_and_a_cookie_of_another_query_is_refused(driver: Driver) -> None:
    for n in range(5):
        driver.create("accounts", name=str(n))
    xml = "<fetch page='{}' count='2'><entity name='account'><attribute name='name'/><order attribute='name'/></entity></fetch>"
    assert [found(driver, "accounts", "name", xml.format(page)) for page in (1, 2, 3, 4)] == [
        ["0", "1"],
        ["2", "3"],
        ["4"],
        [],
    ]
    cookie = "&lt;cookie page=&quot;1&quot;&gt;&lt;fax last=&quot;1&quot; first=&quot;1&quot; /&gt;&lt;/cookie&gt;"
    with pytest.raises(Refusal, match="Malformed XML in the Paging Cookie"):
        found(driver, "accounts", "name", xml.replace("count='2'", f"count='2' paging-cookie='{cookie}'").format(2))
