"""Service protection limits: three facets per user and web server over a sliding window.

Source: Microsoft Learn, "Service protection API limits" (codes, texts, figures of the profile "documented"). How
Retry-After grows is not documented; here each request sent during a pause lengthens it, and of requests refused for
being too many at once each is told to wait longer until one is admitted.
"""

import math
from dataclasses import dataclass

from flitstack.emulator.chance import log_normal
from flitstack.emulator.messages import Refusal
from flitstack.emulator.shared.state import SharedState
from flitstack.emulator.shared.usage import Usage

REQUESTS, TIME, CONCURRENCY = 1, 2, 3  # facets
CODES = {REQUESTS: "0x80072322", TIME: "0x80072321", CONCURRENCY: "0x80072326"}
MAX_SERVERS = 64
_LATENCY = 1  # purpose of chance


@dataclass(frozen=True, slots=True)
class Profile:
    """Limits of one user on one server, and what a request costs.

    Execution time is modelled, not measured: `ms_per_request` + rows x `ms_per_row`, times a log-normal factor with
    median 1 and `sigma` (0: none), drawn by `seed` and the number of the request. The answer is held back for that
    long, so that concurrency is real. `penalty_s` is added to the pause by each request sent during it. `servers`:
    simulated web servers a client reaches by turns or keeps by its cookie.
    """

    name: str
    is_on: bool = True
    max_requests: int = 6000
    max_execution_ms: float = 1_200_000
    max_concurrent: int = 52
    window_s: float = 300
    ms_per_request: float = 0
    ms_per_row: float = 0
    sigma: float = 0
    seed: int = 0
    penalty_s: float = 0.5
    parallelism_hint: int = 4
    servers: int = 1

    def __post_init__(self) -> None:
        if min(self.max_requests, self.max_concurrent, self.servers, self.parallelism_hint) < 1 or self.window_s <= 0:
            raise ValueError("limits, servers and the window are at least 1")
        if self.servers > MAX_SERVERS:
            raise ValueError(f"at most {MAX_SERVERS} servers")
        if not all(0 <= n < 1e12 for n in (self.ms_per_request, self.ms_per_row, self.sigma, self.penalty_s)):
            raise ValueError("durations are not negative")

    def cost_ms(self, rows: int, ordinal: int) -> float:
        """Modelled execution time of the nth request, which names this many rows."""
        return (self.ms_per_request + rows * self.ms_per_row) * log_normal(self.seed, _LATENCY, ordinal, self.sigma)


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("relaxed", is_on=False, parallelism_hint=8),
        Profile("documented", ms_per_request=40, ms_per_row=2),
        # A window of seconds, so that a test meets every facet in little time.
        Profile(
            "strict", max_requests=60, max_execution_ms=8000, max_concurrent=6, window_s=3, ms_per_request=5,
            ms_per_row=0.2, parallelism_hint=2,
        ),
    )
}  # fmt: skip


class Throttle(Refusal):
    """A 429; `retry_after_s` goes out as header."""

    def __init__(self, code: str, message: str, retry_after_s: int) -> None:
        super().__init__(429, code, message)
        self.retry_after_s = retry_after_s


class Limiter:
    """Admits or refuses requests. `user` names a user on a server. Times are seconds of one clock, passed in."""

    def __init__(self, profile: Profile, state: SharedState) -> None:
        self.profile = profile
        self._usages = state.usages
        self._lock = state.memory.lock
        self._worker = state.worker

    def begin(self) -> None:
        """Forget what anybody has used."""
        with self._lock():
            self._usages.begin(self.profile.max_requests)

    def is_paused(self, user: str, now: float) -> bool:
        """Whether this user was told to wait and has not waited."""
        with self._lock():
            return now < self._usages.of(user).paused_until

    def pause(self, user: str, until: float) -> None:
        """Tell this user to wait, for a reason that is not the limiter's own."""
        with self._lock():
            usage = self._usages.of(user)
            usage.paused_until = max(usage.paused_until, until)
            usage.facet = REQUESTS
            usage.store()

    def enter(self, user: str, now: float) -> None:
        """Begin a request, or raise Throttle. Whoever entered must `leave`."""
        with self._lock():
            usage = self._usages.of(user)
            if not self.profile.is_on:
                usage.run(self._worker, 1)
                return
            usage.forget(now - self.profile.window_s)
            refusal = self._refusal(usage, now)
            if refusal is None:
                usage.run(self._worker, 1)
                usage.pressed = 0
            usage.store()
        if refusal is not None:
            raise refusal

    def leave(self, user: str, now: float, execution_ms: float) -> tuple[int, int]:
        """End a request that entered; requests and execution milliseconds left in the window."""
        with self._lock():
            usage = self._usages.of(user)
            usage.run(self._worker, -1)
            if self.profile.is_on:
                usage.append(now, execution_ms)
                usage.forget(now - self.profile.window_s)
                usage.store()
            return self._remaining(usage)

    def remaining(self, user: str, now: float) -> tuple[int, int]:
        """Requests and execution milliseconds left in the window."""
        with self._lock():
            usage = self._usages.of(user)
            usage.forget(now - self.profile.window_s)
            usage.store()
            return self._remaining(usage)

    def _remaining(self, usage: Usage) -> tuple[int, int]:
        profile = self.profile
        requests = profile.max_requests - (usage.end - usage.first) - usage.running
        return max(requests, 0), max(int(profile.max_execution_ms - usage.execution_ms), 0)

    def _refusal(self, usage: Usage, now: float) -> Throttle | None:
        """Why a request may not begin, if so. A pause holds for all facets; too many at once begins none."""
        profile = self.profile
        if now < usage.paused_until:
            usage.paused_until += profile.penalty_s
            return self._throttle(usage.facet, usage.paused_until - now)
        if usage.execution_ms >= profile.max_execution_ms:
            usage.facet, usage.paused_until = TIME, max(self._time_is_left(usage), now + 1)
        elif usage.end - usage.first + usage.running >= profile.max_requests:
            oldest = usage.entry(usage.first)[0] if usage.end > usage.first else now
            usage.facet, usage.paused_until = REQUESTS, max(oldest + profile.window_s, now + 1)
        elif usage.running >= profile.max_concurrent:
            usage.pressed += 1
            return self._throttle(CONCURRENCY, 1 + (usage.pressed - 1) * profile.penalty_s)
        else:
            return None
        return self._throttle(usage.facet, usage.paused_until - now)

    def _time_is_left(self, usage: Usage) -> float:
        """When so much of the window has gone by that its execution time is below the limit."""
        left = usage.execution_ms
        for number in range(usage.first, usage.end):
            ended, spent = usage.entry(number)
            left -= spent
            if left < self.profile.max_execution_ms:
                return ended + self.profile.window_s
        return 0.0

    def _throttle(self, facet: int, wait_s: float) -> Throttle:
        profile = self.profile
        window = f"over time window of {profile.window_s:g} seconds."
        message = {
            TIME: f"Combined execution time of incoming requests exceeded limit of {profile.max_execution_ms:,.0f} "
            f"milliseconds {window} Decrease number of concurrent requests or reduce the duration of requests and try "
            "again later.",
            CONCURRENCY: f"Number of concurrent requests exceeded the limit of {profile.max_concurrent}.",
            REQUESTS: f"Number of requests exceeded the limit of {profile.max_requests} {window}",
        }[facet]
        return Throttle(CODES[facet], message, max(math.ceil(wait_s), 1))
