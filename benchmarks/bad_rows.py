"""Some rows of a load are refused: what lands, what is named, and how many requests the isolation costs."""

import asyncio
import random
from pathlib import Path
from typing import Any

from contacts_case import contacts_case
from disasters import Told
from loading.loading_case import Silent, shared_engine

from flitstack.app.emulators import call
from flitstack.catalogue.read import load_catalogue
from flitstack.destinations.dataverse.client import Client
from flitstack.destinations.dataverse.destination import DataverseDestination
from flitstack.destinations.throttled import ThrottledDestination
from flitstack.journal.journal import Journal
from flitstack.loading import batch_size
from flitstack.loading.document import LoadDocument
from flitstack.loading.load import Load, execute
from flitstack.loading.sending import SendOptions

# Bad rows in a thousand, rows a request, times the clean load's requests that may be used at most (0: by the share of failing
# requests alone).
CASES = ((10, 100, 0.0), (1, 250, 1.3))
SLACK = 1.02


def play_bad_rows(work: Path, url: str, rows: int, seed: int) -> Told:
    """Both cases: the rows without bad ones first, then with."""
    told = Told(
        dict.fromkeys(("rows", "bad", "good_not_landed", "bad_not_named", "good_named_bad", "requests_over_bound"), 0)
    )
    call(url, "snapshot", {"name": "empty"})
    for per_thousand, size, most in CASES:
        bad = sorted(random.Random(seed).sample(range(rows), rows * per_thousand // 1000))
        clean = _load(work / f"clean-{size}", url, rows, [], size)["requests"]
        found = _load(work / f"bad-{size}", url, rows, bad, size)
        allowed = clean * (1 + found["failing"] / found["bulk"]) * SLACK
        allowed = min(allowed, clean * most) if most else allowed
        told.add(
            rows=rows, bad=len(bad), good_not_landed=rows - len(bad) - found["landed"],
            bad_not_named=len(set(bad) - found["named"]), good_named_bad=len(found["named"] - set(bad)),
            requests_over_bound=int(found["requests"] > allowed),
        )  # fmt: skip
        told.counts |= {
            f"requests_{per_thousand}_in_1000": found["requests"], f"allowed_{per_thousand}_in_1000": int(allowed),
            f"clean_{per_thousand}_in_1000": clean, f"failing_{per_thousand}_in_1000": found["failing"],
        }  # fmt: skip
    return told


def _load(folder: Path, url: str, rows: int, bad: list[int], size: int) -> dict[str, Any]:
    """One load in requests of `size` rows: requests of all kinds, bulk requests and how many of them were refused, what landed."""
    case = contacts_case(shared_engine(), folder, rows, bad=bad)
    call(url, "restore", {"name": "empty"})
    call(url, "counters/reset", {})
    grown, batch_size.MOST_ROWS = batch_size.MOST_ROWS, size
    try:
        document = asyncio.run(_execute(case.folder, case.plan, url, size))
    finally:
        batch_size.MOST_ROWS = grown
    counters = call(url, "counters")
    landed = int(call(url, "fingerprint")["tables"].get("contact", {"rows": 0})["rows"])
    with Journal(case.folder / "journal", "benchmark", write=False) as journal:
        named = {int.from_bytes(row[10:], "big") for _, row in journal.state.refusals}
    assert document.refused == len(named)
    return {
        "requests": int(counters["total"]), "bulk": int(counters["requests"]["CreateMultiple"]), "landed": landed, "named": named,
        "failing": int(counters["statuses"].get("400", 0)),
    }  # fmt: skip


async def _execute(folder: Path, plan: Any, url: str, size: int) -> LoadDocument:
    client = Client(url)
    paced = ThrottledDestination([DataverseDestination(client, load_catalogue())], trial=64.0)
    client.pacer = paced.lanes[0]
    with Journal(folder / "journal", "benchmark", write=True) as journal:
        try:
            options = SendOptions(batch_rows=size, server_limit_s=1.0)
            return await execute(Load(plan, folder, paced, journal, shared_engine(), Silent(), options), "load")
        finally:
            await paced.close()
