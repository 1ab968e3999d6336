"""Planned faults and service protection limits, as a client meets them."""

import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from front_wire import Reply, Wire
from hypothesis import given
from hypothesis import strategies as st

from flitstack.emulator.faults import FaultPlanError, load_plan, read_plan
from flitstack.emulator.limits import PROFILES, Limiter, Profile, Throttle
from flitstack.emulator.shared.state import SharedState

LOST = (http.client.RemoteDisconnected, ConnectionResetError, http.client.IncompleteRead)


def plan(wire: Wire, *rules: dict[str, Any], seed: int = 1) -> None:
    wire.admin("faults", {"seed": seed, "rules": list(rules)})


def names(wire: Wire) -> list[str]:
    return [row["name"] for row in wire.get("accounts?$select=name")["value"]]


def send_batch(wire: Wire, creates: int) -> Reply:
    piece = '--b\r\nContent-Type: application/http\r\n\r\nPOST accounts HTTP/1.1\r\n\r\n{{"name":"{}"}}\r\n'
    text = "".join(piece.format(n) for n in range(creates)) + "--b--\r\n"
    headers = {"Content-Type": "multipart/mixed; boundary=b", "Prefer": "odata.continue-on-error"}
    return wire.send("POST", "$batch", text.encode(), headers)


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("throttle429", 429, "0x80072322"),
        ("unavailable503", 503, "0x80072324"),
        ("expired_token", 401, "0x80072560"),
        ("precondition412", 412, "0x80060882"),
    ],
)
def test_refusing_faults_change_nothing(wire: Wire, kind: str, status: int, code: str) -> None:
    plan(wire, {"kind": kind, "request": "create", "seconds": 7})
    reply = wire.post("accounts", {"name": "A"})
    assert (reply.status, reply.code) == (status, code)
    assert reply.headers.get("retry-after") == ("7" if status in {429, 503} else None)
    assert names(wire) == []


def test_a_planned_429_begins_a_pause_that_is_watched(wire: Wire) -> None:
    plan(wire, {"kind": "throttle429", "request": "create", "times": 1, "seconds": 30})
    assert wire.post("accounts", {"name": "A"}).status == 429
    assert wire.admin("counters")["during_pause"] == 0
    wire.get("accounts")
    assert wire.admin("counters")["during_pause"] == 1


def test_a_connection_cut_before_leaves_nothing(wire: Wire) -> None:
    plan(wire, {"kind": "cut_before", "method": "POST", "path": "^accounts$"})
    with pytest.raises(LOST):
        wire.post("accounts", {"name": "A"})
    assert names(wire) == []


def test_a_connection_cut_after_leaves_the_row(wire: Wire) -> None:
    plan(wire, {"kind": "cut_after", "request": "create", "times": 1})
    with pytest.raises(LOST):
        wire.post("accounts", {"name": "A"})
    assert wire.post("accounts", {"name": "B"}).status == 204
    assert sorted(names(wire)) == ["A", "B"]
    assert wire.admin("counters")["faults"] == {"cut_after": 1}


def test_a_timeout_does_the_work_and_stays_silent(wire: Wire) -> None:
    plan(wire, {"kind": "timeout", "request": "create", "seconds": 0.2})
    start = time.monotonic()
    with pytest.raises(LOST):
        wire.post("accounts", {"name": "A"})
    assert time.monotonic() - start >= 0.2
    assert names(wire) == ["A"]


def test_a_truncated_answer_is_seen_as_such(wire: Wire) -> None:
    plan(wire, {"kind": "truncated_body", "request": "CreateMultiple"})
    target = {"@odata.type": "Microsoft.Dynamics.CRM.account", "name": "A"}
    with pytest.raises(LOST):
        wire.post("accounts/Microsoft.Dynamics.CRM.CreateMultiple", {"Targets": [target]})
    assert names(wire) == ["A"]


def test_slow_answers_are_whole(wire: Wire) -> None:
    plan(wire, {"kind": "slow", "request": "create", "seconds": 0.2})
    start = time.monotonic()
    assert wire.post("accounts", {"name": "A"}).status == 204
    assert time.monotonic() - start >= 0.2


def test_single_parts_of_a_batch_can_be_refused(wire: Wire) -> None:
    plan(wire, {"kind": "throttle429", "request": "create", "in_batch": True, "every": 2})
    reply = send_batch(wire, 4)
    assert reply.status == 200
    assert reply.body.count(b"HTTP/1.1 429") == 2
    assert sorted(names(wire)) == ["0", "2"]
    assert wire.admin("counters")["parts"] == {"create": 4}


