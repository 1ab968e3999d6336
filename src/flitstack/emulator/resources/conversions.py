"""Documents of a sale made from one another: quote, order and invoice.

Sources: Microsoft Learn, the pages of the actions "ReviseQuote", "ConvertQuoteToSalesOrder",
"ConvertSalesOrderToInvoice", "GenerateQuoteFromOpportunity", "GenerateSalesOrderFromOpportunity",
"GenerateInvoiceFromOpportunity", "LockSalesOrderPricing", "UnlockSalesOrderPricing".
"""

from collections.abc import Mapping
from dataclasses import dataclass

from flitstack.emulator.answers import no_content
from flitstack.emulator.ddl import quoted
from flitstack.emulator.messages import Answer, Refusal, Request
from flitstack.emulator.paths import Segment
from flitstack.emulator.query.options import parse_options
from flitstack.emulator.query.render import property_name
from flitstack.emulator.resources.closing import CLOSINGS, close_row
from flitstack.emulator.resources.parameters import body_of, guid
from flitstack.emulator.resources.row_answers import row_answer
from flitstack.emulator.rows.copying import copied, insert
from flitstack.emulator.rows.sales import LINES, refuse_revision
from flitstack.emulator.rows.write import write_change
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.values import guid_text
from flitstack.emulator.work import Change, Values, Work

_NUMBERS = frozenset({"quotenumber", "ordernumber", "invoicenumber", "revisionnumber"})
_WON_QUOTE, _REVISION = 776160001, 776160001
_INVOICED = {"statecode": 4, "statuscode": 100003}


@dataclass(frozen=True, slots=True)
class Conversion:
    """From a row of `source`, named by the parameter `parameter`, to a row of `target`. `locks`: prices stay."""

    parameter: str
    source: str
    target: str
    locks: bool


CONVERSIONS: Mapping[str, Conversion] = {
    "ConvertQuoteToSalesOrder": Conversion("QuoteId", "quote", "salesorder", locks=True),
    "ConvertSalesOrderToInvoice": Conversion("SalesOrderId", "salesorder", "invoice", locks=True),
    "GenerateQuoteFromOpportunity": Conversion("OpportunityId", "opportunity", "quote", locks=False),
    "GenerateSalesOrderFromOpportunity": Conversion("OpportunityId", "opportunity", "salesorder", locks=False),
    "GenerateInvoiceFromOpportunity": Conversion("OpportunityId", "opportunity", "invoice", locks=False),
}
LOCKS: Mapping[str, tuple[str, str, bool]] = {
    "LockSalesOrderPricing": ("SalesOrderId", "salesorder", True),
    "UnlockSalesOrderPricing": ("SalesOrderId", "salesorder", False),
    "LockInvoicePricing": ("InvoiceId", "invoice", True),
    "UnlockInvoicePricing": ("InvoiceId", "invoice", False),
}


def convert(work: Work, request: Request, segment: Segment) -> Answer:
    """200 with the new row, showing what `ColumnSet` asks for."""
    body = body_of(request)
    conversion = CONVERSIONS[segment.name]
    source = work.store.schema.tables[conversion.source]
    id_ = guid(body, conversion.parameter)
    row = work.read(source, id_)
    if conversion.target == "salesorder" and conversion.source == "quote":
        _win_quote(work, id_, row, body)
    elif conversion.source == "salesorder" and row["statecode"] not in {0, 1, 3}:
        raise Refusal(400, "0x80040203", f"The order {guid_text(id_)} cannot be invoiced in its state.")
    extra: Values = {source.table.id_column: id_}
    if conversion.source == "quote":
        extra["ordercreationmethod"] = _WON_QUOTE
    if conversion.locks:
        extra["ispricelocked"] = 1
    new = _copy_document(work, source, row, work.store.schema.tables[conversion.target], extra)
    if conversion.source == "salesorder":
        write_change(Change(work, source, id_, dict(_INVOICED), row))
    return _shown(work, request, work.store.schema.tables[conversion.target], new, body)


