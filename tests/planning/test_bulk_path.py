"""A plan says how the rows of its large tables go."""

from dataclasses import replace

from flitstack.catalogue.read import load_catalogue
from flitstack.planning.bulk import bulk_lines
from flitstack.planning.document import SendTable

ATTENDANCE = SendTable("06_flit_attendance", "flit_attendance", "attendance", "", 50_001, "", (), ("Attendance",))


def test_more_than_fifty_thousand_rows_are_told_to_go_in_bulk() -> None:
    assert list(bulk_lines([ATTENDANCE], {"flit_attendance": None})) == [
        "bulk: 50,001 rows of flit_attendance go in bulk requests (CreateMultiple)"
    ]
    assert list(bulk_lines([replace(ATTENDANCE, rows=50_000)], {})) == []


def test_rows_that_cannot_go_in_bulk_are_told_why() -> None:
    tables = load_catalogue().tables
    meetings = replace(ATTENDANCE, table="appointment", has_parties=True)
    single = replace(ATTENDANCE, table="lead")
    live = {"appointment": tables["appointment"], "lead": replace(tables["lead"], messages=frozenset({"Create"}))}
    told = list(bulk_lines([meetings, single], live))
    assert told == [
        "bulk: 50,001 rows of appointment go in batches of single rows: they have participants, which bulk requests do not take",
        "bulk: 50,001 rows of lead go in batches of single rows: the table takes no CreateMultiple",
    ]
