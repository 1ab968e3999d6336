"""Hypercare lasts five business days."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from flitstack.app.hypercare import hypercare_until


@given(st.dates(date(2020, 1, 1), date(2040, 12, 31)))
def test_five_business_days_lie_between_the_switch_and_its_end(switched: date) -> None:
    until = hypercare_until(switched)
    days = [switched + timedelta(days=n) for n in range(1, (until - switched).days + 1)]
    assert sum(day.weekday() < 5 for day in days) == 5
    assert until.weekday() < 5
