"""A block of memory, private or shared through a file, and the lock around it.

One process keeps it to itself; several map the same file. The lock is the kernel's (flock), so a process that is killed
inside it lets go.
"""

import mmap
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":
    import fcntl

# Mostly never touched: a sparse file, or pages the kernel hands out on first use.
SIZE_BYTES = 128 * 1024 * 1024


class Memory:
    """`buffer` is the block, zero when new. `lock()` is not re-entrant."""

    def __init__(self, buffer: mmap.mmap, descriptor: int | None = None) -> None:
        self.buffer = buffer
        self._descriptor = descriptor

    @classmethod
    def private(cls) -> "Memory":
        """A block no other process sees; its lock costs nothing."""
        return cls(mmap.mmap(-1, SIZE_BYTES))

    @classmethod
    def shared(cls, path: Path) -> "Memory":
        """The block in this file; made, empty, when there is none."""
        if sys.platform == "win32":
            raise OSError("several processes on one data directory need a POSIX system")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.truncate(descriptor, SIZE_BYTES)
        return cls(mmap.mmap(descriptor, SIZE_BYTES), descriptor)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Alone with the block."""
        if self._descriptor is None or sys.platform == "win32":
            yield
            return
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the block back; a file stays."""
        self.buffer.close()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
