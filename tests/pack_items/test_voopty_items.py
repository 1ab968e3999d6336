"""Voopty's checklist on its example: students and families, courses, sessions across the clock change, payments."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from pack_items.item_case import Landed, land


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Landed:
    return land("voopty", tmp_path_factory.mktemp("voopty"))


def test_students_are_contacts_and_families_are_not_merged(school: Landed) -> None:
    rows = school.of("Student.student")
    assert rows["101"]["emailaddress1"] == rows["102"]["emailaddress1"]
    assert (rows["101"]["firstname"], rows["101"]["lastname"]) == ("Марко", "Савчук")
    assert (rows["101"]["flit_vooptystudentid"], rows["101"]["address1_city"]) == ("101", "Львів")
    assert str(rows["101"]["birthdate"]) == "2012-04-16"


def test_clients_are_parents_learners_themselves_or_organisations(school: Landed) -> None:
    students = school.of("Student.student")
    assert students["101"]["flit_parentcontactid"] == students["102"]["flit_parentcontactid"] == "contact 501"
    assert students["103"]["flit_vooptyclientid"] == "502", "the adult client is the student"
    assert school.records("same_person", "merged") == ["502"]
    assert students["104"]["parentcustomerid"] == "account 503"
    assert school.of("Client.organization_person")["503"]["parentcustomerid"] == "account 503"
    assert "504" in school.of("Client.client"), "an adult client without lessons is a contact"


def test_courses_are_products_with_price_text_and_kind(school: Landed) -> None:
    course = school.of("Course.course")["C1"]
    assert (course["price"], course["flit_coursetype"], course["flit_durationminutes"]) == (
        Decimal("650.50"),
        "Group",
        60,
    )
    assert course["description"] == "Група вечірня"
    assert school.records("bad_number") == ["C2"], "a price by agreement"


def test_enrolments_join_student_and_course(school: Landed) -> None:
    row = school.of("Enrollment.enrollment")["E2"]
    assert (row["flit_studentid"], row["flit_productid"]) == ("contact 102", "product C2")
    assert (row["flit_enrollmentstatus"], str(row["flit_completedon"])) == ("Completed", "2025-10-30")


def test_a_weekly_schedule_becomes_single_sessions_across_the_clock_change(school: Landed) -> None:
    rows = school.of("Schedule.session").values()
    starts = sorted(row["scheduledstart"].isoformat() for row in rows)
    assert starts == ["2025-10-20T15:00:00+00:00", "2025-10-27T16:00:00+00:00", "2025-10-29T16:00:00+00:00"]
    assert {row["location"] for row in rows} == {"Клас 1"}
    assert {(one["mask"], one["address"]) for row in rows for one in row["_parties"]} == {(7, "olena@lisova.example")}
    assert school.records("bad_schedule", "held") == ["SCH2"]


def test_open_slots_are_rows_of_their_own(school: Landed) -> None:
    slot = school.of("Slot.slot")["SL1"]
    assert (slot["flit_weekday"], slot["flit_from"], slot["flit_to"], slot["flit_slotminutes"]) == (
        "Fri",
        "09:00",
        "12:00",
        45,
    )


def test_attendance_needs_a_session_that_took_place(school: Landed) -> None:
    rows = school.of("Attendance.attendance")
    assert {key: row["flit_attendancestatus"] for key, row in rows.items()} == {
        "A1": "Present",
        "A2": "Late",
        "A5": "Absent",
    }
    assert rows["A1"]["flit_studentid"] == "contact 101"
    assert all(row["flit_sessionid__table"] == "appointment" for row in rows.values())
    assert "A3" in school.records("orphan_parent", "held"), "a day that the schedule leaves out"
    assert school.records("unknown_choice", "held") == ["A4"]


def test_subscriptions_are_opportunities_with_period_and_the_stated_rule(school: Landed) -> None:
    row = school.of("Subscription.subscription")["AB1"]
    assert (row["estimatedvalue"], row["customerid"]) == (Decimal("2600.00"), "contact 101")
    assert (str(row["flit_subscriptionstart"]), str(row["flit_subscriptionend"])) == ("2025-10-01", "2025-10-31")
    assert "at least one attended lesson" in row["flit_activethreshold"]
    assert "AB2" in school.records("orphan_parent", "held")


def test_who_came_to_a_lesson_in_the_month_is_active(school: Landed) -> None:
    rows = school.of("Student.student")
    assert {key for key, row in rows.items() if row["flit_activeinmonth"]} == {"101"}, "102 was absent"


def test_payments_of_three_providers_keep_transaction_state_and_subscription(school: Landed) -> None:
    rows = {
        name: next(iter(school.of(f"{name}.{name.lower()}").values())) for name in ("WayForPay", "LiqPay", "Stripe")
    }
    assert {name: row["flit_paymentstate"] for name, row in rows.items()} == {
        "WayForPay": "Successful", "LiqPay": "Refunded", "Stripe": "Successful",
    }  # fmt: skip
    assert {row["flit_subscriptionid"] for row in rows.values()} == {"opportunity AB1"}
    assert rows["LiqPay"]["flit_paidon"].isoformat().startswith("2025-10-01T20:20"), "milliseconds since 1970"
    assert (rows["WayForPay"]["flit_paymenttransactionid"], rows["WayForPay"]["flit_amount"]) == (
        "W1",
        Decimal("2600.00"),
    )
    assert "ch_2" in school.records("orphan_parent", "held")


# Decisions other than the example's, several at once where they do not touch each other.
OTHERS: dict[str, dict[str, object]] = {
    "tables": {
        "course_model": "table",
        "merge_self_clients": False,
        "unknown_attendance": "blank",
        "as_of": "2025-09-30",
    },
}
OUTCOMES: list[tuple[str, str, Callable[[Landed], object], object]] = [
    ("tables", "course_model", lambda told: told.of("Enrollment.enrollment_row")["E1"]["flit_courseid"], "flit_course C1"),
    ("tables", "course_model", lambda told: "product" in told.tables(), False),
    ("tables", "course_model", lambda told: {row["flit_courseid"] for row in told.of("Schedule.session_of_course").values()}, {"flit_course C1"}),
    ("tables", "course_model", lambda told: told.of("Slot.slot_of_course")["SL1"]["flit_courseid"], "flit_course C2"),
    ("tables", "merge_self_clients", lambda told: "502" in told.of("Client.client"), True),
    ("tables", "unknown_attendance", lambda told: told.of("Attendance.attendance")["A4"]["flit_attendancestatus"], None),
    ("tables", "as_of", lambda told: [row["flit_activeinmonth"] for row in told.of("Student.student").values()], [False] * 5),
]  # fmt: skip


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Landed]:
    return {name: land("voopty", tmp_path_factory.mktemp(name), **decided) for name, decided in OTHERS.items()}


@pytest.mark.parametrize(("which", "decision", "seen", "wanted"), OUTCOMES)
def test_another_decision_has_another_outcome(
    others: dict[str, Landed], which: str, decision: str, seen: Callable[[Landed], object], wanted: object
) -> None:
    assert decision in OTHERS[which]
    assert seen(others[which]) == wanted
