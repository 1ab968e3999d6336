"""A load as a process of its own: `python loader.py FOLDER URL`. Prints the document when it comes to its end."""

import asyncio
import sys
from pathlib import Path

from flitstack.catalogue.read import load_catalogue
from flitstack.destinations.dataverse.client import Client
from flitstack.destinations.dataverse.destination import DataverseDestination
from flitstack.documents import load_json
from flitstack.journal.journal import Journal
from flitstack.loading.document import LoadDocument
from flitstack.loading.load import Load, execute
from flitstack.loading.sending import SendOptions
from flitstack.planning.document import Plan
from flitstack.staging.engine.engine import Engine


class Silent:
    """Progress nobody looks at."""

    def phase(self, title: str, total: int | None = None) -> None:
        pass

    def advance(self, rows: int) -> None:
        pass


async def load_plan(folder: Path, url: str) -> LoadDocument:
    destination = DataverseDestination(Client(url), load_catalogue())
    options = SendOptions(batch_rows=10, in_flight=3, server_limit_s=1.0)
    with Engine(folder / "scratch") as engine, Journal(folder / "journal", "ana", write=True) as journal:
        plan = load_json(folder / "plan.json", Plan)
        # From here on a kill can hurt: the parent counts its delay from this line.
        print("loading", flush=True)
        try:
            return await execute(Load(plan, folder, destination, journal, engine, Silent(), options), "load")
        finally:
            await destination.close()


if __name__ == "__main__":
    document = asyncio.run(load_plan(Path(sys.argv[1]), sys.argv[2]))
    print(document.requests, document.refused, all(count.closes for count in document.counts), flush=True)
