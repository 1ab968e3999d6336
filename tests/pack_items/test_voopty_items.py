"""Voopty's checklist on its example: students and families, courses, sessions across the clock change, payments."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from mapping.pack_example import live_tables
from pack_items.item_case import Landed, land

from flitstack.mapping.check import check_maps
from flitstack.mapping.maps import read_maps


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
    assert "504" in school.of("Client.client"), "an adult client without enrolment is a contact"
    assert school.records("not_enrolled", "listed") == ["504"], "and is listed; 502 is enrolled as student 103"


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
    assert (str(slot["flit_sessiondate"]), slot["flit_sessionstatus"]) == ("2025-10-31", "free")


def test_attendance_of_an_open_slot_points_to_the_slot(school: Landed) -> None:
    row = school.of("Attendance.slot_attendance")["A6"]
    assert (row["flit_slotid"], row["flit_studentid"]) == ("flit_session SL1", "contact 102")
    assert row["flit_attendancestatus"] == "Absent"
    assert "flit_sessionid" not in row


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
    assert (str(row["flit_periodstart"]), str(row["flit_periodend"])) == ("2025-10-01", "2025-10-31")
    assert (row["flit_activethreshold"], row["flit_isactive"]) == (1, True)
    assert "AB2" in school.records("orphan_parent", "held")


def test_a_subscription_that_is_over_is_a_won_opportunity(school: Landed) -> None:
    rows = school.of("Subscription.subscription")
    assert (rows["AB1"]["_action"], rows["AB1"]["_status"]) == (None, None), "an active one stays open"
    over = rows["AB3"]
    assert (over["_action"], over["_status"], str(over["_state_at"])[:10]) == ("win", 3, "2025-09-30")
    assert (over["_state_value"], over["flit_isactive"]) == (Decimal("3000.0000"), False)


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
    assert (rows["LiqPay"]["flit_payername"], rows["Stripe"]["flit_amountrefunded"]) == (
        "Петро Савчук",
        Decimal("0.00"),
    )
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
        "subscription_model": "table",
        "payment_model": "invoice",
    },
    "deals": {
        "enrollment_model": "opportunity",
        "ended_subscriptions": "lost",
        "payment_model": "order",
        "active_threshold": 4,
        "price_list": "Courses",
    },
    "written": {
        "enrollment_model": "opportunity",
        "course_model": "table",
        "ended_subscriptions": "open",
        "ended_statuses": ["active"],
        "as_of": "",
    },
    "contracts": {"subscription_model": "contract", "contract_template": "No such template"},
    "apart": {
        "enrollment_model": "opportunity",
        "subscription_model": "table",
        "ended_statuses": ["active", "completed"],
    },
}


def line(told: Landed, route: str, record: str) -> tuple[object, ...]:
    """What a line belongs to, what it sells, what it costs."""
    row = told.of(f"Enrollment.{route}")[record]
    return row["opportunityid"], row.get("productid") or row["productdescription"], row["priceperunit"]


def closed(told: Landed, route: str) -> dict[str, object]:
    """How each row of a route is closed."""
    return {
        key: row["_action"] and (row["_action"], row["_state"], row["_status"]) for key, row in told.of(route).items()
    }


OUTCOMES: list[tuple[str, str, Callable[[Landed], object], object]] = [
    ("tables", "course_model", lambda told: told.of("Enrollment.enrollment")["E1"]["flit_courseid"], "flit_course C1"),
    ("tables", "course_model", lambda told: "flit_productid" in told.of("Enrollment.enrollment")["E1"], False),
    ("tables", "course_model", lambda told: "product" in told.tables(), False),
    ("tables", "course_model", lambda told: {row["flit_courseid"] for row in told.of("Schedule.session").values()}, {"flit_course C1"}),
    ("tables", "course_model", lambda told: told.of("Slot.slot")["SL1"]["flit_courseid"], "flit_course C2"),
    ("tables", "merge_self_clients", lambda told: "502" in told.of("Client.client"), True),
    ("tables", "unknown_attendance", lambda told: told.of("Attendance.attendance")["A4"]["flit_attendancestatus"], None),
    ("tables", "as_of", lambda told: [row["flit_activeinmonth"] for row in told.of("Student.student").values()], [False] * 5),
    ("tables", "subscription_model", lambda told: told.of("Subscription.subscription_row")["AB1"]["flit_price"], Decimal("2600.00")),
    ("tables", "subscription_model", lambda told: "opportunity" in told.tables(), False),
    ("tables", "subscription_model", lambda told: closed(told, "Subscription.subscription_row"), {"AB1": None, "AB3": ("patch", 1, 2)}),
    ("tables", "payment_model", lambda told: told.of("WayForPay.wayforpay_invoice")["W1"]["flit_subscriptionrowid"], "flit_subscription AB1"),
    ("tables", "payment_model", lambda told: told.of("WayForPay.wayforpay_invoice")["W1"]["customerid"], "contact 101"),
    ("tables", "payment_model", lambda told: closed(told, "WayForPay.wayforpay_invoice"), {"W1": ("patch", 2, 100001)}),
    ("tables", "payment_model", lambda told: closed(told, "LiqPay.liqpay_invoice"), {"9001": ("patch", 3, 100003)}),
    ("tables", "payment_model", lambda told: told.of("Stripe.stripe_invoice_line")["ch_1"]["priceperunit"], Decimal("65.10")),
    ("tables", "payment_model", lambda told: "ch_2" in told.records("orphan_parent", "held"), True),
    ("tables", "payment_model", lambda told: "flit_payment" in told.tables(), False),
    ("deals", "enrollment_model", lambda told: line(told, "line", "E1"), ("opportunity AB1", "product C1", Decimal("650.50"))),
    ("deals", "enrollment_model", lambda told: line(told, "line", "E4"), ("opportunity AB3", "product C1", Decimal("650.50"))),
    ("deals", "enrollment_model", lambda told: line(told, "written_line", "E5"), ("opportunity AB3", "C9", Decimal(0))),
    ("deals", "enrollment_model", lambda told: line(told, "further_line", "E2"), ("opportunity E2", "product C2", Decimal(0))),
    ("deals", "enrollment_model", lambda told: sorted(told.of("Enrollment.deal")), ["E2"]),
    ("deals", "enrollment_model", lambda told: "E3" in told.records("orphan_parent", "held"), True),
    ("deals", "enrollment_model", lambda told: "flit_enrollment" in told.tables(), False),
    ("deals", "ended_subscriptions", lambda told: closed(told, "Subscription.subscription"), {"AB1": None, "AB3": ("lose", None, 4)}),
    ("deals", "ended_subscriptions", lambda told: closed(told, "Enrollment.deal"), {"E2": ("lose", None, 4)}),
    ("deals", "payment_model", lambda told: told.of("LiqPay.liqpay_order")["9001"]["opportunityid"], "opportunity AB1"),
    ("deals", "payment_model", lambda told: closed(told, "LiqPay.liqpay_order"), {"9001": ("cancel", None, 4)}),
    ("deals", "payment_model", lambda told: closed(told, "Stripe.stripe_order"), {"ch_1": ("fulfil", None, 100001)}),
    ("deals", "payment_model", lambda told: told.of("WayForPay.wayforpay_order_line")["W1"]["salesorderid"], "salesorder W1"),
    ("deals", "active_threshold", lambda told: told.of("Subscription.subscription")["AB1"]["flit_isactive"], False),
    ("deals", "active_threshold", lambda told: told.of("Student.student")["101"]["flit_activeinmonth"], False),
    ("deals", "price_list", lambda told: {row["name"] for row in told.of("Course.price_list").values()}, {"Courses UAH"}),
    ("written", "course_model", lambda told: line(told, "written_line", "E1"), ("opportunity AB1", "Англійська B1", Decimal("650.50"))),
    ("written", "course_model", lambda told: line(told, "further_written_line", "E2"), ("opportunity E2", "Малювання", Decimal(0))),
    ("written", "course_model", lambda told: "pricelevel" in told.tables(), False),
    ("written", "ended_subscriptions", lambda told: closed(told, "Subscription.subscription"), {"AB1": None, "AB3": None}),
    ("written", "as_of", lambda told: told.of("Subscription.subscription")["AB1"]["flit_isactive"], None),
    ("contracts", "subscription_model", lambda told: told.records("required_missing", "held"), ["AB1", "AB2", "AB3"]),
    ("contracts", "contract_template", lambda told: sorted(told.of("Subscription.contract")), []),
    ("contracts", "subscription_model", lambda told: {"opportunity", "opportunityproduct"} & told.tables(), set()),
    ("apart", "enrollment_model", lambda told: sorted(told.of("Enrollment.deal")), ["E1", "E2", "E4", "E5"]),
    ("apart", "ended_statuses", lambda told: closed(told, "Subscription.subscription_row"), {"AB1": ("patch", 1, 2), "AB3": None}),
    ("apart", "ended_statuses", lambda told: closed(told, "Enrollment.deal"), {
        "E1": ("win", None, 3), "E2": ("win", None, 3), "E4": ("win", None, 3), "E5": ("lose", None, 4)}),
]  # fmt: skip


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Landed]:
    return {name: land("voopty", tmp_path_factory.mktemp(name), **decided) for name, decided in OTHERS.items()}


@pytest.mark.slow
@pytest.mark.parametrize(("which", "decision", "seen", "wanted"), OUTCOMES)
def test_another_decision_has_another_outcome(
    others: dict[str, Landed], which: str, decision: str, seen: Callable[[Landed], object], wanted: object
) -> None:
    assert decision in OTHERS[which]
    assert seen(others[which]) == wanted


def test_columns_are_made_only_on_tables_that_these_decisions_fill(school: Landed) -> None:
    filled = {
        "account",
        "contact",
        "product",
        "flit_enrollment",
        "appointment",
        "flit_session",
        "flit_attendance",
        "opportunity",
        "flit_payment",
    }
    assert {route.table for route in school.document.routes} == filled


@pytest.mark.parametrize(("model", "told"), [("opportunity", []), ("table", []), ("contract", ["table-unknown"])])
def test_contracts_are_refused_where_the_environment_has_no_such_table(
    school: Landed, model: str, told: list[str]
) -> None:
    prepared = school.prepared
    live = {**live_tables(prepared.folder / "mapping"), "contract": None, "contracttemplate": None}
    decided = {**prepared.decisions, "subscription_model": model}
    found = check_maps(read_maps(prepared.folder / "mapping"), prepared.pack, prepared.staged, live, decided)
    assert [problem.code for problem in found] == told
    assert all(problem.do.startswith("decide otherwise on subscription_model in decisions.yaml") for problem in found)
