"""Batches for journal tests: ids that say which batch and row they are."""

from flitstack.journal.frames import Operation, Outcome, Status
from flitstack.journal.journal import Journal
from flitstack.keys import BatchId


def ids_of(batch: int, rows: int) -> bytes:
    """Packed ids: batch number, then place."""
    return b"".join(batch.to_bytes(8, "big") + place.to_bytes(8, "big") for place in range(rows))


def intend(journal: Journal, number: int, rows: int = 3, operation: Operation = Operation.CREATE) -> BatchId:
    """An intent to write `rows` rows of account."""
    return journal.intend(1, operation, "account", ids_of(number, rows), bytes(8 * rows))


def refuse(journal: Journal, batch: BatchId, rows: int, place: int) -> None:
    """Settle a batch of which one row was refused."""
    statuses = bytearray([Status.LANDED]) * rows
    statuses[place] = Status.REFUSED
    journal.settle(Outcome(batch, rows, bytes(statuses), ((place, "0x80040265", "no"),)))
