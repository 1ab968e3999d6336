"""Microsoft's SDK: its query builder, FetchXML and SQL, each against rows whose answer is known."""

from dataclasses import dataclass
from typing import Any

import pytest
from PowerPlatform.Dataverse.models.filters import col, raw
from PowerPlatform.Dataverse.models.query_builder import ExpandOption

FORMATTED = "@OData.Community.Display.V1.FormattedValue"


@dataclass(frozen=True)
class Seeded:
    """Ten accounts A0..A9 with revenue 0, 100, ... 900 and a contact each, A9 without revenue."""

    client: Any
    accounts: list[str]


@pytest.fixture(scope="module")
def seeded(sdk: Any) -> Seeded:
    accounts = sdk.records.create(
        "account",
        [{"name": f"A{n}", "industrycode": n % 2 + 1, **({"revenue": n * 100} if n < 9 else {})} for n in range(10)],
    )
    sdk.records.create(
        "contact",
        [
            {"firstname": "C", "lastname": f"{n}", "parentcustomerid_account@odata.bind": f"/accounts({id_})"}
            for n, id_ in enumerate(accounts)
        ],
    )
    return Seeded(sdk, accounts)


def names(rows: Any) -> list[str]:
    return [row["name"] for row in rows]


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        (col("name") == "A1", "1"),
        (col("name") != "A1", "023456789"),
        (col("revenue") > 700, "8"),
        (col("revenue") >= 700, "78"),
        (col("revenue") < 100, "0"),
        (col("revenue") <= 100, "01"),
        (col("revenue").is_null(), "9"),
        (col("revenue").is_not_null(), "012345678"),
        (col("industrycode").in_([2]), "13579"),
        (col("name").in_(["A1", "A3"]), "13"),
        (col("name").not_in(["A0", "A1", "A2", "A3", "A4", "A5", "A6"]), "789"),
        (col("revenue").between(200, 400), "234"),
        (col("revenue").not_between(100, 700), "089"),
        (col("name").contains("7"), "7"),
        (col("name").startswith("A"), "0123456789"),
        (col("name").endswith("5"), "5"),
        (col("name").like("%5"), "5"),
        (col("name").not_like("A%"), ""),
        ((col("name") == "A1") | (col("name") == "A2"), "12"),
        ((col("revenue") > 300) & (col("industrycode") == 1), "468"),
        (~(col("name").startswith("A")), ""),
        (raw("name eq 'A4'"), "4"),
    ],
)
def test_every_filter_of_the_builder(seeded: Seeded, expression: Any, found: str) -> None:
    rows = seeded.client.query.builder("account").select("name").where(expression).order_by("name").execute()
    assert "".join(names(rows)).replace("A", "") == found


def test_order_top_and_formatted_values(seeded: Seeded) -> None:
    query = seeded.client.query.builder("account").select("name", "industrycode", "revenue")
    rows = list(query.order_by("revenue", descending=True).top(2).include_formatted_values().execute())
    assert names(rows) == ["A8", "A7"]
    assert rows[0][f"industrycode{FORMATTED}"] == "Accounting"
    assert rows[0][f"revenue{FORMATTED}"] == "$800.00"


def test_pages_are_streamed(seeded: Seeded) -> None:
    query = seeded.client.query.builder("account").select("name").order_by("name").page_size(4).count()
    assert [len(page) for page in query.execute_pages()] == [4, 4, 2]


def test_related_rows_come_along(seeded: Seeded) -> None:
    many = ExpandOption("contact_customer_accounts").select("lastname").filter("lastname eq '3'").top(1)
    rows = seeded.client.query.builder("account").select("name").where(col("name") == "A3").expand(many).execute()
    assert [contact["lastname"] for contact in rows.first()["contact_customer_accounts"]] == ["3"]
    one = seeded.client.query.builder("contact").select("lastname").where(col("lastname") == "4")
    assert one.expand("parentcustomerid_account").execute().first()["parentcustomerid_account"]["name"] == "A4"


