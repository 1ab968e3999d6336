"""Pacing of one application user as pure arithmetic: callers bring the time, nothing here sleeps.

The service allows a user 6,000 requests and 1,200 s of execution in 300 s, on each of its web servers, whose number
nobody tells. So there are two token buckets (execution seconds and requests) at the rate of one web server, and a
factor on both that grows while nothing is refused and shrinks with each pause (additive increase, multiplicative
decrease). Just below the factor that was refused last, growth is slow: a probe, not a race.
Source of the limits: Microsoft Learn, "Service protection API limits".
"""

from collections.abc import Hashable
from dataclasses import dataclass, field

from flitstack.limits import CONCURRENT_REQUESTS, EXECUTION_S_PER_WINDOW, REQUESTS_PER_WINDOW, WINDOW_S

# A sliding window is kept when rate x window + burst stays below it.
MARGIN = 0.98
_EXECUTION_RATE = EXECUTION_S_PER_WINDOW / WINDOW_S * MARGIN
_REQUEST_RATE = REQUESTS_PER_WINDOW / WINDOW_S * MARGIN
_EXECUTION_BURST_S = EXECUTION_S_PER_WINDOW * (1 - MARGIN)
_REQUEST_BURST = REQUESTS_PER_WINDOW * (1 - MARGIN)

GROWTH_PER_S = 0.01  # of the documented limit, while below what was refused last
PROBE_PER_S = 0.0005  # of it, near and above what was refused last
NEAR = 0.96
SHRINK = 0.85
FACTOR_MIN, FACTOR_MAX = 0.02, 64.0
CONCURRENCY_CODE = "0x80072326"
_MOST_CONCURRENT = CONCURRENT_REQUESTS - 4
_CONCURRENCY_GROWTH_PER_S = 1 / 30

# Execution seconds expected of one row before anything was measured.
_FIRST_GUESS_S = 0.004
_LEARNING = 0.2


@dataclass(slots=True)
class Pace:
    """What one user may do now. All times in seconds of one monotonic clock."""

    now: float = 0.0
    factor: float = 1.0
    refused_at: float = FACTOR_MAX
    paused_until: float = 0.0
    running: int = 0
    most_concurrent: float = _MOST_CONCURRENT
    execution_s: float = _EXECUTION_BURST_S
    requests: float = _REQUEST_BURST
    was_limited: bool = False
    pauses: int = 0
    _costs: dict[Hashable, float] = field(default_factory=dict)

    def wait_s(self, now: float) -> float:
        """Seconds until the next request may go, 0 for now, infinity while only the end of another one helps."""
        self._advance(now)
        if now < self.paused_until:
            return self.paused_until - now
        if self.running >= int(self.most_concurrent):
            return float("inf")
        execution = -self.execution_s / (_EXECUTION_RATE * self.factor)
        requests = (1 - self.requests) / (_REQUEST_RATE * self.factor)
        wait_s = max(0.0, execution, requests)
        self.was_limited = self.was_limited or wait_s > 0
        return wait_s

    def begin(self, now: float, kind: Hashable, units: int) -> float:
        """A request leaves; returns what was set aside for it, to be handed to `end`."""
        self._advance(now)
        expected = self._costs.get(kind, _FIRST_GUESS_S) * units
        self.execution_s -= expected
        self.requests -= 1
        self.running += 1
        return expected

    def end(self, expected: float, kind: Hashable, units: int, took_s: float) -> None:
        """Its answer came: the estimate is settled and learned from."""
        self.running -= 1
        self.execution_s += expected - took_s
        cost = took_s / max(1, units)
        known = self._costs.get(kind)
        self._costs[kind] = cost if known is None else known + _LEARNING * (cost - known)

    def refuse(self, now: float, expected: float, retry_after_s: float, reason: str) -> None:
        """It was throttled: nothing was executed, and nothing may be sent before the pause is over.

        Answers to requests that left before the pause began prolong it, but shrink the budget only once.
        """
        self._advance(now)
        self.running -= 1
        self.execution_s += expected
        is_new = now >= self.paused_until
        self.paused_until = max(self.paused_until, now + retry_after_s)
        if not is_new:
            return
        self.pauses += 1
        if CONCURRENCY_CODE in reason:
            self.most_concurrent = max(1.0, (self.running + 1) * SHRINK)
            return
        self.refused_at = self.factor
        self.factor = max(FACTOR_MIN, self.factor * SHRINK)
        self.execution_s = min(self.execution_s, 0.0)
        self.requests = min(self.requests, 0.0)

    def _advance(self, now: float) -> None:
        passed, self.now = max(0.0, now - self.now), max(self.now, now)
        if now < self.paused_until:
            return
        if self.was_limited:
            speed = PROBE_PER_S if self.factor >= self.refused_at * NEAR else GROWTH_PER_S
            self.factor = min(FACTOR_MAX, self.factor + speed * min(1.0, self.refused_at) * passed)
            self.was_limited = False
        self.most_concurrent = min(_MOST_CONCURRENT, self.most_concurrent + _CONCURRENCY_GROWTH_PER_S * passed)
        self.execution_s = min(_EXECUTION_BURST_S, self.execution_s + _EXECUTION_RATE * self.factor * passed)
        self.requests = min(_REQUEST_BURST, self.requests + _REQUEST_RATE * self.factor * passed)
