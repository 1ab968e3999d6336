"""Rows of state and link steps as calls of the port."""

from collections.abc import Iterator
from uuid import UUID

import orjson

from flitstack.catalogue.types import Table
from flitstack.destinations.port import Call
from flitstack.loading.rows import RowBatch


def state_calls(table: Table, batch: RowBatch) -> list[Call]:
    """Won and lost go by the platform's own messages, every other state is written to the row."""
    calls = []
    for place in range(len(batch)):
        wanted = orjson.loads(batch.text(place))
        action = wanted.pop("action")
        kind = action if action in {"win", "lose"} else "state"
        body = {name: value for name, value in wanted.items() if value is not None}
        calls.append(Call(kind, table.name, batch.row_id(place), orjson.dumps(body)))
    return calls


def link_calls(table: Table, batch: RowBatch) -> Iterator[list[Call]]:
    """Associations, as many lists of calls as the row with most links needs, each row at most once in a list."""
    links = [(batch.row_id(p), orjson.loads(batch.text(p))) for p in range(len(batch))]
    for turn in range(max(len(items) for _, items in links)):
        yield [
            Call(
                "associate",
                table.name,
                row,
                b"",
                items[turn]["relationship"],
                UUID(items[turn]["id"]),
                items[turn]["table"],
            )
            for row, items in links
            if turn < len(items)
        ]
