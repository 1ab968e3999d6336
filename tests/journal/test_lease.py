"""One writer at a time, and a dead one is no obstacle."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flitstack.errors import StepFailed
from flitstack.journal.journal import Journal

HOLD = """
import sys, time
from pathlib import Path
from flitstack.journal.frames import Operation
from flitstack.journal.journal import Journal
journal = Journal(Path(sys.argv[1]), "ben", write=True)
journal.intend(1, Operation.CREATE, "account", bytes(16), bytes(8))
journal.commit_now()
journal.intend(1, Operation.CREATE, "account", bytes(16), bytes(8))  # written down, not committed
print("holding", flush=True)
time.sleep(60)
"""


def test_two_writers_are_refused_and_the_first_is_named(tmp_path: Path) -> None:
    with Journal(tmp_path, "ana", write=True), pytest.raises(StepFailed, match="operator ana"):
        Journal(tmp_path, "ben", write=True)
    Journal(tmp_path, "ben", write=True).close()


def test_the_lease_of_a_killed_process_is_free_at_once_and_its_commits_are_there(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"holding\n"
        with pytest.raises(StepFailed, match=f"process {holder.pid} .* operator ben"):
            Journal(tmp_path, "ana", write=True)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with Journal(tmp_path, "ana", write=True) as journal:
        assert list(journal.state.unsettled) == [1]
