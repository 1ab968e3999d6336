"""Circles of records that point to each other, what is carried by another row, and what many records share."""

from collections.abc import Callable, Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mapping.map_case import MapCase

LOOP = {"Company": {"loop": {"from": "Company", "own": "Id", "their": "Parent", "circle": True}}}
COMPANY = """routes:
  - {table: account, name: firm, phase: accounts, key: Id, matches: {id: Id}, columns: {name: {from: Id}, description: {from: loop},
     parentaccountid: {lookup: [{table: account, via: id, by: Parent, when: 'loop IS DISTINCT FROM Id'}], missing: blank, field: Parent}},
     checks: [{code: circular_parent, when: 'loop = Id', field: Parent, outcome: loaded}]}"""


def first_of_circle(parents: Mapping[str, str | None], start: str) -> str | None:
    """The record of the circle that `start` is on which comes first, found step by step."""
    way, here = [start], parents.get(start)
    while here is not None and here in parents and here not in way:
        way.append(here)
        here = parents[here]
    return min(way, key=list(parents).index) if here == start else None


def loops(case: Callable[..., MapCase], parents: Mapping[str, str | None]) -> dict[str, str | None]:
    rows = [{"Id": name, "Parent": parent} for name, parent in parents.items()]
    run = case(objects={"Company": rows}, maps={"Company": COMPANY}, playbook={"derived": LOOP}).run()
    return {name: row["description"] for name, row in run.rows["firm"].items()}


def test_one_link_of_a_circle_stays_empty_and_is_told(case: Callable[..., MapCase]) -> None:
    parents = {"top": None, "a": "c", "b": "a", "c": "b", "self": "self", "tail": "a", "below": "top", "lost": "gone"}
    rows = [{"Id": name, "Parent": parent} for name, parent in parents.items()]
    run = case(objects={"Company": rows}, maps={"Company": COMPANY}, playbook={"derived": LOOP}).run()
    firms = run.rows["firm"]
    assert {name: row["description"] for name, row in firms.items() if row["description"]} == {
        "a": "a", "b": "a", "c": "a", "self": "self",
    }  # fmt: skip
    assert {name for name, row in firms.items() if row["parentaccountid"]} == {"b", "c", "tail", "below"}
    assert [found[:2] for found in run.findings] == [
        ("circular_parent", "a"), ("circular_parent", "self"), ("unresolved_lookup", "lost"),
    ]  # fmt: skip


@pytest.mark.parametrize("length", [1, 2, 3, 7, 64, 65])
def test_circles_of_any_length_are_found(case: Callable[..., MapCase], length: int) -> None:
    parents: dict[str, str | None] = {f"c{n}": f"c{(n + 1) % length}" for n in range(length)} | {"x": "c0", "y": None}
    assert loops(case, parents) == {**{f"c{n}": "c0" for n in range(length)}, "x": None, "y": None}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.none() | st.integers(0, 11), min_size=1, max_size=10))
def test_circles_are_those_that_walking_finds(case: Callable[..., MapCase], given_parents: list[int | None]) -> None:
    parents = {f"k{n}": None if to is None else f"k{to}" for n, to in enumerate(given_parents)}
    assert loops(case, parents) == {name: first_of_circle(parents, name) for name in parents}


def test_records_that_another_row_carries_count_as_merged(case: Callable[..., MapCase]) -> None:
    link = """routes:
  - {table: account, name: other, phase: rest, when: "Label = 'other'", key: Id, columns: {name: {from: Id}}}
unrouted: {code: kept_as_lookup, field: Label, outcome: merged}"""
    rows = [{"Id": "1", "Label": "primary"}, {"Id": "2", "Label": "other"}]
    run = case(objects={"Link": rows}, maps={"Link": link}).run()
    assert run.findings == [("kept_as_lookup", "1", "merged", "Label")]
    assert not run.document.excluded
    assert not run.document.held
