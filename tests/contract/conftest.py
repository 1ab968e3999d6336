"""Every implementation of the destination port, opened anew for each test."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from importlib.util import find_spec
from typing import TypeVar

import pytest
from contract.emulators import start_emulator

from flitstack.catalogue.read import load_catalogue
from flitstack.destinations.dataverse.client import Client
from flitstack.destinations.dataverse.destination import DataverseDestination
from flitstack.destinations.memory.destination import MemoryDestination
from flitstack.destinations.port import Destination

T = TypeVar("T")
Check = Callable[[Destination], Awaitable[T]]
Run = Callable[[Check[T]], T]


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
