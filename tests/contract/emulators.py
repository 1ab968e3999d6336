"""The emulator as its own program, for tests that meet it over a socket."""

import os
import subprocess
import sys
import time
from pathlib import Path

import flitstack


def start_emulator(directory: Path, auth: str = "off") -> tuple[subprocess.Popen[bytes], str]:
    """A freshly seeded emulator on a free loopback port, and its address."""
    ready = directory / "ready"
    command = [sys.executable, "-m", "flitstack.emulator", "serve", "--data", str(directory / "data"), "--port", "0"]
    source = {**os.environ, "PYTHONPATH": str(Path(flitstack.__file__).parents[1])}
    process = subprocess.Popen([*command, "--ready-file", str(ready), "--auth", auth], env=source)
    deadline = time.monotonic() + 60
    while not ready.exists() or not ready.read_text().strip():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise RuntimeError(f"the emulator did not start (exit code {process.poll()})")
        time.sleep(0.05)
    return process, ready.read_text().strip()
