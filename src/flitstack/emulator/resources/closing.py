"""Actions that close rows: WinOpportunity, LoseOpportunity.

Source: Microsoft Learn, "WinOpportunity Action", "LoseOpportunity Action".
"""

from collections.abc import Callable

from flitstack.emulator.answers import no_content
from flitstack.emulator.ddl import quoted
from flitstack.emulator.messages import Answer, Refusal, Request
from flitstack.emulator.paths import Segment
from flitstack.emulator.rows.money import base_rule
from flitstack.emulator.rows.payload import parser, read_object
from flitstack.emulator.rows.states import wrong_status
from flitstack.emulator.rows.write import insert_drafts, write_change
from flitstack.emulator.work import Change, Values, Work

_WON, _LOST = 1, 2
_COMPLETED = 1
_OPEN_QUOTES = "0, 1"  # draft, active


def _win(work: Work, request: Request, segment: Segment) -> Answer:
    return _close(work, request, _WON, default_status=3)


def _lose(work: Work, request: Request, segment: Segment) -> Answer:
    return _close(work, request, _LOST, default_status=4)


def _close(work: Work, request: Request, state: int, default_status: int) -> Answer:
    """204; leaves a completed opportunityclose and the opportunity in its new state."""
    if request.method != "POST":
        raise Refusal(404, "", "No HTTP resource was found that matches the request URI.")
    body = read_object(request.body)
    details, status = body.get("OpportunityClose"), body.get("Status")
    if not isinstance(details, dict):
        raise Refusal(400, "0x80040203", "The parameter 'OpportunityClose' is missing.")
    if type(status) is not int:
        raise Refusal(400, "0x80040203", "The parameter 'Status' is missing.")
    tables = work.store.schema.tables
    close, opportunity = tables["opportunityclose"], tables["opportunity"]
    draft = parser(work.store, close, is_create=True).parse(details, work.content_ids)
    id_ = draft.values.get("opportunityid")
    if not isinstance(id_, bytes):
        raise Refusal(400, "0x80040500", "The opportunity is missing.")
    before = work.read(opportunity, id_)
    if before["statecode"] != 0:
        raise Refusal(400, "0x80040515", "The opportunity has already been closed.")
    wanted = next(s for s in opportunity.table.states if s.value == state)
    status = default_status if status == -1 else status
    if status not in {s.value for s in wanted.statuses}:
        raise wrong_status(opportunity, id_, wanted, status)
    _refuse_open_quotes(work, id_)
    (close_id,) = insert_drafts(work, close, [draft])
    done = next(s for s in close.table.states if s.value == _COMPLETED)
    write_change(
        Change(work, close, close_id, {"statecode": done.value, "statuscode": done.default_status}, dict(draft.values))
    )
    values: Values = {"statecode": state, "statuscode": status, "actualclosedate": _close_day(work, draft.values)}
    if draft.values.get("actualrevenue") is not None:
        values["actualvalue"] = draft.values["actualrevenue"]
    change = Change(work, opportunity, id_, values, before)
    base_rule(opportunity)(change)
    write_change(change)
    return no_content()


def _close_day(work: Work, details: Values) -> str:
    return str(details.get("actualend") or work.now)[:10]


def _refuse_open_quotes(work: Work, opportunity: bytes) -> None:
    quote = work.store.schema.tables["quote"]
    sql = (
        f"SELECT 1 FROM {work.store.ensure(quote)} "
        f"WHERE {quoted('opportunityid')} = ? AND statecode IN ({_OPEN_QUOTES}) LIMIT 1"
    )
    if work.store.connection.execute(sql, (opportunity,)).fetchone():
        raise Refusal(
            400, "0x80040516", "The opportunity cannot be closed while it has quotes in the draft or active state."
        )


ACTIONS: dict[str, Callable[[Work, Request, Segment], Answer]] = {"WinOpportunity": _win, "LoseOpportunity": _lose}
