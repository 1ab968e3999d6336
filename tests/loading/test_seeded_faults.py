"""The program that plays seeded disasters, in small: its counts must be what docs/benchmarks.md says of the big runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import flitstack

CHECKOUT = Path(flitstack.__file__).parents[2]


def play(*words: str) -> dict[str, int]:
    """Run benchmarks/faults.py; its counts."""
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / "src")}
    command = [sys.executable, str(CHECKOUT / "benchmarks" / "faults.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    return {name: int(count.replace(",", "")) for name, count in re.findall(r"(\w+) ([\d,]+)(?=, | \()", done.stdout)}


def test_a_load_and_a_rollback_under_faults_double_and_lose_nothing_and_keep_every_pause() -> None:
    counts = play("--only", "runs", "--runs", "1", "--seed", "3")
    assert (counts["loads"], counts["rollbacks"]) == (1, 1)
    assert [counts[name] for name in ("doubled", "lost", "not_closed", "in_pauses", "left_after_rollback")] == [0] * 5
    assert counts["requests"] > 100


def test_one_bad_row_in_a_hundred_costs_no_good_row() -> None:
    counts = play("--only", "bad", "--bad-rows", "3000")
    assert (counts["bad"], counts["landed"]) == (30, 2970)
    assert counts["bad_not_named"] == counts["good_named_bad"] == 0
