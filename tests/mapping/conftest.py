"""An engine a test, and a case of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mapping.map_case import MapCase

from flitstack.staging.engine.engine import Engine


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path / "scratch", memory_mb=128, threads=2) as opened:
        yield opened


@pytest.fixture
def case(tmp_path: Path, engine: Engine) -> Callable[..., MapCase]:
    def make(**given: object) -> MapCase:
        return MapCase(tmp_path, engine, **given)  # type: ignore[arg-type]

    return make
