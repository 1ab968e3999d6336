"""FetchXML as Microsoft publishes it: the queries of its pages over the rows these pages show."""

from typing import Any

import orjson
import pytest
from core_driver import Driver

from flitstack.emulator.core import Refusal

ALL = 'odata.include-annotations="*"'
LABEL = "@OData.Community.Display.V1.FormattedValue"
ATTRIBUTE = "@OData.Community.Display.V1.AttributeName"


def fetch(driver: Driver, path: str, xml: str, prefer: str = "", **options: str) -> Any:
    query = {"fetchXml": xml, **{f"${name}": value for name, value in options.items()}}
    answer = driver.send("GET", path, None, query, {"prefer": prefer})
    return orjson.loads(answer.body or b"null")


def shown(driver: Driver, path: str, xml: str, name: str) -> list[Any]:
    return [row.get(name) for row in fetch(driver, path, xml)["value"]]


# Microsoft Learn, "Aggregate data using FetchXml": employees, name, city; all but the first created on 25 March 2023.
ACCOUNTS = [
    (None, "Example Account", None),
    (1500, "Contoso Pharmaceuticals (sample)", "Redmond"),
    (2700, "Fabrikam, Inc. (sample)", "Lynnwood"),
    (2900, "Blue Yonder Airlines (sample)", "Los Angeles"),
    (2900, "City Power & Light (sample)", "Redmond"),
    (3900, "Coho Winery (sample)", "Phoenix"),
    (4300, "Adventure Works (sample)", "Santa Cruz"),
    (4800, "Alpine Ski House (sample)", "Missoula"),
    (6000, "Litware, Inc. (sample)", "Dallas"),
    (6200, "A. Datum Corporation (sample)", "Redmond"),
]


@pytest.fixture
def sample(driver: Driver) -> Driver:
    for employees, name, city in ACCOUNTS:
        created = "2023-03-25T12:00:00Z" if employees else "2023-08-27T12:00:00Z"
        row = {"name": name, "overriddencreatedon": created, "numberofemployees": employees, "address1_city": city}
        driver.create("accounts", **row)
    return driver


def test_the_published_aggregates(sample: Driver) -> None:
    kinds = [
        ("Average", "avg"),
        ("Count", "count"),
        ("ColumnCount", "countcolumn"),
        ("Maximum", "max"),
        ("Minimum", "min"),
        ("Sum", "sum"),
    ]
    columns = "".join(f"<attribute name='numberofemployees' alias='{a}' aggregate='{f}'/>" for a, f in kinds)
    columns += "<attribute name='numberofemployees' alias='Different' aggregate='countcolumn' distinct='true'/>"
    found = fetch(sample, "accounts", f"<fetch aggregate='true'><entity name='account'>{columns}</entity></fetch>", ALL)
    (row,) = found["value"]
    values = {name: row[name] for name, _ in [*kinds, ("Different", "")]}
    assert values == {
        "Average": 3911,
        "Count": 10,
        "ColumnCount": 9,
        "Maximum": 6200,
        "Minimum": 1500,
        "Sum": 35200,
        "Different": 8,
    }
    assert (row[f"Sum{LABEL}"], row[f"Sum{ATTRIBUTE}"]) == ("35,200", "numberofemployees")
    assert "@odata.etag" not in row


def test_the_published_groups_by_city(sample: Driver) -> None:
    xml = """<fetch aggregate='true'><entity name='account'>
      <attribute name='numberofemployees' alias='Total' aggregate='sum' />
      <attribute name='address1_city' alias='Count' aggregate='count' />
      <attribute name='address1_city' alias='City' groupby='true' />
      <order alias='City' /></entity></fetch>"""
    rows = [(r["Total"], r["Count"], r.get("City")) for r in fetch(sample, "accounts", xml)["value"]]
    assert rows == [
        (0, 1, None),
        (6000, 1, "Dallas"),
        (2900, 1, "Los Angeles"),
        (2700, 1, "Lynnwood"),
        (4800, 1, "Missoula"),
        (3900, 1, "Phoenix"),
        (10600, 3, "Redmond"),
        (4300, 1, "Santa Cruz"),
    ]
    down = xml.replace("<order alias='City' />", "<order alias='Total' descending='true'/><order alias='City'/>")
    assert shown(sample, "accounts", down, "Total")[:3] == [10600, 6000, 4800]


