"""CSV to durable outcomes through flitstack's engine, journal, pace and loader: `python client_flitstack.py URL CSV FOLDER ROWS`."""

import atexit
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import uvloop
from contacts_case import Silent, case_of

from flitstack.catalogue.read import load_catalogue
from flitstack.destinations.dataverse.client import Client
from flitstack.destinations.dataverse.destination import DataverseDestination
from flitstack.destinations.throttled import ThrottledDestination
from flitstack.journal.journal import Journal
from flitstack.loading.load import Load, execute
from flitstack.loading.sending import SendOptions
from flitstack.staging.engine.engine import Engine


async def load(url: str, csv: Path, folder: Path, rows: int) -> None:
    """One load; exits 3 with rejects as the command does."""
    client = Client(url)
    paced = ThrottledDestination([DataverseDestination(client, load_catalogue())], trial=64.0)
    client.pacer = paced.lanes[0]
    with Engine(folder / "scratch") as engine, Journal(folder / "journal", "benchmark", write=True) as journal:
        case = case_of(engine, folder, f"SELECT * FROM read_csv({str(csv)!r}, header = true, all_varchar = true)", rows)
        options = SendOptions(batch_rows=500, in_flight=8, server_limit_s=1.0)
        document = await execute(Load(case.plan, folder, paced, journal, engine, Silent(), options), "load")
        await paced.close()
    sys.exit(3 if document.refused else 0)


def tell_peak() -> None:
    """Peak memory since this program began; what the system keeps for a parent counts the parent's, too."""
    status = Path("/proc/self/status").read_text()
    print("peak_kib", next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")), flush=True)


if __name__ == "__main__":
    atexit.register(tell_peak)
    uvloop.run(load(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])))
