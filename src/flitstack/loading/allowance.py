"""The day's own budget of requests: the service documents no answer for exhaustion, so the loader keeps count itself."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flitstack.errors import Problem, StepFailed
from flitstack.limits import day_begins


@dataclass
class Allowance:
    """How many requests may still be made on the day that `begins`. Every row of a bulk message or batch is one.

    Source: Microsoft Learn, "Requests limits and allocations".
    """

    a_day: int
    used: int
    begins: datetime

    def take(self, rows: int, now: datetime | None = None) -> bool:
        """Whether so many rows may be sent; when they may, they are counted. A new day begins anew."""
        today = day_begins(now or datetime.now(UTC))
        if today > self.begins:
            self.begins, self.used = today, 0
        if self.used + rows > self.a_day:
            return False
        self.used += rows
        return True

    def exhausted(self) -> StepFailed:
        """The error of a load that stops because of it. Nothing is under way when it is raised."""
        again = self.begins + timedelta(days=1)
        return StepFailed(
            Problem(
                "daily-requests-used",
                f"{self.used:,} of the day's {self.a_day:,} requests are used; every row is one",
                known=f"a new day begins at {again:%Y-%m-%dT%H:%M}Z",
                do=f"run the same command again after {again:%Y-%m-%dT%H:%M}Z: it goes on where it stopped; "
                "or raise daily_requests or licences of the environment in flitstack.yaml",
            )
        )
