"""Segment files: appended by group commit, read back group by group, a torn tail cut at the last seal."""

import os
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from flitstack.errors import Problem, StepFailed
from flitstack.journal.frames import HEADER, SEAL_BYTES, Kind, read_frames, read_seal, seal_frame

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
    """All segments, oldest first. Raises StepFailed when one is missing: its rows would be forgotten and sent again."""
    paths = sorted(folder.glob("*.segment"))
    for number, path in enumerate(paths, 1):
        if path.name != segment_name(number):
            raise StepFailed(
                Problem(
                    "journal-damaged",
                    f"{segment_name(number)} of the journal is missing, {path.name} is there",
                    where=str(folder),
                    do="restore the missing file from a backup; run: flitstack audit --verify",
                )
            )
    return paths


def segment_name(number: int) -> str:
    """The file name of a segment, counted from 1."""
    return f"{number:06d}.segment"


def read_groups(path: Path, *, is_last: bool) -> Iterator[Group]:
    """Whole groups of a segment, in order. A segment fits memory (SEGMENT_BYTES).

    The last segment may end in a torn group, which is passed over: nobody was told that it is durable. Anything else
    that does not read raises StepFailed: going on would forget rows that were sent.
    """
    data = memoryview(path.read_bytes())
    pending: list[tuple[Kind, memoryview]] = []
    sealed = 0
    for end, kind, payload in read_frames(data):
        if kind is Kind.SEAL:
            seal = read_seal(payload)
            yield Group(pending, seal.at_ms, seal.chain, end)
            pending, sealed = [], end
        else:
            pending.append((kind, payload))
    if sealed != len(data) and not (is_last and _is_torn(data, sealed)):
        raise StepFailed(
            Problem(
                "journal-damaged",
                f"the journal cannot be read behind byte {sealed} of {path.name}, and whole groups lie behind it",
                where=str(path),
                do="restore this file from a backup; run: flitstack audit --verify",
            )
        )


def _is_torn(data: memoryview, sealed: int) -> bool:
    """Whether what follows the last readable seal can be the one group a crash interrupted.

    One group at a time is under way, so its seal can only be the file's last bytes. A seal before that was followed by
    a group that was begun later: the damage is older than the last sync.
    """
    tail = bytes(data[sealed:])
    mark = struct.pack("<I", SEAL_BYTES)
    at = tail.find(mark)
    while at >= 0:
        end = at + HEADER.size + SEAL_BYTES
        if end < len(tail):
            found = next(read_frames(memoryview(tail)[at:end]), None)
            if found is not None and found[1] is Kind.SEAL:
                return False
        at = tail.find(mark, at + 1)
    return True


@dataclass(frozen=True, slots=True)
class Position:
    """Where a journal ended: `end` bytes into `segment`, with the chain's value there in hex."""

    segment: str
    end: int
    chain: str


def reaches(folder: Path, position: Position) -> bool:
    """Whether the journal holds what it held when it ended there, and maybe more."""
    path = folder / position.segment
    if not path.exists() or path.stat().st_size < position.end:
        return False
    with path.open("rb") as file:
        file.seek(max(position.end - len(EMPTY_CHAIN), 0))
        # A seal ends in the chain's value. A segment that was only begun has none.
        return file.read(min(position.end, len(EMPTY_CHAIN))).hex() in {position.chain, ""}


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
            _, expected = seal_frame(chain, data[start : end - len(payload) - HEADER.size], seal.at_ms)
            if expected == seal.chain:
                groups += 1
            else:
                breaks.append(Break(path.name, start, "the group's hash does not follow from the one before"))
            chain, start = seal.chain, end
        if start != len(data):
            breaks.append(Break(path.name, start, f"{len(data) - start} bytes that no seal covers"))
    return groups, breaks


class Appender:
    """Writes groups to the newest segment; each `write` is durable when it returns."""

    def __init__(
        self,
        folder: Path,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        """Open for appending; bytes behind the last seal are cut (`cut_bytes` says how many)."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._clock_ms, self._segment_bytes = folder, clock_ms, segment_bytes
        self.chain, self.cut_bytes = EMPTY_CHAIN, 0
        paths = segment_paths(folder)
        if paths:
            self.chain, end = _last_seal(paths)
            self.cut_bytes = _cut(paths[-1], end)
        self._open(paths[-1] if paths else folder / segment_name(1))

    def write(self, group: bytes) -> None:
        """Append frames and their seal, and wait until the disk has them."""
        seal, chain = seal_frame(self.chain, group, self._clock_ms())
        view = memoryview(group + seal)
        while view:
            view = view[os.write(self._file, view) :]
        sync(self._file)
        self.chain = chain
        self._size += len(group) + len(seal)
        if self._size >= self._segment_bytes:
            self.close()
            self._open(self._folder / segment_name(int(self.path.stem) + 1))

    @property
    def position(self) -> Position | None:
        """Where it ends now; None when nothing was ever written."""
        return Position(self.path.name, self._size, self.chain.hex()) if self.chain != EMPTY_CHAIN else None

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _open(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = os.fstat(self._file).st_size
        sync_folder(self._folder)


def _last_seal(paths: list[Path]) -> tuple[bytes, int]:
    """The chain after the newest group, and where that group ends in the last segment (0: none of it is there)."""
    for path in reversed(paths):
        groups = list(read_groups(path, is_last=path is paths[-1]))
        if groups:
            return groups[-1].chain, groups[-1].end if path is paths[-1] else 0
    return EMPTY_CHAIN, 0


def _cut(path: Path, end: int) -> int:
    surplus = path.stat().st_size - end
    if surplus:
        with path.open("r+b") as file:
            file.truncate(end)
            os.fsync(file.fileno())
    return surplus


def sync(file: int) -> None:
    """Wait until the disk has a file's bytes."""
    if hasattr(os, "fdatasync"):
        os.fdatasync(file)
    else:
        os.fsync(file)


def sync_folder(folder: Path) -> None:
    """A new file's name is durable only when its folder is."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
