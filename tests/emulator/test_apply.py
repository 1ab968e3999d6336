"""`$apply`: published answers, and the law that it counts and sums what plain Python counts and sums."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from core_driver import Driver
from hypothesis import given, settings
from hypothesis import strategies as st

from flitstack.emulator.core import Environment, Refusal

FORMATTED = "OData.Community.Display.V1.FormattedValue"
PREFER = f'odata.include-annotations="{FORMATTED}"'


@pytest.fixture(scope="module")
def shared() -> Iterator[Driver]:
    with TemporaryDirectory() as directory:
        environment = Environment.open(Path(directory))
        yield Driver(environment)
        environment.close()


def result(driver: Driver, apply: str, path: str = "accounts", prefer: str = "", **options: str) -> Any:
    answer = driver.get(path, prefer, apply=apply, **options)
    assert answer["@odata.context"] == f"http://localhost/api/data/v9.2/$metadata#{path}"
    return answer["value"]


def test_the_published_examples_are_answered_alike(driver: Driver) -> None:
    """Source: Microsoft Learn, "Aggregate data using OData"."""
    ids = [driver.create("accounts", name=str(at), revenue=revenue) for at, revenue in enumerate((430000, 0, 10000))]
    driver.patch(f"accounts({ids[2]})", statecode=1, statuscode=2)
    assert result(driver, "groupby((statuscode),aggregate($count as count))", prefer=PREFER) == [
        {f"statuscode@{FORMATTED}": "Active", "statuscode": 1, f"count@{FORMATTED}": "2", "count": 2},
        {f"statuscode@{FORMATTED}": "Inactive", "statuscode": 2, f"count@{FORMATTED}": "1", "count": 1},
    ]
    assert result(driver, "aggregate(revenue with sum as total)", prefer=PREFER) == [
        {f"total@{FORMATTED}": "$440,000.00", "total": 440000.0}
    ]
    assert result(driver, "groupby((statuscode),aggregate(revenue with average as averagevalue))") == [
        {"statuscode": 1, "averagevalue": 215000.0},
        {"statuscode": 2, "averagevalue": 10000.0},
    ]
    contact = driver.create("contacts", firstname="Rene", lastname="Valdes (sample)")
    driver.patch(f"accounts({ids[0]})", primarycontactid__bind=f"/contacts({contact})", address1_stateorprovince="WA")
    by_contact = "filter(address1_stateorprovince eq 'WA')/groupby((primarycontactid/fullname))"
    assert result(driver, by_contact) == [{"contact_fullname": "Rene Valdes (sample)"}]
    first = driver.rows("accounts", select="createdon", orderby="createdon")[0]["createdon"]
    assert result(driver, "aggregate(createdon with min as firstCreate)") == [{"firstCreate": first}]


def test_whole_numbers_are_averaged_to_whole_numbers(driver: Driver) -> None:
    """Source: Microsoft Learn, "Aggregate data using FetchXml" (its ten accounts and their results)."""
    cities = ["Redmond", "Lynnwood", "Los Angeles", "Redmond", "Phoenix", "Santa Cruz", "Missoula", "Dallas", "Redmond"]
    sizes = [1500, 2700, 2900, 2900, 3900, 4300, 4800, 6000, 6200]
    driver.create("accounts", name="Example Account")
    for city, size in zip(cities, sizes, strict=True):
        driver.create("accounts", name=f"{city} (sample)", numberofemployees=size, address1_city=city)
    methods = ("average", "max", "min", "sum", "countdistinct")
    text = ",".join(f"numberofemployees with {method} as {method}" for method in methods)
    assert result(driver, f"aggregate({text},$count as all)") == [
        {"average": 3911, "max": 6200, "min": 1500, "sum": 35200, "countdistinct": 8, "all": 10}
    ]
    by_city = "groupby((address1_city),aggregate(numberofemployees with sum as total,$count as n))"
    assert result(driver, by_city)[:2] == [{"total": 0, "n": 1}, {"address1_city": "Dallas", "total": 6000, "n": 1}]
    assert result(driver, by_city, orderby="address1_city desc", top="1") == [
        {"address1_city": "Santa Cruz", "total": 4300, "n": 1}
    ]


def test_lookups_group_with_their_names(driver: Driver) -> None:
    account = driver.create("accounts", name="Muller AG")
    for name in "ab":
        driver.create("contacts", firstname=name, parentcustomerid_account__bind=f"/accounts({account})")
    prefer = 'odata.include-annotations="*"'
    (row,) = result(driver, "groupby((_parentcustomerid_value),aggregate($count as n))", "contacts", prefer)
    assert row["_parentcustomerid_value"] == account
    assert row[f"_parentcustomerid_value@{FORMATTED}"] == "Muller AG"
    assert row["_parentcustomerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "account"
    assert row["n"] == 2
    inside = driver.get(f"accounts({account})/contact_customer_accounts", apply="aggregate($count as n)")
    assert inside["value"] == [{"n": 2}]


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "industrycode": st.sampled_from([1, 2, 3, None]),
            "address1_city": st.sampled_from(["Köln", "KOLN", "Bonn", None]),
            "numberofemployees": st.one_of(st.none(), st.integers(0, 1000)),
            "creditlimit": st.one_of(st.none(), st.integers(0, 10**6).map(lambda cents: cents / 100)),
            "creditonhold": st.booleans(),
        }
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(0, 800))
def test_groups_sum_and_count_what_plain_python_does(shared: Driver, rows: list[dict[str, Any]], least: int) -> None:
    with shared.environment.transaction():
        for row in shared.rows("accounts", select="accountid"):
            shared.delete(f"accounts({row['accountid']})")
        if rows:
            shared.multiple("CreateMultiple", "accounts", "account", [{"name": "x", **row} for row in rows])
    apply = (
        f"filter(numberofemployees ge {least})/filter(numberofemployees ne null)/groupby("
        "(industrycode,address1_city,creditonhold),aggregate($count as n,creditlimit with sum as total,"
        "creditlimit with average as middle,numberofemployees with max as top,"
        "numberofemployees with countdistinct as different))"
    )
    found = {
        (row.get("industrycode"), row.get("address1_city", "").lower().replace("ö", "o"), row["creditonhold"]): row
        for row in result(shared, apply)
    }
    groups = defaultdict(list)
    for row in rows:
        if row["numberofemployees"] is not None and row["numberofemployees"] >= least:
            city = (row["address1_city"] or "").lower().replace("ö", "o")
            groups[row["industrycode"], city, row["creditonhold"]].append(row)
    assert found.keys() == groups.keys()
    for key, members in groups.items():
        limits = [row["creditlimit"] for row in members if row["creditlimit"] is not None]
        sizes = [row["numberofemployees"] for row in members]
        assert found[key]["n"] == len(members)
        assert found[key]["total"] == pytest.approx(sum(limits))
        assert found[key].get("middle") == (pytest.approx(fmean(limits)) if limits else None)
        assert (found[key]["top"], found[key]["different"]) == (max(sizes), len(set(sizes)))


def test_groups_come_in_pages(driver: Driver) -> None:
    driver.multiple(
        "CreateMultiple", "accounts", "account", [{"name": str(n), "numberofemployees": n} for n in range(7)]
    )
    query = {"$apply": "groupby((numberofemployees),aggregate($count as n))", "$orderby": "numberofemployees desc"}
    seen: list[int] = []
    for _ in range(4):
        page = driver.get("accounts", "odata.maxpagesize=2", **{k[1:]: v for k, v in query.items()})
        seen += [row["numberofemployees"] for row in page["value"]]
        link = page.get("@odata.nextLink")
        if link is None:
            break
        query["$skiptoken"] = link.partition("$skiptoken=")[2].replace("%25", "%")
    assert seen == [6, 5, 4, 3, 2, 1, 0]


def test_fifty_thousand_rows_are_the_limit(driver: Driver) -> None:
    """Source: Microsoft Learn, "Aggregate data using FetchXml", Limitations."""
    driver.create("tasks", subject="first")
    more = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) "
        "INSERT INTO task$rows (activityid, subject, versionnumber) SELECT randomblob(16), 'more', i FROM n"
    )
    driver.environment.connection.execute(more.format(49_999))
    assert result(driver, "aggregate($count as n)", "tasks") == [{"n": 50_000}]
    driver.environment.connection.execute(more.format(1))
    with pytest.raises(Refusal, match="400 0x8004E023 AggregateQueryRecordLimit exceeded"):
        result(driver, "aggregate($count as n)", "tasks")
    assert result(driver, "filter(subject eq 'first')/aggregate($count as n)", "tasks") == [{"n": 1}]


@pytest.mark.parametrize(
    ("apply", "options", "code"),
    [
        ("groupby((createdon))", {}, "400 0x80060888 Grouping by date"),
        ("groupby((statuscode),aggregate($count as n))", {"orderby": "n"}, "400 .*SingleValueOpenPropertyAccess"),
        ("groupby((nme))", {}, "400 0x0 Could not find a property named 'nme'"),
        ("aggregate(nme with sum as x)", {}, "400 0x0"),
        ("aggregate(name with sum as x)", {}, "400 0x80060888"),
        ("aggregate(revenue with sum)", {}, "400 0x80060888"),
        ("aggregate(revenue with sum as x,$count as x)", {}, "400 0x80060888"),
        ("aggregate(revenue with median as x)", {}, "501 .*median"),
        ("groupby((statuscode))/filter(statuscode eq 1)", {}, "501 "),
        ("topcount(2,revenue)", {}, "501 .*topcount"),
        ("groupby((year(createdon)))", {}, "501 .*year"),
        ("filter(name eq 'x')", {}, "501 "),
        ("groupby((statuscode))", {"filter": "statuscode eq 1"}, "501 .*filter"),
        ("groupby(statuscode)", {}, "400 0x80060888"),
        ("nonsense", {}, "400 0x80060888"),
    ],
)
def test_what_apply_does_not_know_is_refused(driver: Driver, apply: str, options: dict[str, str], code: str) -> None:
    with pytest.raises(Refusal, match=f"^{code}"):
        result(driver, apply, **options)
