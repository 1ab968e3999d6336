"""A load is killed while a request is under way, and taken back at once: nothing of it stays."""

import subprocess
import time
from pathlib import Path

import pytest
from route.route_case import EXAMPLE, TO_LOAD, TO_PLAN, Migration, begin, command, environment, serving

SETS = ("accounts", "contacts", "opportunities", "emails", "phonecalls", "appointments", "tasks", "annotations")
# Rows are made at once; that they were is told byte by byte, so that the client dies without knowing.
LATE = {"seed": 1, "rules": [{"kind": "trickle", "request": "CreateMultiple", "probability": 1.0, "seconds": 20}]}


def held(migration: Migration) -> dict[str, int]:
    return {name: len(migration.rows(name)) for name in SETS}


@pytest.mark.slow
def test_rows_whose_answer_the_killed_load_never_read_are_taken_back(tmp_path: Path) -> None:
    with serving(tmp_path / "emulator") as url:
        migration = begin(tmp_path / "O'Neill & Söhne", url, EXAMPLE)
        before = held(migration)
        migration.go(TO_PLAN + TO_LOAD)
        sample = held(migration)
        migration.admin("faults", LATE)
        words = command("load", "--project", str(migration.folder))
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment()) as load:
            ends = time.monotonic() + 60
            while held(migration) == sample and load.poll() is None and time.monotonic() < ends:
                time.sleep(0.1)
            load.kill()
        assert held(migration) != sample
        migration.admin("faults", {"rules": []})
        assert migration.do("rollback")["equal"]
        assert held(migration) == before
