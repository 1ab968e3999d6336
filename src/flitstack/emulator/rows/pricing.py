"""Lines of opportunities, quotes, orders and invoices: what they cost.

Sources: Microsoft Learn, "Product discounting methods", "CalculatePrice", the column descriptions of "Quote Product
(QuoteDetail) table"; Microsoft Learn, "Web service error codes".
"""

from dataclasses import dataclass
from decimal import Decimal

from flitstack.emulator.ddl import quoted
from flitstack.emulator.messages import Refusal
from flitstack.emulator.rows.price_lists import (
    MISSING_PRICE_LEVEL,
    Price,
    PricingError,
    exact,
    list_price,
    price_list_item,
    rounded,
)
from flitstack.emulator.rows.sales import PARENTS
from flitstack.emulator.work import Change, Values, Work

_MISSING_QUANTITY, _MISSING_UNIT_PRICE = 4, 5
_PRICED_BY = frozenset(
    {
        "priceperunit", "quantity", "tax", "manualdiscountamount", "ispriceoverridden", "productid", "uomid",
        "baseamount", "extendedamount", "volumediscountamount", "productdescription",
    }
)  # fmt: skip
_OWNER = ("ownerid", "ownerid$type")
_SKIP_CREATE, _SKIP_UPDATE = frozenset({1, 3}), frozenset({2, 3})


@dataclass(frozen=True, slots=True)
class Pricing:
    """The organization's settings. `per_unit`: a manual discount is one for each unit, not for the line."""

    is_on: bool
    is_list_mandatory: bool
    per_unit: bool
    digits: int


def pricing_of(work: Work) -> Pricing:
    """The settings, read once per request."""
    found = work.memory.get("pricing")
    if not isinstance(found, Pricing):
        model = work.store.schema.tables["organization"]
        row = work.read(model, work.store.organization)
        digits = row.get("pricingdecimalprecision")
        found = Pricing(
            work.store.switches.price_calculation and row.get("oobpricecalculationenabled") != 0,
            row.get("ispricelistmandatory") != 0,
            row.get("discountcalculationmethod") == 1,
            digits if isinstance(digits, int) else 2,
        )
        work.memory["pricing"] = found
    return found


def price_line(change: Change) -> None:
    """Settle currency, price per unit, amounts and `pricingerrorcode` of a line."""
    _refuse_mixed(change)
    work, values, before = change.work, change.values, change.before
    parent = parent_of(change)
    if before is None:
        values.setdefault("producttypecode", 1)
        values.setdefault("propertyconfigurationstatus", 2)
        values["transactioncurrencyid"] = parent["transactioncurrencyid"]
        values["ownerid"], values["ownerid$type"] = parent["ownerid"], parent["ownerid$type"]
        _name_line(change)
    elif not _PRICED_BY & values.keys():
        return
    settings = pricing_of(work)
    skipped = _SKIP_CREATE if before is None else _SKIP_UPDATE
    if settings.is_on and change.after("skippricecalculation") not in skipped:
        calculate(change, parent, settings)


def calculate(change: Change, parent: Values, settings: Pricing) -> None:
    """Price and amounts of a line as its columns, its document and the price list say."""
    values, error = change.values, 0
    digits = currency_digits(change.work, parent["transactioncurrencyid"])
    if change.after("productid") is not None and not change.after("ispriceoverridden") and not parent["ispricelocked"]:
        try:
            price = _priced(change, parent, settings)
            values["priceperunit"] = float(price.per_unit)
            values["volumediscountamount"] = float(price.discount)
        except PricingError as fault:
            error = fault.code
            if error == MISSING_PRICE_LEVEL and not settings.is_list_mandatory:
                error = 0
    quantity, per_unit = change.after("quantity"), change.after("priceperunit")
    if not error and quantity is None:
        error = _MISSING_QUANTITY
    elif not error and per_unit is None:
        error = _MISSING_UNIT_PRICE
    base = (exact(per_unit) - exact(change.after("volumediscountamount"))) * exact(quantity)
    discount = line_discount(change.after("manualdiscountamount"), quantity, settings)
    values["baseamount"] = float(rounded(base, digits))
    values["extendedamount"] = float(rounded(rounded(base, digits) - discount + exact(change.after("tax")), digits))
    values["pricingerrorcode"] = error


