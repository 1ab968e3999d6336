"""The program that plays seeded disasters, in small: its counts must be what docs/benchmarks.md says of the big runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import flitstack

CHECKOUT = Path(flitstack.__file__).parents[2]


def play(*words: str) -> dict[str, int]:
    """Run benchmarks/faults.py; its counts."""
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / "src")}
    command = [sys.executable, str(CHECKOUT / "benchmarks" / "faults.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    return {name: int(count.replace(",", "")) for name, count in re.findall(r"(\w+) ([\d,]+)(?=, | \()", done.stdout)}


@pytest.mark.slow
def test_each_command_under_faults_doubles_and_loses_nothing_and_keeps_every_pause() -> None:
    counts = play("--only", "runs", "--runs", "4", "--seed", "3")
    assert counts["runs"] == 4
    assert [counts[name] for name in ("doubled", "lost", "not_closed", "in_pauses", "differing_ends")] == [0] * 5
    assert counts["faults"] > 20


def test_bad_rows_cost_no_good_row_and_few_requests() -> None:
    counts = play("--only", "bad", "--bad-rows", "3000")
    assert (counts["rows"], counts["bad"]) == (6_000, 33)
    assert [counts[name] for name in ("good_not_landed", "bad_not_named", "good_named_bad", "requests_over_bound")] == [
        0
    ] * 4
