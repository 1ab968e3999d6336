import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from sdk_clients import async_client, sync_client
from secure_emulator import Served, served


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One emulator a file."""
    with served(tmp_path_factory.mktemp("emulator")) as started:
        yield started


@pytest.fixture(params=["sync", "async"], scope="module")
def sdk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Each of the two clients of Microsoft's SDK, on an emulator of its own."""
    folder = tmp_path_factory.mktemp(f"sdk-{request.param}")
    with served(folder) as started, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(started.certificate))
        if request.param == "sync":
            with sync_client(started) as client:
                yield client
            return
        loop = asyncio.new_event_loop()
        with async_client(started, loop) as client:
            yield client
        loop.close()
