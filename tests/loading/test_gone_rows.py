"""What has nothing left to act on is done: a link ends with either of its rows."""

import asyncio
from pathlib import Path

import pytest
from loading.loading_case import nap

from flitstack.catalogue.read import load_catalogue
from flitstack.destinations.memory.destination import MemoryDestination
from flitstack.destinations.port import Call
from flitstack.journal.frames import Operation
from flitstack.journal.journal import Journal
from flitstack.keys import row_id_at
from flitstack.loading.attempts import Attempts
from flitstack.loading.rows import RowBatch
from flitstack.loading.sending import Sender, SendOptions, Work

ROW, OTHER = row_id_at(bytes(8), 1), row_id_at(bytes(8), 2)
CALLS = {
    Operation.DELETE: Call("delete", "contact", ROW),
    Operation.UNLINK: Call(
        "disassociate", "contact", ROW, relationship="contactleads_association", target=OTHER, target_table="lead"
    ),
}


@pytest.mark.parametrize("operation", CALLS, ids=lambda operation: operation.name)
def test_what_is_taken_away_from_a_row_that_is_gone_counts_as_done(tmp_path: Path, operation: Operation) -> None:
    destination = MemoryDestination(load_catalogue())

    async def run() -> int:
        table = await destination.table("contact")
        assert table is not None
        with Journal(tmp_path / "journal", "ana", write=True) as journal:
            sender = Sender(Attempts(destination, sleep=nap), journal, SendOptions(server_limit_s=0.01))
            batch = RowBatch(ROW.bytes, bytes(8), memoryview(b"[],"), (0, 3))
            await sender.change(0, Work(operation, [CALLS[operation]]), table, batch)
            return sender.attempts.counters.refused

    assert asyncio.run(run()) == 0
