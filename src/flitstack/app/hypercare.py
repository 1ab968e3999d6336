"""The days after the switch in which somebody looks after the customer."""

from datetime import date, timedelta

BUSINESS_DAYS = 5


def hypercare_until(switched: date) -> date:
    """The fifth business day after the switch, Monday to Friday; public holidays are not known."""
    day, left = switched, BUSINESS_DAYS
    while left:
        day += timedelta(days=1)
        left -= day.weekday() < 5
    return day
