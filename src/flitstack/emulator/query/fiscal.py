"""Fiscal years and periods, by the organization's `fiscalcalendarstart` and `fiscalperiodtype`.

A new organization's year begins on 1 January and has quarters. A fiscal year bears the number of the calendar year it begins in.
Source: Microsoft Learn, "Organization table reference" (types of periods), "Web API Query Function Reference".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flitstack.emulator.query.moments import Window, add_months, midnight
from flitstack.emulator.values import parse_instant

QUARTERLY, FIXED_MONTHLY = 2002, 2004
_MONTHS = {2000: 12, 2001: 6, QUARTERLY: 3, 2003: 1}  # annual, semiannual, quarterly, monthly
KINDS = frozenset(_MONTHS) | {FIXED_MONTHLY}
_FIXED_PERIODS, _FIXED_DAYS = 13, 28


@dataclass(frozen=True, slots=True)
class FiscalCalendar:
    """`first`: a day on which a fiscal year begins; `kind`: its periods, 2000 to 2004."""

    first: datetime
    kind: int = QUARTERLY

    @property
    def periods(self) -> int:
        """How many a year has."""
        return _FIXED_PERIODS if self.kind == FIXED_MONTHLY else 12 // _MONTHS[self.kind]

    def year(self, number: int) -> datetime:
        """The beginning of a fiscal year."""
        return add_months(midnight(self.first), 12 * (number - self.first.year))

    def period(self, year: int, number: int) -> datetime:
        """The beginning of a period; numbers below 1 or above the last lie in other years."""
        more, place = divmod(number - 1, self.periods)
        if self.kind == FIXED_MONTHLY:
            return self.year(year + more) + timedelta(days=_FIXED_DAYS * place)
        return add_months(self.year(year + more), _MONTHS[self.kind] * place)

    def at(self, moment: datetime) -> tuple[int, int]:
        """(year, period) that a moment lies in."""
        year = moment.year if self.year(moment.year) <= moment else moment.year - 1
        number = self.periods
        while self.period(year, number) > moment:
            number -= 1
        return year, number


def _years(calendar: FiscalCalendar, now: datetime, first: int, until: int) -> Window:
    year, _ = calendar.at(now)
    return calendar.year(year + first), calendar.year(year + until)


def _periods(calendar: FiscalCalendar, now: datetime, first: int, until: int) -> Window:
    year, number = calendar.at(now)
    return calendar.period(year, number + first), calendar.period(year, number + until)


_Windows = Callable[[FiscalCalendar, datetime, Sequence[int]], Window]
# Name -> how many values it takes, and the window. "Last X" and "next X" are whole ones beside the current one.
WINDOWS: dict[str, tuple[int, _Windows]] = {
    "LastFiscalYear": (0, lambda calendar, now, _: _years(calendar, now, -1, 0)),
    "ThisFiscalYear": (0, lambda calendar, now, _: _years(calendar, now, 0, 1)),
    "NextFiscalYear": (0, lambda calendar, now, _: _years(calendar, now, 1, 2)),
    "LastFiscalPeriod": (0, lambda calendar, now, _: _periods(calendar, now, -1, 0)),
    "ThisFiscalPeriod": (0, lambda calendar, now, _: _periods(calendar, now, 0, 1)),
    "NextFiscalPeriod": (0, lambda calendar, now, _: _periods(calendar, now, 1, 2)),
    "LastXFiscalYears": (1, lambda calendar, now, values: _years(calendar, now, -values[0], 0)),
    "NextXFiscalYears": (1, lambda calendar, now, values: _years(calendar, now, 1, 1 + values[0])),
    "LastXFiscalPeriods": (1, lambda calendar, now, values: _periods(calendar, now, -values[0], 0)),
    "NextXFiscalPeriods": (1, lambda calendar, now, values: _periods(calendar, now, 1, 1 + values[0])),
    "InFiscalYear": (1, lambda calendar, _, values: (calendar.year(values[0]), calendar.year(values[0] + 1))),
    "InFiscalPeriodAndYear": (2, lambda calendar, _, v: (calendar.period(v[1], v[0]), calendar.period(v[1], v[0] + 1))),
    "InOrBeforeFiscalPeriodAndYear": (2, lambda calendar, _, v: (None, calendar.period(v[1], v[0] + 1))),
    "InOrAfterFiscalPeriodAndYear": (2, lambda calendar, _, v: (calendar.period(v[1], v[0]), None)),
}
IN_PERIOD = "InFiscalPeriod"  # of whatever year
NAMES = frozenset(WINDOWS) | {IN_PERIOD}


def period_of(text: str | None, first: str, kind: int) -> int | None:
    """SQLite's `fiscal_period`: the period that a stored moment or day lies in, whatever the year."""
    moment = None if text is None else parse_instant(text)
    start = parse_instant(first)
    if moment is None or start is None:
        return None
    return FiscalCalendar(start, kind).at(moment)[1]
