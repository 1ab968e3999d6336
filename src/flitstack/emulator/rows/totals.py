"""Totals of opportunities, quotes, orders and invoices, kept as their lines and discounts say.

Sources: the column descriptions of "Quote table" (Microsoft Learn); magnetismsolutions.com, "System Calculated Fields -
Dynamics 365 Quote and Order Discounts"; Microsoft Learn, "Web service error codes".
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from flitstack.emulator.ddl import quoted
from flitstack.emulator.messages import Refusal
from flitstack.emulator.rows.blocks import Block, Unusual
from flitstack.emulator.rows.money import base_rule
from flitstack.emulator.rows.price_lists import exact, rounded
from flitstack.emulator.rows.pricing import Pricing, calculate, currency_digits, parent_of, pricing_of
from flitstack.emulator.rows.sales import LINES, PARENTS
from flitstack.emulator.rows.stamps import stamp_modified
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.work import Change, Values, Work

_TOTALS = (
    "totallineitemamount", "totallineitemdiscountamount", "totaldiscountamount", "totalamountlessfreight", "totaltax",
    "totalamount",
)  # fmt: skip
_MOVED_BY = frozenset({*_TOTALS, "discountamount", "discountpercentage", "freightamount", "isrevenuesystemcalculated"})
_SCALE = 10_000  # money has four decimals at most: sums of whole numbers are exact
# Table -> lookups to what it was made from, with the code for another currency there.
_SAME_CURRENCY = {
    "opportunity": (("pricelevelid", "pricelevel", "0x80048CF6"),),
    "quote": (("pricelevelid", "pricelevel", "0x80048CF6"), ("opportunityid", "opportunity", "0x80048CEF")),
    "salesorder": (("pricelevelid", "pricelevel", "0x80048CF6"), ("quoteid", "quote", "0x80048CEE")),
    "invoice": (("pricelevelid", "pricelevel", "0x80048CF6"), ("salesorderid", "salesorder", "0x80048CED")),
}
_KEEPS_CURRENCY = {"quote": "0x8004480E", "opportunity": "0x80048479"}


def total_document(change: Change) -> None:
    """Totals of a written document; what a request sends for them is overwritten while prices are calculated."""
    work, values = change.work, change.values
    if change.before is None:
        if pricing_of(work).is_on and not values.get("skippricecalculation"):
            values.update(totals(change, (0, 0, 0, 0), pricing_of(work)))
        return
    _keep_currency(change)
    if not _MOVED_BY.isdisjoint(values) and pricing_of(work).is_on and not change.after("skippricecalculation"):
        values.update(totals(change, _sums(work, change.model, change.id), pricing_of(work)))


def total_block(block: Block) -> None:
    """The same for new documents of one request: without discounts and freight all totals are nought."""
    if not pricing_of(block.work).is_on:
        return
    if any(column in block for column in _MOVED_BY | {"skippricecalculation"}):
        raise Unusual
    currencies = block.values("transactioncurrencyid")
    if None in currencies:
        base = block.work.store.base_currency
        if "transactioncurrencyid" in block:
            block.put("transactioncurrencyid", [currency or base for currency in currencies])
        else:
            block.put_same("transactioncurrencyid", base)
    for column in _TOTALS:
        block.put_same(column, 0.0)
        block.put_same(f"{column}_base", 0.0)
    block.put_same("pricingerrorcode", 0)


def check_block(block: Block) -> None:
    """`check_currencies` once per case."""
    columns = [column for column, _, _ in _SAME_CURRENCY[block.model.name] if column in block]
    if columns:
        columns.append("transactioncurrencyid")
        for case in set(zip(*(block.values(column) for column in columns), strict=True)):
            check_currencies(Change(block.work, block.model, b"", dict(zip(columns, case, strict=True))))


def check_currencies(change: Change) -> None:
    """The price list and the document a row was made from must be in the row's currency."""
    for column, table, code in _SAME_CURRENCY[change.model.name]:
        if column not in change.values and "transactioncurrencyid" not in change.values:
            continue
        target = change.after(column)
        if not isinstance(target, bytes):
            continue
        theirs = _currency(change.work, table, target)
        own = change.after("transactioncurrencyid")
        if theirs is not None and own is not None and theirs != own:
            raise Refusal(400, code, "The currency of the record does not match the currency of the price list.")


def _currency(work: Work, table: str, id_: bytes) -> object:
    key = ("currency of", table, id_)
    if key not in work.memory:
        work.memory[key] = work.read(work.store.schema.tables[table], id_).get("transactioncurrencyid")
    return work.memory[key]


def _keep_currency(change: Change) -> None:
    code, wanted = _KEEPS_CURRENCY.get(change.model.name), change.values.get("transactioncurrencyid")
    before = change.before or {}
    if code is None or "transactioncurrencyid" not in change.values or wanted == before.get("transactioncurrencyid"):
        return
    if _count(change.work, change.model, change.id):
        raise Refusal(
            400,
            code,
            f"The currency cannot be changed because this {change.model.name} has Products associated with it.",
        )


def _count(work: Work, model: EntityModel, id_: bytes) -> int:
    lines, column = work.store.schema.tables[LINES[model.name]], quoted(model.table.id_column)
    sql = f"SELECT count(*) FROM {work.store.ensure(lines)} WHERE {column} = ?"
    return int(work.store.connection.execute(sql, (id_,)).fetchone()[0])


