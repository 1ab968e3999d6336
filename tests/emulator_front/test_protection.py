"""Limits by user and web server, the clock everything reads, the daily entitlement, who asked what.

Source: Microsoft Learn, "Service protection API limits", "Requests limits and allocations".
"""

import re
import time
from datetime import datetime
from urllib.parse import urlencode

import pytest
from front_wire import Reply, Wire

from flitstack.emulator.auth import DEFAULT_CLIENT, DEFAULT_SECRET

USER = "00000000-0000-4000-8000-000000000001"
START = "2030-03-01T12:00:00Z"
REMAINING = "x-ms-ratelimit-burst-remaining-xrm-requests"


def stand_still(wire: Wire, at: str = START) -> None:
    wire.admin("clock", {"set": at, "rate": 0})


def targets(number: int) -> dict[str, object]:
    return {"Targets": [{"@odata.type": "Microsoft.Dynamics.CRM.account", "name": str(n)} for n in range(number)]}


def cookie_of(reply: Reply) -> str:
    found = re.match(r"ARRAffinity=[0-9a-f]{64}", reply.headers["set-cookie"])
    assert found
    return found[0]


def test_the_documented_limits_are_those_of_the_documentation(wire: Wire) -> None:
    stand_still(wire)
    wire.admin("limits", {"profile": "documented", "ms_per_request": 0, "ms_per_row": 0})
    assert wire.send("GET", "WhoAmI").headers[REMAINING] == "5999"
    limiter, now = wire.instance.limiter, wire.instance.clock.seconds()
    account = f"{wire.get('WhoAmI')['UserId']}@0"
    for _ in range(5998):
        limiter.enter(account, now)
        limiter.leave(account, now, 0)
    reply = wire.send("GET", "WhoAmI")
    assert (reply.status, reply.code, reply.headers["retry-after"]) == (429, "0x80072322", "300")
    assert (
        reply.json()["error"]["message"]
        == "Number of requests exceeded the limit of 6000 over time window of 300 seconds."
    )
    wire.admin("clock", {"advance_s": 299})
    again = wire.send("GET", "WhoAmI")
    assert (again.status, again.headers["retry-after"]) == (429, "2")
    wire.admin("clock", {"advance_s": 2})
    assert wire.send("GET", "WhoAmI").status == 200


def test_twenty_minutes_of_execution_are_the_second_limit(wire: Wire) -> None:
    stand_still(wire)
    wire.admin("limits", {"profile": "documented", "ms_per_request": 0, "ms_per_row": 0})
    limiter, now = wire.instance.limiter, wire.instance.clock.seconds()
    account = f"{wire.get('WhoAmI')['UserId']}@0"
    for late_s in (0, 100):
        limiter.enter(account, now + late_s)
        limiter.leave(account, now + late_s, 700_000)
    wire.admin("clock", {"advance_s": 100})
    reply = wire.send("GET", "WhoAmI")
    assert (reply.status, reply.code, reply.headers["retry-after"]) == (429, "0x80072321", "200")
    assert (
        "exceeded limit of 1,200,000 milliseconds over time window of 300 seconds." in reply.json()["error"]["message"]
    )
    wire.admin("clock", {"advance_s": 200})
    assert wire.send("GET", "WhoAmI").status == 200


def test_the_fifty_third_request_at_once_is_one_too_many(wire: Wire) -> None:
    wire.admin("limits", {"profile": "documented"})
    account = f"{wire.get('WhoAmI')['UserId']}@0"
    for _ in range(52):
        wire.instance.limiter.enter(account, wire.instance.clock.seconds())
    waits = []
    for _ in range(5):
        reply = wire.send("GET", "WhoAmI")
        assert (reply.status, reply.code) == (429, "0x80072326")
        waits.append(int(reply.headers["retry-after"]))
    assert reply.json()["error"]["message"] == "Number of concurrent requests exceeded the limit of 52."
    assert waits == [1, 2, 2, 3, 3]
    wire.instance.limiter.leave(account, wire.instance.clock.seconds(), 0)
    assert wire.send("GET", "WhoAmI").status == 200


