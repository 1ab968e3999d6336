"""Every implementation of the destination port, opened anew for each test."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import pytest

import flitstack
from flitstack.catalogue.read import load_catalogue
from flitstack.destinations.dataverse.client import Client
from flitstack.destinations.dataverse.destination import DataverseDestination
from flitstack.destinations.memory.destination import MemoryDestination
from flitstack.destinations.port import Destination

T = TypeVar("T")
Check = Callable[[Destination], Awaitable[T]]
Run = Callable[[Check[T]], T]


def start_emulator(directory: Path) -> tuple[subprocess.Popen[bytes], str]:
    """A freshly seeded emulator on a free loopback port, and its address."""
    ready = directory / "ready"
    command = [sys.executable, "-m", "flitstack.emulator", "serve", "--data", str(directory / "data"), "--port", "0"]
    source = {**os.environ, "PYTHONPATH": str(Path(flitstack.__file__).parents[1])}
    process = subprocess.Popen([*command, "--ready-file", str(ready), "--auth", "off"], env=source)
    deadline = time.monotonic() + 60
    while not ready.exists() or not ready.read_text().strip():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise RuntimeError(f"the emulator did not start (exit code {process.poll()})")
        time.sleep(0.05)
    return process, ready.read_text().strip()


@pytest.fixture(scope="session")
def emulator_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    process, url = start_emulator(tmp_path_factory.mktemp("emulator"))
    yield url
    process.terminate()
    process.wait(20)


IMPLEMENTATIONS = ["memory", *(["emulator"] if find_spec("flitstack.emulator.__main__") else [])]


@pytest.fixture(params=IMPLEMENTATIONS)
def run(request: pytest.FixtureRequest) -> Run[object]:
    """Runs a check against an open destination and closes it."""
    catalogue = load_catalogue()

    async def whole(check: Check[T]) -> T:
        destination: Destination
        if request.param == "memory":
            destination = MemoryDestination(catalogue)
        else:
            destination = DataverseDestination(Client(request.getfixturevalue("emulator_url")), catalogue)
        try:
            return await check(destination)
        finally:
            await destination.close()

    if request.param == "emulator":
        request.getfixturevalue("emulator_url")
    return lambda check: asyncio.run(whole(check))
