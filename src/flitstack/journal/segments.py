"""Segment files: appended by group commit, read back group by group, a torn tail cut at the last seal."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from flitstack.journal.frames import Kind, read_frames, read_seal, seal_frame

SEGMENT_BYTES = 64 << 20
EMPTY_CHAIN = bytes(32)


@dataclass(frozen=True, slots=True)
class Group:
    """One durable group: its frames, when it was committed, the chain after it, where it ends in the segment."""

    frames: list[tuple[Kind, memoryview]]
    at_ms: int
    chain: bytes
    end: int


@dataclass(frozen=True, slots=True)
class Break:
    """Where a chain does not hold: segment, byte offset and what is wrong."""

    segment: str
    offset: int
    what: str


def segment_paths(folder: Path) -> list[Path]:
    """All segments, oldest first."""
    return sorted(folder.glob("*.segment"))


def read_groups(path: Path) -> Iterator[Group]:
    """Whole groups of a segment, in order; stops before the first that is torn. A segment fits memory (SEGMENT_BYTES)."""
    pending: list[tuple[Kind, memoryview]] = []
    for end, kind, payload in read_frames(memoryview(path.read_bytes())):
        if kind is Kind.SEAL:
            seal = read_seal(payload)
            yield Group(pending, seal.at_ms, seal.chain, end)
            pending = []
        else:
            pending.append((kind, payload))


def verify_chain(folder: Path) -> tuple[int, list[Break]]:
    """Walk every group of every segment and compute the chain anew: (groups that hold, where it breaks)."""
    chain, groups, breaks = EMPTY_CHAIN, 0, []
    for path in segment_paths(folder):
        data = path.read_bytes()
        start = 0
        for end, kind, payload in read_frames(memoryview(data)):
            if kind is not Kind.SEAL:
                continue
            seal = read_seal(payload)
            seal_start = end - len(payload) - 9
            _, expected = seal_frame(chain, data[start:seal_start], seal.at_ms)
            if expected != seal.chain:
                breaks.append(Break(path.name, start, "the group's hash does not follow from the one before"))
            chain, start, groups = seal.chain, end, groups + 1
        if start != len(data):
            breaks.append(Break(path.name, start, f"{len(data) - start} bytes that no seal covers"))
    return groups, breaks


class Appender:
    """Writes groups to the newest segment; each `write` is durable when it returns."""

    def __init__(self, folder: Path, clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        """Open for appending; bytes behind the last seal are cut (`cut_bytes` says how many)."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._clock_ms = folder, clock_ms
        self.chain, self.cut_bytes = EMPTY_CHAIN, 0
        paths = segment_paths(folder)
        for path in paths:
            end = 0
            for group in read_groups(path):
                self.chain, end = group.chain, group.end
            if path is paths[-1]:
                self.cut_bytes = path.stat().st_size - end
                if self.cut_bytes:
                    with path.open("r+b") as file:
                        file.truncate(end)
                        os.fsync(file.fileno())
        self._open(paths[-1] if paths else folder / "000001.segment")

    def write(self, group: bytes) -> None:
        """Append frames and their seal, and wait until the disk has them."""
        seal, chain = seal_frame(self.chain, group, self._clock_ms())
        view = memoryview(group + seal)
        while view:
            view = view[os.write(self._file, view) :]
        _sync(self._file)
        self.chain = chain
        self._size += len(group) + len(seal)
        if self._size >= SEGMENT_BYTES:
            self.close()
            self._open(self._folder / f"{int(self.path.stem) + 1:06d}.segment")

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _open(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._size = os.fstat(self._file).st_size
        _sync_folder(self._folder)


def _sync(file: int) -> None:
    if hasattr(os, "fdatasync"):
        os.fdatasync(file)
    else:
        os.fsync(file)


def _sync_folder(folder: Path) -> None:
    """A new file's name is durable only when its folder is."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
