from collections.abc import Iterator
from pathlib import Path

import pytest
from front_wire import Wire, running

from flitstack.emulator.instance import Options


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    """A fresh emulator that asks for no token."""
    with running(Options(tmp_path / "data")) as started:
        yield started


@pytest.fixture(scope="module")
def shared_wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """One emulator for tests of a file that only read, or whose writes do not meet."""
    with running(Options(tmp_path_factory.mktemp("shared") / "data")) as started:
        yield started
