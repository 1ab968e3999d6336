"""The program that corrupts single cells of every column type, in small: reconcile names each."""

import os
import subprocess
import sys
from pathlib import Path

import flitstack

CHECKOUT = Path(flitstack.__file__).parents[2]
TYPES = (
    "String", "Memo", "Integer", "BigInt", "Decimal", "Double", "Money", "Boolean", "Picklist", "MultiSelectPicklist", "date only",
    "DateTime", "Lookup", "Customer", "Owner", "state", "N:N link", "activity party", "file bytes",
)  # fmt: skip


def test_one_corrupted_cell_of_any_type_is_found_and_named() -> None:
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / "src")}
    words = [str(CHECKOUT / "benchmarks" / "corrupting.py"), "--cells", "400", "--contacts", "60"]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, env=environment, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert "cells 400," in done.stdout
    assert [kind for kind in TYPES if f"{kind} " not in done.stdout] == []
