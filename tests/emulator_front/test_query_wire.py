"""Links of queries followed as they stand, over the port: encodings must survive the way out and back."""

from typing import Any
from urllib.parse import quote

import pytest
from front_wire import API, Wire


def follow(wire: Wire, link: str, prefer: str = "") -> Any:
    return wire.get(link.partition(API)[2], {"Prefer": prefer})


def test_delta_links_and_their_pages_are_followed_literally(wire: Wire) -> None:
    for number in range(5):
        wire.post("contacts", {"firstname": f"o'Neil & {number}"})
    page = wire.get("contacts?$select=firstname", {"Prefer": "odata.track-changes, odata.maxpagesize=2"})
    seen = list(page["value"])
    while "@odata.nextLink" in page:
        page = follow(wire, page["@odata.nextLink"], "odata.maxpagesize=2")
        seen += page["value"]
    assert [row["firstname"] for row in seen] == [f"o'Neil & {number}" for number in range(5)]
    gone = seen[0]["contactid"]
    assert wire.send("DELETE", f"contacts({gone})").status == 204
    changes = follow(wire, page["@odata.deltaLink"])
    assert [row["reason"] for row in changes["value"]] == ["deleted"]
    token = page["@odata.deltaLink"].partition("$deltatoken=")[2]
    assert wire.send("GET", f"contacts/$count?$deltatoken={token}").body == b"1"


def test_pages_of_groups_keep_their_filter(wire: Wire) -> None:
    for number in range(5):
        wire.post("accounts", {"name": f"R&D 100% + {number}", "numberofemployees": number})
    apply = quote("filter(contains(name,'R&D 100% +'))/groupby((numberofemployees),aggregate($count as n))")
    page = wire.get(f"accounts?$apply={apply}", {"Prefer": "odata.maxpagesize=2"})
    seen = list(page["value"])
    while "@odata.nextLink" in page:
        page = follow(wire, page["@odata.nextLink"], "odata.maxpagesize=2")
        seen += page["value"]
    assert seen == [{"numberofemployees": number, "n": 1} for number in range(5)]


@pytest.mark.parametrize("expand", ["Account_Tasks($select=subject;$filter=contains(subject,'a b&c'))"])
def test_links_behind_expanded_collections_give_the_same_rows(wire: Wire, expand: str) -> None:
    account = wire.post("accounts", {"name": "A"}).entity
    for subject in ("a b&c", "a b&c too", "other"):
        wire.post("tasks", {"subject": subject, "regardingobjectid_account_task@odata.bind": f"/{account}"})
    (row,) = wire.get(f"accounts?$select=name&$expand={quote(expand)}")["value"]
    assert [task["subject"] for task in row["Account_Tasks"]] == ["a b&c", "a b&c too"]
    again = follow(wire, row["Account_Tasks@odata.nextLink"])["value"]
    assert [task["subject"] for task in again] == ["a b&c", "a b&c too"]
