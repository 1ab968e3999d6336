"""What a killed command left undecided, settled before anything is planned on what the journal knows."""

import asyncio

from flitstack.destinations.port import Destination, Facts
from flitstack.journal.frames import Operation
from flitstack.journal.journal import Journal
from flitstack.loading.attempts import Attempts, Counters
from flitstack.loading.execution import Progress
from flitstack.loading.recover import settle_unsettled
from flitstack.loading.rows import make_done_view
from flitstack.staging.engine.engine import Engine

# An emulator on this machine ends with its client's connection; the service may work on for two minutes.
EMULATOR_LIMIT_S, SERVICE_LIMIT_S = 1.0, 120.0


def server_limit_s(facts: Facts) -> float:
    """Seconds. Source: Microsoft Learn, "Analyze plug-in performance" (a message's operation has two minutes, then it is
    cancelled and rolled back; a batch's messages have them each, one after another)."""
    return EMULATOR_LIMIT_S if facts.is_emulator else SERVICE_LIMIT_S


async def settle_first(destination: Destination, journal: Journal, engine: Engine, progress: Progress) -> None:
    """Ask what became of every request without an outcome. Without this a rollback would not know rows that are there.

    Of changes nobody can tell whether they were made, so their before-images count; but the server must be done with them, or
    one would be made again after it was taken back.
    """
    unsettled = journal.state.unsettled.values()
    if not unsettled:
        return
    progress.phase("asking what became of the requests that were under way")
    limit_s = server_limit_s(await destination.facts())
    if any(intent.operation not in {Operation.CREATE, Operation.DELETE} for intent in unsettled):
        await asyncio.sleep(limit_s)
    await settle_unsettled(Attempts(destination, Counters()), journal, limit_s)
    journal.refresh()
    make_done_view(engine, journal)
