"""Change tracking: published exchanges, and the law that walked deltas keep a copy equal to the table."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest
from core_driver import BASE, Driver
from hypothesis import given, settings
from hypothesis import strategies as st

from flitstack.emulator.core import Environment, Refusal

TRACK = "odata.track-changes"


class Clock:
    now = datetime(2024, 3, 31, 15, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clocked(tmp_path: Path) -> Iterator[tuple[Driver, Clock]]:
    clock = Clock()
    environment = Environment.open(tmp_path / "data", clock=clock)
    yield Driver(environment), clock
    environment.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[Driver]:
    with TemporaryDirectory() as directory:
        environment = Environment.open(Path(directory))
        yield Driver(environment)
        environment.close()


def follow(driver: Driver, link: str, prefer: str = "") -> Any:
    url = urlsplit(link)
    path = url.path.removeprefix("/api/data/v9.2/")
    answer = driver.send("GET", path, None, dict(parse_qsl(url.query)), {"prefer": prefer})
    return orjson.loads(answer.body or b"")


def walk(driver: Driver, page: Any, size: int) -> tuple[list[dict[str, Any]], str]:
    """All rows of a walk, and the delta link on its last page."""
    rows = list(page["value"])
    for _ in range(200):
        assert ("@odata.nextLink" in page) != ("@odata.deltaLink" in page)
        if "@odata.deltaLink" in page:
            return rows, page["@odata.deltaLink"]
        assert len(page["value"]) == size
        page = follow(driver, page["@odata.nextLink"], f"odata.maxpagesize={size}")
        rows += page["value"]
    raise AssertionError("the walk does not end")


def test_the_published_exchange_is_answered_alike(clocked: tuple[Driver, Clock]) -> None:
    """Source: Microsoft Learn, "Use change tracking to synchronize data with external systems"."""
    driver, clock = clocked
    gone = driver.create("accounts", name="Gone")
    query = {"$select": "name,telephone1,fax"}
    answer = driver.send("GET", "accounts", None, query, {"prefer": TRACK})
    assert answer.headers["Preference-Applied"] == TRACK
    first = orjson.loads(answer.body or b"")
    assert first["@odata.context"] == f"{BASE}$metadata#accounts(name,telephone1,fax)"
    assert [row["name"] for row in first["value"]] == ["Gone"]
    link = first["@odata.deltaLink"]
    assert link.startswith(f"{BASE}accounts?$select=name,telephone1,fax&$deltatoken=")
    assert link.endswith("%2103%2F31%2F2024%2015%3A30%3A00")
    clock.now += timedelta(minutes=10)
    made = driver.create("accounts", name="Monte Orton", telephone1="555000", fax="10101")
    driver.delete(f"accounts({gone})")
    second = follow(driver, link)
    assert second["@odata.context"] == f"{BASE}$metadata#accounts(name,telephone1,fax)/$delta"
    etag = second["value"][0].pop("@odata.etag")
    assert etag.startswith('W/"')
    assert second["value"] == [
        {"name": "Monte Orton", "telephone1": "555000", "fax": "10101", "accountid": made},
        {"@odata.context": f"{BASE}$metadata#accounts/$deletedEntity", "id": gone, "reason": "deleted"},
    ]
    token = dict(parse_qsl(urlsplit(link).query))["$deltatoken"]
    assert driver.send("GET", "accounts/$count", None, {"$deltatoken": token}).body == b"2"
    assert follow(driver, second["@odata.deltaLink"])["value"] == []


OPS = st.lists(st.tuples(st.sampled_from(["create", "update", "delete", "again"]), st.integers(0, 9)), max_size=8)


@settings(max_examples=40, deadline=None)
@given(st.lists(OPS, min_size=1, max_size=4), st.integers(1, 5))
def test_walked_deltas_keep_a_copy_equal_to_the_table(
    shared: Driver, rounds: list[list[tuple[str, int]]], size: int
) -> None:
    prefer = f"{TRACK},odata.maxpagesize={size}"
    rows, link = walk(shared, shared.get("contacts", prefer, select="firstname"), size)
    copy = {row["contactid"]: row["firstname"] for row in rows}
    dead: list[str] = []
    for number, operations in enumerate(rounds):
        with shared.environment.transaction():
            for at, (operation, which) in enumerate(operations):
                alive = sorted(row["contactid"] for row in shared.rows("contacts", select="contactid"))
                name = f"{number}.{at}"
                if operation == "create" or not alive:
                    shared.create("contacts", firstname=name)
                elif operation == "update":
                    shared.patch(f"contacts({alive[which % len(alive)]})", firstname=name)
                elif operation == "delete":
                    dead.append(alive[which % len(alive)])
                    shared.delete(f"contacts({dead[-1]})")
                elif dead:
                    shared.create("contacts", contactid=dead.pop(), firstname=name)
        counted = shared.send("GET", "contacts/$count", None, {"$deltatoken": token_of(link)}).body
        changes, link = walk(shared, follow(shared, link, f"odata.maxpagesize={size}"), size)
        assert int(counted or b"") == len(changes)
        for change in changes:
            if change.get("reason") == "deleted":
                copy.pop(change["id"], None)
            else:
                copy[change["contactid"]] = change["firstname"]
        assert copy == {row["contactid"]: row["firstname"] for row in shared.rows("contacts", select="firstname")}


def token_of(link: str) -> str:
    return dict(parse_qsl(urlsplit(link).query))["$deltatoken"]


def test_rows_changed_during_a_walk_come_with_the_next_delta(driver: Driver) -> None:
    ids = [driver.create("contacts", firstname=str(n)) for n in range(4)]
    page = driver.get("contacts", f"{TRACK},odata.maxpagesize=3", select="firstname")
    driver.patch(f"contacts({ids[0]})", firstname="changed")
    driver.create("contacts", firstname="new")
    rows, link = walk(driver, page, 3)
    assert [row["firstname"] for row in rows] == ["0", "1", "2", "3"]
    assert [row["firstname"] for row in follow(driver, link)["value"]] == ["changed", "new"]


def test_deleted_children_and_activities_are_in_the_log(driver: Driver) -> None:
    account = driver.create("accounts", name="A")
    task = driver.create("tasks", subject="T", regardingobjectid_account_task__bind=f"/accounts({account})")
    links = {path: driver.get(path, TRACK)["@odata.deltaLink"] for path in ("tasks", "activitypointers", "accounts")}
    driver.delete(f"accounts({account})")
    gone = {path: [row["id"] for row in follow(driver, link)["value"]] for path, link in links.items()}
    assert gone == {"tasks": [task], "activitypointers": [task], "accounts": [account]}


def test_a_token_lives_seven_days_and_so_does_the_log(clocked: tuple[Driver, Clock]) -> None:
    driver, clock = clocked
    ids = [driver.create("accounts", name=str(n)) for n in range(3)]
    link = driver.get("accounts", TRACK)["@odata.deltaLink"]
    driver.delete(f"accounts({ids[0]})")
    clock.now += timedelta(days=7)
    assert len(follow(driver, link)["value"]) == 1
    clock.now += timedelta(seconds=1)
    with pytest.raises(Refusal, match="400 0x80044352 Version stamp associated with the client has expired"):
        follow(driver, link)
    driver.delete(f"accounts({ids[1]})")
    (kept,) = driver.environment.connection.execute('SELECT count(*) FROM "environment$deletion"').fetchone()
    assert kept == 1


def test_deletions_survive_the_end_of_the_process(tmp_path: Path) -> None:
    environment = Environment.open(tmp_path)
    account = Driver(environment).create("accounts", name="A")
    link = Driver(environment).get("accounts", TRACK)["@odata.deltaLink"]
    Driver(environment).delete(f"accounts({account})")
    environment.close()
    environment = Environment.open(tmp_path)
    assert [row["id"] for row in follow(Driver(environment), link)["value"]] == [account]
    environment.close()


@pytest.mark.parametrize("option", ["filter", "orderby", "expand", "top"])
def test_options_that_change_tracking_does_not_know_are_refused_as_published(driver: Driver, option: str) -> None:
    message = f'400 0x80060888 The "\\${option}" query parameter isn\'t supported when Change Tracking is enabled'
    with pytest.raises(Refusal, match=message):
        driver.get("accounts", TRACK, **{option: "1"})


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("systemusers", {}, "400 0x80072491 Entity systemuser isn't enabled for change tracking"),
        ("posts", {}, "501 "),
        ("accounts", {"$apply": "aggregate($count as n)"}, "501 "),
        ("accounts", {"$deltatoken": "nonsense"}, "400 0x80060888"),
        ("accounts", {"$deltatoken": "1!99/99/2024 00:00:00"}, "400 0x80060888"),
        ("accounts", {"$skiptoken": '<cookie pagenumber="2" pagingcookie="x" istracking="True" />'}, "400 0x80060888"),
    ],
)
def test_what_cannot_be_tracked_is_refused(driver: Driver, path: str, query: dict[str, str], code: str) -> None:
    with pytest.raises(Refusal, match=f"^{code}"):
        driver.send("GET", path, None, query, {"prefer": TRACK})
