"""Service protection limits: three facets per user over a sliding window.

Source: Microsoft Learn, "Service protection API limits" (codes, texts, figures of the profile "documented"). How
Retry-After grows is not documented; here each request sent during a pause lengthens it.
"""

import math
from collections import deque
from dataclasses import dataclass, field

from flitstack.emulator.messages import Refusal


@dataclass(frozen=True, slots=True)
class Profile:
    """Limits of one user, and what a request costs.

    Execution time is modelled, not measured: `ms_per_request` + rows x `ms_per_row`, and the answer is held back for
    that long, so that concurrency is real. `penalty_s` is added to the pause by each request sent during it.
    """

    name: str
    is_on: bool = True
    max_requests: int = 6000
    max_execution_ms: float = 1_200_000
    max_concurrent: int = 52
    window_s: float = 300
    ms_per_request: float = 0
    ms_per_row: float = 0
    penalty_s: float = 0.5
    parallelism_hint: int = 4


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


@dataclass(slots=True)
class _Usage:
    """One user: (end of request, its execution ms) in the window, requests under way, end of the pause."""

    spent: deque[tuple[float, float]] = field(default_factory=deque)
    execution_ms: float = 0.0
    running: int = 0
    paused_until: float = 0.0


class Throttle(Refusal):
    """A 429; `retry_after_s` goes out as header."""

    def __init__(self, code: str, message: str, retry_after_s: int) -> None:
        super().__init__(429, code, message)
        self.retry_after_s = retry_after_s


class Limiter:
    """Admits or refuses requests. Times are seconds of any monotonic clock, passed in."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._users: dict[str, _Usage] = {}

    def is_paused(self, user: str, now: float) -> bool:
        """Whether this user was told to wait and has not waited."""
        usage = self._users.get(user)
        return usage is not None and now < usage.paused_until

    def pause(self, user: str, until: float) -> None:
        """Tell this user to wait, for a reason that is not the limiter's own."""
        usage = self._users.setdefault(user, _Usage())
        usage.paused_until = max(usage.paused_until, until)

    def enter(self, user: str, now: float) -> None:
        """Begin a request, or raise Throttle. Whoever entered must `leave`."""
        usage = self._users.setdefault(user, _Usage())
        profile = self.profile
        if not profile.is_on:
            usage.running += 1
            return
        self._forget(usage, now)
        if now < usage.paused_until:
            usage.paused_until += profile.penalty_s
        elif len(usage.spent) + usage.running >= profile.max_requests or usage.execution_ms >= profile.max_execution_ms:
            self._pause(usage, now)
        elif usage.running >= profile.max_concurrent:
            raise self._refusal(
                "0x80072326", f"Number of concurrent requests exceeded the limit of {profile.max_concurrent}.", 1
            )
        else:
            usage.running += 1
            return
        raise self._paused(usage, now)

    def leave(self, user: str, now: float, execution_ms: float) -> None:
        """End a request that entered."""
        usage = self._users[user]
        usage.running -= 1
        if self.profile.is_on:
            usage.spent.append((now, execution_ms))
            usage.execution_ms += execution_ms

    def remaining(self, user: str, now: float) -> tuple[int, int]:
        """Requests and execution milliseconds left in the window."""
        usage = self._users.setdefault(user, _Usage())
        self._forget(usage, now)
        requests = self.profile.max_requests - len(usage.spent) - usage.running
        return max(requests, 0), max(int(self.profile.max_execution_ms - usage.execution_ms), 0)

    def cost_ms(self, rows: int) -> float:
        """Modelled execution time of a request that names this many rows."""
        return self.profile.ms_per_request + rows * self.profile.ms_per_row

    def _forget(self, usage: _Usage, now: float) -> None:
        while usage.spent and usage.spent[0][0] <= now - self.profile.window_s:
            usage.execution_ms -= usage.spent.popleft()[1]

    def _pause(self, usage: _Usage, now: float) -> None:
        """Wait until the window has room again for one request and some of its time."""
        oldest = usage.spent[0][0] if usage.spent else now
        usage.paused_until = max(oldest + self.profile.window_s, now + 1)

    def _paused(self, usage: _Usage, now: float) -> Throttle:
        profile = self.profile
        wait_s = math.ceil(usage.paused_until - now)
        window = f"over time window of {profile.window_s:g} seconds"
        if usage.execution_ms >= profile.max_execution_ms:
            return self._refusal(
                "0x80072321",
                "Combined execution time of incoming requests exceeded limit of "
                f"{profile.max_execution_ms:,.0f} milliseconds {window}. Decrease number of concurrent requests or "
                "reduce the duration of requests and try again later.",
                wait_s,
            )
        return self._refusal(
            "0x80072322", f"Number of requests exceeded the limit of {profile.max_requests} {window}.", wait_s
        )

    @staticmethod
    def _refusal(code: str, message: str, wait_s: int) -> Throttle:
        return Throttle(code, message, max(wait_s, 1))
