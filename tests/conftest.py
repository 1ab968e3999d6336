"""What all tests share: no deadlines on a busy machine, the folder of shared data, an engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from flitstack.staging.engine.engine import Engine

settings.register_profile("flitstack", deadline=None)
settings.load_profile("flitstack")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The project's shared data beside the checkout; a test that wants it is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared, which is not beside this checkout")
    return SHARED


@pytest.fixture(scope="module")
def module_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One engine for a module's read-only queries."""
    with Engine(tmp_path_factory.mktemp("scratch")) as engine:
        yield engine
