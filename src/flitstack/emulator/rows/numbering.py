"""Numbers the platform gives to rows that come without one."""

from flitstack.emulator.work import Change

# Table -> number column, prefix of the platform's default format.
NUMBERED = {
    "quote": ("quotenumber", "QUO"),
    "salesorder": ("ordernumber", "ORD"),
    "invoice": ("invoicenumber", "INV"),
    "incident": ("ticketnumber", "CAS"),
    "campaign": ("codename", "CMP"),
}


def fill_number(change: Change) -> None:
    """`QUO-01000`, counting up per table over the life of the environment."""
    column, prefix = NUMBERED[change.model.name]
    if change.before is not None or change.values.get(column) is not None or column not in change.model.stored:
        return
    store, name = change.work.store, f"number${change.model.name}"
    number = int(str(store.counter(name) or 1000))
    store.set_counter(name, number + 1)
    change.values[column] = f"{prefix}-{number:05}"
