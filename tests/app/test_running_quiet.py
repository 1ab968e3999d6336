"""What a command's process says when it ends: nothing of its own workings."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from pathlib import Path
from flitstack.app.running import run_async
from flitstack.staging.engine.engine import Engine

engine = Engine(Path(sys.argv[1]))


async def ask():
    return engine.one("SELECT 7")


print(run_async(ask(), "http://nowhere")[0])
"""


def test_a_process_that_leaves_an_engine_open_ends_in_silence(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "7\n", "")
