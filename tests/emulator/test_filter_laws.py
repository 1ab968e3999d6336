"""Filters over random rows find what plain Python finds: nulls, negations, columns, related rows, any and all."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from core_driver import Driver
from hypothesis import given, settings
from hypothesis import strategies as st

from flitstack.emulator.core import Environment, Refusal

Row = dict[str, Any]
Condition = tuple[str, Callable[[Row], bool]]
WORDS = ("ana", "Öst", "OST", "b", "")
TEXTS = st.sampled_from([*WORDS, None])
NUMBERS = st.sampled_from([None, 0, 1, 2, 7])
PEOPLE = st.fixed_dictionaries(
    {
        "firstname": TEXTS,
        "lastname": TEXTS,
        "numberofchildren": NUMBERS,
        "donotemail": st.booleans(),
        "parent": st.sampled_from([None, 0, 1]),
        "tasks": st.lists(st.sampled_from(["call", "Write"]), max_size=2),
        "leads": st.sets(st.integers(0, 1)),
    }
)


def bare(text: str) -> str:
    return text.lower().replace("ö", "o")


@pytest.fixture(scope="module")
def shared() -> Iterator[Driver]:
    with TemporaryDirectory() as directory:
        environment = Environment.open(Path(directory))
        yield Driver(environment)
        environment.close()


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
}
IN_TEXT: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "startswith": lambda text, part: text.startswith(part),
    "endswith": lambda text, part: text.endswith(part),
}


def on_number(name: str, op: str, value: int) -> Condition:
    def holds(row: Row) -> bool:
        return op == "ne" if row[name] is None else COMPARE[op](row[name], value)

    return f"{{}}{name} {op} {value}", holds


def on_text(name: str, op: str, value: str) -> Condition:
    def holds(row: Row) -> bool:
        return op == "ne" if row[name] is None else COMPARE[op](bare(row[name]), bare(value))

    return f"{{}}{name} {op} '{value}'", holds


def on_null(name: str, op: str) -> Condition:
    return f"{{}}{name} {op} null", lambda row: (row[name] is None) == (op == "eq")


def within(function: str, name: str, part: str) -> Condition:
    def holds(row: Row) -> bool:
        return row[name] is not None and IN_TEXT[function](bare(row[name]), bare(part))

    return f"{function}({{}}{name},'{part}')", holds


def between_columns(op: str) -> Condition:
    def holds(row: Row) -> bool:
        first, last = row["firstname"], row["lastname"]
        return first is not None and last is not None and COMPARE[op](bare(first), bare(last))

    return f"{{}}firstname {op} {{}}lastname", holds


def joined(op: str, left: Condition, right: Condition) -> Condition:
    how = all if op == "and" else any
    return f"({left[0]} {op} {right[0]})", lambda row: how((left[1](row), right[1](row)))


def negated(inner: Condition) -> Condition:
    return f"not ({inner[0]})", lambda row: not inner[1](row)


NAMES = st.sampled_from(["firstname", "lastname"])
LEAVES = st.one_of(
    st.builds(on_number, st.just("numberofchildren"), st.sampled_from(list(COMPARE)), st.integers(0, 3)),
    st.builds(on_text, NAMES, st.sampled_from(list(COMPARE)), st.sampled_from(WORDS)),
    st.builds(on_null, st.sampled_from(["firstname", "numberofchildren"]), st.sampled_from(["eq", "ne"])),
    st.builds(within, st.sampled_from(list(IN_TEXT)), NAMES, st.sampled_from(["a", "öS", "b", "st"])),
    st.builds(between_columns, st.sampled_from(list(COMPARE))),
    st.just(("{}donotemail eq true", lambda row: bool(row["donotemail"]))),
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.builds(joined, st.sampled_from(["and", "or"]), inner, inner), inner.map(negated)),
    max_leaves=5,
)


def fill(driver: Driver, people: list[Row]) -> None:
    for path, key in (("contacts", "contactid"), ("accounts", "accountid"), ("leads", "leadid")):
        for row in driver.rows(path, select=key):
            driver.delete(f"{path}({row[key]})")
    accounts = [driver.create("accounts", name=str(n), numberofemployees=n) for n in range(2)]
    leads = [driver.create("leads", lastname=str(n), subject="x") for n in range(2)]
    for at, person in enumerate(people):
        body = {k: v for k, v in person.items() if k in ("firstname", "lastname", "numberofchildren", "donotemail")}
        if person["parent"] is not None:
            body["parentcustomerid_account__bind"] = f"/accounts({accounts[person['parent']]})"
        contact = driver.create("contacts", jobtitle=str(at), **{k: v for k, v in body.items() if v is not None})
        for subject in person["tasks"]:
            driver.create("tasks", subject=subject, regardingobjectid_contact_task__bind=f"/contacts({contact})")
        for lead in person["leads"]:
            reference = {"@odata.id": f"http://localhost/api/data/v9.2/leads({leads[lead]})"}
            driver.send("POST", f"contacts({contact})/contactleads_association/$ref", reference)


def shown(driver: Driver, path: str, name: str, condition: str) -> set[str]:
    return {row[name] for row in driver.rows(path, filter=condition, select=name)}


@settings(max_examples=60, deadline=None)
@given(st.lists(PEOPLE, max_size=6), st.lists(CONDITIONS, min_size=3, max_size=6))
def test_a_filter_finds_what_plain_python_finds(shared: Driver, people: list[Row], conditions: list[Condition]) -> None:
    with shared.environment.transaction():
        fill(shared, people)
    for text, holds in conditions:
        expected = {str(at) for at, row in enumerate(people) if holds(row)}
        assert shown(shared, "contacts", "jobtitle", text.replace("{}", "")) == expected, text
        inside = text.replace("{}", "c/")
        members = [[row for row in people if row["parent"] == n] for n in range(2)]
        some = {str(n) for n in range(2) if any(holds(row) for row in members[n])}
        every = {str(n) for n in range(2) if all(holds(row) for row in members[n])}
        assert shown(shared, "accounts", "name", f"contact_customer_accounts/any(c:{inside})") == some, text
        assert shown(shared, "accounts", "name", f"contact_customer_accounts/all(c:{inside})") == every, text
        nested = f"contact_customer_accounts/any(c:{inside} and c/Contact_Tasks/any(t:t/subject eq 'call'))"
        callers = {str(n) for n in range(2) if any(holds(row) and "call" in row["tasks"] for row in members[n])}
        assert shown(shared, "accounts", "name", nested) == callers, text
        by_lead = {str(n) for n in range(2) if any(holds(row) and n in row["leads"] for row in people)}
        assert shown(shared, "leads", "lastname", f"contactleads_association/any(c:{inside})") == by_lead, text
        path = f"({text.replace('{}', '')}) and parentcustomerid_account/numberofemployees lt 1"
        assert shown(shared, "contacts", "jobtitle", path) == {a for a in expected if people[int(a)]["parent"] == 0}


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("numberofchildren add 1 eq 2", "501 .*operator 'add'"),
        ("2 eq numberofchildren mul 2", "501 .*operator 'mul'"),
        ("firstname in ('a','b')", "501 .*operator 'in'"),
        ("firstname eq numberofchildren", "400 0x80060888"),
        ("createdon gt numberofchildren", "400 0x80060888"),
        ("contactid eq firstname", "400 0x80060888"),
        ("Contact_Tasks/all()", "400 0x80060888"),
        ("parentcustomerid_account/Account_Tasks/any(t:t/subject eq 'x')", "501 "),
        ("Contact_Tasks/any(t:firstname eq 'x')", "501 "),
        ("Contact_Nothing/any(t:t/subject eq 'x')", "400 0x0"),
        ("Contact_Tasks/any(t:t/nothing eq 'x')", "400 0x0"),
    ],
)
def test_filters_that_the_platform_does_not_know_are_refused(driver: Driver, condition: str, code: str) -> None:
    with pytest.raises(Refusal, match=f"^{code}"):
        driver.rows("contacts", filter=condition)
