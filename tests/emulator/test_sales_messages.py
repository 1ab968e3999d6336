"""Closing and conversion messages, by their public pages (Microsoft Learn, Web API action reference)."""

from typing import Any

import orjson
import pytest
from core_driver import Driver

from flitstack.emulator.core import Refusal

Line = dict[str, Any]


def act(driver: Driver, action: str, **body: object) -> Any:
    answer = driver.send("POST", action, body)
    return orjson.loads(answer.body) if answer.body else None


def quote_close(row: str, **details: object) -> Line:
    return {"quoteid@odata.bind": f"/quotes({row})", "subject": "close", **details}


def active_quote(driver: Driver, **columns: object) -> str:
    row = driver.create("quotes", name="q", **columns)
    driver.create("quotedetails", quoteid__bind=f"/quotes({row})", productdescription="work", quantity=2)
    driver.patch(f"quotes({row})", statecode=1, statuscode=3)
    return row


def state(driver: Driver, path: str) -> tuple[int, int]:
    found = driver.get(path, select="statecode,statuscode")
    return found["statecode"], found["statuscode"]


def test_a_quote_is_won_and_closed_only_by_message_and_only_when_active(driver: Driver) -> None:
    row = driver.create("quotes", name="q")
    for wanted in (2, 3):
        with pytest.raises(Refusal, match=r"400 0x80040203 .*(WinQuote|CloseQuote)"):
            driver.patch(f"quotes({row})", statecode=wanted)
    with pytest.raises(Refusal, match="must be active"):
        act(driver, "WinQuote", QuoteClose=quote_close(row), Status=4)
    driver.patch(f"quotes({row})", statecode=1)
    with pytest.raises(Refusal, match="400 0x80048408"):
        act(driver, "WinQuote", QuoteClose=quote_close(row), Status=5)
    act(driver, "WinQuote", QuoteClose=quote_close(row, actualend="2024-05-06T07:00:00Z"), Status=-1)
    assert state(driver, f"quotes({row})") == (2, 4)
    assert driver.get(f"quotes({row})", select="closedon")["closedon"] == "2024-05-06"
    (left,) = driver.rows("quotecloses", select="statecode,quotenumber,revision,_quoteid_value")
    assert (left["statecode"], left["quotenumber"], left["revision"]) == (1, "QUO-01000", 0)
    assert left["_quoteid_value"] == row


def test_a_won_quote_is_edited_by_way_of_draft(driver: Driver) -> None:
    row = active_quote(driver)
    act(driver, "WinQuote", QuoteClose=quote_close(row), Status=4)
    with pytest.raises(Refusal, match="400 0x80100003"):
        driver.patch(f"quotes({row})", statecode=1)
    driver.patch(f"quotes({row})", statecode=0)
    driver.patch(f"quotes({row})", name="changed")
    driver.patch(f"quotes({row})", statecode=1)
    act(driver, "CloseQuote", QuoteClose=quote_close(row), Status=6)
    assert state(driver, f"quotes({row})") == (3, 6)


def test_a_closed_quote_is_revised_once_while_its_revision_is_open(driver: Driver) -> None:
    row = active_quote(driver)
    with pytest.raises(Refusal, match="400 0x80048D00"):
        act(driver, "ReviseQuote", QuoteId=row, ColumnSet={"AllColumns": True})
    act(driver, "CloseQuote", QuoteClose=quote_close(row), Status=7)
    made = act(driver, "ReviseQuote", QuoteId=row, ColumnSet={"Columns": ["quotenumber", "revisionnumber"]})
    assert made["@odata.context"].endswith("$metadata#quotes(quotenumber,revisionnumber)/$entity")
    assert (made["quotenumber"], made["revisionnumber"]) == ("QUO-01000", 1)
    assert state(driver, f"quotes({made['quoteid']})") == (0, 1)
    (line,) = driver.rows(f"quotes({made['quoteid']})/quote_details", select="quantity,productdescription")
    assert (line["quantity"], line["productdescription"]) == (2.0, "work")
    with pytest.raises(Refusal, match="400 0x80048D00"):
        act(driver, "ReviseQuote", QuoteId=row, ColumnSet={"AllColumns": True})
    with pytest.raises(Refusal, match="400 0x80048D00"):
        driver.patch(f"quotes({row})", statecode=0)


