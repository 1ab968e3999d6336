"""The emulator in a process of its own behind TLS, as clients that insist on https meet it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flitstack.emulator.tls import CERTIFICATE

_START_S = 60


@dataclass(frozen=True, slots=True)
class Served:
    """Where it listens, and the certificate a client has to trust."""

    url: str
    certificate: Path


@contextmanager
def served(folder: Path, *options: str) -> Iterator[Served]:
    """`flitstack emulator` on a new data directory below `folder`; killed at the end."""
    data, ready = folder / "data", folder / "ready"
    line = [
        sys.executable,
        "-m",
        "flitstack.emulator",
        "serve",
        "--tls",
        "--data",
        str(data),
        "--ready-file",
        str(ready),
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*line, *options], stdout=log, stderr=log, env=dict(os.environ))
    try:
        until = time.monotonic() + _START_S
        while not ready.exists():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until, "the emulator did not start"
            time.sleep(0.05)
        yield Served(ready.read_text().strip(), data / CERTIFICATE)
    finally:
        process.kill()
        process.wait()
