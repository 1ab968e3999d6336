"""An opportunity's way to an invoice as random histories, beside a small model of which step is allowed when."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
from core_driver import Driver
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from flitstack.emulator.core import Environment, Refusal

SETS = {"opportunity": "opportunities", "quote": "quotes", "salesorder": "salesorders", "invoice": "invoices"}
# Table -> states a PATCH may set, by the state the row is in. Status follows by default.
PATCHES: dict[str, dict[int, set[int]]] = {
    "opportunity": {state: {0, state} for state in (0, 1, 2)},
    "quote": {0: {0, 1}, 1: {0, 1}, 2: {0, 2}, 3: {0, 3}},
    "salesorder": {state: {0, 1, 2, 3, 4} for state in range(5)},
    "invoice": {0: {0, 2, 3}, 2: {0, 2}, 3: {0, 3}},
}
STATES = {table: sorted(states) for table, states in PATCHES.items()}


class Sale(RuleBasedStateMachine):
    """`rows` is the model: table and state of each row, numbers of quotes, the opportunity a quote belongs to."""

    opportunities, quotes = Bundle("opportunities"), Bundle("quotes")
    orders, invoices = Bundle("orders"), Bundle("invoices")

    @initialize()
    def open(self) -> None:
        self.directory = TemporaryDirectory()
        self.driver = Driver(Environment.open(Path(self.directory.name)))
        self.rows: dict[str, tuple[str, int]] = {}
        self.numbers: dict[str, str] = {}
        self.parents: dict[str, str] = {}

    def teardown(self) -> None:
        self.driver.environment.close()
        self.directory.cleanup()

    def attempt(self, is_allowed: bool, action: str, body: dict[str, Any]) -> Any:
        try:
            answer = self.driver.send("POST", action, body)
        except Refusal:
            assert not is_allowed, f"{action} was refused"
            return None
        assert is_allowed, f"{action} was accepted"
        return orjson.loads(answer.body) if answer.body else None

    def made(self, table: str, body: Any) -> str:
        row = str(body[f"{table}id"])
        self.rows[row] = (table, 0)
        return row

    def is_open(self, number: str, but: str | None = None) -> bool:
        return any(self.rows[row][1] in {0, 1} for row, own in self.numbers.items() if own == number and row != but)

    @rule(target=opportunities)
    def create(self) -> str:
        row = self.driver.create("opportunities", name="o")
        self.rows[row] = ("opportunity", 0)
        bound: dict[str, Any] = {"opportunityid__bind": f"/opportunities({row})"}
        self.driver.create("opportunityproducts", productdescription="p", quantity=2, priceperunit=10, **bound)
        return row

    @rule(row=opportunities, is_won=st.booleans())
    def close(self, row: str, is_won: bool) -> None:
        is_held = any(own == row and self.rows[quote][1] in {0, 1} for quote, own in self.parents.items())
        is_allowed = self.rows[row][1] == 0 and not is_held
        body = {"OpportunityClose": {"opportunityid@odata.bind": f"/opportunities({row})"}, "Status": -1}
        self.attempt(is_allowed, "WinOpportunity" if is_won else "LoseOpportunity", body)
        if is_allowed:
            self.rows[row] = ("opportunity", 1 if is_won else 2)

    @rule(target=quotes, row=opportunities)
    def offer(self, row: str) -> str:
        body = self.attempt(
            True, "GenerateQuoteFromOpportunity", {"OpportunityId": row, "ColumnSet": {"AllColumns": True}}
        )
        quote = self.made("quote", body)
        self.numbers[quote], self.parents[quote] = body["quotenumber"], row
        return quote

    @rule(row=quotes, is_won=st.booleans())
    def end(self, row: str, is_won: bool) -> None:
        is_allowed = self.rows[row][1] == 1
        body = {"QuoteClose": {"quoteid@odata.bind": f"/quotes({row})"}, "Status": -1}
        self.attempt(is_allowed, "WinQuote" if is_won else "CloseQuote", body)
        if is_allowed:
            self.rows[row] = ("quote", 2 if is_won else 3)

    @rule(target=quotes, row=quotes)
    def revise(self, row: str) -> str:
        is_allowed = not self.is_open(self.numbers[row])
        body = self.attempt(is_allowed, "ReviseQuote", {"QuoteId": row, "ColumnSet": {"AllColumns": True}})
        if body is None:
            return row
        revision = self.made("quote", body)
        self.numbers[revision], self.parents[revision] = self.numbers[row], self.parents[row]
        return revision

    @rule(target=orders, row=quotes)
    def order(self, row: str) -> Any:
        is_allowed = self.rows[row][1] in {1, 2}
        body = self.attempt(is_allowed, "ConvertQuoteToSalesOrder", {"QuoteId": row, "ColumnSet": {"AllColumns": True}})
        if body is None:
            return None
        self.rows[row] = ("quote", 2)
        return self.made("salesorder", body)

    @rule(row=orders, is_fulfilled=st.booleans())
    def settle(self, row: str | None, is_fulfilled: bool) -> None:
        if row is None:
            return
        is_allowed = self.rows[row][1] in {0, 1}
        body = {"OrderClose": {"salesorderid@odata.bind": f"/salesorders({row})"}, "Status": -1}
        self.attempt(is_allowed, "FulfillSalesOrder" if is_fulfilled else "CancelSalesOrder", body)
        if is_allowed:
            self.rows[row] = ("salesorder", 3 if is_fulfilled else 2)

    @rule(target=invoices, row=consumes(orders))
    def bill(self, row: str | None) -> Any:
        if row is None:
            return None
        is_allowed = self.rows[row][1] in {0, 1, 3}
        columns = {"SalesOrderId": row, "ColumnSet": {"AllColumns": True}}
        body = self.attempt(is_allowed, "ConvertSalesOrderToInvoice", columns)
        if body is None:
            return None
        self.rows[row] = ("salesorder", 4)
        return self.made("invoice", body)

    @rule(row=st.one_of(opportunities, quotes, orders, invoices), data=st.data())
    def patch(self, row: str | None, data: st.DataObject) -> None:
        if row is None:
            return
        table, state = self.rows[row]
        wanted = data.draw(st.sampled_from(STATES[table]), "state")
        is_allowed = wanted in PATCHES[table][state]
        if table == "quote" and wanted != state and is_allowed and self.is_open(self.numbers[row], row):
            is_allowed = False
        try:
            self.driver.patch(f"{SETS[table]}({row})", statecode=wanted)
        except Refusal:
            assert not is_allowed, f"{table} {state} to {wanted} was refused"
            return
        assert is_allowed, f"{table} {state} to {wanted} was accepted"
        self.rows[row] = (table, wanted)

    @invariant()
    def states_are_those_of_the_model(self) -> None:
        for table, entity_set in SETS.items():
            found = {row[f"{table}id"]: row for row in self.driver.rows(entity_set, select="statecode,totalamount")}
            expected = {row: state for row, (kind, state) in self.rows.items() if kind == table}
            assert {row: values["statecode"] for row, values in found.items()} == expected
            assert all(values["totalamount"] == 20.0 for values in found.values())


TestSale = Sale.TestCase
TestSale.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