def revise(work: Work, request: Request, segment: Segment) -> Answer:
    """200 with a draft of the same number and the next revision; the quote must be closed."""
    body = body_of(request)
    quote = work.store.schema.tables["quote"]
    id_ = guid(body, "QuoteId")
    row = work.read(quote, id_)
    refuse_revision(work, row["quotenumber"], None)
    revision = row.get("revisionnumber")
    extra: Values = {
        "quotenumber": row["quotenumber"],
        "revisionnumber": (revision if isinstance(revision, int) else 0) + 1,
        "quotecreationmethod": _REVISION,
    }
    new = _copy_document(work, quote, row, quote, extra)
    return _shown(work, request, quote, new, body)


def lock(work: Work, request: Request, segment: Segment) -> Answer:
    """204; locked twice 0x80043B1D, unlocked twice 0x80043B1E."""
    parameter, table, wanted = LOCKS[segment.name]
    model = work.store.schema.tables[table]
    id_ = guid(body_of(request), parameter)
    row = work.read(model, id_)
    if bool(row["ispricelocked"]) is wanted:
        code, state = ("0x80043B1D", "locked") if wanted else ("0x80043B1E", "unlocked")
        raise Refusal(400, code, f"The prices of the {table} {guid_text(id_)} are already {state}.")
    write_change(Change(work, model, id_, {"ispricelocked": int(wanted)}, row))
    return no_content()


def _win_quote(work: Work, id_: bytes, row: Values, body: Mapping[str, object]) -> None:
    """An active quote is won on the way; a draft or a lost one is refused."""
    if row["statecode"] == 2:
        return
    if row["statecode"] != 1:
        raise Refusal(400, "0x80040203", f"The quote {guid_text(id_)} must be active or won to become an order.")
    details: dict[str, object] = {"quoteid@odata.bind": f"/quotes({guid_text(id_)})"}
    for parameter, column in (("Subject", "subject"), ("Description", "description"), ("Date", "actualend")):
        if body.get(f"QuoteClose{parameter}") is not None:
            details[column] = body[f"QuoteClose{parameter}"]
    status = body.get("QuoteCloseStatus", -1)
    if isinstance(status, dict):
        status = status.get("Value")
    if type(status) is not int:
        raise Refusal(400, "0x80040203", "The parameter 'QuoteCloseStatus' is no status.")
    close_row(work, CLOSINGS["WinQuote"], details, status)


def _copy_document(work: Work, source: EntityModel, row: Values, target: EntityModel, extra: Values) -> bytes:
    values = copied(source, row, target, _NUMBERS | {"ispricelocked"})
    new = insert(work, target, values | {k: v for k, v in extra.items() if k in target.stored and v is not None})
    tables = work.store.schema.tables
    lines, new_lines = tables[LINES[source.name]], tables[LINES[target.name]]
    for line in _lines(work, lines, source, row[source.table.id_column]):
        inside = copied(lines, line, new_lines, frozenset({source.table.id_column, target.table.id_column}))
        name = line.get(lines.table.name_column or "")
        if new_lines.table.name_column and name is not None:
            inside[new_lines.table.name_column] = name
        if lines.table.id_column in new_lines.stored and lines is not new_lines:
            inside[lines.table.id_column] = line[lines.table.id_column]
        inside[target.table.id_column] = new
        insert(work, new_lines, inside)
    return new


def _lines(work: Work, lines: EntityModel, parent: EntityModel, id_: object) -> list[Values]:
    cursor = work.store.connection.execute(
        f"SELECT * FROM {work.store.ensure(lines)} WHERE {quoted(parent.table.id_column)} = ? "
        f"ORDER BY lineitemnumber, createdon, {quoted(lines.table.id_column)}",
        (id_,),
    )
    names = [d[0] for d in cursor.description]
    return [dict(zip(names, found, strict=True)) for found in cursor]


def _shown(work: Work, request: Request, model: EntityModel, id_: bytes, body: Mapping[str, object]) -> Answer:
    columns = body.get("ColumnSet")
    query: dict[str, str] = {}
    if isinstance(columns, dict) and not columns.get("AllColumns"):
        names = columns.get("Columns")
        known = [str(name) for name in names] if isinstance(names, list) else []
        shown = [property_name(model.stored[n]) if n in model.stored else n for n in known]
        query["$select"] = ",".join(shown or [model.table.id_column])
    answer = row_answer(work, request, model, id_, parse_options(query))
    answer.headers.pop("Preference-Applied", None)
    return answer
