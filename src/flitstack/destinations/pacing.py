"""Pacing of application users as pure arithmetic: callers bring the time, nothing here sleeps.

The service allows a user 6,000 requests and 1,200 s of execution in 300 s, on each of its web servers, whose number
nobody tells. So there are two token buckets (execution seconds and requests) at the rate of one web server, and a
factor on both. What is known of the factor comes from three sides:

- Answers tell what is left of the window on the server that answered. That and what we have used is allowed at least, and
  more with several servers: what we used in all, divided by what one of them counted, is their number.
- A window at full speed without a refusal proves the factor; a higher one is then tried: half as much again while
  nothing was ever refused, then half-way (geometrically) to what was refused, then a little now and then.
- A refusal says how long to wait; what our own mirror of the window still holds at the end of that wait is the limit.

After a refusal the mirror also gates: what the service still counts must leave its window before more is sent.
Source of the limits: Microsoft Learn, "Service protection API limits".
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from flitstack.limits import (
    CONCURRENT_REQUESTS,
    EXECUTION_S_PER_WINDOW,
    REQUESTS_PER_WINDOW,
    WINDOW_S,
    SlidingWindow,
)

# A sliding window is kept when rate x window + burst stays below it.
MARGIN = 0.985
_EXECUTION_RATE = EXECUTION_S_PER_WINDOW / WINDOW_S * MARGIN
_REQUEST_RATE = REQUESTS_PER_WINDOW / WINDOW_S * MARGIN
# What a second brings: more would be allowed (2 % of a window) and bring nothing.
_EXECUTION_BURST_S = _EXECUTION_RATE
_REQUEST_BURST = _REQUEST_RATE
# After a refusal the window is full to the brim, and what is under way still fills it: so many seconds of budget, and
# so many durations of a request, are given back.
_PAY_BACK_S, _PAY_BACK_REQUESTS = 1.0, 1.0

_FIRST_TRIAL = 1.5
_LAST_TRIAL = 1.02  # closer to the refused factor than this, trials wait `_TRIAL_PAUSE` windows
_TRIAL_PAUSE = 3
_SHRINK = 0.85
_MOST_SHRINK = 0.3
# Refusals this soon after the end of a pause still belong to what caused it.
_GRACE_S = 10.0
_CONCURRENCY_GRACE_S = 1.0
FACTOR_MIN, FACTOR_MAX = 0.02, 64.0
CONCURRENCY_CODE, REQUESTS_CODE, TIME_CODE = "0x80072326", "0x80072322", "0x80072321"
_MOST_CONCURRENT = CONCURRENT_REQUESTS - 4
_CONCURRENCY_GROWTH_PER_S = 1 / 30

# Execution seconds expected of one row before anything was measured.
_FIRST_GUESS_S = 0.004
_LEARNING = 0.2
_LEAST_EXECUTION_S = 0.001
# Before so much of the window was used, nothing new can be told; less than so much more is noise.
_TELLING_SHARE, _WORTH_TAKING = 0.05, 1.05
_SERVERS_LEARNING, _MOST_TOLD = 0.02, 2.0
# What was refused before is told only when it is so much less than what is told now.
_RISEN = 1.2
_DISTRUST_S = 12 * WINDOW_S


@dataclass(slots=True)
class Pace:
    """What one user may do now. All times in seconds of one monotonic clock.

    `good` is the factor that lasted a window without a refusal, `factor` the one in use (a trial when it is higher).
    `latency_s`: the part of an answer's time that the network takes, which the service does not count.
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
    latency_s: float = 0.0
    used: SlidingWindow = field(default_factory=SlidingWindow)
    _since: float | None = None  # the first request
    _expected_s: float = 0.0  # of what is under way
    _brim: float = float("inf")  # factor of the window that the service enforced last, while a gate
    _brim_until: float = float("-inf")
    _is_judged: bool = True  # else the end of the pause will tell the limit
    _servers: float = 1.0
    _is_told: bool = False  # the factor in use is what answers told
    _distrusts_until: float = float("-inf")  # a factor that answers told was refused
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
        wait_s = max(0.0, execution, requests, self._gate_s(now))
        self._is_limited = wait_s > 0
        return wait_s

    def begin(self, now: float, kind: Hashable, units: int) -> float:
        """A request leaves; returns what was set aside for it, to be handed to `end`."""
        self._advance(now)
        if self._since is None:
            self._since = now
        expected = self._costs.get(kind, _FIRST_GUESS_S) * units
        self.execution_s -= expected
        self._expected_s += expected
        self.requests -= 1
        self.running += 1
        return expected

    def end(self, now: float, expected: float, kind: Hashable, units: int, took_s: float) -> None:
        """Its answer came after `took_s`: the estimate is settled and learned from."""
        executed_s = max(_LEAST_EXECUTION_S, took_s - self.latency_s)
        self.running -= 1
        self._expected_s -= expected
        self.execution_s += expected - executed_s
        self.used.add(now, executed_s)
        self._took_s += _LEARNING * (took_s - self._took_s)
        cost = executed_s / max(1, units)
        known = self._costs.get(kind)
        self._costs[kind] = cost if known is None else known + _LEARNING * (cost - known)

    def told(self, now: float, requests_left: float, execution_left_s: float) -> None:
        """An answer said what is left of this user's window on the server that gave it."""
        self.used.forget(now)
        if not self._is_judged or now < self._distrusts_until:
            return
        by_count = len(self.used) / REQUESTS_PER_WINDOW
        by_time = self.used.executed_s / EXECUTION_S_PER_WINDOW
        if by_count >= by_time:
            mine, left = by_count, requests_left / REQUESTS_PER_WINDOW
        else:
            mine, left = by_time, execution_left_s / EXECUTION_S_PER_WINDOW
        if mine < _TELLING_SHARE:
            return
        allowed = mine + left
        if 1 - left >= _TELLING_SHARE:
            servers = mine / (1 - left)
            self._servers += _SERVERS_LEARNING * (servers - self._servers)
            allowed = max(allowed, self._servers)
        least = self.factor * _WORTH_TAKING if self.refused_at == FACTOR_MAX else self.refused_at * _RISEN
        if allowed > least:
            self.refused_at = FACTOR_MAX
            self._take(min(FACTOR_MAX, allowed, self.factor * _MOST_TOLD))
            self._is_told = True

    def paused(self, now: float, retry_after_s: float, reason: str) -> None:
        """A request was throttled: nothing may be sent before the pause is over.

        Answers to requests that left before the pause began prolong it, but shrink the budget only once.
        """
        self._advance(now)
        is_new = now >= self._blameless_until
        self.paused_until = max(self.paused_until, now + retry_after_s)
        if not is_new:
            # However short the pause: what refuses again is given a second each time.
            self._pay_back(_PAY_BACK_S)
            return
        self.pauses += 1
        is_crowded = CONCURRENCY_CODE in reason
        self._blameless_until = self.paused_until + (_CONCURRENCY_GRACE_S if is_crowded else _GRACE_S)
        if is_crowded:
            self.most_concurrent = max(1.0, self.running * _SHRINK)
            return
        if self._is_told:
            self._distrusts_until = now + _DISTRUST_S
        self.refused_at = self.factor
        if self.factor <= self.good:
            self.good = max(FACTOR_MIN, self.factor * _SHRINK)
        self._is_judged = False
        self._take(self.good)
        self._pay_back(_PAY_BACK_S + _PAY_BACK_REQUESTS * self._took_s)

    def refuse(self, now: float, expected: float, retry_after_s: float, reason: str) -> None:
        """A request that `begin` admitted was throttled: nothing of it was executed."""
        self.paused(now, retry_after_s, reason)
        self.running -= 1
        self._expected_s -= expected
        self.execution_s += expected

    def _pay_back(self, seconds: float) -> None:
        self.execution_s = min(self.execution_s, -_EXECUTION_RATE * self.factor * seconds)
        self.requests = min(self.requests, -_REQUEST_RATE * self.factor * seconds)

    def _take(self, factor: float) -> None:
        self.factor, self._limited_s, self._is_told = factor, 0.0, False

    def _gate_s(self, now: float) -> float:
        """Seconds until something leaves the window that the service found full."""
        if now >= self._brim_until:
            return 0.0
        is_full = (
            self.used.executed_s + self._expected_s >= EXECUTION_S_PER_WINDOW * self._brim
            or len(self.used) + self.running >= REQUESTS_PER_WINDOW * self._brim
        )
        return min(self.used.frees_in_s(now), self._brim_until - now) if is_full else 0.0

    def _advance(self, now: float) -> None:
        passed, self.now = max(0.0, now - self.now), max(self.now, now)
        if now < self.paused_until:
            return
        self.used.forget(now)
        if not self._is_judged:
            self._judge(now)
        if self._is_limited:
            self._limited_s += passed
            self._try_more()
        self.most_concurrent = min(_MOST_CONCURRENT, self.most_concurrent + _CONCURRENCY_GROWTH_PER_S * passed)
        self.execution_s = min(_EXECUTION_BURST_S, self.execution_s + _EXECUTION_RATE * self.factor * passed)
        self.requests = min(_REQUEST_BURST, self.requests + _REQUEST_RATE * self.factor * passed)

    def _judge(self, now: float) -> None:
        """The pause is over, so the window has just room again: what the mirror holds is the limit."""
        self._is_judged = True
        if self._since is None or now - self._since < WINDOW_S:
            return  # what others sent before us is in that window too
        found = max(len(self.used) / REQUESTS_PER_WINDOW, self.used.executed_s / EXECUTION_S_PER_WINDOW)
        limit = min(max(found, self.refused_at * _MOST_SHRINK), self.refused_at) * MARGIN
        self._brim, self._brim_until = limit, now + WINDOW_S
        if self.refused_at <= self.good / _SHRINK * 1.001:
            self.good = limit  # the proven factor itself was refused: the limit has sunk
        self._take(max(limit, self.good))

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


def choose(paces: Sequence[Pace], now: float) -> tuple[float, int]:
    """The user who may send first: seconds until then, and its place; the less busy one of equals."""
    wait_s, _, place = min((pace.wait_s(now), pace.running, place) for place, pace in enumerate(paces))
    return wait_s, place
