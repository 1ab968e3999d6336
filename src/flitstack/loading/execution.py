"""Everything one execution of a plan needs, and the flow of its requests."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from flitstack.catalogue.types import Table
from flitstack.destinations.port import Destination
from flitstack.errors import Problem, StepFailed
from flitstack.journal.journal import Journal
from flitstack.loading.allowance import Allowance
from flitstack.loading.attempts import Attempts, Counters
from flitstack.loading.batch_size import BatchSize
from flitstack.loading.rows import RowBatch, cut, make_done_view
from flitstack.loading.sending import Sender, SendOptions
from flitstack.planning.document import Plan
from flitstack.staging.engine.engine import Engine


class Progress(Protocol):
    """How far the load is."""

    def phase(self, title: str, total: int | None = None) -> None:
        """A step begins."""

    def advance(self, rows: int) -> None:
        """Rows got a verdict."""


@dataclass
class Load:
    """One execution. `folder`: the plan's, with its send tables; `tables`: live metadata, read again after schema steps."""

    plan: Plan
    folder: Path
    destination: Destination
    journal: Journal
    engine: Engine
    progress: Progress
    options: SendOptions = field(default_factory=SendOptions)
    tables: dict[str, Table] = field(default_factory=dict)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    allowance: Allowance | None = None

    @property
    def export_folder(self) -> Path:
        """Where the files of the export lie."""
        return Path(self.plan.export).resolve()

    def sender(self) -> Sender:
        """A sender that counts for one step."""
        size = BatchSize(self.options.batch_rows)
        return Sender(self.attempts(Counters()), self.journal, self.options, size)

    def attempts(self, counters: Counters) -> Attempts:
        """A way to the destination that counts into `counters`."""
        return Attempts(self.destination, counters, self.sleep)

    def refresh(self) -> None:
        """Let the view `journal_rows` hold what landed so far."""
        self.journal.refresh()
        make_done_view(self.engine, self.journal)

    async def table(self, name: str) -> Table:
        """Live metadata of a table the plan writes to."""
        if name not in self.tables:
            found = await self.attempts(Counters()).repeat(lambda: self.destination.table(name))
            if found is None:
                raise StepFailed(
                    Problem(
                        "table-missing",
                        f"the environment has no table {name}",
                        do="run: flitstack plan, then approve schema and load again",
                    )
                )
            self.tables[name] = found
        return self.tables[name]

    async def send_all(
        self, sender: Sender, batches: Generator[RowBatch, None, None], send: Callable[[RowBatch], Awaitable[None]]
    ) -> None:
        """Keep at most `in_flight` requests under way; the first failure stops reading and is raised."""
        running: set[asyncio.Task[None]] = set()
        pieces = cut(batches, lambda: sender.size.rows, self.options.batch_bytes)
        is_exhausted = False
        try:
            for piece in pieces:
                if self.allowance is not None and not self.allowance.take(len(piece)):
                    is_exhausted = True
                    break
                running.add(asyncio.create_task(self._send(piece, send)))
                if len(running) >= self.options.in_flight:
                    running = await _first_done(running)
            while running:
                running = await _first_done(running)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            # An open result keeps the engine from any other query.
            pieces.close()
            batches.close()
            # Outcomes wait for the next intent, and here none follows: a load that ends early need not ask for what was answered.
            self.journal.commit_now()
        if self.allowance is not None and is_exhausted:
            raise self.allowance.exhausted()

    async def _send(self, piece: RowBatch, send: Callable[[RowBatch], Awaitable[None]]) -> None:
        await send(piece)
        self.progress.advance(len(piece))


async def _first_done(running: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
    finished, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    for task in finished:
        task.result()
    return running
