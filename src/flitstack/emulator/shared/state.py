"""The shared state of all processes that serve one data directory, behind one class."""

import struct
from pathlib import Path

from flitstack.emulator.shared.cells import SIZE_BYTES as _CELLS_BYTES
from flitstack.emulator.shared.cells import Cells
from flitstack.emulator.shared.clock import SIZE_BYTES as _CLOCK_BYTES
from flitstack.emulator.shared.clock import Clock
from flitstack.emulator.shared.memory import SIZE_BYTES, Memory
from flitstack.emulator.shared.usage import MAX_WORKERS, Usages

_HEADER = struct.Struct("<QQQ")  # is it laid out, generation of the settings, generation of the data file
_LENGTH = struct.Struct("<Q")
_CLOCK_AT = 64
_SETTINGS_AT = _CLOCK_AT + _CLOCK_BYTES
MAX_SETTINGS_BYTES = 512 * 1024
_CELLS_AT = _SETTINGS_AT + _LENGTH.size + MAX_SETTINGS_BYTES
_USAGES_AT = _CELLS_AT + _CELLS_BYTES


class SharedState:
    """Clock, limits, counters and settings. `path`: a file that several processes map; None: for this process alone.

    The process that starts the others removes an old file first; `worker` numbers the processes from 0.
    """

    def __init__(self, path: Path | None = None, worker: int = 0) -> None:
        if not 0 <= worker < MAX_WORKERS:
            raise ValueError(f"at most {MAX_WORKERS} processes serve one data directory")
        self.worker = worker
        self.is_shared = path is not None
        self.memory = Memory.private() if path is None else Memory.shared(path)
        self.clock = Clock(self.memory, _CLOCK_AT)
        self.cells = Cells(self.memory, _CELLS_AT)
        self.usages = Usages(self.memory, _USAGES_AT, SIZE_BYTES)
        with self.memory.lock():
            self.is_first = not _HEADER.unpack_from(self.memory.buffer, 0)[0]
            if self.is_first:
                self.clock.begin()
                self.usages.begin(1)
                _HEADER.pack_into(self.memory.buffer, 0, 1, 0, 0)
            self.usages.forget_worker(worker)

    @property
    def settings_generation(self) -> int:
        """Rises whenever any process changes the settings."""
        generation: int = _HEADER.unpack_from(self.memory.buffer, 0)[1]
        return generation

    @property
    def data_generation(self) -> int:
        """Rises whenever any process puts another data file in place."""
        generation: int = _HEADER.unpack_from(self.memory.buffer, 0)[2]
        return generation

    def read_settings(self) -> bytes:
        """The settings document as it was last written; empty at first."""
        buffer = self.memory.buffer
        with self.memory.lock():
            (length,) = _LENGTH.unpack_from(buffer, _SETTINGS_AT)
            return bytes(buffer[_SETTINGS_AT + _LENGTH.size : _SETTINGS_AT + _LENGTH.size + length])

    def write_settings(self, document: bytes) -> None:
        """Set the settings for all processes. ValueError when they are too long."""
        if len(document) > MAX_SETTINGS_BYTES:
            raise ValueError(f"settings have at most {MAX_SETTINGS_BYTES:,} bytes")
        buffer = self.memory.buffer
        with self.memory.lock():
            _LENGTH.pack_into(buffer, _SETTINGS_AT, len(document))
            buffer[_SETTINGS_AT + _LENGTH.size : _SETTINGS_AT + _LENGTH.size + len(document)] = document
            laid_out, settings, data = _HEADER.unpack_from(buffer, 0)
            _HEADER.pack_into(buffer, 0, laid_out, settings + 1, data)

    def announce_data(self) -> int:
        """Tell all processes that the data file was replaced; the new generation."""
        with self.memory.lock():
            laid_out, settings, data = _HEADER.unpack_from(self.memory.buffer, 0)
            _HEADER.pack_into(self.memory.buffer, 0, laid_out, settings, data + 1)
        return int(data) + 1

    def close(self) -> None:
        """Let go of the memory; the object is of no use afterwards."""
        self.usages.close()
        self.memory.close()
