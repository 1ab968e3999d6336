"""Windows of time as query functions name them: `LastXDays`, `ThisWeek`, `OlderThanXMonths` and their kin.

Days begin at midnight UTC: the emulator knows no time zones of users. Sources: Microsoft Learn, "ConditionOperator
Enum" (calendar weeks, seven days including today); how far "last X" and "next X" reach is not said there and follows
Gonzalo Ruiz, "Date and Time operators in CRM Explained". "Older than X" ends where "last X" begins.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

Window = tuple[datetime | None, datetime | None]  # from (included) until (excluded); None: no end on that side
_SECOND = timedelta(seconds=1)


def add_months(moment: datetime, months: int) -> datetime:
    """The same day of another month, or its last one; OverflowError or ValueError beyond the years 1 to 9999."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    first = moment.replace(year=year, month=month + 1, day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    return first.replace(day=min(moment.day, (following - timedelta(days=1)).day))


def midnight(moment: datetime) -> datetime:
    """The beginning of a day."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _week(today: datetime, first_day: int) -> datetime:
    return today - timedelta(days=(today.isoweekday() - first_day) % 7)


def _days(first: int, until: int) -> Callable[[datetime, int], Window]:
    return lambda today, _: (today + timedelta(days=first), today + timedelta(days=until))


def _weeks(offset: int) -> Callable[[datetime, int], Window]:
    def window(today: datetime, first_day: int) -> Window:
        start = _week(today, first_day) + timedelta(weeks=offset)
        return start, start + timedelta(weeks=1)

    return window


def _months(offset: int, length: int, *, is_year: bool = False) -> Callable[[datetime, int], Window]:
    def window(today: datetime, _: int) -> Window:
        first = today.replace(month=1, day=1) if is_year else today.replace(day=1)
        start = add_months(first, offset)
        return start, add_months(start, length)

    return window


_CALENDAR: dict[str, Callable[[datetime, int], Window]] = {
    "Yesterday": _days(-1, 0),
    "Today": _days(0, 1),
    "Tomorrow": _days(1, 2),
    "LastWeek": _weeks(-1),
    "ThisWeek": _weeks(0),
    "NextWeek": _weeks(1),
    "LastMonth": _months(-1, 1),
    "ThisMonth": _months(0, 1),
    "NextMonth": _months(1, 1),
    "LastYear": _months(-12, 12, is_year=True),
    "ThisYear": _months(0, 12, is_year=True),
    "NextYear": _months(12, 12, is_year=True),
}
_SHIFTS: dict[str, Callable[[datetime, int], datetime]] = {
    "Minutes": lambda moment, count: moment + timedelta(minutes=count),
    "Hours": lambda moment, count: moment + timedelta(hours=count),
    "Days": lambda moment, count: moment + timedelta(days=count),
    "Weeks": lambda moment, count: moment + timedelta(weeks=count),
    "Months": add_months,
    "Years": lambda moment, count: add_months(moment, 12 * count),
}
COUNTED = frozenset(
    [f"{side}X{unit}" for side in ("Last", "Next") for unit in _SHIFTS if unit != "Minutes"]
    + [f"OlderThanX{unit}" for unit in _SHIFTS]
)
PLAIN = frozenset(_CALENDAR) | {"Last7Days", "Next7Days"}


def needs_time_of_day(name: str) -> bool:
    """Whether the function is none for columns that hold a date only."""
    return name.endswith(("Hours", "Minutes"))


def window(name: str, now: datetime, count: int = 0, first_day: int = 0) -> Window:
    """The window of a function in PLAIN or COUNTED; `first_day` of the week is 0 for Sunday to 6 for Saturday."""
    if name in _CALENDAR:
        return _CALENDAR[name](midnight(now), first_day)
    side, _, unit = ("Last", "X", "Days") if name == "Last7Days" else name.partition("X")
    if name == "Next7Days":
        side, unit = "Next", "Days"
    count = 7 if name.endswith("7Days") else count
    shift = _SHIFTS[unit]
    if side == "Next":
        # Whole days at the end, so that "next 1 days" ends with tomorrow; hours count from the minute it is.
        return now, shift(now, count) if unit == "Hours" else shift(midnight(now) + timedelta(days=1), count)
    start = shift(_floor(now, unit), -count)
    return (None, start) if side == "OlderThan" else (start, now + _SECOND)


def _floor(now: datetime, unit: str) -> datetime:
    if unit == "Minutes":
        return now.replace(second=0, microsecond=0)
    return now.replace(minute=0, second=0, microsecond=0) if unit == "Hours" else midnight(now)
