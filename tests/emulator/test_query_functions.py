"""Query functions about time, people and hierarchies, judged by plain Python over the same rows."""

import calendar
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
import pytest
from core_driver import Driver
from hypothesis import given, settings
from hypothesis import strategies as st

from flitstack.emulator.core import Environment, Refusal
from flitstack.emulator.values import guid_blob

PREFIX = "Microsoft.Dynamics.CRM."


class Clock:
    now = datetime(2024, 3, 31, 15, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="module")
def clocked() -> Iterator[tuple[Driver, Clock]]:
    clock = Clock()
    with TemporaryDirectory() as directory:
        environment = Environment.open(Path(directory), clock=clock)
        yield Driver(environment), clock
        environment.close()


def found(driver: Driver, path: str, condition: str, name: str) -> set[str]:
    return {row[name] for row in driver.rows(path, filter=PREFIX + condition, select=name)}


def months_back(day: date, months: int) -> date:
    index = day.year * 12 + day.month - 1 - months
    year, month = index // 12, index % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def week(day: date) -> int:
    """Weeks since 1 BC, each beginning on Sunday."""
    return day.toordinal() // 7


def hours(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(hours=1)


Rule = Callable[[datetime, datetime, int], bool]
RULES: dict[str, Rule] = {
    "Today": lambda v, now, x: v.date() == now.date(),
    "Yesterday": lambda v, now, x: (now.date() - v.date()).days == 1,
    "Tomorrow": lambda v, now, x: (v.date() - now.date()).days == 1,
    "Last7Days": lambda v, now, x: v <= now and (now.date() - v.date()).days <= 7,
    "Next7Days": lambda v, now, x: v >= now and (v.date() - now.date()).days <= 7,
    "LastWeek": lambda v, now, x: week(now.date()) - week(v.date()) == 1,
    "ThisWeek": lambda v, now, x: week(now.date()) == week(v.date()),
    "NextWeek": lambda v, now, x: week(v.date()) - week(now.date()) == 1,
    "LastMonth": lambda v, now, x: now.year * 12 + now.month - v.year * 12 - v.month == 1,
    "ThisMonth": lambda v, now, x: (now.year, now.month) == (v.year, v.month),
    "NextMonth": lambda v, now, x: v.year * 12 + v.month - now.year * 12 - now.month == 1,
    "LastYear": lambda v, now, x: v.year == now.year - 1,
    "ThisYear": lambda v, now, x: v.year == now.year,
    "NextYear": lambda v, now, x: v.year == now.year + 1,
    "LastXHours": lambda v, now, x: v <= now and hours(v) >= hours(now) - x,
    "LastXDays": lambda v, now, x: v <= now and (now.date() - v.date()).days <= x,
    "LastXWeeks": lambda v, now, x: v <= now and (now.date() - v.date()).days <= 7 * x,
    "LastXMonths": lambda v, now, x: v <= now and v.date() >= months_back(now.date(), x),
    "LastXYears": lambda v, now, x: v <= now and v.date() >= months_back(now.date(), 12 * x),
    "NextXDays": lambda v, now, x: v >= now and (v.date() - now.date()).days <= x,
    "NextXWeeks": lambda v, now, x: v >= now and (v.date() - now.date()).days <= 7 * x,
    "NextXMonths": lambda v, now, x: now <= v and v.date() < months_back(now.date() + timedelta(days=1), -x),
    "NextXYears": lambda v, now, x: now <= v and v.date() < months_back(now.date() + timedelta(days=1), -12 * x),
    "NextXHours": lambda v, now, x: timedelta() <= v - now < timedelta(hours=x),
    "OlderThanXMinutes": lambda v, now, x: v < now.replace(second=0) - timedelta(minutes=x),
    "OlderThanXHours": lambda v, now, x: hours(v) < hours(now) - x,
    "OlderThanXDays": lambda v, now, x: (now.date() - v.date()).days > x,
    "OlderThanXWeeks": lambda v, now, x: (now.date() - v.date()).days > 7 * x,
    "OlderThanXMonths": lambda v, now, x: v.date() < months_back(now.date(), x),
    "OlderThanXYears": lambda v, now, x: v.date() < months_back(now.date(), 12 * x),
}
MOMENTS = st.integers(0, 10 * 365 * 86_400).map(
    lambda seconds: datetime(2019, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
NEAR = st.integers(-40 * 24 * 60, 40 * 24 * 60)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_window_of_time_holds_what_plain_python_says(clocked: tuple[Driver, Clock], data: st.DataObject) -> None:
    driver, clock = clocked
    clock.now = data.draw(MOMENTS)
    minutes = st.one_of(st.integers(-200, 200), NEAR, st.integers(-1_000_000, 1_000_000))
    values = [clock.now + timedelta(minutes=m) for m in data.draw(st.lists(minutes, min_size=1, max_size=8))]
    values += [clock.now, datetime.combine(clock.now.date(), time(), UTC)]
    with driver.environment.transaction():
        for row in driver.rows("tasks", select="activityid"):
            driver.delete(f"tasks({row['activityid']})")
        for at, value in enumerate(values):
            driver.create("tasks", subject=str(at), scheduledend=value.isoformat())
    x = data.draw(st.integers(1, 30))
    for name, rule in RULES.items():
        number = f",PropertyValue={x}" if "X" in name else ""
        shown = found(driver, "tasks", f"{name}(PropertyName='scheduledend'{number})", "subject")
        assert shown == {str(at) for at, value in enumerate(values) if rule(value, clock.now, x)}, name


def test_a_date_without_time_counts_as_its_midnight(clocked: tuple[Driver, Clock]) -> None:
    driver, clock = clocked
    clock.now = datetime(2024, 3, 31, 15, 30, tzinfo=UTC)
    for name, day in (("today", "2024-03-31"), ("tomorrow", "2024-04-01"), ("yesterday", "2024-03-30")):
        driver.create("contacts", firstname=name, anniversary=day)
    # Source: Gonzalo Ruiz, "Date and Time operators in CRM Explained" (dates have a hidden time of 12AM).
    assert found(driver, "contacts", "NextXDays(PropertyName='anniversary',PropertyValue=1)", "firstname") == {
        "tomorrow"
    }
    assert found(driver, "contacts", "LastXDays(PropertyName='anniversary',PropertyValue=1)", "firstname") == {
        "today",
        "yesterday",
    }
    with pytest.raises(Refusal, match=r"^501.*LastXHours"):
        found(driver, "contacts", "LastXHours(PropertyName='anniversary',PropertyValue=1)", "firstname")


def test_the_organization_says_when_a_week_begins(driver: Driver) -> None:
    day = datetime.now(UTC).date()
    monday = day - timedelta(days=day.weekday())
    driver.create("contacts", firstname="Mon", anniversary=str(monday))
    driver.create("contacts", firstname="Sun", anniversary=str(monday + timedelta(days=6)))
    this_week = "ThisWeek(PropertyName='anniversary')"
    assert len(found(driver, "contacts", this_week, "firstname")) == 1
    environment = driver.environment
    rows = environment.ensure_rows(environment.tables["organization"], ["weekstartdaycode"])
    environment.connection.execute(f"UPDATE {rows} SET weekstartdaycode = 1")
    assert found(driver, "contacts", this_week, "firstname") == {"Mon", "Sun"}


FISCAL_MONTHS = {2000: 12, 2001: 6, 2002: 3, 2003: 1}


def fiscal(day: date, start: date, kind: int) -> tuple[int, int]:
    """(year, period) by counting days and months one by one."""
    year = day.year if (day.month, day.day) >= (start.month, start.day) else day.year - 1
    begins = date(year, start.month, start.day)
    if kind == 2004:
        return year, min(13, (day - begins).days // 28 + 1)
    months = (day.year - begins.year) * 12 + day.month - begins.month - (day.day < begins.day)
    return year, months // FISCAL_MONTHS[kind] + 1


@settings(max_examples=60, deadline=None)
@given(
    st.dates(date(2018, 1, 1), date(2018, 12, 28)).filter(lambda day: day.day <= 28),
    st.sampled_from([2000, 2001, 2002, 2003, 2004]),
    st.dates(date(2019, 1, 1), date(2027, 12, 31)),
    st.lists(st.dates(date(2015, 1, 1), date(2030, 12, 31)), min_size=1, max_size=6),
    st.integers(1, 5),
)
def test_a_fiscal_window_holds_what_counting_months_says(
    clocked: tuple[Driver, Clock], start: date, kind: int, today: date, days: list[date], x: int
) -> None:
    driver, clock = clocked
    clock.now = datetime.combine(today, time(12), UTC)
    environment = driver.environment
    columns = ["fiscalcalendarstart", "fiscalperiodtype"]
    rows = environment.ensure_rows(environment.tables["organization"], columns)
    environment.connection.execute(
        f"UPDATE {rows} SET fiscalcalendarstart = ?, fiscalperiodtype = ?", (f"{start}T00:00:00Z", kind)
    )
    with environment.transaction():
        for row in driver.rows("contacts", select="contactid"):
            driver.delete(f"contacts({row['contactid']})")
        for at, day in enumerate(days):
            driver.create("contacts", firstname=str(at), anniversary=str(day))
    per_year = 13 if kind == 2004 else 12 // FISCAL_MONTHS[kind]
    year, period = fiscal(today, start, kind)
    serial = {at: (place := fiscal(day, start, kind))[0] * per_year + place[1] for at, day in enumerate(days)}
    years = {at: fiscal(day, start, kind)[0] for at, day in enumerate(days)}
    now = year * per_year + period
    number = min(x, per_year)
    wanted_period = (year + 1) * per_year + number
    rules: dict[str, Callable[[int], bool]] = {
        "ThisFiscalYear(PropertyName='anniversary')": lambda at: years[at] == year,
        "LastFiscalYear(PropertyName='anniversary')": lambda at: years[at] == year - 1,
        "NextFiscalYear(PropertyName='anniversary')": lambda at: years[at] == year + 1,
        "ThisFiscalPeriod(PropertyName='anniversary')": lambda at: serial[at] == now,
        "LastFiscalPeriod(PropertyName='anniversary')": lambda at: serial[at] == now - 1,
        "NextFiscalPeriod(PropertyName='anniversary')": lambda at: serial[at] == now + 1,
        f"LastXFiscalYears(PropertyName='anniversary',PropertyValue={x})": lambda at: year - x <= years[at] < year,
        f"NextXFiscalYears(PropertyName='anniversary',PropertyValue={x})": lambda at: year < years[at] <= year + x,
        f"LastXFiscalPeriods(PropertyName='anniversary',PropertyValue={x})": lambda at: now - x <= serial[at] < now,
        f"NextXFiscalPeriods(PropertyName='anniversary',PropertyValue={x})": lambda at: now < serial[at] <= now + x,
        f"InFiscalYear(PropertyName='anniversary',PropertyValue={year})": lambda at: years[at] == year,
        f"InFiscalPeriod(PropertyName='anniversary',PropertyValue={number})": lambda at: (
            serial[at] - years[at] * per_year == number
        ),
        f"InFiscalPeriodAndYear(PropertyName='anniversary',PropertyValue1={number},PropertyValue2={year + 1})": lambda at: (
            serial[at] == wanted_period
        ),
        f"InOrBeforeFiscalPeriodAndYear(PropertyName='anniversary',PropertyValue1={number},PropertyValue2={year + 1})": lambda at: (
            serial[at] <= wanted_period
        ),
        f"InOrAfterFiscalPeriodAndYear(PropertyName='anniversary',PropertyValue1={number},PropertyValue2={year + 1})": lambda at: (
            serial[at] >= wanted_period
        ),
    }
    for condition, rule in rules.items():
        shown = found(driver, "contacts", condition, "firstname")
        assert shown == {str(at) for at in range(len(days)) if rule(at)}, condition


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-1, 7), min_size=2, max_size=8), st.integers(0, 7))
def test_hierarchies_are_walked_as_plain_python_walks_them(
    clocked: tuple[Driver, Clock], parents: list[int], at: int
) -> None:
    """Parents at random: chains, trees and circles, which no request can make but an old row may be part of."""
    driver, _ = clocked
    with driver.environment.transaction():
        for row in driver.rows("accounts", select="accountid"):
            driver.delete(f"accounts({row['accountid']})")
        ids = [driver.create("accounts", name=str(number)) for number in range(len(parents))]
        rows = driver.environment.ensure_rows(driver.environment.tables["account"], ["parentaccountid"])
        for number, parent in enumerate(parents):
            if 0 <= parent < len(parents):
                driver.environment.connection.execute(
                    f"UPDATE {rows} SET parentaccountid = ? WHERE accountid = ?",
                    (guid_blob(ids[parent]), guid_blob(ids[number])),
                )
    named = at % len(parents)

    def ancestors(number: int) -> set[int]:
        line: set[int] = set()
        while 0 <= parents[number] < len(parents) and parents[number] not in line:
            number = parents[number]
            line.add(number)
        return line

    below = {n for n in range(len(parents)) if named in ancestors(n)}
    expected = {
        "Above": ancestors(named),
        "AboveOrEqual": ancestors(named) | {named},
        "Under": below,
        "UnderOrEqual": below | {named},
        "NotUnder": set(range(len(parents))) - below,
    }
    for name, numbers in expected.items():
        condition = f"{name}(PropertyName='accountid',PropertyValue='{ids[named]}')"
        assert found(driver, "accounts", condition, "name") == set(map(str, numbers)), name
    inside = f"Under(PropertyName='parentaccountid',PropertyValue={ids[named]})"
    assert found(driver, "accounts", inside, "name") == {str(n) for n, parent in enumerate(parents) if parent in below}


def test_people_functions_know_the_units_teams_and_language_of_the_caller(driver: Driver) -> None:
    user = str(driver.environment.application_user)
    (unit,) = driver.rows("businessunits", select="businessunitid")
    bound = f"/businessunits({unit['businessunitid']})"
    mine, other = (driver.create("teams", name=n, teamtype=0, businessunitid__bind=bound) for n in ("mine", "other"))
    reference = {"@odata.id": f"http://localhost/api/data/v9.2/systemusers({user})"}
    driver.send("POST", f"teams({mine})/teammembership_association/$ref", reference)
    driver.create("contacts", firstname="own")
    driver.create("contacts", firstname="team", ownerid__bind=f"/teams({mine})")
    driver.create("contacts", firstname="else", ownerid__bind=f"/teams({other})")

    def people(condition: str) -> set[str]:
        return found(driver, "contacts", condition, "firstname")

    assert people("EqualUserTeams(PropertyName='ownerid')") == {"team"}
    assert people("EqualUserOrUserTeams(PropertyName='ownerid')") == {"own", "team"}
    assert people("NotEqualUserId(PropertyName='ownerid')") == {"team", "else"}
    assert people("EqualBusinessId(PropertyName='owningbusinessunit')") == {"own", "team", "else"}
    assert people("NotEqualBusinessId(PropertyName='owningbusinessunit')") == set()
    language = found(driver, "organizations", "EqualUserLanguage(PropertyName='languagecode')", "name")
    assert language == {"flitstack emulator"}


def test_aliases_carry_the_values_of_query_functions(driver: Driver) -> None:
    driver.create("contacts", firstname="Ana")
    query = {
        "$filter": f"{PREFIX}LastXDays(PropertyName=@p1,PropertyValue=@p2)",
        "@p1": "'createdon'",
        "@p2": "2",
    }
    assert len(orjson.loads(driver.send("GET", "contacts", None, query).body or b"")["value"]) == 1


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("InFiscalYear(PropertyName='createdon',PropertyValue=0)", "400 .*takes 1 positive"),
        ("EqualUserOrUserHierarchy(PropertyName='ownerid')", "501 .*EqualUserOrUserHierarchy"),
        ("Under(PropertyName='contactid',PropertyValue='6f2a6b5e-6d3c-4f0e-9a57-3f1d5d7c9b10')", "501 .*'Under'"),
        ("LastXMoons(PropertyName='createdon',PropertyValue=1)", "400 0x80060888"),
        ("LastXDays(PropertyName='createdon')", "400 0x80060888"),
        ("LastXDays(PropertyName='createdon',PropertyValue=0)", "400 0x80060888"),
        ("LastXYears(PropertyName='createdon',PropertyValue=100000)", "400 0x80060888"),
        ("LastXDays(PropertyName='firstname',PropertyValue=1)", "400 0x80060888"),
        ("Contains(PropertyName='firstname',PropertyValue='a')", "500 0x80044150"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(driver: Driver, condition: str, code: str) -> None:
    with pytest.raises(Refusal, match=f"^{code}"):
        found(driver, "contacts", condition, "firstname")
