"""Money: the base-currency columns and the exchange rate that follow a row's currency."""

from flitstack.emulator.ddl import quoted
from flitstack.emulator.messages import Refusal
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.work import Change, Work


def base_columns(model: EntityModel) -> dict[str, str]:
    """Money column -> the column that mirrors it in base currency."""
    return {c.base_of: c.name for c in model.stored.values() if c.base_of and c.base_of in model.stored}


def fill_base(change: Change) -> None:
    """`{column}_base = {column} / exchangerate`; the rate is copied when money or currency changes.

    Money without a currency takes the organization's base currency.
    """
    store, values = change.work.store, change.values
    pairs = store.compiled.setdefault(("base", change.model.name), base_columns(change.model))
    assert isinstance(pairs, dict)
    touched = [column for column in pairs if column in values]
    if not touched and "transactioncurrencyid" not in values:
        return
    if "transactioncurrencyid" not in change.model.stored:
        return
    currency = change.after("transactioncurrencyid")
    if currency is None:
        if not any(change.after(column) is not None for column in pairs):
            return
        currency = store.base_currency
        values["transactioncurrencyid"] = currency
    if not isinstance(currency, bytes):
        raise TypeError("a currency is stored as 16 bytes")
    rate = _rate(change.work, currency)
    if "exchangerate" in change.model.stored:
        values["exchangerate"] = rate
    old_rate = change.before.get("exchangerate") if change.before else None
    for column in touched if rate == old_rate else pairs:
        amount = change.after(column)
        if isinstance(amount, (int, float)):
            values[pairs[column]] = round(amount / rate, 4)
        elif column in values:
            values[pairs[column]] = None


def _rate(work: Work, currency: bytes) -> float:
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