def line_discount(manual: object, quantity: object, settings: Pricing) -> Decimal:
    """What a manual discount takes off a line."""
    return exact(manual) * (exact(quantity) if settings.per_unit else 1)


def _priced(change: Change, parent: Values, settings: Pricing) -> Price:
    """A price list in another currency than the document's has no price for it."""
    product, unit = change.after("productid"), change.after("uomid")
    return list_price(change.work, parent["pricelevelid"], product, unit, change.after("quantity"), settings.digits)


def parent_of(change: Change) -> Values:
    """What a line needs of its document, read once per request: currency, price list, lock, skip."""
    model = change.work.store.schema.tables[PARENTS[change.model.name]]
    id_ = change.after(model.table.id_column)
    assert isinstance(id_, bytes)
    key = ("document", model.name, id_)
    found = change.work.memory.get(key)
    if not isinstance(found, dict):
        lock = "ispricelocked" if "ispricelocked" in model.stored else "0 AS ispricelocked"
        row = change.work.store.connection.execute(
            f'SELECT transactioncurrencyid, pricelevelid, {lock}, skippricecalculation, ownerid, "ownerid$type" '
            f"FROM {change.work.store.ensure(model)} WHERE {quoted(model.table.id_column)} = ?",
            (id_,),
        ).fetchone()
        names = ("transactioncurrencyid", "pricelevelid", "ispricelocked", "skippricecalculation", *_OWNER)
        found = dict(zip(names, row or (None,) * len(names), strict=True))
        change.work.memory[key] = found
    return found


def currency_digits(work: Work, currency: object) -> int:
    """Decimals of a currency; the organization's base currency where a row has none."""
    id_ = currency if isinstance(currency, bytes) else work.store.base_currency
    key = ("currency digits", id_)
    found = work.memory.get(key)
    if not isinstance(found, int):
        model = work.store.schema.tables["transactioncurrency"]
        precision = work.read(model, id_).get("currencyprecision")
        found = work.memory[key] = precision if isinstance(precision, int) else 2
    return found


def _refuse_mixed(change: Change) -> None:
    """A line is of the catalogue or written in, not both."""
    if change.after("productdescription") is None:
        return
    for column, code in (("productid", "0x80043AFB"), ("uomid", "0x80043AFA")):
        if change.after(column) is not None and (change.before is None or column in change.values):
            raise Refusal(400, code, f"You cannot set both '{column}' and 'productdescription' for the same record.")


def _name_line(change: Change) -> None:
    """`productname`, `productnumber` and the line's own name follow the product, else the description."""
    product, values = change.values.get("productid"), change.values
    name: object = values.get("productdescription")
    if isinstance(product, bytes):
        key = ("product names", product)
        found = change.work.memory.get(key)
        if not isinstance(found, tuple):
            row = change.work.read(change.work.store.schema.tables["product"], product)
            found = change.work.memory[key] = (row["name"], row["productnumber"])
        name = found[0]
        if "productnumber" in change.model.stored:
            values["productnumber"] = found[1]
        values["productname"] = found[0]
    own = change.model.table.name_column
    if own is not None and values.get(own) is None and isinstance(name, str):
        values[own] = name[: change.model.columns[own].max_length]


def refuse_second_price(change: Change) -> None:
    """One price a product, unit and price list."""
    price_list, product, unit = (change.after(name) for name in ("pricelevelid", "productid", "uomid"))
    if not (isinstance(price_list, bytes) and isinstance(product, bytes) and isinstance(unit, bytes)):
        return
    change.work.memory.pop(("price list item", price_list, product, unit), None)
    found = price_list_item(change.work, price_list, product, unit)
    change.work.memory.pop(("price list item", price_list, product, unit), None)
    if found is not None and found["productpricelevelid"] != change.id:
        raise Refusal(400, "0x80043B08", "This product and unit combination has a price for this price list.")
