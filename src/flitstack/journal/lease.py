"""One loader at a time holds a project's journal. The operating system frees the lease when its holder dies."""

import os
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path

from flitstack.errors import Problem, StepFailed

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

# Windows locks bytes, and a locked byte cannot be read by others: lock one far behind the holder's name.
_LOCKED_BYTE = 1 << 20


class Lease:
    """An exclusive lock on a file; the file names its holder for the message others see."""

    def __init__(self, path: Path, operator: str) -> None:
        """Take it. Raises StepFailed naming the holder when somebody else works on this journal."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(self._file)
        except OSError as error:
            holder = _holder(self._file)
            os.close(self._file)
            raise StepFailed(
                Problem(
                    "journal-in-use",
                    f"{holder} is working on this journal",
                    where=str(path),
                    do="wait until it ends, or stop it; then run the command again",
                )
            ) from error
        since = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        text = f"process {os.getpid()} on {socket.gethostname()}, operator {operator}, since {since}"
        os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)
        os.write(self._file, text.encode())

    def release(self) -> None:
        """Give it back."""
        os.close(self._file)


def _holder(file: int) -> str:
    os.lseek(file, 0, os.SEEK_SET)
    return os.read(file, 500).decode(errors="replace").strip() or "another process"


def _lock(file: int) -> None:
    if sys.platform == "win32":
        os.lseek(file, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
