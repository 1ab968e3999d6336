"""A real loader, killed with SIGKILL at random moments while it writes to a real socket, and started again."""

import asyncio
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from contract.emulators import start_emulator
from loading.loading_case import ROWS, make_case, row

from flitstack.catalogue.read import load_catalogue
from flitstack.destinations.dataverse.client import Client
from flitstack.destinations.dataverse.destination import DataverseDestination
from flitstack.documents import save_json

BAD = ("contact 49",)
# Each seed kills a load six times; FLITSTACK_KILL_SEEDS=9 makes it 54 kills.
SEEDS = int(os.environ.get("FLITSTACK_KILL_SEEDS", "2"))


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    process, url = start_emulator(tmp_path / "emulator")
    yield url
    process.terminate()
    process.wait(20)


def load_until(folder: Path, url: str, delay_s: float | None) -> str:
    """Start the loader and kill it after a delay; what it printed at its end, if it came to that."""
    command = [sys.executable, str(Path(__file__).with_name("loader.py")), str(folder), url]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as loader:
        assert loader.stdout is not None
        assert loader.stdout.readline() == "loading\n"
        if delay_s is not None:
            time.sleep(delay_s)
            loader.kill()
        return loader.stdout.readline().strip()


async def held(url: str) -> dict[str, dict[bytes, int | None]]:
    """Ids and status of all rows of the case's tables and the closings."""
    catalogue = load_catalogue()
    destination = DataverseDestination(Client(url), catalogue)
    found: dict[str, dict[bytes, int | None]] = {}
    try:
        for name in [*ROWS, "opportunityclose"]:
            table = catalogue.tables[name]
            columns = ["statuscode"] if table.states else []
            found[name] = {}
            async for batch in destination.rows(table, columns):
                for line in batch.to_pylist():
                    found[name][line["_row"]] = line.get("statuscode")
    finally:
        await destination.close()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 1 + SEEDS))
def test_killed_at_random_moments_it_ends_with_every_row_once(tmp_path: Path, url: str, seed: int) -> None:
    case = make_case(tmp_path / "case", bad=BAD)
    save_json(case.folder / "plan.json", case.plan)
    chance = random.Random(seed)
    for _ in range(6):
        load_until(case.folder, url, chance.uniform(0.0, 0.5))
    assert load_until(case.folder, url, None).endswith("1 True")
    rows = asyncio.run(held(url))
    for name, count in ROWS.items():
        expected = {row(name, n).bytes for n in range(count)} - (
            {row("contact", 49).bytes} if name == "contact" else set()
        )
        assert rows[name].keys() == expected, name
    assert [rows["opportunity"][row("opportunity", n).bytes] for n in range(3)] == [3, 4, 1]
    assert len(rows["opportunityclose"]) == 8
