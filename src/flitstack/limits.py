"""The platform's limits as pure arithmetic. The emulator keeps its own copy on purpose: two witnesses."""

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime

# Source: Microsoft Learn, "Service protection API limits".
WINDOW_S = 300
REQUESTS_PER_WINDOW = 6_000
EXECUTION_S_PER_WINDOW = 1_200
CONCURRENT_REQUESTS = 52

# Source: Microsoft Learn, "Execute batch operations using the Web API".
CALLS_PER_BATCH = 1_000

# Source: Microsoft Learn, "Requests limits and allocations" (2025-05-29).
DAILY_REQUESTS_BASE = 500_000
DAILY_REQUESTS_PER_LICENCE = 5_000
DAILY_REQUESTS_MAX = 10_000_000

# Source: Dynamics 365 licensing guide, appendix on custom tables: a licence right, the platform does not enforce it.
CUSTOM_TABLES_PROFESSIONAL = 15


def file_bytes_allowed(max_upload_base64_bytes: int) -> int:
    """Largest file in bytes whose base64 text fits the organisation's `maxuploadfilesize`.

    The setting counts base64 characters: every started group of three bytes takes four.
    """
    return max_upload_base64_bytes // 4 * 3


def daily_requests(licences: int) -> int:
    """Pooled daily request entitlement of application users in a tenant with that many Enterprise/Professional licences."""
    return min(DAILY_REQUESTS_MAX, DAILY_REQUESTS_BASE + licences * DAILY_REQUESTS_PER_LICENCE)


def day_begins(now: datetime) -> datetime:
    """When the day began whose requests are counted together: 00:00 UTC. The pages say "in a 24-hour period" only."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def rows_per_s(rows: int, execution_s: float, factor: float = 1.0) -> float:
    """Rows a second that the limits of one user allow in the long run, in requests of so many rows and seconds each."""
    by_count = REQUESTS_PER_WINDOW / WINDOW_S
    by_time = EXECUTION_S_PER_WINDOW / WINDOW_S / execution_s if execution_s > 0 else by_count
    return min(by_count, by_time) * factor * rows


@dataclass(slots=True)
class SlidingWindow:
    """What one user has used in the last `WINDOW_S` seconds: requests that ended, with their execution time."""

    executed_s: float = 0.0
    _ended: deque[tuple[float, float]] = field(default_factory=deque)

    def __len__(self) -> int:
        return len(self._ended)

    def add(self, now: float, execution_s: float) -> None:
        """A request has ended."""
        self._ended.append((now, execution_s))
        self.executed_s += execution_s

    def forget(self, now: float) -> None:
        """Drop what left the window."""
        while self._ended and self._ended[0][0] <= now - WINDOW_S:
            self.executed_s -= self._ended.popleft()[1]
        if not self._ended:
            self.executed_s = 0.0

    def frees_in_s(self, now: float) -> float:
        """Seconds until the oldest request leaves the window; infinity when there is none."""
        return self._ended[0][0] + WINDOW_S - now if self._ended else float("inf")

    def below_in_s(self, now: float, requests: float, execution_s: float) -> float:
        """Seconds until both sums are below these limits when nothing more comes; 0 when they are now."""
        count, spent, wait_s = len(self._ended), self.executed_s, 0.0
        for ended, took_s in self._ended:
            if count < requests and spent < execution_s:
                break
            count, spent, wait_s = count - 1, spent - took_s, ended + WINDOW_S - now
        return max(0.0, wait_s)