def test_each_web_server_keeps_its_own_windows(wire: Wire) -> None:
    stand_still(wire)
    wire.admin(
        "limits", {"profile": "documented", "servers": 3, "max_requests": 2, "ms_per_request": 0, "ms_per_row": 0}
    )
    replies = [wire.send("GET", "WhoAmI") for _ in range(6)]
    assert [reply.headers[REMAINING] for reply in replies] == ["1", "1", "1", "0", "0", "0"]
    cookies = [cookie_of(reply) for reply in replies]
    assert len(set(cookies)) == 3
    assert wire.send("GET", "WhoAmI").status == 429


def test_the_cookie_keeps_a_client_on_its_server(wire: Wire) -> None:
    stand_still(wire)
    wire.admin(
        "limits", {"profile": "documented", "servers": 3, "max_requests": 2, "ms_per_request": 0, "ms_per_row": 0}
    )
    cookie = {"Cookie": f"other=1; {cookie_of(wire.send('GET', 'WhoAmI'))}; more=2"}
    kept = [wire.send("GET", "WhoAmI", headers=cookie) for _ in range(2)]
    assert [reply.status for reply in kept] == [200, 429]
    assert "set-cookie" not in kept[0].headers
    assert wire.send("GET", "WhoAmI", headers={"Cookie": "ARRAffinity=nobody"}).status == 200


def test_latency_is_drawn_by_seed(wire: Wire) -> None:
    def moments(seed: int) -> list[float]:
        stand_still(wire)
        wire.instance.state.cells.put("ordinal", 0)
        wire.admin(
            "limits", {"profile": "relaxed", "ms_per_request": 100, "ms_per_row": 10, "sigma": 0.7, "seed": seed}
        )
        found = []
        for _ in range(5):
            begun = wire.instance.clock.seconds()
            wire.post("accounts/Microsoft.Dynamics.CRM.CreateMultiple", targets(10))
            found.append(round(wire.instance.clock.seconds() - begun, 3))
        return found

    first = moments(1)
    assert len(set(first)) == 5
    assert moments(1) == first
    assert moments(2) != first


def test_a_day_of_load_passes_in_seconds(wire: Wire) -> None:
    """Limits, rows, tokens and the day of the entitlement read the same clock."""
    stand_still(wire, "2030-03-01T00:00:00Z")
    wire.admin(
        "limits",
        {"profile": "documented", "max_requests": 5, "ms_per_request": 30_000, "ms_per_row": 100, "window_s": 3600},
    )
    real, created, waits = time.monotonic(), 0, 0
    while wire.instance.clock.now() < datetime.fromisoformat("2030-03-02T00:00:00Z"):
        reply = wire.post("accounts/Microsoft.Dynamics.CRM.CreateMultiple", targets(10))
        if reply.status == 429:
            waits += 1
            wire.admin("clock", {"advance_s": int(reply.headers["retry-after"])})
            continue
        created += 1
    # Five requests of 31 s each hour of the window: what the limits let through in a day.
    assert 115 <= created <= 130
    assert waits >= 20
    assert wire.admin("counters")["during_pause"] == 0
    assert time.monotonic() - real < 20
    days = wire.get("accounts?$select=createdon&$orderby=createdon asc")["value"]
    assert days[0]["createdon"] == "2030-03-01T00:00:00Z"
    assert days[-1]["createdon"] >= "2030-03-01T22:00:00Z"


def test_tokens_end_when_the_clock_says_so(wire: Wire) -> None:
    wire.instance.doorkeeper.is_open = False
    form = {"grant_type": "client_credentials", "client_id": DEFAULT_CLIENT, "client_secret": DEFAULT_SECRET}
    body = urlencode({**form, "scope": f"{wire.url}/.default"}).encode()
    plain = {"Content-Type": "application/x-www-form-urlencoded"}
    token = wire.send("POST", "/t/oauth2/v2.0/token", body, plain).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    wire.admin("clock", {"advance_s": 3590})
    assert wire.send("GET", "WhoAmI", headers=bearer).status == 200
    wire.admin("clock", {"advance_s": 20})
    assert wire.send("GET", "WhoAmI", headers=bearer).status == 401


def test_a_clock_that_is_set_back_leaves_nobody_waiting(wire: Wire) -> None:
    stand_still(wire)
    wire.admin("limits", {"profile": "documented", "max_requests": 1, "ms_per_request": 0, "ms_per_row": 0})
    assert [wire.send("GET", "WhoAmI").status for _ in range(2)] == [200, 429]
    wire.admin("clock", {"set": "2020-01-01T00:00:00Z"})
    assert wire.send("GET", "WhoAmI").status == 200


