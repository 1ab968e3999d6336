"""Prices and totals, against published figures and against plain decimal arithmetic."""

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from core_driver import Driver
from hypothesis import given, settings
from hypothesis import strategies as st

from flitstack.emulator.core import Environment, Refusal, Switches

DOCUMENTS = {
    "opportunity": ("opportunities", "opportunityproducts"),
    "quote": ("quotes", "quotedetails"),
    "salesorder": ("salesorders", "salesorderdetails"),
    "invoice": ("invoices", "invoicedetails"),
}


def organization(driver: Driver, **columns: object) -> None:
    driver.patch(f"organizations({driver.rows('organizations', select='name')[0]['organizationid']})", **columns)


def line(driver: Driver, document: str, row: str, **columns: Any) -> str:
    documents, lines = DOCUMENTS[document]
    bound = {f"{document}id__bind": f"/{documents}({row})"}
    return driver.create(lines, **bound, **{"productdescription": "x", **columns})


class Catalogue:
    """A product in one unit with one price list."""

    def __init__(self, driver: Driver, **item: Any) -> None:
        self.driver = driver
        schedule = driver.create("uomschedules", name="Pieces", baseuomname="piece")
        self.unit = driver.rows("uoms")[0]["uomid"]
        self.product = driver.create(
            "products", name="Chair", productnumber="C1", price=200, currentcost=80, standardcost=100,
            defaultuomid__bind=f"/uoms({self.unit})", defaultuomscheduleid__bind=f"/uomschedules({schedule})",
        )  # fmt: skip
        self.price_list = driver.create("pricelevels", name="Retail")
        if item:
            self.put(**item)

    def put(self, **item: Any) -> str:
        return self.driver.create(
            "productpricelevels",
            pricelevelid__bind=f"/pricelevels({self.price_list})",
            productid__bind=f"/products({self.product})",
            uomid__bind=f"/uoms({self.unit})",
            **item,
        )

    @property
    def bound(self) -> dict[str, Any]:
        return {
            "productid__bind": f"/products({self.product})",
            "uomid__bind": f"/uoms({self.unit})",
            "productdescription": None,
        }

    @property
    def listed(self) -> dict[str, Any]:
        return {"pricelevelid__bind": f"/pricelevels({self.price_list})"}


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize(("method", "expected"), [(0, 19_990.0), (1, 18_000.0)])
def test_a_manual_discount_is_one_for_the_line_or_one_for_each_unit(
    driver: Driver, document: str, method: int, expected: float
) -> None:
    """Source: Microsoft Learn, "Product discounting methods": 200 units at 100 with a discount of 10."""
    organization(driver, discountcalculationmethod=method)
    row = driver.create(DOCUMENTS[document][0], name="d")
    made = line(driver, document, row, priceperunit=100, quantity=200, manualdiscountamount=10)
    assert driver.get(f"{DOCUMENTS[document][1]}({made})")["extendedamount"] == expected
    assert driver.get(f"{DOCUMENTS[document][0]}({row})")["totalamount"] == expected


def test_volume_discounts_lower_the_price_of_a_unit(driver: Driver) -> None:
    """Source: magnetismsolutions.com, "Discount Calculation Method": ((1,000 - 100) * 10 - 100) + 1,335 = 10,235."""
    catalogue = Catalogue(driver)
    discounts = driver.create("discounttypes", name="Volume", isamounttype=True)
    for low, high, amount in ((1, 9, 50), (10, 100, 100)):
        driver.create(
            "discounts",
            lowquantity=low,
            highquantity=high,
            amount=amount,
            discounttypeid__bind=f"/discounttypes({discounts})",
        )
    catalogue.put(amount=1000, pricingmethodcode=1, discounttypeid__bind=f"/discounttypes({discounts})")
    row = driver.create("salesorders", name="o", **catalogue.listed)
    made = line(driver, "salesorder", row, quantity=10, manualdiscountamount=100, tax=1335, **catalogue.bound)
    found = driver.get(f"salesorderdetails({made})")
    assert (found["priceperunit"], found["volumediscountamount"]) == (1000.0, 100.0)
    assert (found["baseamount"], found["extendedamount"], found["pricingerrorcode"]) == (9000.0, 10_235.0, 0)
    assert (found["productname"], found["salesorderdetailname"]) == ("Chair", "Chair")
    driver.patch(f"salesorderdetails({made})", quantity=9)
    assert driver.get(f"salesorderdetails({made})")["baseamount"] == 950.0 * 9


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"pricingmethodcode": 1, "amount": 12.34}, 12.34),
        ({"pricingmethodcode": 2, "percentage": 90}, 180.0),  # of the list price 200
        ({"pricingmethodcode": 3, "percentage": 25}, 100.0),  # markup on the current cost 80
        ({"pricingmethodcode": 4, "percentage": 20}, 100.0),  # margin: 80 is 80 percent
        ({"pricingmethodcode": 5, "percentage": 10}, 110.0),  # markup on the standard cost 100
        ({"pricingmethodcode": 6, "percentage": 30}, 142.86),
        (
            {"pricingmethodcode": 6, "percentage": 30, "roundingpolicycode": 2, "roundingoptioncode": 1,
             "roundingoptionamount": 0.99},
            142.99,
        ),
        (
            {"pricingmethodcode": 6, "percentage": 30, "roundingpolicycode": 3, "roundingoptioncode": 2,
             "roundingoptionamount": 5},
            140.0,
        ),
        (
            {"pricingmethodcode": 6, "percentage": 30, "roundingpolicycode": 4, "roundingoptioncode": 2,
             "roundingoptionamount": 5},
            145.0,
        ),
    ],
)  # fmt: skip
def test_the_price_list_names_the_price_by_its_method(driver: Driver, item: dict[str, Any], expected: float) -> None:
    catalogue = Catalogue(driver, **item)
    row = driver.create("quotes", name="q", **catalogue.listed)
    made = line(driver, "quote", row, quantity=1, priceperunit=7, **catalogue.bound)
    assert driver.get(f"quotedetails({made})")["priceperunit"] == expected
    kept = line(driver, "quote", row, quantity=1, priceperunit=7, ispriceoverridden=True, **catalogue.bound)
    assert driver.get(f"quotedetails({kept})")["extendedamount"] == 7.0
    with pytest.raises(Refusal, match="400 0x80043B08"):
        catalogue.put(amount=1, pricingmethodcode=1)


