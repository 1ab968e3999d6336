"""CSV to durable outcomes through flitstack's engine, journal, pace and loader: `python client_flitstack.py URL CSV FOLDER ROWS`.

The phase then ends with its count, read from the destination; what that costs is told apart ("counted").
"""

import atexit
import gc
import sys
import time
from pathlib import Path
from typing import Any

_CHECKOUT = Path(__file__).parents[2]
# tests/absent: as in a user's environment there is no pandas, which is here for a peer.
sys.path[:0] = [str(_CHECKOUT / "tests" / "absent"), str(Path(__file__).parent), str(_CHECKOUT / "benchmarks")]

import uvloop  # noqa: E402
from contacts_case import Silent  # noqa: E402
from mapped import make_plan  # noqa: E402

import flitstack.loading.load as loading  # noqa: E402
from flitstack.catalogue.read import load_catalogue  # noqa: E402
from flitstack.destinations.dataverse.client import Client  # noqa: E402
from flitstack.destinations.dataverse.destination import DataverseDestination  # noqa: E402
from flitstack.destinations.throttled import ThrottledDestination  # noqa: E402
from flitstack.journal.journal import Journal  # noqa: E402
from flitstack.loading import batch_size  # noqa: E402
from flitstack.loading.load import Load, execute  # noqa: E402
from flitstack.loading.sending import SendOptions  # noqa: E402
from flitstack.staging.engine.engine import Engine  # noqa: E402

BATCH = 500


async def load(url: str, csv: Path, folder: Path, rows: int) -> None:
    """One load; exits 3 with rejects as the command does. Tells CPU and wall seconds at the start, when mapped and when loaded."""
    marks = [(time.process_time(), time.monotonic())]
    counted = [0.0]
    count_phase = loading.count_phase

    async def timed_count(*given: Any) -> Any:
        before = time.process_time()
        found = await count_phase(*given)
        counted[0] += time.process_time() - before
        return found

    loading.count_phase = timed_count
    batch_size.MOST_ROWS = BATCH  # as many a call as the other clients send; by itself it would go up to 1,000
    client = Client(url)
    paced = ThrottledDestination([DataverseDestination(client, load_catalogue())], trial=64.0)
    client.pacer = paced.lanes[0]
    with Engine(folder / "scratch") as engine, Journal(folder / "journal", "benchmark", write=True) as journal:
        plan = make_plan(engine, journal, csv, folder, rows)
        marks.append((time.process_time(), time.monotonic()))
        options = SendOptions(batch_rows=BATCH, in_flight=8, server_limit_s=1.0)
        document = await execute(Load(plan, folder, paced, journal, engine, Silent(), options), "load")
        marks.append((time.process_time(), time.monotonic()))
        await paced.close()
    print("sent", sum(step.seconds for step in document.steps if step.kind == "create"), flush=True)
    print("counted", counted[0], flush=True)
    print("marks", *(f"{cpu} {wall}" for cpu, wall in marks), flush=True)
    sys.exit(3 if document.refused else 0)


def tell_peak() -> None:
    """Peak memory since this program began; what the system keeps for a parent counts the parent's, too."""
    status = Path("/proc/self/status").read_text()
    print("peak_kib", next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")), flush=True)


if __name__ == "__main__":
    atexit.register(tell_peak)
    gc.freeze()  # as app.running does
    atexit.register(gc.unfreeze)
    uvloop.run(load(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])))
