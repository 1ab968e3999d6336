"""An export to fill, one a test."""

from pathlib import Path

import pytest
from staging.export_case import Export

from flitstack.staging.engine.engine import Engine


@pytest.fixture
def export(tmp_path: Path, module_engine: Engine) -> Export:
    return Export(tmp_path, module_engine)
