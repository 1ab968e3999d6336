"""The daily entitlement: how many requests each user has made today, and what happens when they are used up.

Source: Microsoft Learn, "Requests limits and allocations" (40,000 a day of a paid user; users without a licence share
a pool of 500,000 and more; every row of a bulk message and every request of a batch counts, metadata does not). No
answer for exhaustion is documented, nor is it enforced today: `when_exhausted` decides. A day begins at 00:00 UTC here.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from flitstack.emulator.core import Environment
from flitstack.emulator.limits import CODES, REQUESTS, Throttle
from flitstack.emulator.shared.cells import Cells
from flitstack.emulator.values import uuid_blob

_POOL = "pool"
_DAY = "entitlement/day"


@dataclass(frozen=True, slots=True)
class Allowance:
    """Requests a day; `count` only counts, `refuse` answers 429 until the day is over."""

    per_user: int = 40_000
    pool: int = 500_000
    when_exhausted: Literal["count", "refuse"] = "count"

    def __post_init__(self) -> None:
        if self.when_exhausted not in ("count", "refuse") or min(self.per_user, self.pool) < 0:
            raise ValueError("when_exhausted is count or refuse, allowances are not negative")


class Entitlement:
    """Counts requests against allowances. Callers of `count` and `refusal` hold the lock of the cells."""

    def __init__(self, cells: Cells, environment: Environment) -> None:
        self._cells = cells
        self._environment = environment
        self._pooled: dict[str, bool] = {}

    def count(self, user: str, units: int, now: datetime) -> None:
        """A user made this many requests."""
        self._begin_day(now)
        self._cells.add(f"entitlement/user/{user}", units)
        if self._is_pooled(user):
            self._cells.add(f"entitlement/{_POOL}", units)

    def refusal(self, user: str, allowance: Allowance, now: datetime) -> Throttle | None:
        """The answer to a user whose requests are used up, where the switch says so."""
        if allowance.when_exhausted == "count":
            return None
        self._begin_day(now)
        is_pooled = self._is_pooled(user)
        used = self._cells.get(f"entitlement/{_POOL}" if is_pooled else f"entitlement/user/{user}")
        most = allowance.pool if is_pooled else allowance.per_user
        if used < most:
            return None
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        message = f"flitstack emulator: the daily entitlement of {most} requests is used up."
        return Throttle(CODES[REQUESTS], message, int((midnight - now).total_seconds()) + 1)

    def document(self, allowance: Allowance, now: datetime) -> dict[str, object]:
        """As JSON: per user and of the pool, what was used today of how much."""
        self._begin_day(now)
        used = {
            name.rpartition("/")[2]: n for name, n in self._cells.items().items() if name.startswith("entitlement/u")
        }
        users = {
            user: {
                "used": n,
                "pooled": self._is_pooled(user),
                "of": None if self._is_pooled(user) else allowance.per_user,
            }
            for user, n in used.items()
        }
        pool = {"used": self._cells.get(f"entitlement/{_POOL}"), "of": allowance.pool}
        return {"day": f"{now:%Y-%m-%d}", "users": users, "pool": pool, "when_exhausted": allowance.when_exhausted}

    def _begin_day(self, now: datetime) -> None:
        today = now.toordinal()
        if self._cells.get(_DAY) != today:
            self._cells.clear("entitlement/")
            self._cells.put(_DAY, today)

    def _is_pooled(self, user: str) -> bool:
        """Whether a user needs no licence: an application, or a non-interactive or administrative one."""
        known = self._pooled.get(user)
        if known is None:
            sql = "SELECT applicationid IS NOT NULL OR accessmode IN (1, 4) FROM systemuser WHERE systemuserid = ?"
            row = self._environment.connection.execute(sql, (uuid_blob(UUID(user)),)).fetchone()
            known = self._pooled[user] = bool(row and row[0])
        return known