def test_results_become_a_frame(seeded: Seeded) -> None:
    frame = seeded.client.query.builder("account").select("name", "revenue").order_by("name").execute().to_dataframe()
    assert list(frame["name"]) == [f"A{n}" for n in range(10)]


def test_fetchxml_joins_and_pages(seeded: Seeded) -> None:
    xml = """
      <fetch count="3"><entity name="account"><attribute name="name"/><order attribute="name"/>
        <filter><condition attribute="revenue" operator="not-null"/></filter>
        <link-entity name="contact" from="parentcustomerid" to="accountid" alias="c" link-type="inner">
          <attribute name="fullname"/></link-entity></entity></fetch>"""
    query = seeded.client.query.fetchxml(xml)
    rows = list(query.execute())
    assert [(row["name"], row["c.fullname"]) for row in rows] == [(f"A{n}", f"C {n}") for n in range(9)]
    assert [len(page) for page in query.execute_pages()] == [3, 3, 3]


def test_fetchxml_counts_and_sums(seeded: Seeded) -> None:
    xml = """
      <fetch aggregate="true"><entity name="account">
        <attribute name="accountid" alias="n" aggregate="count"/>
        <attribute name="revenue" alias="total" aggregate="sum"/>
        <attribute name="industrycode" alias="industry" groupby="true"/></entity></fetch>"""
    rows = list(seeded.client.query.fetchxml(xml).execute())
    assert sorted((row["industry"], row["n"], float(row["total"])) for row in rows) == [(1, 5, 2000), (2, 5, 1600)]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT TOP 2 name FROM account ORDER BY name DESC", [("A9",), ("A8",)]),
        ("SELECT name FROM account WHERE revenue > 600 AND name LIKE 'A%' ORDER BY name", [("A7",), ("A8",)]),
        ("SELECT name FROM account WHERE revenue IS NULL", [("A9",)]),
        ("SELECT name FROM account WHERE revenue BETWEEN 100 AND 200 ORDER BY name", [("A1",), ("A2",)]),
        ("SELECT name FROM account WHERE name IN ('A4', 'A5') ORDER BY name", [("A4",), ("A5",)]),
        ("SELECT DISTINCT industrycode FROM account ORDER BY industrycode", [(1,), (2,)]),
        (
            "SELECT industrycode, COUNT(*) AS n FROM account GROUP BY industrycode ORDER BY industrycode",
            [(1, 5), (2, 5)],
        ),
        ("SELECT name FROM account ORDER BY name OFFSET 8 ROWS FETCH NEXT 5 ROWS ONLY", [("A8",), ("A9",)]),
        (
            (
                "SELECT a.name, c.lastname FROM account a JOIN contact c ON a.accountid = c.parentcustomerid "
                "WHERE a.revenue > 700 ORDER BY a.name"
            ),
            [("A8", "8")],
        ),
    ],
)
def test_sql(seeded: Seeded, statement: str, expected: list[tuple[object, ...]]) -> None:
    rows = seeded.client.query.sql(statement)
    known = {"name", "lastname", "industrycode", "n"}
    assert [tuple(value for name, value in row.items() if name in known) for row in rows] == expected


def test_sql_into_a_frame(seeded: Seeded) -> None:
    assert list(seeded.client.dataframe.sql("SELECT TOP 2 name FROM account ORDER BY name")["name"]) == ["A0", "A1"]


def test_what_can_be_selected_and_expanded_is_discovered(seeded: Seeded) -> None:
    columns = {each["name"]: each for each in seeded.client.query.sql_columns("account")}
    assert columns["accountid"]["is_pk"]
    assert columns["name"]["is_name"]
    assert columns["revenue"]["type"] == "Money"
    expands = {each["nav_property"]: each for each in seeded.client.query.odata_expands("contact")}
    assert expands["parentcustomerid_account"]["target_entity_set"] == "accounts"
