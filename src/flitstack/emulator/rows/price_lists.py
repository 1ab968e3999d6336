"""What a product costs by a price list, and which volume discount a quantity earns.

Sources: Microsoft Learn, "Product catalog pricing methods", "Price list item (ProductPriceLevel) table",
"Discount table". Halves are rounded away from zero, which no source says.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from flitstack.emulator.ddl import quoted
from flitstack.emulator.work import Values, Work

# Values of `pricingerrorcode`.
MISSING_PRICE_LEVEL, INACTIVE_PRICE_LEVEL, MISSING_PRODUCT, MISSING_UNIT = 2, 3, 6, 10
NOT_IN_PRICE_LEVEL, MISSING_AMOUNT, MISSING_PERCENTAGE = 11, 12, 13
_MISSING_BASIS = {2: 14, 3: 15, 4: 15, 5: 16, 6: 16}
# Pricing method -> column of the product it starts from.
_BASIS = {2: "price", 3: "currentcost", 4: "currentcost", 5: "standardcost", 6: "standardcost"}
_PERCENT_OF_LIST, _MARKUP = 2, frozenset({3, 5})
_UP, _DOWN, _NEAREST = 2, 3, 4
_ENDS_IN = 1
_ROUNDING = {_UP: ROUND_CEILING, _DOWN: ROUND_FLOOR, _NEAREST: ROUND_HALF_UP}


class PricingError(Exception):
    """A price that cannot be found; `code` is a value of `pricingerrorcode`."""

    def __init__(self, code: int) -> None:
        super().__init__(f"pricing error {code}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Price:
    """A price per unit and the discount on it, both in the price list's currency."""

    per_unit: Decimal
    discount: Decimal


def exact(value: object) -> Decimal:
    """A stored number as the decimal it was sent as; zero for null."""
    return Decimal(repr(value)) if isinstance(value, (int, float)) else Decimal(0)


def rounded(value: Decimal, digits: int) -> Decimal:
    """To so many decimals, halves away from zero."""
    return value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def list_price(work: Work, price_list: object, product: object, unit: object, quantity: object, digits: int) -> Price:
    """The price of a product's unit by a price list. Raises PricingError."""
    if not isinstance(price_list, bytes):
        raise PricingError(MISSING_PRICE_LEVEL)
    if not isinstance(product, bytes):
        raise PricingError(MISSING_PRODUCT)
    if not isinstance(unit, bytes):
        raise PricingError(MISSING_UNIT)
    if _one(work, "pricelevel", price_list)["statecode"] != 0:
        raise PricingError(INACTIVE_PRICE_LEVEL)
    item = price_list_item(work, price_list, product, unit)
    if item is None:
        raise PricingError(NOT_IN_PRICE_LEVEL)
    per_unit = rounded(_by_method(work, item, product), digits)
    return Price(per_unit, _volume_discount(work, item["discounttypeid"], quantity, per_unit, digits))


def price_list_item(work: Work, price_list: bytes, product: bytes, unit: bytes) -> Values | None:
    """The item of a price list for a product in a unit."""
    key = ("price list item", price_list, product, unit)
    if key not in work.memory:
        model = work.store.schema.tables["productpricelevel"]
        table = work.store.ensure(model)
        work.store.ensure_index(model.name, "productid")
        cursor = work.store.connection.execute(
            f"SELECT * FROM {table} WHERE productid = ? AND pricelevelid = ? AND uomid = ?", (product, price_list, unit)
        )
        row = cursor.fetchone()
        work.memory[key] = row and {d[0]: value for d, value in zip(cursor.description, row, strict=True)}
    found = work.memory[key]
    return found if isinstance(found, dict) else None


def _one(work: Work, table: str, id_: bytes) -> Values:
    key = ("row", table, id_)
    if key not in work.memory:
        work.memory[key] = work.read(work.store.schema.tables[table], id_)
    found = work.memory[key]
    assert isinstance(found, dict)
    return found


def _by_method(work: Work, item: Values, product: bytes) -> Decimal:
    method = item["pricingmethodcode"]
    if method is None or method == 1:
        if item["amount"] is None:
            raise PricingError(MISSING_AMOUNT)
        return exact(item["amount"])
    if not isinstance(method, int) or method not in _BASIS:
        raise PricingError(9)
    if item["percentage"] is None:
        raise PricingError(MISSING_PERCENTAGE)
    basis = _one(work, "product", product)[_BASIS[method]]
    if basis is None:
        raise PricingError(_MISSING_BASIS[method])
    share = exact(item["percentage"]) / 100
    if method == _PERCENT_OF_LIST:
        price = exact(basis) * share
    elif method in _MARKUP:
        price = exact(basis) * (1 + share)
    elif share == 1:
        raise PricingError(18)  # a margin of 100 percent has no price
    else:
        price = exact(basis) / (1 - share)
    return _rounded_by_policy(item, price)


def _rounded_by_policy(item: Mapping[str, object], price: Decimal) -> Decimal:
    """`Multiple of` and `Ends in`; an ending repeats every power of ten above it (0.99 every 1, 9.99 every 10)."""
    policy, amount = item["roundingpolicycode"], exact(item["roundingoptionamount"])
    if policy not in _ROUNDING or amount <= 0:
        return price
    if item["roundingoptioncode"] == _ENDS_IN:
        step, offset = Decimal(1).scaleb(amount.adjusted() + 1), amount
    else:
        step, offset = amount, Decimal(0)
    return ((price - offset) / step).to_integral_value(_ROUNDING[int(str(policy))]) * step + offset


def _volume_discount(work: Work, discount_list: object, quantity: object, per_unit: Decimal, digits: int) -> Decimal:
    """The discount on one unit for this quantity: an amount, or a share of the price."""
    if not isinstance(discount_list, bytes) or quantity is None:
        return Decimal(0)
    kind = _one(work, "discounttype", discount_list)
    if kind["statecode"] != 0:
        raise PricingError(33)
    model = work.store.schema.tables["discount"]
    row = work.store.connection.execute(
        f"SELECT amount, percentage FROM {work.store.ensure(model)} WHERE {quoted('discounttypeid')} = ? "
        "AND lowquantity <= ? AND highquantity >= ? ORDER BY lowquantity DESC LIMIT 1",
        (discount_list, quantity, quantity),
    ).fetchone()
    if row is None:
        return Decimal(0)
    return exact(row[0]) if kind["isamounttype"] else rounded(per_unit * exact(row[1]) / 100, digits)
