"""Pacing of one application user as pure arithmetic: callers bring the time, nothing here sleeps.

The service allows a user 6,000 requests and 1,200 s of execution in 300 s, on each of its web servers, whose number
nobody tells. So there are two token buckets (execution seconds and requests) at the rate of one web server, and a
factor on both. After each window at full speed without a refusal the factor is tried higher: half as much again while
nothing was ever refused, then half-way (geometrically) to what was refused, then a little now and then. A refused
trial goes back to the factor that was good; a refusal of that one lowers it.
Source of the limits: Microsoft Learn, "Service protection API limits".
"""

from collections.abc import Hashable
from dataclasses import dataclass, field

from flitstack.limits import CONCURRENT_REQUESTS, EXECUTION_S_PER_WINDOW, REQUESTS_PER_WINDOW, WINDOW_S

# A sliding window is kept when rate x window + burst stays below it.
MARGIN = 0.98
_EXECUTION_RATE = EXECUTION_S_PER_WINDOW / WINDOW_S * MARGIN
_REQUEST_RATE = REQUESTS_PER_WINDOW / WINDOW_S * MARGIN
# What a second brings: more would be allowed (2 % of a window) and bring nothing.
_EXECUTION_BURST_S = _EXECUTION_RATE
_REQUEST_BURST = _REQUEST_RATE
# After a refusal the window is full to the brim, and what is under way still fills it: so many seconds of budget, and
# so many durations of a request, are given back.
_PAY_BACK_S, _PAY_BACK_REQUESTS = 3.0, 2.0

_FIRST_TRIAL = 1.5
_LAST_TRIAL = 1.03  # closer to the refused factor than this, trials wait `_TRIAL_PAUSE` windows
_TRIAL_PAUSE = 6
_SHRINK = 0.85
# Refusals this soon after the end of a pause still belong to what caused it.
_GRACE_S = 10.0
_CONCURRENCY_GRACE_S = 1.0
FACTOR_MIN, FACTOR_MAX = 0.02, 64.0
CONCURRENCY_CODE = "0x80072326"
_MOST_CONCURRENT = CONCURRENT_REQUESTS - 4
_CONCURRENCY_GROWTH_PER_S = 1 / 30

# Execution seconds expected of one row before anything was measured.
_FIRST_GUESS_S = 0.004
_LEARNING = 0.2


@dataclass(slots=True)
class Pace:
    """What one user may do now. All times in seconds of one monotonic clock.

    `good` is the factor that lasted a window without a refusal, `factor` the one in use (a trial when it is higher).
    """

    now: float = 0.0
    factor: float = 1.0
    good: float = 1.0
    refused_at: float = FACTOR_MAX
    paused_until: float = float("-inf")
    running: int = 0
    most_concurrent: float = _MOST_CONCURRENT
    execution_s: float = _EXECUTION_BURST_S
    requests: float = _REQUEST_BURST
    pauses: int = 0
    _blameless_until: float = float("-inf")
    _limited_s: float = 0.0  # time at full speed since the factor changed
    _is_limited: bool = False
    _took_s: float = 0.0
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
        self._is_limited = wait_s > 0
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
        self._took_s += _LEARNING * (took_s - self._took_s)
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
        is_new = now >= self._blameless_until
        self.paused_until = max(self.paused_until, now + retry_after_s)
        if not is_new:
            return
        self.pauses += 1
        is_crowded = CONCURRENCY_CODE in reason
        self._blameless_until = self.paused_until + (_CONCURRENCY_GRACE_S if is_crowded else _GRACE_S)
        if is_crowded:
            self.most_concurrent = max(1.0, (self.running + 1) * _SHRINK)
            return
        self.refused_at = self.factor
        if self.factor <= self.good:
            self.good = max(FACTOR_MIN, self.factor * _SHRINK)
        self._take(self.good)
        pay_back_s = _PAY_BACK_S + _PAY_BACK_REQUESTS * self._took_s
        self.execution_s = -_EXECUTION_RATE * self.factor * pay_back_s
        self.requests = -_REQUEST_RATE * self.factor * pay_back_s

    def _take(self, factor: float) -> None:
        self.factor, self._limited_s = factor, 0.0

    def _advance(self, now: float) -> None:
        passed, self.now = max(0.0, now - self.now), max(self.now, now)
        if now < self.paused_until:
            return
        if self._is_limited:
            self._limited_s += passed
            self._try_more()
        self.most_concurrent = min(_MOST_CONCURRENT, self.most_concurrent + _CONCURRENCY_GROWTH_PER_S * passed)
        self.execution_s = min(_EXECUTION_BURST_S, self.execution_s + _EXECUTION_RATE * self.factor * passed)
        self.requests = min(_REQUEST_BURST, self.requests + _REQUEST_RATE * self.factor * passed)

    def _try_more(self) -> None:
        """After a window at full speed the factor is a good one, and a higher one is tried."""
        if self._limited_s < WINDOW_S:
            return
        self.good = max(self.good, self.factor)
        if self.refused_at <= self.good:
            self.refused_at = FACTOR_MAX  # the limit has risen since
        trial = _FIRST_TRIAL if self.refused_at == FACTOR_MAX else (self.refused_at / self.good) ** 0.5
        if trial < _LAST_TRIAL:
            if self._limited_s < WINDOW_S * _TRIAL_PAUSE:
                return
            trial = _LAST_TRIAL
        self._take(min(FACTOR_MAX, self.good * trial))