def test_a_batch_can_be_cut_midway(wire: Wire) -> None:
    plan(wire, {"kind": "cut_midway", "request": "batch"})
    with pytest.raises(LOST):
        send_batch(wire, 4)
    assert sorted(names(wire)) == ["0", "1"]


def test_rules_count_and_end(wire: Wire) -> None:
    plan(wire, {"kind": "unavailable503", "request": "create", "skip": 1, "every": 2, "times": 2})
    found = [wire.post("accounts", {"name": "A"}).status for _ in range(8)]
    assert found == [204, 204, 503, 204, 503, 204, 204, 204]


@given(st.integers(0, 2**32), st.floats(0, 1))
def test_the_same_seed_strikes_the_same_requests(seed: int, probability: float) -> None:
    document = {"seed": seed, "rules": [{"kind": "cut_after", "probability": probability}]}
    drawn = []
    for _ in range(2):
        plan, cells = read_plan(document), SharedState().cells
        drawn.append([plan.draw(cells, "GET", "x", "read").kind for _ in range(50)])
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ([], "`rules`"),
        ({"rules": [{"kind": "explode"}]}, "rule 1: `kind`"),
        ({"rules": [{"kind": "slow", "path": "("}]}, "regular expression"),
        ({"rules": [{"kind": "slow"}, {"kind": "slow", "colour": 1}]}, "rule 2: unknown colour"),
        ({"rules": [{"kind": "slow", "every": 0}]}, "at least 1"),
        ({"rules": [{"kind": "slow", "in_batch": True}]}, "inside a batch"),
    ],
)
def test_a_plan_that_cannot_be_used_says_why(document: object, reason: str) -> None:
    with pytest.raises(FaultPlanError, match=reason):
        read_plan(document)


def test_a_plan_is_read_from_yaml(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("seed: 3\nrules:\n  - {kind: slow, method: POST, seconds: 0.5}\n")
    (rule,) = load_plan(path).rules
    assert (rule.kind, rule.method, rule.seconds) == ("slow", "POST", 0.5)


def fresh(profile: Profile) -> Limiter:
    limiter = Limiter(profile, SharedState())
    limiter.begin()
    return limiter


def throttled(wire: Wire, reply: Reply, code: str) -> None:
    assert (reply.status, reply.code) == (429, code), reply.body
    assert int(reply.headers["retry-after"]) >= 1


def test_too_many_requests_are_told_to_wait(wire: Wire) -> None:
    wire.admin("limits", {"profile": "strict", "max_requests": 3, "window_s": 60, "ms_per_request": 0})
    left = [wire.send("GET", "WhoAmI").headers["x-ms-ratelimit-burst-remaining-xrm-requests"] for _ in range(3)]
    assert left == ["2", "1", "0"]
    throttled(wire, wire.send("GET", "WhoAmI"), "0x80072322")
    wire.send("GET", "WhoAmI")
    assert wire.admin("counters")["during_pause"] == 1


def test_execution_time_is_a_limit_of_its_own(wire: Wire) -> None:
    wire.admin("limits", {"profile": "strict", "max_execution_ms": 50, "ms_per_request": 30, "window_s": 60})
    assert [wire.send("GET", "WhoAmI").status for _ in range(2)] == [200, 200]
    throttled(wire, wire.send("GET", "WhoAmI"), "0x80072321")


def test_concurrent_requests_are_limited(wire: Wire) -> None:
    wire.admin("limits", {"profile": "strict", "max_concurrent": 2, "ms_per_request": 300, "window_s": 60})
    with ThreadPoolExecutor(5) as pool:
        replies = list(pool.map(lambda _: wire.send("GET", "WhoAmI"), range(5)))
    statuses = sorted(reply.status for reply in replies)
    assert statuses == [200, 200, 429, 429, 429]
    throttled(wire, next(reply for reply in replies if reply.status == 429), "0x80072326")


def test_the_parallelism_hint_comes_with_every_answer(wire: Wire) -> None:
    wire.admin("limits", {"profile": "documented"})
    assert wire.send("GET", "WhoAmI").headers["x-ms-dop-hint"] == "4"


def test_pressing_on_makes_the_pause_longer() -> None:
    limiter = fresh(Profile("test", max_requests=1, window_s=10, penalty_s=2))
    limiter.enter("u", 0)
    limiter.leave("u", 0, 1)
    waits = []
    for _ in range(3):
        with pytest.raises(Throttle) as caught:
            limiter.enter("u", 1)
        waits.append(caught.value.retry_after_s)
    assert waits == [9, 11, 13]
    assert not limiter.is_paused("u", 14)
    limiter.enter("u", 14)


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 200)), max_size=60))
def test_no_window_ever_holds_more_than_the_limit(steps: list[tuple[float, float]]) -> None:
    """Whatever a client does, the requests admitted in any window stay within the limit."""
    limiter = fresh(Profile("test", max_requests=5, max_execution_ms=1e9, window_s=10, penalty_s=0.5))
    now, admitted = 0.0, []
    for wait_s, cost_ms in steps:
        now += wait_s
        try:
            limiter.enter("u", now)
        except Throttle:
            continue
        limiter.leave("u", now, cost_ms)
        admitted.append(now)
    for start in admitted:
        assert sum(start <= moment < start + 10 for moment in admitted) <= 5