def test_an_active_quote_becomes_an_order_and_is_won_on_the_way(driver: Driver) -> None:
    account = driver.create("accounts", name="A")
    row = active_quote(driver, customerid_account__bind=f"/accounts({account})", description="as agreed")
    made = act(
        driver,
        "ConvertQuoteToSalesOrder",
        QuoteId=row,
        ColumnSet={"Columns": ["name", "quoteid", "customerid"]},
        QuoteCloseSubject="won",
        QuoteCloseStatus=4,
    )
    assert (made["name"], made["_quoteid_value"], made["_customerid_value"]) == ("q", row, account)
    assert state(driver, f"quotes({row})") == (2, 4)
    order = driver.get(f"salesorders({made['salesorderid']})")
    assert order["ordernumber"] == "ORD-01000"
    assert (order["description"], order["ispricelocked"], order["_accountid_value"]) == ("as agreed", True, account)
    (line,) = driver.rows(f"salesorders({made['salesorderid']})/order_details")
    assert (line["quantity"], line["productdescription"]) == (2.0, "work")
    assert driver.rows("quotecloses", select="subject")[0]["subject"] == "won"


def test_a_draft_quote_becomes_no_order(driver: Driver) -> None:
    row = driver.create("quotes", name="q")
    with pytest.raises(Refusal, match="active or won"):
        act(driver, "ConvertQuoteToSalesOrder", QuoteId=row, ColumnSet={"AllColumns": True})


@pytest.mark.parametrize("path", ["FulfillSalesOrder", "salesorders/Microsoft.Dynamics.CRM.FulfillSalesOrder"])
def test_an_order_is_fulfilled_once(driver: Driver, path: str) -> None:
    row = driver.create("salesorders", name="o")
    body = {"salesorderid@odata.bind": f"/salesorders({row})", "subject": "done"}
    act(driver, path, OrderClose=body, Status=100002)
    assert state(driver, f"salesorders({row})") == (3, 100002)
    with pytest.raises(Refusal, match="400 0x80040203"):
        act(driver, "CancelSalesOrder", OrderClose=body, Status=4)
    (left,) = driver.rows("ordercloses", select="statecode,ordernumber")
    assert (left["statecode"], left["ordernumber"]) == (1, "ORD-01000")


def test_an_order_becomes_an_invoice_which_is_paid_or_canceled(driver: Driver) -> None:
    order = driver.create("salesorders", name="o")
    driver.create("salesorderdetails", salesorderid__bind=f"/salesorders({order})", productdescription="p", quantity=3)
    made = act(driver, "ConvertSalesOrderToInvoice", SalesOrderId=order, ColumnSet={"AllColumns": True})
    assert (made["invoicenumber"], made["_salesorderid_value"], made["statecode"]) == ("INV-01000", order, 0)
    assert state(driver, f"salesorders({order})") == (4, 100003)
    (line,) = driver.rows(f"invoices({made['invoiceid']})/invoice_details", select="quantity,_salesorderdetailid_value")
    assert line["quantity"] == 3.0
    assert line["_salesorderdetailid_value"] is not None
    path = f"invoices({made['invoiceid']})"
    driver.patch(path, statecode=2, statuscode=100001)
    with pytest.raises(Refusal, match="400 0x80100001"):
        driver.patch(path, statecode=3)
    driver.patch(path, statecode=0)
    driver.patch(path, statecode=3)
    with pytest.raises(Refusal, match="400 0x80100000"):
        driver.patch(path, statecode=2)