def test_a_line_without_a_price_carries_its_error_and_is_made_all_the_same(driver: Driver) -> None:
    catalogue = Catalogue(driver)
    plain, listed = driver.create("quotes", name="q"), driver.create("quotes", name="q", **catalogue.listed)
    without_unit = {**catalogue.bound}
    del without_unit["uomid__bind"]
    errors = [
        driver.get(f"quotedetails({made})")["pricingerrorcode"]
        for made in (
            line(driver, "quote", plain, quantity=1, **catalogue.bound),
            line(driver, "quote", listed, quantity=1, **catalogue.bound),
            line(driver, "quote", listed, quantity=1, **without_unit),
            line(driver, "quote", plain, priceperunit=1),
            line(driver, "quote", plain, quantity=1),
        )
    ]
    assert errors == [2, 11, 10, 4, 5]
    assert driver.get(f"quotes({listed})")["pricingerrorcode"] == 1


def test_another_price_list_prices_the_lines_anew(driver: Driver) -> None:
    catalogue = Catalogue(driver, pricingmethodcode=1, amount=10)
    row = driver.create("quotes", name="q", **catalogue.listed)
    line(driver, "quote", row, quantity=3, **catalogue.bound)
    cheap = driver.create("pricelevels", name="Cheap")
    catalogue.price_list = cheap
    catalogue.put(pricingmethodcode=1, amount=4)
    assert driver.get(f"quotes({row})")["totalamount"] == 30.0
    driver.patch(f"quotes({row})", pricelevelid__bind=f"/pricelevels({cheap})")
    assert driver.get(f"quotes({row})")["totalamount"] == 12.0


def test_locked_prices_stay(driver: Driver) -> None:
    catalogue = Catalogue(driver, pricingmethodcode=1, amount=10)
    row = driver.create("salesorders", name="o", **catalogue.listed)
    made = line(driver, "salesorder", row, quantity=3, **catalogue.bound)
    driver.send("POST", "LockSalesOrderPricing", {"SalesOrderId": row})
    item = driver.rows("productpricelevels")[0]["productpricelevelid"]
    driver.patch(f"productpricelevels({item})", amount=99)
    driver.patch(f"salesorderdetails({made})", quantity=4)
    assert driver.get(f"salesorders({row})")["totalamount"] == 40.0
    driver.send("POST", "UnlockSalesOrderPricing", {"SalesOrderId": row})
    driver.patch(f"salesorderdetails({made})", quantity=4)
    assert driver.get(f"salesorders({row})")["totalamount"] == 396.0


def test_catalogue_and_written_in_lines_do_not_mix(driver: Driver) -> None:
    catalogue, row = Catalogue(driver), driver.create("quotes", name="q")
    with pytest.raises(Refusal, match="400 0x80043AFB"):
        line(driver, "quote", row, productid__bind=f"/products({catalogue.product})")
    with pytest.raises(Refusal, match="400 0x80043AFA"):
        line(driver, "quote", row, uomid__bind=f"/uoms({catalogue.unit})")


