"""Before-images: what updated rows held earlier, in a file of its own that only its owner may read."""

import os
from pathlib import Path

from isal import igzip

from flitstack.journal.segments import sync


class Images:
    """Compressed JSON lines one after another; intents name them by offset and size."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._end = path.stat().st_size if path.exists() else 0
        self._buffer = bytearray()

    def keep(self, lines: bytes) -> tuple[int, int]:
        """Where the lines will stand: (offset, bytes). They are durable only after `flush`."""
        packed = igzip.compress(lines, compresslevel=1)
        offset = self._end + len(self._buffer)
        self._buffer += packed
        return offset, len(packed)

    def take(self) -> bytes:
        """What waits to be written; the caller writes it with `write`."""
        taken, self._buffer = bytes(self._buffer), bytearray()
        self._end += len(taken)
        return taken

    def write(self, taken: bytes) -> None:
        """Append and sync."""
        if not taken:
            return
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            view = memoryview(taken)
            while view:
                view = view[os.write(handle, view) :]
            sync(handle)
        finally:
            os.close(handle)

    def read(self, offset: int, size: int) -> bytes:
        """Lines kept earlier. Raises FileNotFoundError once they were erased."""
        with self._path.open("rb") as file:
            file.seek(offset)
            lines: bytes = igzip.decompress(file.read(size))
        return lines

    def erase(self) -> None:
        """Forget all of them: the file is emptied before its name goes, so that no copy of the name reaches the values."""
        if self._path.exists():
            with self._path.open("r+b") as file:
                file.truncate(0)
                os.fsync(file.fileno())
            self._path.unlink()
        self._end = 0
