"""Many-to-many links of rows that were there before us: one that is there already is left, and journalled is what we make.

Only so can a rollback take away exactly what was made (planning/restore_links.py).
"""

import asyncio
from uuid import UUID

import orjson

from flitstack.catalogue.types import Table
from flitstack.destinations.port import Call
from flitstack.journal.frames import Operation
from flitstack.loading.calls import link_calls
from flitstack.loading.execution import Load
from flitstack.loading.rows import RowBatch
from flitstack.loading.sending import Sender, Work

LINKS = "_links"


async def link_new(load: Load, step: int, table: Table, batch: RowBatch, sender: Sender) -> None:
    """Make the links of a batch that are not there yet; each row is asked once for every relationship it has links by."""
    calls = link_calls(table, batch)
    there = await _linked(load, table, calls, sender)
    new = [call for call in calls if (call.row, call.relationship, call.target) not in there]
    made: dict[UUID, list[dict[str, str]]] = {row: [] for row in batch.row_ids()}
    for call in new:
        made[call.row].append({"relationship": call.relationship, "table": call.target_table, "id": str(call.target)})
    before = b"".join(orjson.dumps({"_row": str(row), LINKS: links}) + b"\n" for row, links in made.items())
    await sender.change(step, Work(Operation.LINK, new), table, batch, before)


async def _linked(load: Load, table: Table, calls: list[Call], sender: Sender) -> set[tuple[UUID, str, UUID | None]]:
    """(row, relationship, other row) of links that are there, over every relationship the calls name."""
    wanted = dict.fromkeys((call.row, call.relationship, call.target_table) for call in calls)
    others = {name: await load.table(name) for _, _, name in wanted}
    turns = asyncio.Semaphore(load.options.in_flight)

    async def ask(row: UUID, relationship: str, other: str) -> set[tuple[UUID, str, UUID | None]]:
        async with turns:
            found = await sender.attempts.repeat(
                lambda: load.destination.related(table, row, relationship, others[other])
            )
            return {(row, relationship, one) for one in found}

    answers = await asyncio.gather(*(ask(*one) for one in wanted))
    return set().union(*answers)
