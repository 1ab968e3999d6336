"""Rules of sales documents: which state follows which, and what a closed one lets through.

Sources: Microsoft Learn, "Web service error codes"; markcarrington.dev, "Importing data into Dataverse: status".
"""

from collections.abc import Mapping

from flitstack.emulator.ddl import quoted
from flitstack.emulator.messages import Refusal
from flitstack.emulator.values import guid_text
from flitstack.emulator.work import Change, Work

LINES: Mapping[str, str] = {
    "opportunity": "opportunityproduct",
    "quote": "quotedetail",
    "salesorder": "salesorderdetail",
    "invoice": "invoicedetail",
}
PARENTS: Mapping[str, str] = {line: parent for parent, line in LINES.items()}
_DRAFT, _ACTIVE = 0, 1
_PAID, _CANCELED = 2, 3


def settle_quote(change: Change) -> None:
    """A new quote is revision 0; a quote becomes active only as a draft, and only one of its number is open."""
    values, before = change.values, change.before
    if before is None:
        values.setdefault("revisionnumber", 0)
        return
    wanted = values.get("statecode")
    if wanted is None or wanted == before["statecode"]:
        return
    if wanted == _ACTIVE and before["statecode"] != _DRAFT:
        raise Refusal(400, "0x80100003", f"The quote {guid_text(change.id)} must be a draft to become active.")
    if wanted in {_DRAFT, _ACTIVE}:
        refuse_revision(change.work, before["quotenumber"], change.id)


def refuse_revision(work: Work, number: object, own: bytes | None) -> None:
    """0x80048D00 when another quote of this number is a draft or active."""
    quote = work.store.schema.tables["quote"]
    table = work.store.ensure(quote)
    work.store.ensure_index("quote", "quotenumber")
    row = work.store.connection.execute(
        f"SELECT 1 FROM {table} WHERE quotenumber = ? AND statecode IN ({_DRAFT}, {_ACTIVE}) "
        f"AND {quoted('quoteid')} IS NOT ? LIMIT 1",
        (number, own),
    ).fetchone()
    if row is not None:
        raise Refusal(
            400,
            "0x80048D00",
            "Quote cannot be revised as there already exists another quote in Draft/Active state and with same quote "
            "number.",
        )


def settle_invoice(change: Change) -> None:
    """Paid and canceled invoices change state only through Active."""
    before, wanted = change.before, change.values.get("statecode")
    if before is None or wanted is None or wanted == before["statecode"] or before["statecode"] == 0:
        return
    if wanted == _PAID:
        raise Refusal(400, "0x80100000", f"The invoice {guid_text(change.id)} cannot be paid in its state.")
    if wanted == _CANCELED:
        raise Refusal(400, "0x80100001", f"The invoice {guid_text(change.id)} cannot be canceled in its state.")


def settle_lead(change: Change) -> None:
    """A closed lead is closed otherwise only after it was opened again."""
    before, wanted = change.before, change.values.get("statecode")
    if (
        before is not None
        and wanted is not None
        and before["statecode"] != 0
        and wanted not in {0, before["statecode"]}
    ):
        raise Refusal(400, "0x80040519", "The lead is already closed.")
