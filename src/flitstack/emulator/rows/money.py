"""Money: the base-currency columns and the exchange rate that follow a row's currency."""

from collections.abc import Callable, Iterable

from flitstack.emulator.ddl import quoted
from flitstack.emulator.messages import Refusal
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.work import Change, Work


def base_columns(model: EntityModel) -> dict[str, str]:
    """Money column -> the column that mirrors it in base currency, named `{column}_base` where metadata does not say."""
    found = {}
    for column in model.stored.values():
        mirrored = column.base_of
        if mirrored is None and column.type == "Money" and not column.creatable and not column.updatable:
            mirrored = column.name.removesuffix("_base")
        if mirrored is not None and mirrored != column.name and mirrored in model.stored:
            found[mirrored] = column.name
    return found


def base_rule(model: EntityModel) -> Callable[[Change], None]:
    """The rule that fills `{column}_base = {column} / exchangerate`.

    The rate is copied when money or currency changes. Money without a currency takes the organization's base currency.
    """
    pairs = base_columns(model)
    has_currency, has_rate = "transactioncurrencyid" in model.stored, "exchangerate" in model.stored

    def fill(change: Change) -> None:
        values = change.values
        touched = [column for column in pairs if column in values]
        if not has_currency or not (touched or "transactioncurrencyid" in values):
            return
        currency = _currency(change, pairs)
        if currency is None:
            return
        rate = rate_of(change.work, currency)
        if change.before is not None and rate != change.before.get("exchangerate"):
            touched = list(pairs)
        if has_rate:
            values["exchangerate"] = rate
        for column in touched:
            amount = change.after(column)
            values[pairs[column]] = round(amount / rate, 4) if isinstance(amount, (int, float)) else None

    return fill


def _currency(change: Change, pairs: Iterable[str]) -> bytes | None:
    """The row's currency, filled in when it has none but holds money; None when there is nothing to convert."""
    currency = change.after("transactioncurrencyid")
    if isinstance(currency, bytes):
        return currency
    if all(change.after(column) is None for column in pairs):
        return None
    default = change.work.store.base_currency
    change.values["transactioncurrencyid"] = default
    return default


def rate_of(work: Work, currency: bytes) -> float:
    """Exchange rate of a currency; looked up once per request."""
    rate = work.rates.get(currency)
    if rate is None:
        model = work.store.schema.tables["transactioncurrency"]
        row = work.store.connection.execute(
            f"SELECT exchangerate FROM {work.store.ensure(model)} WHERE {quoted(model.table.id_column)} = ?",
            (currency,),
        ).fetchone()
        if row is None or not row[0]:
            raise Refusal(400, "0x80048CFC", "The currency of the record is not valid.")
        rate = work.rates[currency] = float(row[0])
    return rate
