"""The quick way of CreateMultiple, whole columns at a time, and the way row by row: same rows, same refusals."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from core_driver import Driver
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flitstack.catalogue.read import load_catalogue
from flitstack.catalogue.types import Column, Key
from flitstack.emulator.core import Caller, Environment, Refusal
from flitstack.emulator.definitions import Definitions
from flitstack.emulator.messages import Switches
from flitstack.emulator.rows.block_write import insert_block, takes_blocks
from flitstack.emulator.rows.blocks import parse_block
from flitstack.emulator.rows.write import create_rows
from flitstack.emulator.seed import APPLICATION_USER, seed
from flitstack.emulator.store import Store
from flitstack.emulator.values import guid_blob, guid_text
from flitstack.emulator.work import Work

Row = dict[str, object]
USER, DISABLED = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
ACCOUNT, CONTACT = "00000000-0000-4000-8000-00000000000A", "00000000-0000-4000-8000-00000000000b"
EURO, MISSING = "00000000-0000-4000-8000-00000000000e", "00000000-0000-4000-8000-00000000dead"
NOW = datetime(2024, 2, 29, 12, tzinfo=UTC)

ABSENT = object()
# Column: values a request may send, and values it is refused for (or that are unusual).
GOOD: dict[str, list[object]] = {
    "firstname": ["Ann", "Zoë", "", None, "𝒜" * 25],
    "lastname": ["Lee", "ÅNGSTRÖM ", "x" * 50],
    "description": ["d" * 1500, "ß", None],
    "gendercode": [1, 2, None],
    "preferredcontactmethodcode": [3, 1, None],
    "donotemail": [True, False, None],
    "birthdate": ["2000-02-29", "1753-01-01", None],
    "overriddencreatedon": ["2019-05-05T10:00:00Z", "2019-05-05T10:00:00+02:00", "2019-05-05", None],
    "creditlimit": [1, 2.5, 1.23456, None],
    "annualincome": [7, None],
    "numberofchildren": [0, 3, None],
    "address1_latitude": [1.234567, -90, None],
    "parentcustomerid_account@odata.bind": [f"/accounts({ACCOUNT})", f"accounts({ACCOUNT.lower()})", None],
    "parentcustomerid_contact@odata.bind": [f"/contacts({CONTACT})"],
    "ownerid@odata.bind": [f"/systemusers({USER})", f"/systemusers({APPLICATION_USER})"],
    "transactioncurrencyid@odata.bind": [f"/transactioncurrencies({EURO})", None],
    "statecode": [0, 1],
    "fullname": ["ignored"],
    "lastname@odata.note": ["ignored"],
    "new_code": ["a1", "B2", "c3", None],
}  # fmt: skip
BAD: dict[str, list[object]] = {
    "firstname": ["𝒜" * 26, 7, ["x"]],
    "gendercode": [True, 1.0, 99, "1"],
    "donotemail": [1, "true"],
    "birthdate": ["2001-02-29", "1752-12-31", "2020-W01-1", "2000-01-01T00:00:00Z", ""],
    "overriddencreatedon": ["2019-02-30T10:00:00Z", "1700-01-01T00:00:00Z", 5],
    "creditlimit": [-1, True, "1", 1e16],
    "numberofchildren": [2**31, 1.5],
    "parentcustomerid_account@odata.bind": [f"/accounts({MISSING})", f"/contacts({CONTACT})", "/accounts(1)", 4],
    "parentcustomerid_contact@odata.bind": ["/contacts(00000000-0000-4000-8000- 0000000000b)", "/nothings(1)"],
    "ownerid@odata.bind": [f"/systemusers({DISABLED})", None],
    "statuscode": [2, 99],
    "contactid": [CONTACT, None, "{00000000-0000-4000-8000-0000000000cc}", "no guid"],
    "parentcustomerid_account": [None, {"name": "deep"}],
    "_ownerid_value": [USER],
    "unheard": [1],
}  # fmt: skip


@dataclass
class Side:
    """An environment with the store that belongs to it."""

    environment: Environment
    store: Store

    def rows(self) -> list[Row]:
        """All contacts in the order of their versions; neither versions nor ids made by the environment."""
        cursor = self.store.connection.execute("SELECT * FROM contact ORDER BY versionnumber")
        names = [column[0] for column in cursor.description]
        found = [dict(zip(names, row, strict=True)) for row in cursor]
        for row in found:
            del row["versionnumber"]
            for name in ("contactid", "parentcustomerid", "accountid"):
                if row[name] is not None and not guid_text(row[name]).startswith("00000000"):
                    row[name] = "new"
        return found

    def clear(self) -> None:
        self.environment.connection.execute("DELETE FROM contact$rows WHERE lastname IS NOT 'kept'")


def open_side(directory: Path) -> Side:
    directory.mkdir()
    store = Store(directory / "environment.sqlite", Switches(), lambda: NOW)
    definitions = Definitions(store, load_catalogue())
    seed(store)
    side = Side(Environment(store, definitions), store)
    environment, driver = side.environment, Driver(side.environment)
    environment.put_row("systemuser", UUID(USER), {"fullname": "U", "isdisabled": 0})
    environment.put_row("systemuser", UUID(DISABLED), {"fullname": "D", "isdisabled": 1})
    environment.put_row("transactioncurrency", UUID(EURO), {"isocurrencycode": "EUR", "exchangerate": 0.8})
    driver.create("accounts", accountid=ACCOUNT, name="A")
    driver.create("contacts", contactid=CONTACT, lastname="kept")
    column = Column("new_code", "new_Code", "String", creatable=True, updatable=True, max_length=100)
    environment.put_column("contact", column)
    environment.put_key("contact", Key("code", ("new_code",)))
    environment.put_key("contact", Key("code_and_name", ("new_code", "lastname", "birthdate")))
    return side


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    both = [open_side(tmp_path_factory.mktemp("blocks") / name) for name in ("quick", "slow")]
    yield both[0], both[1]
    for side in both:
        side.environment.close()


@st.composite
def requests(draw: st.DrawFn) -> list[Row]:
    """Rows that mostly share their properties; in half of the requests something is wrong or unusual."""
    names = draw(st.lists(st.sampled_from(sorted(GOOD)), unique=True, max_size=len(GOOD)))
    choices = {name: list(GOOD[name]) for name in names}
    if draw(st.booleans()):
        name = draw(st.sampled_from(sorted(BAD)))
        choices[name] = [*GOOD.get(name, []), *BAD[name]]
    if draw(st.booleans()):
        choices = {name: [*values, ABSENT] for name, values in choices.items()}
    count = draw(st.sampled_from([1, 2, 3, 5, 120]))
    picked = [{name: draw(st.sampled_from(values)) for name, values in choices.items()} for _ in range(min(count, 5))]
    rows = [picked[n % len(picked)] for n in range(count)]
    return [{name: value for name, value in row.items() if value is not ABSENT} for row in rows]


def without_new_ids(part: object) -> object:
    return re.sub(r"Id [0-9a-f-]{36}", "Id ...", part) if isinstance(part, str) else part


def quick(side: Side, rows: list[Row]) -> list[str] | tuple[int, str, str]:
    try:
        ids = Driver(side.environment).multiple("CreateMultiple", "contacts", "contact", rows)["Ids"]
    except Refusal as refusal:
        return refusal.status, refusal.code, refusal.message
    assert isinstance(ids, list)
    return ids


def slow(side: Side, rows: list[Row]) -> list[bytes] | tuple[int, str, str]:
    model = side.environment.tables["contact"]
    try:
        with side.store.transaction():
            return create_rows(Work(side.store, Caller(APPLICATION_USER)), model, rows)
    except Refusal as refusal:
        return refusal.status, refusal.code, refusal.message


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=requests())
def test_column_by_column_is_row_by_row(sides: tuple[Side, Side], rows: list[Row]) -> None:
    one, other = sides
    found, expected = quick(one, rows), slow(other, rows)
    assert isinstance(found, tuple) == isinstance(expected, tuple)
    if isinstance(expected, tuple):
        assert [without_new_ids(part) for part in found] == [without_new_ids(part) for part in expected]
    else:
        assert len(found) == len(expected)
    assert one.rows() == other.rows()
    one.clear()
    other.clear()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=requests(), places=st.lists(st.integers(0, 9), min_size=5, max_size=5))
def test_upserting_in_one_request_is_upserting_one_by_one(
    sides: tuple[Side, Side], rows: list[Row], places: list[int]
) -> None:
    """New rows go as a block, others one by one; a request among them that is refused leaves nothing."""
    one, other = sides
    ids = [f"00000000-0000-4000-8000-0000000001{place:02}" for place in places]
    rows = [{**row, "contactid": id_} for row, id_ in zip(rows, ids, strict=False)]

    def singly() -> None:
        with other.environment.transaction():
            for row in rows:
                path = f"contacts({row['contactid']})"
                Driver(other.environment).send("PATCH", path, {k: v for k, v in row.items() if k != "contactid"})

    outcomes: list[object] = []
    for work in (lambda: Driver(one.environment).multiple("UpsertMultiple", "contacts", "contact", rows), singly):
        try:
            work()
        except Refusal as refusal:
            outcomes.append((refusal.status, refusal.code, refusal.message))
        else:
            outcomes.append(None)
    assert outcomes[0] == outcomes[1]
    assert one.rows() == other.rows()
    one.clear()
    other.clear()


@pytest.mark.parametrize("table", ["account", "contact", "lead", "opportunity", "product"])
def test_common_tables_take_the_quick_way(sides: tuple[Side, Side], table: str) -> None:
    side = sides[0]
    assert takes_blocks(side.store, side.environment.tables[table])


def test_a_usual_request_takes_the_quick_way(sides: tuple[Side, Side]) -> None:
    side, model = sides[0], sides[0].environment.tables["contact"]
    rows: list[Row] = [
        {"lastname": "L", "creditlimit": 1.5, "parentcustomerid_account@odata.bind": f"/accounts({ACCOUNT})"},
        {"lastname": "M", "birthdate": "2000-01-01", "parentcustomerid_contact@odata.bind": f"/contacts({CONTACT})"},
    ]
    with side.store.transaction():
        block = parse_block(Work(side.store, Caller(APPLICATION_USER)), model, rows)
        assert len(insert_block(block) or ()) == 2
    side.clear()


def test_references_by_key_and_guids_in_any_form(sides: tuple[Side, Side]) -> None:
    """What only the slow checks know is still taken, and stored alike."""
    forms = [
        f"/accounts({ACCOUNT})",
        f"accounts({ACCOUNT.lower()})",
        f"http://localhost/api/data/v9.2/accounts({ACCOUNT})",
    ]
    rows: list[Row] = [{"description": form, "parentcustomerid_account@odata.bind": form} for form in forms]
    one, other = sides
    assert not isinstance(quick(one, rows), tuple)
    assert not isinstance(slow(other, rows), tuple)
    assert one.rows() == other.rows()
    assert {row["parentcustomerid"] for row in one.rows() if row["description"]} == {guid_blob(ACCOUNT)}
    one.clear()
    other.clear()