def test_the_published_groups_by_parts_of_a_date(sample: Driver) -> None:
    parts = "".join(
        f"<attribute name='createdon' alias='{part.title()}' groupby='true' dategrouping='{part}' />"
        for part in ("day", "week", "month", "year", "quarter")
    )
    xml = f"""<fetch aggregate='true'><entity name='account'>
      <attribute name='numberofemployees' alias='Total' aggregate='sum' />{parts}<order alias='Month' />
      </entity></fetch>"""
    assert fetch(sample, "accounts", xml)["value"] == [
        {"Total": 35200, "Day": 25, "Week": 12, "Month": 3, "Year": 2023, "Quarter": 1},
        {"Total": 0, "Day": 27, "Week": 35, "Month": 8, "Year": 2023, "Quarter": 3},
    ]
    labelled = fetch(sample, "accounts", xml, ALL)["value"]
    assert labelled[0][f"Year{LABEL}"] == "2,023"
    with pytest.raises(Refusal, match=r"501 .*'fiscal-year'"):
        fetch(sample, "accounts", xml.replace("'year'", "'fiscal-year'"))


def test_the_limit_of_an_aggregate_may_be_lowered(sample: Driver) -> None:
    xml = "<fetch aggregate='true' aggregatelimit='{}'><entity name='account'><attribute name='name' alias='n' "
    xml += "aggregate='count'/></entity></fetch>"
    assert shown(sample, "accounts", xml.format(10), "n") == [10]
    with pytest.raises(Refusal, match="400 0x8004E023"):
        fetch(sample, "accounts", xml.format(9))


def test_the_published_selection_has_etags_and_ids_but_no_nulls(sample: Driver) -> None:
    xml = "<fetch top='5'>\r\n<entity name='account'>\r\n<attribute name='name'/>\r\n</entity>\r\n</fetch>"
    found = fetch(sample, "accounts", xml)
    assert found["@odata.context"].endswith("$metadata#accounts(name,accountid)")
    assert [list(row) for row in found["value"]] == [["@odata.etag", "name", "accountid"]] * 5
    cities = "<fetch><entity name='account'><attribute name='address1_city'/></entity></fetch>"
    assert sum("address1_city" in row for row in fetch(sample, "accounts", cities)["value"]) == 9
    distinct = "<fetch distinct='true'><entity name='account'><attribute name='address1_city'/></entity></fetch>"
    assert sorted(filter(None, shown(sample, "accounts", distinct, "address1_city"))) == sorted(
        {city for _, _, city in ACCOUNTS if city}
    )


def test_the_number_of_rows_comes_with_the_page_when_asked_for(sample: Driver) -> None:
    xml = (
        "<fetch count='3' returntotalrecordcount='{}'><entity name='account'><attribute name='name'/></entity></fetch>"
    )
    prefer = 'odata.include-annotations="Microsoft.Dynamics.CRM.totalrecordcount*"'
    for found in (
        fetch(sample, "accounts", xml.format("true"), prefer),
        fetch(sample, "accounts", xml.format("false"), prefer, count="true"),
    ):
        assert len(found["value"]) == 3
        assert found["@odata.count"] == found["@Microsoft.Dynamics.CRM.totalrecordcount"] == 10
        assert found["@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"] is False
    without = fetch(sample, "accounts", xml.format("false"), prefer)
    assert "@odata.count" not in without
    assert without["@Microsoft.Dynamics.CRM.totalrecordcount"] == -1


def test_choices_sort_by_label_unless_their_values_are_asked_for(driver: Driver) -> None:
    for subject, quality in (("hot", 1), ("warm", 2), ("cold", 3), ("none", None)):
        driver.create("leads", subject=subject, lastname="x", leadqualitycode=quality)
    order = "<order attribute='leadqualitycode' {}/>"
    xml = "<fetch {}><entity name='lead'><attribute name='subject'/>" + order + "</entity></fetch>"
    assert shown(driver, "leads", xml.format("", ""), "subject") == ["none", "cold", "hot", "warm"]
    assert shown(driver, "leads", xml.format("", "descending='true'"), "subject") == ["warm", "hot", "cold", "none"]
    assert shown(driver, "leads", xml.format("useraworderby='1'", ""), "subject") == ["none", "hot", "warm", "cold"]


def test_lookups_sort_and_compare_by_the_name_of_the_row_they_hold(driver: Driver) -> None:
    for name in ("Beta", "alpha"):
        contact = driver.create("contacts", lastname=name)
        driver.create("accounts", name=f"of {name}", primarycontactid__bind=f"/contacts({contact})")
    xml = (
        "<fetch><entity name='account'><attribute name='name'/>{}<order attribute='primarycontactid'/></entity></fetch>"
    )
    assert shown(driver, "accounts", xml.format(""), "name") == ["of alpha", "of Beta"]
    condition = "<filter><condition attribute='primarycontactidname' operator='like' value='B%'/></filter>"
    assert shown(driver, "accounts", xml.format(condition), "name") == ["of Beta"]
