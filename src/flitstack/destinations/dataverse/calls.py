"""Calls of the port as parts of a `$batch`, and the answers as outcomes.

Sources: Microsoft Learn, "Update and delete table rows using the Web API", "Associate and disassociate table rows",
"WinOpportunity", "LoseOpportunity", "WinQuote", "CloseQuote", "FulfillSalesOrder", "CancelSalesOrder".
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from flitstack.catalogue.types import Table
from flitstack.destinations.dataverse.client import API, refusal_of
from flitstack.destinations.dataverse.multipart import Part, PartAnswer
from flitstack.destinations.faults import Fatal, Unanswered
from flitstack.destinations.port import Call, Done

# Without it a PATCH of a missing row would create it.
_MUST_EXIST = ("If-Match", "*")
# (kind, table) -> action, closing activity, lookup of the activity that names the row.
_CLOSING = {
    ("win", "opportunity"): ("WinOpportunity", "OpportunityClose", "opportunityid"),
    ("lose", "opportunity"): ("LoseOpportunity", "OpportunityClose", "opportunityid"),
    ("win", "quote"): ("WinQuote", "QuoteClose", "quoteid"),
    ("lose", "quote"): ("CloseQuote", "QuoteClose", "quoteid"),
    ("fulfil", "salesorder"): ("salesorders/Microsoft.Dynamics.CRM.FulfillSalesOrder", "OrderClose", "salesorderid"),
    ("cancel", "salesorder"): ("CancelSalesOrder", "OrderClose", "salesorderid"),
}
EntitySets = Mapping[str, str]


def part_of(call: Call, entity_sets: EntitySets, url: str, headers: tuple[tuple[str, str], ...] = ()) -> Part:
    """One call as one request. `url` is the environment's, `headers` go with every write. Fatal for an unknown kind."""
    build = _BUILDERS.get(call.kind)
    if build is None:
        raise Fatal(f"a batch cannot {call.kind!r}")
    if call.table not in entity_sets:
        raise Fatal(f"the environment has no table {call.table}")
    part = build(call, entity_sets, url)
    return Part(part.method, part.path, part.body, (*part.headers, *headers))


def target_of(table: Table, row: UUID, text: bytes) -> bytes:
    """One row of an UpdateMultiple: the text of its update with its id, and its type where the text has none."""
    kind = (
        b""
        if text.startswith(b'{"@odata.type"')
        else b'"@odata.type":"Microsoft.Dynamics.CRM.%b",' % table.name.encode()
    )
    members = text[1:] if text == b"{}" else b"," + text[1:]
    return b'{%b"%b":"%b"%b' % (kind, table.id_column.encode(), str(row).encode(), members)


def outcomes(answers: Sequence[PartAnswer], is_whole: bool, asked: int, *, continue_on_error: bool) -> list[Done]:
    """One outcome a call. Unanswered when the answer does not cover what was asked."""
    done = [Done(refusal_of(a.status, a.body) if a.status >= 400 else None) for a in answers]
    stopped = bool(done) and done[-1].refusal is not None and not continue_on_error
    if len(done) > asked or (len(done) < asked and not (stopped and is_whole)):
        raise Unanswered(f"the answer to a batch of {asked} has {len(done)} parts")
    return done


def _create(call: Call, entity_sets: EntitySets, url: str) -> Part:
    return Part("POST", f"{API}{entity_sets[call.table]}", call.body)


def _update(call: Call, entity_sets: EntitySets, url: str) -> Part:
    return Part("PATCH", _row(call, entity_sets), call.body, (_MUST_EXIST,))


def _delete(call: Call, entity_sets: EntitySets, url: str) -> Part:
    return Part("DELETE", _row(call, entity_sets))


def _state(call: Call, entity_sets: EntitySets, url: str) -> Part:
    wanted = orjson.loads(call.body)
    body: dict[str, Any] = {"statecode": wanted["state"]}
    if wanted.get("status") is not None:
        body["statuscode"] = wanted["status"]
    return Part("PATCH", _row(call, entity_sets), orjson.dumps(body), (_MUST_EXIST,))


def _parties(call: Call, entity_sets: EntitySets, url: str) -> Part:
    collection = f"{call.table}_activity_parties"
    body = orjson.dumps({"value": orjson.loads(call.body).get(collection, [])})
    return Part("PUT", f"{_row(call, entity_sets)}/{collection}", body)


def _close(call: Call, entity_sets: EntitySets, url: str) -> Part:
    found = _CLOSING.get((call.kind, call.table))
    if found is None:
        raise Fatal(f"{call.table} has no message to {call.kind}")
    action, activity, lookup = found
    wanted = orjson.loads(call.body)
    closing: dict[str, Any] = {}
    if call.kind == "cancel":
        # This message alone takes an entity of any type: Microsoft Learn, "CancelSalesOrder Action" (`crmbaseentity`).
        closing["@odata.type"] = f"Microsoft.Dynamics.CRM.{activity.lower()}"
    closing |= {f"{lookup}@odata.bind": f"/{entity_sets[call.table]}({call.row})"}
    members = {"subject": "subject", "at": "actualend", "description": "description"}
    if call.table == "opportunity" and call.kind == "win":
        members["value"] = "actualrevenue"
    closing |= {theirs: wanted[ours] for ours, theirs in members.items() if wanted.get(ours) is not None}
    return Part("POST", f"{API}{action}", orjson.dumps({activity: closing, "Status": wanted["status"]}))


def _associate(call: Call, entity_sets: EntitySets, url: str) -> Part:
    link = {"@odata.id": f"{url}{API}{entity_sets[call.target_table]}({call.target})"}
    return Part("POST", f"{_row(call, entity_sets)}/{call.relationship}/$ref", orjson.dumps(link))


def _disassociate(call: Call, entity_sets: EntitySets, url: str) -> Part:
    return Part("DELETE", f"{_row(call, entity_sets)}/{call.relationship}({call.target})/$ref")


def _row(call: Call, entity_sets: EntitySets) -> str:
    return f"{API}{entity_sets[call.table]}({call.row})"


_BUILDERS: Mapping[str, Callable[[Call, EntitySets, str], Part]] = {
    "create": _create,
    "update": _update,
    "delete": _delete,
    "state": _state,
    "parties": _parties,
    "win": _close,
    "lose": _close,
    "fulfil": _close,
    "cancel": _close,
    "associate": _associate,
    "disassociate": _disassociate,
}