@pytest.mark.parametrize(("action", "table"), [("SalesOrder", "salesorder"), ("Invoice", "invoice")])
def test_prices_are_locked_and_unlocked_once(driver: Driver, action: str, table: str) -> None:
    row = driver.create(f"{table}s", name="x")
    for verb, wanted, code in (("Lock", True, "0x80043B1D"), ("Unlock", False, "0x80043B1E")):
        act(driver, f"{verb}{action}Pricing", **{f"{action}Id": row})
        assert driver.get(f"{table}s({row})", select="ispricelocked")["ispricelocked"] is wanted
        with pytest.raises(Refusal, match=f"400 {code}"):
            act(driver, f"{verb}{action}Pricing", **{f"{action}Id": row})


@pytest.mark.parametrize(
    ("action", "made_in"), [("Quote", "quote"), ("SalesOrder", "salesorder"), ("Invoice", "invoice")]
)
def test_an_opportunity_hands_its_lines_to_a_document(driver: Driver, action: str, made_in: str) -> None:
    contact = driver.create("contacts", lastname="C")
    row = driver.create("opportunities", name="o", customerid_contact__bind=f"/contacts({contact})")
    bind = {"opportunityid__bind": f"/opportunities({row})"}
    driver.create("opportunityproducts", productdescription="p", quantity=1, **bind)
    made = act(driver, f"Generate{action}FromOpportunity", OpportunityId=row, ColumnSet={"AllColumns": True})
    assert (made["name"], made["_opportunityid_value"], made["_customerid_value"]) == ("o", row, contact)
    lines = {"quote": "quotedetails", "salesorder": "salesorderdetails", "invoice": "invoicedetails"}[made_in]
    assert [line["productdescription"] for line in driver.rows(lines)] == ["p"]


def test_a_case_is_resolved_by_its_message(driver: Driver) -> None:
    customer = driver.create("accounts", name="A")
    row = driver.create("incidents", title="t", customerid_account__bind=f"/accounts({customer})")
    with pytest.raises(Refusal, match="CloseIncident"):
        driver.patch(f"incidents({row})", statecode=1)
    body = {"incidentid@odata.bind": f"/incidents({row})", "subject": "solved", "timespent": 30}
    act(driver, "CloseIncident", IncidentResolution=body, Status=5)
    assert state(driver, f"incidents({row})") == (1, 5)
    assert driver.rows("incidentresolutions", select="timespent")[0]["timespent"] == 30
    with pytest.raises(Refusal, match="400 0x800404CF"):
        act(driver, "CloseIncident", IncidentResolution=body, Status=5)
    driver.patch(f"incidents({row})", statecode=0)
    driver.patch(f"incidents({row})", statecode=2, statuscode=6)


def test_a_lead_becomes_what_its_flags_say(driver: Driver) -> None:
    lead = driver.create(
        "leads", subject="Interested", companyname="Acme", firstname="Ada", lastname="L", estimatedamount=50,
        telephone1="1", address1_city="Paris", numberofemployees=7,
    )  # fmt: skip
    flags = {"CreateAccount": True, "CreateContact": True, "CreateOpportunity": True, "Status": 3}
    made = act(driver, f"leads({lead})/Microsoft.Dynamics.CRM.QualifyLead", **flags)["value"]
    assert [row["@odata.type"].rpartition(".")[2] for row in made] == ["account", "contact", "opportunity"]
    account, contact, opportunity = (row[f"{row['@odata.type'].rpartition('.')[2]}id"] for row in made)
    found = driver.get(f"accounts({account})")
    assert (found["name"], found["telephone1"], found["address1_city"]) == ("Acme", "1", "Paris")
    assert (found["_primarycontactid_value"], found["_originatingleadid_value"]) == (contact, lead)
    found = driver.get(f"contacts({contact})")
    assert (found["fullname"], found["_parentcustomerid_value"]) == ("Ada L", account)
    found = driver.get(f"opportunities({opportunity})")
    assert (found["name"], found["estimatedvalue"], found["estimatedvalue_base"]) == ("Interested", 50.0, 50.0)
    assert (found["_customerid_value"], found["_originatingleadid_value"]) == (account, lead)
    found = driver.get(f"leads({lead})")
    assert (found["statecode"], found["statuscode"]) == (1, 3)
    assert (found["_parentaccountid_value"], found["_qualifyingopportunityid_value"]) == (account, opportunity)
    with pytest.raises(Refusal, match="400 0x80040519"):
        act(driver, f"leads({lead})/Microsoft.Dynamics.CRM.QualifyLead", **flags)
    with pytest.raises(Refusal, match="400 0x80040519"):
        driver.patch(f"leads({lead})", statecode=2)


