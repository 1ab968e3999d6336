"""Rows of state and link steps as calls of the port."""

from uuid import UUID

import orjson

from flitstack.catalogue.types import Table
from flitstack.destinations.port import Call
from flitstack.loading.rows import RowBatch

# What a state step needs of a row, as JSON text.
# Both as read_rows wants them: with a comma after the text.
STATE_TEXT = (
    "to_json({'action': _action, 'state': _state, 'status': _status, "
    "'at': strftime(make_timestamp(epoch_us(_state_at)), '%Y-%m-%dT%H:%M:%SZ'), "
    "'value': CAST(_state_value AS DOUBLE)})::VARCHAR || ','"
)
LINKS_TEXT = (
    "to_json(list_transform(_links, lambda l: {'relationship': l.relationship, 'table': l.\"table\", "
    "'id': CAST(l.id AS VARCHAR)}))::VARCHAR || ','"
)
# Actions that go by the platform's own messages; every other state is written to the row.
_CLOSING = frozenset({"win", "lose", "fulfil", "cancel"})


# A draft quote cannot be won or lost: it is activated first (Microsoft Learn, "WinQuote"; state Active, status Open).
_OPEN_QUOTE = orjson.dumps({"state": 1, "status": 3})


def state_calls(table: Table, batch: RowBatch) -> list[Call]:
    """One call a row; two for a quote that is closed. They go in one batch, in this order."""
    calls = []
    for place in range(len(batch)):
        wanted = orjson.loads(batch.text(place))
        is_closing = wanted["action"] in _CLOSING
        names = ("status", "at", "value") if is_closing else ("state", "status")
        body = orjson.dumps({name: wanted[name] for name in names if wanted[name] is not None})
        if is_closing and table.name == "quote":
            calls.append(Call("state", table.name, batch.row_id(place), _OPEN_QUOTE))
        calls.append(Call(wanted["action"] if is_closing else "state", table.name, batch.row_id(place), body))
    return calls


def link_calls(table: Table, batch: RowBatch, kind: str = "associate") -> list[Call]:
    """One call a link; a row may have several. `kind`: associate | disassociate."""
    return [
        Call(kind, table.name, batch.row_id(place), b"", link["relationship"], UUID(link["id"]), link["table"])
        for place in range(len(batch))
        for link in orjson.loads(batch.text(place))
    ]