def _sums(work: Work, model: EntityModel, id_: bytes) -> tuple[int, int, int, int]:
    """Over the lines, in ten-thousandths: extended amount, tax, manual discounts; and how many have a pricing error."""
    lines, own = work.store.schema.tables[LINES[model.name]], model.table.id_column
    table = work.store.ensure(lines)
    work.store.ensure_index(lines.name, own)
    times = "coalesce(quantity, 0)" if pricing_of(work).per_unit else "1"

    def whole(expression: str) -> str:
        return f"coalesce(sum(CAST(round({expression} * {_SCALE}) AS INTEGER)), 0)"

    row = work.store.connection.execute(
        f"SELECT {whole('coalesce(extendedamount, 0)')}, {whole('coalesce(tax, 0)')}, "
        f"{whole(f'coalesce(manualdiscountamount, 0) * {times}')}, coalesce(sum(coalesce(pricingerrorcode, 0) != 0), 0) "
        f"FROM {table} WHERE {quoted(own)} = ?",
        (id_,),
    ).fetchone()
    return row[0], row[1], row[2], row[3]


def totals(change: Change, sums: tuple[int, int, int, int], settings: Pricing) -> Values:
    """The total columns of a document whose lines sum up so."""
    digits = currency_digits(change.work, change.after("transactioncurrencyid"))
    extended, tax, manual = (Decimal(value) / _SCALE for value in sums[:3])
    detail = rounded(extended - tax, digits)
    share = rounded(detail * exact(change.after("discountpercentage")) / 100, digits)
    discount = share + exact(change.after("discountamount"))
    before_freight = detail - discount
    amount = before_freight + exact(change.after("freightamount")) + tax
    found: dict[str, Decimal] = {
        "totallineitemamount": detail,
        "totallineitemdiscountamount": manual,
        "totaldiscountamount": manual + discount,
        "totalamountlessfreight": before_freight,
        "totaltax": tax,
        "totalamount": amount,
    }
    values: Values = {name: float(value) for name, value in found.items()}
    if change.model.name == "opportunity" and change.after("isrevenuesystemcalculated"):
        values["estimatedvalue"] = float(amount)
    values["pricingerrorcode"] = 1 if sums[3] else 0
    return values


def follow_lines(work: Work, model: EntityModel, changes: Sequence[Change]) -> None:
    """After lines were written: the totals of their documents, old and new."""
    parent = PARENTS[model.name]
    own = work.store.schema.tables[parent].table.id_column
    ids = [row.get(own) for change in changes for row in (change.values, change.before or {})]
    moved = [id_ for id_ in ids if isinstance(id_, bytes)]
    recalculate(work, parent, moved)


def documents_of(work: Work, lines: str, ids: Sequence[bytes]) -> list[bytes]:
    """The documents that lines belong to."""
    model, own = work.store.schema.tables[lines], work.store.schema.tables[PARENTS[lines]].table.id_column
    sql = f"SELECT {quoted(own)} FROM {work.store.ensure(model)} WHERE {quoted(model.table.id_column)} = ?"
    return [row[0] for id_ in ids for row in work.store.connection.execute(sql, (id_,))]


def recalculate(work: Work, table: str, ids: Iterable[bytes]) -> None:
    """The totals of documents anew; those that are gone or skip the calculation are left alone."""
    if not pricing_of(work).is_on:
        return
    model = work.store.schema.tables[table]
    to_base = base_rule(model)
    for id_ in dict.fromkeys(ids):
        before = work.find(model, id_)
        if before is None or before.get("skippricecalculation"):
            continue
        change = Change(work, model, id_, {}, before)
        change.values.update(totals(change, _sums(work, model, id_), pricing_of(work)))
        to_base(change)
        _store(change)


def follow_document(work: Work, model: EntityModel, changes: Sequence[Change]) -> None:
    """After a document got another price list: its lines are priced by that one."""
    for change in changes:
        before = change.before
        if before is None or change.values.get("pricelevelid", before["pricelevelid"]) == before["pricelevelid"]:
            continue
        if pricing_of(work).is_on and not change.after("skippricecalculation"):
            work.memory.pop(("document", model.name, change.id), None)
            _reprice(work, model, change.id)


def _reprice(work: Work, model: EntityModel, id_: bytes) -> None:
    lines = work.store.schema.tables[LINES[model.name]]
    to_base = base_rule(lines)
    cursor = work.store.connection.execute(
        f"SELECT {quoted(lines.table.id_column)} FROM {work.store.ensure(lines)} "
        f"WHERE {quoted(model.table.id_column)} = ?",
        (id_,),
    )
    for (line,) in cursor.fetchall():
        change = Change(work, lines, line, {}, work.read(lines, line))
        calculate(change, parent_of(change), pricing_of(work))
        to_base(change)
        _store(change)
    recalculate(work, model.name, [id_])


def _store(change: Change) -> None:
    stamp_modified(change)
    known = {name: value for name, value in change.values.items() if name in change.model.stored}
    sets = ", ".join(f"{quoted(name)} = ?" for name in known)
    store, id_column = change.work.store, quoted(change.model.table.id_column)
    store.connection.execute(
        f"UPDATE {store.ensure_rows(change.model, known)} SET {sets} WHERE {id_column} = ?",
        (*known.values(), change.id),
    )
