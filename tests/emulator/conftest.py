from collections.abc import Iterator
from pathlib import Path

import pytest
from core_driver import Driver

from flitstack.emulator.core import Environment


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Driver]:
    """A fresh, seeded environment."""
    environment = Environment.open(tmp_path / "data")
    yield Driver(environment)
    environment.close()
