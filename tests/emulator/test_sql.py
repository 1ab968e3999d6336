"""`?sql=`: a SELECT finds what plain Python finds over the same rows; what SQL says beyond it is refused by its name."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from core_driver import Driver
from hypothesis import given, settings
from hypothesis import strategies as st

from flitstack.emulator.core import Environment, Refusal

PEOPLE = [("Ana", 3, 0), ("Bo", None, 0), ("Cy", 1, 1), ("Di", 0, None), (None, 2, 1), ("ana", 5, None)]
COMPANIES = ("North", "South")


def select(driver: Driver, text: str, path: str = "contacts", prefer: str = "") -> list[dict[str, Any]]:
    """The rows of every page."""
    rows: list[dict[str, Any]] = []
    query = {"sql": text}
    while query:
        answer = orjson.loads(driver.send("GET", path, None, query, {"prefer": prefer}).body or b"null")
        rows += answer["value"]
        link = urlsplit(answer.get("@odata.nextLink", ""))
        query = {name: values[0] for name, values in parse_qs(link.query).items()}
    return rows


def values(driver: Driver, text: str, *names: str, prefer: str = "") -> list[Any]:
    rows = select(driver, text, prefer=prefer)
    return [row.get(names[0]) if len(names) == 1 else tuple(row.get(name) for name in names) for row in rows]


@pytest.fixture
def people(driver: Driver) -> Driver:
    companies = [driver.create("accounts", name=name) for name in COMPANIES]
    for number, (name, children, company) in enumerate(PEOPLE):
        row: dict[str, Any] = {"firstname": name, "numberofchildren": children, "lastname": str(number)}
        if company is not None:
            row["parentcustomerid_account@odata.bind"] = f"/accounts({companies[company]})"
        driver.create("contacts", **row)
    return driver


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("numberofchildren = 0", "3"),
        ("numberofchildren <> 3", "2345"),
        ("3 <= numberofchildren", "05"),
        ("NOT numberofchildren > 1", "23"),
        ("NOT (numberofchildren > 1 OR firstname = 'Cy')", "3"),
        ("numberofchildren IS NULL", "1"),
        ("numberofchildren IS NOT NULL AND firstname IS NULL", "4"),
        ("numberofchildren NOT IN (1, 2)", "035"),
        ("numberofchildren NOT BETWEEN 1 AND 3", "35"),
        ("firstname LIKE 'a%'", "05"),
        ("firstname NOT LIKE '_n%'", "123"),
        ("NOT firstname NOT LIKE '_n%'", "05"),
        ("firstname = N'ANA'", "05"),
        ("firstname = 'it''s'", ""),
        ("numberofchildren > -1 AND (firstname = 'Bo' OR firstname = 'Di')", "3"),
    ],
)
def test_conditions_find_what_sql_server_finds(people: Driver, condition: str, found: str) -> None:
    """Three-valued logic: a comparison with a column that is null does not hold, nor does its opposite."""
    text = f"SELECT lastname FROM contact WHERE {condition} ORDER BY lastname"
    assert "".join(values(people, text, "lastname")) == found


def test_joins_keep_or_drop_rows_without_a_partner(people: Driver) -> None:
    text = "SELECT c.lastname, a.name {} JOIN account a ON c.parentcustomerid = a.accountid ORDER BY c.lastname"
    inner = values(people, text.format("FROM contact c"), "lastname", "name")
    outer = values(people, text.format("FROM contact AS c LEFT OUTER"), "lastname", "name")
    assert inner == [("0", "North"), ("1", "North"), ("2", "South"), ("4", "South")]
    assert outer == [("0", "North"), ("1", "North"), ("2", "South"), ("3", None), ("4", "South"), ("5", None)]


def test_groups_of_a_join_are_counted(people: Driver) -> None:
    text = """
      SELECT a.name, COUNT(*) AS n, SUM(c.numberofchildren) AS children, COUNT(c.numberofchildren) AS known
      FROM contact c JOIN account a ON a.accountid = c.parentcustomerid GROUP BY a.name ORDER BY n DESC, a.name"""
    found = select(people, text)
    assert [(row["n"], row["children"], row["known"]) for row in found] == [(2, 3, 1), (2, 3, 2)]


def test_aggregates_without_groups_make_one_row(people: Driver) -> None:
    text = "SELECT MIN(numberofchildren) AS low, MAX(numberofchildren) AS high, COUNT(DISTINCT firstname) AS n FROM contact"
    (row,) = select(people, text)
    assert (row["low"], row["high"], row["n"]) == (0, 5, 4)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("SELECT * FROM contact", "SELECT * is not supported"),
        ("SELECT lastname FROM contact; DELETE FROM contact", "single SELECT"),
        ("DELETE FROM contact", "single SELECT"),
        ("SELECT lastname FROM", "Invalid SQL"),
        ("SELECT lastname FROM contact WHERE contactid IN (SELECT contactid FROM lead)", "subqueries"),
        ("SELECT lastname FROM contact UNION SELECT lastname FROM lead", "single SELECT"),
        ("WITH x AS (SELECT 1 AS a) SELECT a FROM x", "WITH is not supported"),
        ("SELECT lastname FROM contact GROUP BY lastname HAVING COUNT(*) > 1", "HAVING is not supported"),
        ("SELECT c.lastname FROM contact c RIGHT JOIN account a ON a.accountid = c.parentcustomerid", "RIGHT JOIN"),
        ("SELECT c.lastname FROM contact c JOIN account a ON a.accountid > c.parentcustomerid", "by ="),
        ("SELECT firstname, COUNT(*) AS n FROM contact", "GROUP BY"),
        ("SELECT TOP 5001 lastname FROM contact", "5,000"),
        ("SELECT UPPER(lastname) AS l FROM contact", "is no column"),
        ("SELECT lastname FROM contact WHERE UPPER(lastname) = 'A'", "UPPER(lastname)"),
        ("SELECT name FROM account", "holds rows of 'contact'"),
        ("SELECT nothing FROM contact", "nothing"),
        ("SELECT x.lastname FROM contact c", "does not stand in FROM"),
    ],
)
def test_what_the_endpoint_does_not_take_is_named(people: Driver, text: str, named: str) -> None:
    with pytest.raises(Refusal) as refused:
        select(people, text)
    assert refused.value.status in {400, 501}
    assert refused.value.code.startswith("0x")
    assert named in refused.value.message


def test_a_foreign_skip_token_is_refused(people: Driver) -> None:
    query = {"sql": "SELECT lastname FROM contact", "$skiptoken": "<cookie pagenumber='x'/>"}
    with pytest.raises(Refusal) as refused:
        people.send("GET", "contacts", None, query)
    assert refused.value.status == 400


@pytest.fixture(scope="module")
def shelf() -> Iterator[Driver]:
    with TemporaryDirectory() as folder:
        driver = Driver(Environment.open(Path(folder)))
        for number in range(23):
            driver.create("contacts", lastname=f"{number:02}", numberofchildren=number % 4)
        yield driver
        driver.environment.close()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 30),
    st.sampled_from(["", "ORDER BY lastname DESC", "ORDER BY numberofchildren, lastname", "ORDER BY numberofchildren"]),
    st.one_of(st.none(), st.integers(0, 30)),
    st.one_of(st.none(), st.integers(1, 30)),
)
def test_pages_give_every_row_once(shelf: Driver, size: int, order: str, skip: int | None, count: int | None) -> None:
    window = (
        f" OFFSET {skip or 0} ROWS" + (f" FETCH NEXT {count} ROWS ONLY" if count else "")
        if order and skip is not None
        else ""
    )
    text = f"SELECT lastname, numberofchildren FROM contact {order}{window}"
    whole = select(shelf, text)
    assert select(shelf, text, prefer=f"odata.maxpagesize={size}") == whole
    start = (skip or 0) if window else 0
    end = start + count if window and count else None
    names = sorted(f"{number:02}" for number in range(23))
    if "numberofchildren" not in order:
        expected = names[::-1] if "DESC" in order else names
        assert [row["lastname"] for row in whole] == expected[start:end]
    else:
        assert [row["numberofchildren"] for row in whole] == sorted(int(n) % 4 for n in names)[start:end]
        assert len({row["lastname"] for row in whole}) == len(whole)
