"""FetchXML over random rows finds what `$filter` and plain Python find; links of every type; cookies walked to the end."""

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from urllib.parse import unquote
from xml.sax.saxutils import quoteattr

import orjson
import pytest
from core_driver import Driver
from hypothesis import given, settings
from hypothesis import strategies as st

from flitstack.emulator.core import Environment

Row = dict[str, Any]
WORDS = ("ana", "Öst", "OST", 'b"<&', "")
TEXTS = st.sampled_from([*WORDS, None])
PEOPLE = st.lists(
    st.fixed_dictionaries(
        {
            "firstname": TEXTS,
            "lastname": TEXTS,
            "numberofchildren": st.sampled_from([None, 0, 1, 2, 7]),
            "parent": st.sampled_from([None, 0, 1]),
            "leads": st.sets(st.integers(0, 1)),
        }
    ),
    max_size=6,
)


class Case(NamedTuple):
    """One condition three times: as FetchXML, as `$filter`, as a function of a row."""

    fetch: str
    filter: str
    holds: Callable[[Row], bool]


def bare(text: str) -> str:
    return text.lower().replace("ö", "o")


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
}
MATCHES: dict[str, tuple[str, str, Callable[[str, str], bool]]] = {
    "like": ("contains", "%{}%", lambda text, part: part in text),
    "begins-with": ("startswith", "{}", lambda text, part: text.startswith(part)),
    "ends-with": ("endswith", "{}", lambda text, part: text.endswith(part)),
}
NEGATIVES = {"like": "not-like", "begins-with": "not-begin-with", "ends-with": "not-end-with"}


def condition(name: str, operator: str, value: object = None, tail: str = "") -> str:
    given = "" if value is None else f" value={quoteattr(str(value))}"
    return f"<condition attribute='{name}' operator='{operator}'{given}{tail}/>"


def on_number(op: str, value: int) -> Case:
    def holds(row: Row) -> bool:
        number = row["numberofchildren"]
        return op == "ne" if number is None else OPERATORS[op](number, value)

    return Case(condition("numberofchildren", op, value), f"numberofchildren {op} {value}", holds)


def on_text(name: str, op: str, value: str) -> Case:
    def holds(row: Row) -> bool:
        return op == "ne" if row[name] is None else OPERATORS[op](bare(row[name]), bare(value))

    return Case(condition(name, op, value), f"{name} {op} '{value}'", holds)


def on_null(name: str, is_null: bool) -> Case:
    operator, op = ("null", "eq") if is_null else ("not-null", "ne")
    return Case(condition(name, operator), f"{name} {op} null", lambda row: (row[name] is None) == is_null)


def on_part(name: str, operator: str, part: str, is_negative: bool) -> Case:
    function, pattern, test = MATCHES[operator]

    def holds(row: Row) -> bool:
        inside = row[name] is not None and test(bare(row[name]), bare(part))
        return inside != is_negative

    shown = NEGATIVES[operator] if is_negative else operator
    text = f"{function}({name},'{part}')"
    return Case(condition(name, shown, pattern.format(part)), f"not {text}" if is_negative else text, holds)


def on_list(numbers: list[int], is_negative: bool) -> Case:
    values = "".join(f"<value>{n}</value>" for n in numbers)
    operator, name = ("not-in", "NotIn") if is_negative else ("in", "In")
    quoted = ",".join(f'"{n}"' for n in numbers)
    return Case(
        f"<condition attribute='numberofchildren' operator='{operator}'>{values}</condition>",
        f"Microsoft.Dynamics.CRM.{name}(PropertyName='numberofchildren',PropertyValues=[{quoted}])",
        lambda row: (row["numberofchildren"] in numbers) != is_negative,
    )


def on_columns(op: str) -> Case:
    def holds(row: Row) -> bool:
        first, last = row["firstname"], row["lastname"]
        return first is not None and last is not None and OPERATORS[op](bare(first), bare(last))

    tail = " valueof='lastname'"
    return Case(condition("firstname", op, tail=tail), f"firstname {op} lastname", holds)


def joined(kind: str, left: Case, right: Case) -> Case:
    how = all if kind == "and" else any
    return Case(
        f"<filter type='{kind}'>{left.fetch}{right.fetch}</filter>",
        f"({left.filter} {kind} {right.filter})",
        lambda row: how((left.holds(row), right.holds(row))),
    )


