"""The rules of `rules.py`, `money.py` and `states.py` for a block of new rows: each gives what the row's rule gives.

Where a block holds a case that the quick form does not cover, the row's rule is asked once per distinct case, or the block
is Unusual.
"""

from collections.abc import Callable, Mapping, Sequence

from flitstack.emulator.checkers import Stored, number_digits
from flitstack.emulator.rows.blocks import Block, Unusual
from flitstack.emulator.rows.money import base_columns, rate_of
from flitstack.emulator.rows.stamps import know_owners, stamp_owner
from flitstack.emulator.rows.states import apply_state
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.work import Change

BlockRule = Callable[[Block], None]


def leave_new(block: Block) -> None:
    """For rules that say nothing about new rows."""


def required_rule(required: tuple[str, ...]) -> BlockRule:
    """No required column without a value."""

    def check(block: Block) -> None:
        for name in required:
            if None in block.values(name):
                raise Unusual

    return check


def fill_fullname(block: Block) -> None:
    """First name, blank, last name."""
    first, last = block.values("firstname"), block.values("lastname")
    if all(first) and all(last):
        block.put("fullname", list(map(" ".join, zip(first, last, strict=True))))  # type: ignore[arg-type]
    else:
        names = zip(first, last, strict=True)
        block.put("fullname", [" ".join(str(part) for part in parts if part) or None for parts in names])


def copy_customer(shadows: Mapping[str, tuple[str, str]]) -> BlockRule:
    """The read-only account and contact columns that follow a customer column."""

    def copy(block: Block) -> None:
        for customer, (account, contact) in shadows.items():
            if customer not in block:
                continue
            ids, kinds = block.values(customer), block.values(f"{customer}$type")
            for shadow, target in ((account, "account"), (contact, "contact")):
                column = block.model.stored.get(shadow)
                if column is None or column.creatable:
                    continue
                if kinds.count(target) == len(kinds):
                    block.put(shadow, ids)
                else:
                    pairs = zip(ids, kinds, strict=True)
                    block.put(shadow, [id_ if kind == target else None for id_, kind in pairs])

    return copy


def base_rule(model: EntityModel) -> BlockRule:
    """Money in base currency; the rate per distinct currency is looked up once."""
    pairs = base_columns(model)
    has_currency, has_rate = "transactioncurrencyid" in model.stored, "exchangerate" in model.stored
    # A rate of one changes nothing where the base column keeps all the decimals of the column.
    is_exact = {column for column in pairs if number_digits(model.columns[column]) <= 4}

    def fill(block: Block) -> None:
        touched = [column for column in pairs if column in block.columns]
        if not has_currency or not (touched or "transactioncurrencyid" in block):
            return
        currencies = _currencies(block, touched)
        distinct = set(currencies)
        rates = {id_: rate_of(block.work, id_) for id_ in distinct if isinstance(id_, bytes)}
        if len(distinct) > 1:
            block.put("transactioncurrencyid", currencies)
            if has_rate:
                block.put("exchangerate", [rates.get(id_) for id_ in currencies])  # type: ignore[arg-type]
            for column in touched:
                each = zip(block.columns[column], currencies, strict=True)
                block.put(pairs[column], [_in_base(amount, rates.get(id_)) for amount, id_ in each])  # type: ignore[arg-type]
            return
        block.put_same("transactioncurrencyid", currencies[0])
        rate = rates.get(currencies[0])  # type: ignore[arg-type]
        if has_rate:
            block.put_same("exchangerate", rate)
        for column in touched:
            amounts = block.columns[column]
            is_same = rate == 1.0 and column in is_exact
            block.put(pairs[column], amounts if is_same else [_in_base(amount, rate) for amount in amounts])

    return fill


def _currencies(block: Block, touched: Sequence[str]) -> Sequence[Stored]:
    """Currency per row: its own, else the base currency where the row holds money."""
    own, base = block.values("transactioncurrencyid"), block.work.store.base_currency
    if None not in own:
        return own
    if "transactioncurrencyid" not in block and any(None not in block.columns[column] for column in touched):
        return [base] * block.size
    money = zip(*(block.columns[column] for column in touched), strict=True) if touched else ((),) * block.size
    return [
        currency or (base if any(amount is not None for amount in amounts) else None)
        for currency, amounts in zip(own, money, strict=True)
    ]


def _in_base(amount: Stored, rate: float | None) -> float | None:
    return round(amount / rate, 4) if rate is not None and isinstance(amount, (int, float)) else None


def apply_states(block: Block) -> None:
    """State and status; the row's rule is asked once per pair that occurs."""
    _ask_once_per_case(block, ("statecode", "statuscode"), apply_state)


def own(block: Block) -> None:
    """Owner columns, asked once per owner."""
    if "ownerid" in block.model.stored:
        _know_owners(block)
        _ask_once_per_case(block, ("ownerid", "ownerid$type"), stamp_owner)


def _know_owners(block: Block) -> None:
    given, kind = block.columns.get("ownerid"), block.constants.get("ownerid$type", "systemuser")
    if given is not None and isinstance(kind, str):
        know_owners(block.work, kind, {id_ for id_ in set(given) if isinstance(id_, bytes)})


def _ask_once_per_case(block: Block, columns: Sequence[str], rule: Callable[[Change], None]) -> None:
    """Let a row's rule that reads only these columns fill what it fills."""
    given = [column for column in columns if column in block.columns]
    if not given:
        settled = _settled(block, {c: block.constants[c] for c in columns if c in block.constants}, rule)
        for column, value in settled.items():
            block.put_same(column, value)
        return
    cases = list(zip(*(block.columns[column] for column in given), strict=True))
    fixed = {column: block.constants[column] for column in columns if column in block.constants}
    found = {case: _settled(block, fixed | dict(zip(given, case, strict=True)), rule) for case in set(cases)}
    outcomes = list(found.values())
    put: dict[str, dict[tuple[Stored, ...], Stored]] = {}
    for column in dict.fromkeys(name for outcome in outcomes for name in outcome):
        if all(outcome.get(column) == outcomes[0].get(column) for outcome in outcomes):
            block.put_same(column, outcomes[0].get(column))
        else:
            by_case = {case: outcome.get(column) for case, outcome in found.items()}
            same = next((name for name, known in put.items() if known == by_case), None)
            put[column] = by_case
            block.put(column, block.columns[same] if same else [by_case[case] for case in cases])


def _settled(block: Block, values: dict[str, Stored], rule: Callable[[Change], None]) -> dict[str, Stored]:
    change = Change(block.work, block.model, b"", dict(values))
    rule(change)
    return change.values