@pytest.mark.parametrize("body", [{"set": "soon"}, {"rate": -1}, {"advance_s": "x"}, {"speed": 1}, {"advance_s": 1e15}])
def test_a_clock_refuses_what_it_cannot_show(wire: Wire, body: dict[str, object]) -> None:
    assert wire.send("POST", "/flitstack-admin/clock", body).status == 400


@pytest.mark.parametrize(
    "body",
    [
        {"profile": "x"},
        {"max_requests": 0},
        {"nosuch": 1},
        {"is_on": 1},
        {"servers": 65},
        {"window_s": "1"},
        {"sigma": -1},
    ],
)
def test_limits_that_make_no_sense_are_refused(wire: Wire, body: dict[str, object]) -> None:
    assert wire.send("POST", "/flitstack-admin/limits", body).status == 400


def test_the_entitlement_counts_rows_and_parts_but_no_metadata(wire: Wire) -> None:
    stand_still(wire)
    wire.get("EntityDefinitions?$select=LogicalName&$top=1")
    wire.post("accounts", {"name": "A"})
    wire.post("accounts/Microsoft.Dynamics.CRM.CreateMultiple", targets(7))
    part = "--b\r\nContent-Type: application/http\r\n\r\nGET WhoAmI HTTP/1.1\r\n\r\n"
    wire.send("POST", "$batch", f"{part}{part}--b--".encode(), {"Content-Type": "multipart/mixed; boundary=b"})
    user = wire.instance.environment.application_user
    found = wire.admin("entitlement")
    assert found["users"] == {str(user): {"used": 10, "pooled": True, "of": None}}
    assert found["pool"] == {"used": 10, "of": 500_000}
    wire.admin("clock", {"advance_s": 86_400})
    assert wire.admin("entitlement")["pool"]["used"] == 0


def test_exhaustion_refuses_only_where_the_switch_says_so(wire: Wire) -> None:
    stand_still(wire)
    wire.admin("entitlement", {"pool": 2})
    assert [wire.send("GET", "WhoAmI").status for _ in range(3)] == [200, 200, 200]
    wire.admin("entitlement", {"when_exhausted": "refuse"})
    reply = wire.send("GET", "WhoAmI")
    assert (reply.status, reply.headers["retry-after"]) == (429, str(12 * 3600 + 1))
    wire.admin("clock", {"advance_s": 12 * 3600 + 1})
    assert wire.send("GET", "WhoAmI").status == 200
    assert wire.send("POST", "/flitstack-admin/entitlement", {"when_exhausted": "shout"}).status == 400


def test_counters_tell_users_apart(wire: Wire) -> None:
    made = wire.admin("clients", {"client_id": USER, "secret": "s"})
    form = {"grant_type": "client_credentials", "client_id": USER, "client_secret": "s", "scope": "x/.default"}
    plain = {"Content-Type": "application/x-www-form-urlencoded"}
    token = wire.send("POST", "/t/oauth2/v2.0/token", urlencode(form).encode(), plain).json()["access_token"]
    wire.admin("counters/reset", {})
    wire.post("accounts/Microsoft.Dynamics.CRM.CreateMultiple", targets(3), {"Authorization": f"Bearer {token}"})
    wire.post("accounts", {"name": "A"})
    wire.send("PATCH", "accounts(00000000-0000-4000-8000-0000000000aa)", {"name": "B"})
    found = wire.admin("counters")
    assert found["rows"] == {"CreateMultiple": 3, "create": 1, "update": 1}
    mine = found["users"][made["systemuserid"]]
    assert mine["requests"] == {"CreateMultiple": 1}
    assert (mine["rows_created"], mine["total"], mine["during_pause"]) == (3, 1, 0)
    other = found["users"][str(wire.instance.environment.application_user)]
    assert other["rows"] == {"create": 1, "update": 1}


def test_requests_sent_during_a_pause_are_counted_by_user(wire: Wire) -> None:
    stand_still(wire)
    wire.admin("limits", {"profile": "documented", "max_requests": 1, "ms_per_request": 0, "ms_per_row": 0})
    for _ in range(4):
        wire.send("GET", "WhoAmI")
    found = wire.admin("counters")
    assert found["during_pause"] == 2
    assert found["users"][str(wire.instance.environment.application_user)]["during_pause"] == 2
