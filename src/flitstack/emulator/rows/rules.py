"""What tables do to a row before it is written, in order; `RULES` is the list a widening adds to."""

from collections.abc import Callable, Sequence

from flitstack.emulator.files.columns import file_columns, keep_contents
from flitstack.emulator.messages import Refusal
from flitstack.emulator.rows import (
    assigning,
    attachments,
    autonumber,
    block_rules,
    hierarchy,
    money,
    numbering,
    pricing,
    processes,
    publishers,
    sales,
    states,
    totals,
)
from flitstack.emulator.rows.block_rules import BlockRule
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.store import Store
from flitstack.emulator.work import Change, Work

Rule = Callable[[Change], None]
Follower = Callable[[Work, EntityModel, Sequence[Change]], None]

# Required by the platform, yet filled by it when a request leaves them out.
_FILLED = frozenset(
    {
        "messageiddupcheck", "attachmentnumber", "quotenumber", "ordernumber", "invoicenumber", "ticketnumber",
        "correlationupdatedtime", "depth", "administratorid", "domainname", "internalemailaddress",
    }
)  # fmt: skip
_ENFORCED_TYPES = frozenset({"String", "Memo", "Lookup", "Customer", "DateTime", "Decimal", "Double", "Money"})
_NAMED = frozenset({"contact", "lead", "systemuser"})
SHADOWS = {"parentcustomerid": ("accountid", "parentcontactid"), "customerid": ("accountid", "contactid")}


def rules_for(store: Store, model: EntityModel) -> tuple[Rule, ...]:
    """The rules that apply to a table, chosen once."""
    slot = ("rules", model.name)
    found = store.compiled.get(slot)
    if not isinstance(found, tuple):
        found = tuple(rule for applies, rule, _ in _candidates(model) if applies)
        store.compiled[slot] = found
    return found


def block_rules_for(store: Store, model: EntityModel) -> tuple[BlockRule, ...] | None:
    """The same rules for a block of new rows; None when one of them knows only single rows."""
    slot = ("block rules", model.name)
    if slot not in store.compiled:
        found = [together for applies, _, together in _candidates(model) if applies]
        store.compiled[slot] = None if None in found else tuple(found)
    return store.compiled[slot]  # type: ignore[return-value]


def followers_for(store: Store, model: EntityModel) -> tuple[Follower, ...]:
    """What happens in other tables once rows of this one were written; once per request or bulk message."""
    slot = ("followers", model.name)
    if slot not in store.compiled:
        found = [
            (model.name in sales.PARENTS, totals.follow_lines),
            (model.name in sales.LINES, totals.follow_document),
            (bool(assigning.cascading(store.schema, model)), assigning.follow_owner),
        ]
        store.compiled[slot] = tuple(follow for applies, follow in found if applies)
    return store.compiled[slot]  # type: ignore[return-value]


def _candidates(model: EntityModel) -> list[tuple[bool, Rule, BlockRule | None]]:
    """Whether a rule applies, the rule for a row, and for a block where there is one (block_rules.py)."""
    names = model.stored
    required = tuple(c.name for c in names.values() if _is_enforced(model, c.name))
    has_customer, has_money = any(s in names for s in SHADOWS), bool(money.base_columns(model))
    return [
        (model.name in numbering.NUMBERED, numbering.fill_number, None),
        (bool(autonumber.numbered_columns(model)), autonumber.autonumber_rule(model), None),
        (bool(required), _required_rule(required), block_rules.required_rule(required)),
        (model.name in _NAMED, fill_fullname, block_rules.fill_fullname),
        (has_customer, copy_customer, block_rules.copy_customer(SHADOWS)),
        (hierarchy.PARENTS.get(model.name) in names, hierarchy.refuse_loop, block_rules.leave_new),
        (model.name in sales.PARENTS, pricing.price_line, None),
        (model.name in sales.LINES, totals.total_document, totals.total_block),
        (model.name == "productpricelevel", pricing.refuse_second_price, None),
        (has_money, money.base_rule(model), block_rules.base_rule(model)),
        (model.name in sales.LINES, totals.check_currencies, totals.check_block),
        (model.name == "quote", sales.settle_quote, None),
        (model.name == "invoice", sales.settle_invoice, block_rules.leave_new),
        (model.name == "lead", sales.settle_lead, block_rules.leave_new),
        (bool(model.table.states), states.apply_state, block_rules.apply_states),
        (model.table.is_process, processes.settle_instance, None),
        ("processid" in names and not model.table.is_process, leave_process, processes.leave_new),
        (bool(file_columns(model)), keep_contents(model), block_rules.leave_new),
        (model.name == "organization", attachments.check_limit, None),
        (model.name == "publisher", publishers.check_publisher, None),
        (model.name == "solution", publishers.check_solution, None),
        (model.name in attachments.BODIES, attachments.check_file, None),
        (model.name in {"annotation", "activitymimeattachment"}, attachments.follow_object, None),
    ]


def leave_process(change: Change) -> None:
    """What a process does about a new row comes after it: write.insert_drafts."""


def _is_enforced(model: EntityModel, name: str) -> bool:
    column = model.columns[name]
    return (
        column.required == "SystemRequired"
        and column.creatable
        and column.default is None
        and column.type in _ENFORCED_TYPES
        and not column.autonumber
        and name not in _FILLED
        and name != model.table.id_column
    )


def _required_rule(required: tuple[str, ...]) -> Rule:
    def check(change: Change) -> None:
        for name in required:
            if change.after(name) is None and (change.before is None or name in change.values):
                raise Refusal(400, "0x80040200", f"The required field '{name}' of '{change.model.name}' is missing.")

    return check


def fill_fullname(change: Change) -> None:
    """`fullname` is first name, blank, last name (the organization's default name format)."""
    values = change.values
    if change.before is None or "firstname" in values or "lastname" in values:
        parts = (change.after("firstname"), change.after("lastname"))
        values["fullname"] = " ".join(str(part) for part in parts if part) or None


def copy_customer(change: Change) -> None:
    """The read-only account and contact columns that follow a customer column."""
    for customer, shadows in SHADOWS.items():
        if customer not in change.values:
            continue
        kind = change.values.get(f"{customer}$type")
        for shadow, target in zip(shadows, ("account", "contact"), strict=True):
            column = change.model.stored.get(shadow)
            if column is not None and not column.creatable:
                change.values[shadow] = change.values[customer] if kind == target else None