def test_users_do_not_share_their_limits() -> None:
    limiter = fresh(Profile("test", max_requests=1))
    for user in ("a", "b"):
        limiter.enter(user, 0)
    with pytest.raises(Throttle):
        limiter.enter("a", 0)


def test_the_relaxed_profile_never_refuses() -> None:
    limiter = fresh(PROFILES["relaxed"])
    for _ in range(10_000):
        limiter.enter("u", 0)


@pytest.mark.parametrize(
    ("facet", "code"), [("requests", "0x80072322"), ("time", "0x80072321"), ("concurrency", "0x80072326")]
)
def test_each_of_the_three_429_can_be_planned(wire: Wire, facet: str, code: str) -> None:
    plan(wire, {"kind": "throttle429", "request": "create", "facet": facet, "seconds": 3})
    reply = wire.post("accounts", {"name": "A"})
    assert (reply.status, reply.code, reply.headers["retry-after"]) == (429, code, "3")


def test_an_answer_can_trickle(wire: Wire) -> None:
    plan(wire, {"kind": "trickle", "request": "read", "seconds": 0.2})
    start = time.monotonic()
    assert wire.get("WhoAmI")["UserId"]
    assert time.monotonic() - start >= 0.15


def test_delays_come_on_top_of_other_faults(wire: Wire) -> None:
    plan(wire, {"kind": "slow", "seconds": 0.2}, {"kind": "unavailable503", "request": "create"})
    start = time.monotonic()
    assert wire.post("accounts", {"name": "A"}).status == 503
    assert time.monotonic() - start >= 0.2
    assert wire.admin("counters")["faults"] == {"slow": 1, "unavailable503": 1}


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 1.0])
def test_the_answer_to_a_batch_can_end_anywhere(wire: Wire, share: float) -> None:
    plan(wire, {"kind": "truncated_body", "request": "batch", "share": share})
    address = urlsplit(wire.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=20)
    part = '--b\r\nContent-Type: application/http\r\n\r\nPOST accounts HTTP/1.1\r\n\r\n{"name":"A"}\r\n'
    text = part * 4 + "--b--\r\n"
    connection.request("POST", "/api/data/v9.2/$batch", text.encode(), {"Content-Type": "multipart/mixed; boundary=b"})
    answer = connection.getresponse()
    promised = int(str(answer.headers["Content-Length"]))
    with pytest.raises(LOST) as caught:
        answer.read()
    arrived = len(caught.value.partial) if isinstance(caught.value, http.client.IncompleteRead) else 0
    assert arrived == min(int(promised * share), promised - 1) or isinstance(caught.value, ConnectionResetError)
    connection.close()
    assert len(names(wire)) == 4


def test_the_nth_match_of_a_rule_is_struck_whatever_other_rules_saw() -> None:
    rule = {"kind": "cut_after", "request": "create", "probability": 0.3}
    alone, beside = (
        read_plan({"seed": 9, "rules": [rule]}),
        read_plan({"seed": 9, "rules": [rule, {"kind": "slow", "probability": 0.5}]}),
    )
    drawn = []
    for faults, other in ((alone, 0), (beside, 3)):
        cells = SharedState().cells
        found = []
        for _ in range(60):
            for _ in range(other):
                faults.draw(cells, "GET", "x", "read")
            found.append(faults.draw(cells, "POST", "x", "create").kind)
        drawn.append(found)
    assert drawn[0] == drawn[1]
    assert 5 < drawn[0].count("cut_after") < 35
