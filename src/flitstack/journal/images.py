"""Before-images: what updated rows held earlier, in a file of its own that only its owner may read."""

import os
from pathlib import Path

from isal import igzip

from flitstack.journal.segments import sync, sync_folder


class Images:
    """Compressed JSON lines one after another; intents name them by offset and size.

    Each erasure begins a new file, `images.<erasures>.bin`: in the old one's place a forgotten intent would name the bytes of
    another row.
    """

    def __init__(self, folder: Path, erasures: int) -> None:
        """`erasures`: how often the images were erased so far."""
        self._folder = folder
        self._path, self._end, self._buffer = folder, 0, bytearray()
        self._is_named: bool = False
        self._begin(erasures)

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
        if not self._is_named:
            sync_folder(self._folder)
            self._is_named = True

    def read(self, offset: int, size: int) -> bytes:
        """Lines kept since the last erasure."""
        with self._path.open("rb") as file:
            file.seek(offset)
            lines: bytes = igzip.decompress(file.read(size))
        return lines

    def erase(self, erasures: int) -> None:
        """Forget all of them; the journal has noted that it is the `erasures`-th time, and does this again after a crash.

        A file is emptied before its name goes, so that no other name of it reaches the values.
        """
        self._begin(erasures)
        for path in self._folder.glob("images*.bin"):
            if path != self._path:
                with path.open("r+b") as file:
                    file.truncate(0)
                    os.fsync(file.fileno())
                path.unlink()

    def _begin(self, erasures: int) -> None:
        """Go on with the file that holds the images since then."""
        self._path = self._folder / (f"images.{erasures}.bin" if erasures else "images.bin")
        self._is_named = self._path.exists()
        self._end = self._path.stat().st_size if self._is_named else 0
        self._buffer = bytearray()
