"""A school's decisions taken the other way, on the pack's example: what lands then, verified and rolled back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from route.decided_case import Decided, deciding, loaded

pytestmark = pytest.mark.slow


@pytest.fixture
def decided(tmp_path: Path) -> Iterator[Decided]:
    with deciding("voopty", tmp_path) as make:
        yield make


def test_enrolments_are_lines_of_subscriptions_and_payments_orders(decided: Decided) -> None:
    migration = decided(enrollment_model="opportunity", payment_model="order")
    rows = loaded(migration)
    assert (rows["opportunity"], rows["opportunityproduct"]) == (3, 4)
    deals = migration.rows("opportunities?$select=name,statecode,actualclosedate,totalamount")
    assert {row["name"]: (row["statecode"], row["actualclosedate"], row["totalamount"]) for row in deals} == {
        "Англійська B1 - 8 занять": (0, None, 650.5),
        "Безліміт на місяць": (1, "2025-09-30", 650.5),
        "Малювання": (1, "2025-10-30", 0),
    }
    orders = migration.rows("salesorders?$select=name,statecode,totalamount")
    assert {row["name"]: (row["statecode"], row["totalamount"]) for row in orders} == {
        "WayForPay W1": (3, 2600), "LiqPay 9001": (2, 2600), "Stripe ch_1": (3, 65.1),
    }  # fmt: skip
    assert migration.do("rollback", "--force", "--schema")["equal"]


def test_subscriptions_are_rows_of_a_table_and_payments_invoices(decided: Decided) -> None:
    migration = decided(subscription_model="table", payment_model="invoice", course_model="table")
    rows = loaded(migration)
    assert (rows["flit_subscription"], rows["invoice"], rows["invoicedetail"]) == (2, 3, 3)
    held = migration.rows("flit_subscriptions?$select=flit_name,statecode,flit_isactive,flit_activethreshold")
    assert {row["flit_name"]: (row["statecode"], row["flit_isactive"]) for row in held} == {
        "Англійська B1 - 8 занять": (0, True),
        "Безліміт на місяць": (1, False),
    }
    invoices = migration.rows("invoices?$select=name,statecode,totalamount,_flit_subscriptionrowid_value")
    assert {row["name"]: (row["statecode"], row["totalamount"]) for row in invoices} == {
        "WayForPay W1": (2, 2600), "LiqPay 9001": (3, 2600), "Stripe ch_1": (2, 65.1),
    }  # fmt: skip
    assert all(row["_flit_subscriptionrowid_value"] for row in invoices)
    assert migration.do("rollback", "--force", "--schema")["equal"]


def test_subscriptions_are_drafts_of_contracts_where_there_is_a_template(decided: Decided) -> None:
    migration = decided(subscription_model="contract", contract_template="School year")
    template = {"name": "School year", "abbreviation": "SCH", "allotmenttypecode": 3, "billingfrequencycode": 1}
    migration.post("contracttemplates", template)
    rows = loaded(migration)
    assert (rows["contract"], rows["flit_payment"], rows.get("opportunity", 0)) == (2, 3, 0)
    contracts = migration.rows("contracts?$select=title,statecode,activeon,expireson")
    assert {row["title"]: (row["statecode"], row["activeon"], row["expireson"]) for row in contracts} == {
        "Англійська B1 - 8 занять": (0, "2025-09-30T21:00:00Z", "2025-10-30T22:00:00Z"),
        "Безліміт на місяць": (0, "2025-08-31T21:00:00Z", "2025-09-29T21:00:00Z"),
    }, "days of a user's own zone: midnight in Kyiv, on both sides of the clock change"
    assert migration.do("rollback", "--force", "--schema")["equal"]