def test_documents_share_the_currency_of_what_they_come_from(driver: Driver) -> None:
    euro = driver.create(
        "transactioncurrencies",
        currencyname="Euro", currencysymbol="€", isocurrencycode="EUR", currencyprecision=2, exchangerate=0.5,
    )  # fmt: skip
    in_euro: dict[str, Any] = {"transactioncurrencyid__bind": f"/transactioncurrencies({euro})"}
    price_list = driver.create("pricelevels", name="EUR", **in_euro)
    listed: dict[str, Any] = {"pricelevelid__bind": f"/pricelevels({price_list})"}
    with pytest.raises(Refusal, match="400 0x80048CF6"):
        driver.create("quotes", name="q", **listed)
    quote = driver.create("quotes", name="q", **listed, **in_euro)
    made = line(driver, "quote", quote, quantity=1, priceperunit=10)
    found = driver.get(f"quotes({quote})")
    assert (found["totalamount"], found["totalamount_base"], found["exchangerate"]) == (10.0, 20.0, 0.5)
    assert driver.get(f"quotedetails({made})")["extendedamount_base"] == 20.0
    with pytest.raises(Refusal, match="400 0x80048CEE"):
        driver.create("salesorders", name="o", quoteid__bind=f"/quotes({quote})")
    dollar = next(r["transactioncurrencyid"] for r in driver.rows("transactioncurrencies") if r["exchangerate"] == 1.0)
    with pytest.raises(Refusal, match="400 0x8004480E"):
        driver.patch(f"quotes({quote})", transactioncurrencyid__bind=f"/transactioncurrencies({dollar})")


def test_system_calculated_revenue_follows_the_total(driver: Driver) -> None:
    row = driver.create("opportunities", name="o", estimatedvalue=5)
    line(driver, "opportunity", row, quantity=2, priceperunit=10)
    assert driver.get(f"opportunities({row})")["estimatedvalue"] == 5.0
    driver.patch(f"opportunities({row})", isrevenuesystemcalculated=True)
    assert driver.get(f"opportunities({row})")["estimatedvalue"] == 20.0


def test_the_calculation_can_be_skipped_and_switched_off(driver: Driver, tmp_path: Path) -> None:
    row = driver.create("quotes", name="q")
    made = line(driver, "quote", row, quantity=2, priceperunit=10, skippricecalculation=3)
    assert driver.get(f"quotedetails({made})")["extendedamount"] is None
    driver.patch(f"quotedetails({made})", baseamount=33, extendedamount=33)
    assert driver.get(f"quotedetails({made})")["extendedamount"] == 33.0
    organization(driver, oobpricecalculationenabled=False)
    driver.patch(f"quotes({row})", totalamount=1234)
    assert driver.get(f"quotes({row})")["totalamount"] == 1234.0
    environment = Environment.open(tmp_path / "off", Switches(price_calculation=False))
    other = Driver(environment)
    row = other.create("quotes", name="q")
    line(other, "quote", row, quantity=2, priceperunit=10)
    assert other.get(f"quotes({row})")["totalamount"] is None
    environment.close()


money = st.decimals(0, 10_000, places=2)
quantities = st.decimals(0, 500, places=5)
lines = st.lists(st.tuples(money, quantities, money, money), max_size=5)
CENT = Decimal("0.01")


def cents(value: Decimal) -> Decimal:
    return value.quantize(CENT, ROUND_HALF_UP)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    environment = Environment.open(tmp_path_factory.mktemp("pricing"))
    yield Driver(environment)
    environment.close()


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(DOCUMENTS)), lines, money, st.decimals(0, 100, places=2), money, st.data())
def test_totals_are_what_plain_decimals_say(
    shared: Driver,
    document: str,
    rows: list[tuple[Decimal, Decimal, Decimal, Decimal]],
    discount: Decimal,
    percentage: Decimal,
    freight: Decimal,
    data: st.DataObject,
) -> None:
    documents, details = DOCUMENTS[document]
    header = shared.create(
        documents, name="d", discountamount=float(discount), discountpercentage=float(percentage),
        freightamount=float(freight),
    )  # fmt: skip
    made = []
    for price, quantity, manual, tax in rows:
        columns = {"priceperunit": price, "quantity": quantity, "manualdiscountamount": manual, "tax": tax}
        sent = {name: float(value) for name, value in columns.items()}
        made.append(line(shared, document, header, **sent))
    if made:
        gone = data.draw(st.integers(0, len(made) - 1), "deleted line")
        shared.delete(f"{details}({made[gone]})")
        rows = [row for at, row in enumerate(rows) if at != gone]
    detail = sum((cents(price * quantity) - manual for price, quantity, manual, _ in rows), Decimal(0))
    tax = sum((row[3] for row in rows), Decimal(0))
    off = cents(detail * percentage / 100) + discount
    found = shared.get(f"{documents}({header})")
    expected = {
        "totallineitemamount": detail,
        "totallineitemdiscountamount": sum((row[2] for row in rows), Decimal(0)),
        "totaltax": tax,
        "totalamountlessfreight": detail - off,
        "totalamount": detail - off + freight + tax,
    }
    assert {name: Decimal(repr(found[name])) for name in expected} == expected
    assert found["totalamount_base"] == found["totalamount"]
