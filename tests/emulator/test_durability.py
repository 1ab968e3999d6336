"""What was answered is there after the process was killed, and a half-done request is not."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from core_driver import Driver

from flitstack.emulator.core import Environment

_WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from core_driver import Driver
from flitstack.emulator.core import Environment

driver = Driver(Environment.open(Path(sys.argv[1])))
n = 0
while True:
    rows = [{"name": f"{n}-{i}"} for i in range(100)]
    driver.multiple("CreateMultiple", "accounts", "account", rows)
    n += 1
    print(n, flush=True)
"""


def test_committed_rows_survive_kill_9_and_no_request_is_half_there(tmp_path: Path) -> None:
    here = str(Path(__file__).parent)
    source = str(Path(__file__).parents[2] / "src")
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(tmp_path), here],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": source},
    )
    assert process.stdout is not None
    answered = 0
    for line in process.stdout:
        answered = int(line)
        if answered >= 8:
            break
    process.send_signal(signal.SIGKILL)
    answered = max([answered, *(int(line) for line in process.stdout.read().split() if line.isdigit())])
    process.stdout.close()
    process.wait()

    environment = Environment.open(tmp_path)
    (count,) = environment.connection.execute("SELECT count(*) FROM account").fetchone()
    assert count >= answered * 100
    assert count % 100 == 0
    Driver(environment).create("accounts", name="afterwards")
    environment.close()


def test_versions_keep_rising_after_reopening(tmp_path: Path) -> None:
    etags = []
    for _ in range(2):
        environment = Environment.open(tmp_path)
        driver = Driver(environment)
        row = driver.create("accounts", name="a")
        etags.append(int(driver.get(f"accounts({row})", select="name")["@odata.etag"][3:-1]))
        environment.close()
    assert etags[0] < etags[1]
