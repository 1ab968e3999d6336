"""Whose turn it is to write: one of several processes on a data directory at a time, in the order they came.

SQLite would make a waiting writer sleep and try again, up to a tenth of a second each time; the kernel's lock wakes it at
once. A process that is killed lets go. Where there is no such lock (Windows) SQLite's own waiting remains.
"""

import os
import sys
from pathlib import Path
from types import TracebackType

if sys.platform != "win32":
    import fcntl


class Turn:
    """A context manager; an inner block joins the outer one. Processes are told apart, threads are not."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        self._depth = 0

    def __enter__(self) -> None:
        if self._depth == 0 and sys.platform != "win32":
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        self._depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        if self._depth == 0 and sys.platform != "win32":
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """The object is of no use afterwards."""
        os.close(self._descriptor)
