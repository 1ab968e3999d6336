"""Messages that close a row and leave an activity behind: WinOpportunity, CloseQuote, FulfillSalesOrder ...

Source: Microsoft Learn, the pages of the actions "WinOpportunity", "LoseOpportunity", "WinQuote", "CloseQuote",
"FulfillSalesOrder", "CancelSalesOrder", "CloseIncident".
"""

from collections.abc import Mapping
from dataclasses import dataclass

from flitstack.emulator.answers import no_content
from flitstack.emulator.ddl import quoted
from flitstack.emulator.messages import Answer, Refusal, Request
from flitstack.emulator.paths import Segment
from flitstack.emulator.resources.parameters import body_of, missing, number
from flitstack.emulator.rows.money import base_rule
from flitstack.emulator.rows.payload import parser
from flitstack.emulator.rows.states import wrong_status
from flitstack.emulator.rows.write import insert_drafts, write_change
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.values import guid_text
from flitstack.emulator.work import Change, Values, Work

_COMPLETED = 1
_OPEN_QUOTES = "0, 1"  # draft, active


@dataclass(frozen=True, slots=True)
class Closing:
    """One closing message.

    `parameter` holds the activity (its table is the name in lower case), `states` are those it may close from,
    `code` and `reason` are the refusal otherwise.
    """

    parameter: str
    table: str
    state: int
    states: frozenset[int]
    code: str
    reason: str


_OPPORTUNITY = (frozenset({0}), "0x80040515", "The opportunity has already been closed.")
# The codes of quotes and orders in a wrong state are not documented; InvalidArgument stands in for them.
_QUOTE = (frozenset({1}), "0x80040203", "The quote must be active.")
_ORDER = (frozenset({0, 1}), "0x80040203", "The order must be active or submitted.")
_CASE = (frozenset({0}), "0x800404CF", "This case has already been resolved.")
CLOSINGS: Mapping[str, Closing] = {
    "WinOpportunity": Closing("OpportunityClose", "opportunity", 1, *_OPPORTUNITY),
    "LoseOpportunity": Closing("OpportunityClose", "opportunity", 2, *_OPPORTUNITY),
    "WinQuote": Closing("QuoteClose", "quote", 2, *_QUOTE),
    "CloseQuote": Closing("QuoteClose", "quote", 3, *_QUOTE),
    "FulfillSalesOrder": Closing("OrderClose", "salesorder", 3, *_ORDER),
    "CancelSalesOrder": Closing("OrderClose", "salesorder", 2, *_ORDER),
    "CloseIncident": Closing("IncidentResolution", "incident", 1, *_CASE),
}
# What the activity keeps of the row it closes: column of the activity -> column of the row.
_KEPT = {
    "quote": {"quotenumber": "quotenumber", "revision": "revisionnumber"},
    "salesorder": {"ordernumber": "ordernumber"},
    "opportunity": dict[str, str](),
    "incident": dict[str, str](),
}


def close(work: Work, request: Request, segment: Segment) -> Answer:
    """204 for a closing message; `segment` names it."""
    closing = CLOSINGS[segment.name.rpartition(".")[2]]
    body = body_of(request)
    details = body.get(closing.parameter)
    if not isinstance(details, dict):
        raise missing(closing.parameter)
    close_row(work, closing, details, number(body, "Status"))
    return no_content()


def close_row(work: Work, closing: Closing, details: Mapping[str, object], status: int) -> bytes:
    """Close the row that `details` (the activity as JSON) names; its id. -1 takes the state's default status."""
    model = work.store.schema.tables[closing.table]
    activity = work.store.schema.tables[closing.parameter.lower()]
    draft = parser(work.store, activity, is_create=True).parse(details, work.content_ids)
    id_ = draft.values.get(model.table.id_column)
    if not isinstance(id_, bytes):
        code = "0x80040500" if closing.table == "opportunity" else "0x80040203"
        raise Refusal(400, code, f"The {closing.table} is missing.")
    before = work.read(model, id_)
    if before["statecode"] not in closing.states:
        raise Refusal(400, closing.code, f"{closing.reason} ({closing.table} {guid_text(id_)})")
    wanted = next(s for s in model.table.states if s.value == closing.state)
    status = wanted.default_status if status == -1 else status
    if status not in {s.value for s in wanted.statuses}:
        raise wrong_status(model, id_, wanted, status)
    values: Values = {"statecode": closing.state, "statuscode": status}
    if closing.table == "opportunity":
        refuse_open_quotes(work, id_)
        values |= _closed_opportunity(work, draft.values)
        draft.values |= {"opportunitystatecode": closing.state, "opportunitystatuscode": status}
    elif closing.table == "quote":
        values["closedon"] = _day(work, model, "closedon", draft.values)
    for own, theirs in _KEPT[closing.table].items():
        draft.values.setdefault(own, before.get(theirs))
    done = next(s for s in activity.table.states if s.value == _COMPLETED)
    draft.values |= {"statecode": done.value, "statuscode": done.default_status}
    insert_drafts(work, activity, [draft])
    change = Change(work, model, id_, values, before)
    base_rule(model)(change)
    write_change(change)
    return id_


def _closed_opportunity(work: Work, details: Values) -> Values:
    values: Values = {"actualclosedate": str(details.get("actualend") or work.now)[:10]}
    if details.get("actualrevenue") is not None:
        values["actualvalue"] = details["actualrevenue"]
    return values


def _day(work: Work, model: EntityModel, column: str, details: Values) -> str:
    moment = str(details.get("actualend") or work.now)
    return moment[:10] if model.columns[column].date_behaviour == "DateOnly" else moment


def refuse_open_quotes(work: Work, opportunity: bytes) -> None:
    """0x80040516 while a draft or active quote belongs to the opportunity."""
    quote = work.store.schema.tables["quote"]
    sql = (
        f"SELECT 1 FROM {work.store.ensure(quote)} "
        f"WHERE {quoted('opportunityid')} = ? AND statecode IN ({_OPEN_QUOTES}) LIMIT 1"
    )
    if work.store.connection.execute(sql, (opportunity,)).fetchone():
        raise Refusal(
            400, "0x80040516", "The opportunity cannot be closed while it has quotes in the draft or active state."
        )