def test_a_lead_may_become_an_opportunity_of_a_known_customer_only(driver: Driver) -> None:
    lead, contact = driver.create("leads", subject="s"), driver.create("contacts", lastname="C")
    made = act(
        driver,
        f"leads({lead})/Microsoft.Dynamics.CRM.QualifyLead",
        CreateAccount=False,
        CreateContact=False,
        CreateOpportunity=True,
        OpportunityCustomerId={"contactid": contact, "@odata.type": "Microsoft.Dynamics.CRM.contact"},
        Status=-1,
    )["value"]
    assert len(made) == 1
    assert driver.rows("accounts") == []
    assert driver.rows("opportunities")[0]["_customerid_value"] == contact


def merge(driver: Driver, table: str, kept: str, given_up: str, **content: object) -> None:
    kind = {"@odata.type": f"Microsoft.Dynamics.CRM.{table}"}
    act(
        driver,
        "Merge",
        Target={f"{table}id": kept, **kind},
        Subordinate={f"{table}id": given_up, **kind},
        UpdateContent={**content, **kind},
        PerformParentingChecks=False,
    )


def test_a_merge_moves_children_and_deactivates_the_other_row(driver: Driver) -> None:
    kept, given_up = driver.create("accounts", name="A"), driver.create("accounts", name="A2", telephone1="5")
    child = driver.create("contacts", lastname="C", parentcustomerid_account__bind=f"/accounts({given_up})")
    task = driver.create("tasks", subject="t", regardingobjectid_account_task__bind=f"/accounts({given_up})")
    sub = driver.create("accounts", name="S", parentaccountid__bind=f"/accounts({given_up})")
    merge(driver, "account", kept, given_up, telephone1="5")
    found = driver.get(f"contacts({child})")
    assert (found["_parentcustomerid_value"], found["_accountid_value"]) == (kept, kept)
    assert driver.get(f"tasks({task})")["_regardingobjectid_value"] == kept
    assert driver.get(f"accounts({sub})")["_parentaccountid_value"] == kept
    assert driver.get(f"accounts({kept})")["telephone1"] == "5"
    found = driver.get(f"accounts({given_up})")
    assert (found["statecode"], found["merged"], found["_masterid_value"]) == (1, True, kept)
    with pytest.raises(Refusal, match="400 0x80045304"):
        merge(driver, "account", kept, given_up)


def test_merges_the_platform_refuses(driver: Driver) -> None:
    top = driver.create("accounts", name="top")
    below = driver.create("accounts", name="below", parentaccountid__bind=f"/accounts({top})")
    with pytest.raises(Refusal, match="400 0x80045305"):
        merge(driver, "account", top, top)
    with pytest.raises(Refusal, match="400 0x80045300"):
        merge(driver, "account", below, top)
    with pytest.raises(Refusal, match="400 0x80040800"):
        merge(driver, "opportunity", driver.create("opportunities"), driver.create("opportunities"))
    with pytest.raises(Refusal, match="404 0x80040217"):
        merge(driver, "account", top, "00000000-0000-0000-0000-000000000001")