NAMES = st.sampled_from(["firstname", "lastname"])
LEAVES = st.one_of(
    st.builds(on_number, st.sampled_from(list(OPERATORS)), st.integers(0, 3)),
    st.builds(on_text, NAMES, st.sampled_from(list(OPERATORS)), st.sampled_from(WORDS)),
    st.builds(on_null, st.sampled_from(["firstname", "numberofchildren"]), st.booleans()),
    st.builds(on_part, NAMES, st.sampled_from(list(MATCHES)), st.sampled_from(["a", "öS", "b", "st"]), st.booleans()),
    st.builds(on_list, st.lists(st.integers(0, 3), min_size=1, max_size=3), st.booleans()),
    st.builds(on_columns, st.sampled_from(list(OPERATORS))),
)
CASES = st.recursive(
    LEAVES, lambda inner: st.builds(joined, st.sampled_from(["and", "or"]), inner, inner), max_leaves=5
)


@pytest.fixture(scope="module")
def shared() -> Iterator[Driver]:
    with TemporaryDirectory() as directory:
        environment = Environment.open(Path(directory))
        yield Driver(environment)
        environment.close()


def fill(driver: Driver, people: list[Row]) -> None:
    for path, key in (("contacts", "contactid"), ("accounts", "accountid"), ("leads", "leadid")):
        for row in driver.rows(path, select=key):
            driver.delete(f"{path}({row[key]})")
    accounts = [driver.create("accounts", name=str(n)) for n in range(3)]
    leads = [driver.create("leads", lastname=str(n), subject="x") for n in range(2)]
    for at, person in enumerate(people):
        body = {k: v for k, v in person.items() if k not in ("parent", "leads") and v is not None}
        if person["parent"] is not None:
            body["parentcustomerid_account__bind"] = f"/accounts({accounts[person['parent']]})"
        contact = driver.create("contacts", jobtitle=str(at), **body)
        for lead in person["leads"]:
            reference = {"@odata.id": f"http://localhost/api/data/v9.2/leads({leads[lead]})"}
            driver.send("POST", f"contacts({contact})/contactleads_association/$ref", reference)


def rows(driver: Driver, path: str, xml: str, prefer: str = "") -> Any:
    answer = driver.send("GET", path, None, {"fetchXml": xml}, {"prefer": prefer})
    return orjson.loads(answer.body or b"")


def found(driver: Driver, path: str, xml: str, *names: str) -> Counter[Any]:
    return Counter(tuple(row.get(name) for name in names) for row in rows(driver, path, xml)["value"])


def contacts(case: Case, extra: str = "") -> str:
    return f"""<fetch><entity name='contact'><attribute name='jobtitle'/><filter>{case.fetch}</filter>{extra}
      </entity></fetch>"""


def linked(kind: str, case: Case, *, in_filter: bool = False) -> str:
    link = f"""<link-entity name='contact' from='parentcustomerid' to='accountid' link-type='{kind}' alias='c'>
      {"<attribute name='jobtitle'/>" if kind in ("inner", "outer") else ""}<filter>{case.fetch}</filter></link-entity>"""
    inside = f"<filter>{link}</filter>" if in_filter else link
    return f"<fetch><entity name='account'><attribute name='name'/>{inside}</entity></fetch>"


@settings(max_examples=40, deadline=None)
@given(PEOPLE, st.lists(CASES, min_size=3, max_size=6))
def test_a_filter_finds_what_odata_and_plain_python_find(shared: Driver, people: list[Row], cases: list[Case]) -> None:
    with shared.environment.transaction():
        fill(shared, people)
    for case in cases:
        expected = {str(at) for at, row in enumerate(people) if case.holds(row)}
        assert set(found(shared, "contacts", contacts(case), "jobtitle")) == {(at,) for at in expected}, case.fetch
        assert {r["jobtitle"] for r in shared.rows("contacts", filter=case.filter)} == expected, case.filter


