from collections.abc import Iterator
from pathlib import Path

import pytest
from solution_driver import Maker


@pytest.fixture
def maker(tmp_path: Path) -> Iterator[Maker]:
    """A fresh environment."""
    found = Maker.open(tmp_path / "source")
    yield found
    found.instance.end()


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Maker]:
    """Another fresh environment, to import into."""
    found = Maker.open(tmp_path / "target")
    yield found
    found.instance.end()
