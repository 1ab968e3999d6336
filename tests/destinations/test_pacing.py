"""The pace against a model of the service: documented windows, execution charged when a request ends."""

import heapq
from collections import deque
from dataclasses import dataclass, field

import pytest

from flitstack.destinations.pacing import Pace

WINDOW_S = 300.0


@dataclass
class Service:
    """One user's limits: `factor` web servers. Execution is charged at the end, requests at the start."""

    factor: float = 1.0
    starts: deque[float] = field(default_factory=deque)
    spent: deque[tuple[float, float]] = field(default_factory=deque)
    executed_s: float = 0.0
    running: int = 0

    def refusal(self, now: float) -> float | None:
        """Seconds of Retry-After, None when the request is let in."""
        while self.starts and self.starts[0] <= now - WINDOW_S:
            self.starts.popleft()
        while self.spent and self.spent[0][0] <= now - WINDOW_S:
            self.executed_s -= self.spent.popleft()[1]
        if self.running >= 52:
            return 5.0
        if len(self.starts) >= 6000 * self.factor:
            return self.starts[0] + WINDOW_S - now
        if self.executed_s >= 1200 * self.factor:
            return self.spent[0][0] + WINDOW_S - now
        return None


@dataclass
class Outcome:
    rows: int = 0
    requests: int = 0
    refused: int = 0
    during_pause: int = 0


def simulate(batch: int, row_s: float, hours: float = 1.0, factor: float = 1.0, workers: int = 40) -> Outcome:
    """Virtual time; every worker sends as soon as the pace lets it. Counts after the first window."""
    pace, service, outcome = Pace(), Service(factor), Outcome()
    took_s = 0.04 + batch * row_s
    now, end = 0.0, hours * 3600
    ends: list[tuple[float, float, float]] = []
    while now < end:
        while ends and ends[0][0] <= now:
            _, expected, at = heapq.heappop(ends)
            service.running -= 1
            service.spent.append((now, took_s))
            service.executed_s += took_s
            pace.end(now, expected, "create", batch, now - at)
            if now > WINDOW_S:
                outcome.rows += batch
        wait_s = float("inf") if len(ends) >= workers else pace.wait_s(now)
        if wait_s > 0:
            next_end = ends[0][0] if ends else float("inf")
            now = min(now + max(wait_s, 1e-6), next_end)
            continue
        expected = pace.begin(now, "create", batch)
        outcome.requests += now > WINDOW_S
        retry_after_s = service.refusal(now)
        if retry_after_s is None:
            service.starts.append(now)
            service.running += 1
            heapq.heappush(ends, (now + took_s, expected, now))
        else:
            outcome.refused += now > WINDOW_S
            pace.refuse(now, expected, retry_after_s, "0x80072321")
    return outcome


def ceiling(batch: int, row_s: float, factor: float = 1.0) -> float:
    """Rows a second that the documented limits allow."""
    return min(20 * batch, 4 * batch / (0.04 + batch * row_s)) * factor


@pytest.mark.parametrize(("batch", "row_s"), [(500, 0.002), (500, 0.01), (100, 0.0005), (1000, 0.005)])
def test_the_pace_comes_near_the_ceiling_almost_without_refusals(batch: int, row_s: float) -> None:
    outcome = simulate(batch, row_s, hours=0.5)
    assert outcome.rows >= 0.95 * ceiling(batch, row_s) * (1800 - WINDOW_S)
    assert outcome.refused <= max(5, 0.005 * outcome.requests)


def test_more_web_servers_are_found_by_themselves() -> None:
    outcome = simulate(500, 0.002, hours=1.0, factor=3.0)
    assert outcome.rows >= 0.6 * ceiling(500, 0.002, 3.0) * (3600 - WINDOW_S)


def test_nothing_is_sent_during_a_pause() -> None:
    pace = Pace()
    expected = pace.begin(10.0, "create", 1)
    pace.refuse(10.0, expected, 17.0, "0x80072322 Number of requests exceeded the limit")
    assert pace.wait_s(10.0) == 17.0
    assert pace.wait_s(20.0) == pytest.approx(7.0)


def test_a_concurrency_refusal_lowers_the_number_at_once_and_leaves_the_budget() -> None:
    pace = Pace()
    expected = [pace.begin(0.0, "create", 1) for _ in range(10)]
    pace.refuse(0.0, expected[0], 1.0, "0x80072326 Number of concurrent requests exceeded the limit of 52.")
    assert pace.factor == 1.0
    assert pace.wait_s(1.5) == float("inf")


def test_answers_of_one_pause_shrink_the_budget_once() -> None:
    pace = Pace()
    expected = [pace.begin(0.0, "create", 1) for _ in range(10)]
    for each in expected:
        pace.refuse(0.0, each, 3.0, "0x80072321")
    assert pace.factor == pytest.approx(0.85)
    assert pace.pauses == 1