@settings(max_examples=30, deadline=None)
@given(PEOPLE, CASES, CASES)
def test_links_of_every_type_find_what_plain_python_finds(
    shared: Driver, people: list[Row], case: Case, second: Case
) -> None:
    with shared.environment.transaction():
        fill(shared, people)
    members = {str(n): [(str(at), row) for at, row in enumerate(people) if row["parent"] == n] for n in range(3)}
    matching = {name: [at for at, row in inside if case.holds(row)] for name, inside in members.items()}
    pairs = Counter((name, at) for name, inside in matching.items() for at in inside)
    outer = pairs + Counter((name, None) for name, inside in matching.items() if not inside)
    assert found(shared, "accounts", linked("inner", case), "name", "c.jobtitle") == pairs
    assert found(shared, "accounts", linked("outer", case), "name", "c.jobtitle") == outer
    some = {(name,) for name, inside in matching.items() if inside}
    none = {(name,) for name in members} - some
    for kind, expected in (("exists", some), ("in", some), ("any", some), ("not all", some), ("not any", none)):
        assert found(shared, "accounts", linked(kind, case), "name") == Counter(expected), kind
    empty = {(name,) for name, inside in members.items() if not inside}
    assert found(shared, "accounts", linked("all", case, in_filter=True), "name") == Counter(none - empty)
    first = rows(shared, "accounts", linked("matchfirstrowusingcrossapply", case))["value"]
    assert Counter((row["name"],) for row in first) == Counter(some)

    leads = """<link-entity name='contactleads' from='contactid' to='contactid' intersect='true'>
      <link-entity name='lead' from='leadid' to='leadid' alias='l'><attribute name='lastname'/></link-entity></link-entity>"""
    by_lead = Counter((str(at), str(n)) for at, row in enumerate(people) if case.holds(row) for n in row["leads"])
    assert found(shared, "contacts", contacts(case, leads), "jobtitle", "l.lastname") == by_lead
    shorter = "<link-entity name='lead' alias='l'><attribute name='lastname'/></link-entity>"
    assert found(shared, "contacts", contacts(case, shorter), "jobtitle", "l.lastname") == by_lead
    nested = linked("any", joined("and", case, second)).replace("</filter></link", f"</filter>{shorter}</link")
    nested = nested.replace("<attribute name='lastname'/>", "")
    callers = {
        (name,)
        for name, inside in members.items()
        if any(case.holds(r) and second.holds(r) and r["leads"] for _, r in inside)
    }
    assert found(shared, "accounts", nested, "name") == Counter(callers)


COOKIE = 'odata.include-annotations="Microsoft.Dynamics.CRM.fetchxmlpagingcookie,Microsoft.Dynamics.CRM.morerecords"'


def walk(driver: Driver, path: str, xml: str, size: int) -> list[Row]:
    """All pages as Microsoft's Python client reads them: the cookie decoded twice, the page number it gives."""
    query = ET.fromstring(xml)
    query.set("count", str(size))
    collected: list[Row] = []
    for page in range(1, 100):
        answer = rows(driver, path, ET.tostring(query, encoding="unicode"), COOKIE)
        collected += answer["value"]
        if not answer.get("@Microsoft.Dynamics.CRM.morerecords"):
            return collected
        assert len(answer["value"]) == size
        cookie = ET.fromstring(answer["@Microsoft.Dynamics.CRM.fetchxmlpagingcookie"])
        assert cookie.get("pagenumber") == str(page + 1)
        query.set("page", str(page + 1))
        query.set("paging-cookie", unquote(unquote(cookie.attrib["pagingcookie"])))
    raise AssertionError("the walk does not end")


ORDERS = st.lists(
    st.tuples(st.sampled_from(["firstname", "lastname", "numberofchildren", "parentcustomerid"]), st.booleans()),
    max_size=2,
    unique_by=lambda order: order[0],
)


@settings(max_examples=30, deadline=None)
@given(PEOPLE, ORDERS, st.integers(1, 3), st.sampled_from(["plain", "joined", "distinct"]))
def test_cookies_walked_to_the_end_give_every_row_once_and_in_order(
    shared: Driver, people: list[Row], orders: list[tuple[str, bool]], size: int, shape: str
) -> None:
    with shared.environment.transaction():
        fill(shared, people)
    sort = "".join(f"<order attribute='{name}' descending='{str(down).lower()}'/>" for name, down in orders)
    link = ""
    if shape == "joined":
        link = """<link-entity name='contactleads' from='contactid' to='contactid' link-type='outer' alias='cl'>
          <attribute name='leadid'/></link-entity>"""
    distinct = "distinct='true'" if shape == "distinct" else ""
    xml = f"""<fetch {distinct}><entity name='contact'><attribute name='jobtitle'/><attribute name='firstname'/>
      {sort}{link}</entity></fetch>"""
    pages, whole = walk(shared, "contacts", xml, size), rows(shared, "contacts", xml)["value"]
    assert pages == whole
    copies = {str(at): max(1, len(row["leads"])) if link else 1 for at, row in enumerate(people)}
    assert Counter(row["jobtitle"] for row in pages) == Counter(copies)
    for before, behind in pairwise(pages):
        one, other = people[int(before["jobtitle"])], people[int(behind["jobtitle"])]
        assert in_order(one, other, orders)


def in_order(one: Row, other: Row, orders: list[tuple[str, bool]]) -> bool:
    for name, down in orders:
        first, second = ((sortable(row, name)) for row in ((other, one) if down else (one, other)))
        if first != second:
            return bool(first < second)
    return True


def sortable(row: Row, name: str) -> tuple[bool, Any]:
    """Nulls first; texts as the platform compares them; a parent by its name, which is its number here."""
    value = row["parent" if name == "parentcustomerid" else name]
    return (value is not None, bare(value) if isinstance(value, str) else value or 0)
