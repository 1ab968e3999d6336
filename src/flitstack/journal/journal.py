"""The write-ahead journal of one environment: what was about to be done, what became of it, which row a record is.

Intent is durable before a request leaves, the outcome before its next use. The truth is in the segments; the Parquet files
beside them and the key maps are what the engine joins, and can be made again.
"""

import asyncio
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from isal import igzip

from flitstack.documents import file_sha256
from flitstack.errors import Problem, StepFailed
from flitstack.journal.frames import (
    NO_IMAGE,
    Intent,
    Kind,
    Operation,
    Outcome,
    intent_frame,
    note_frame,
    outcome_frame,
    read_intent,
)
from flitstack.journal.lease import Lease
from flitstack.journal.replay import Replay, replay, rows_path
from flitstack.journal.segments import Appender, Break, read_groups, segment_paths, verify_chain
from flitstack.keys import BatchId, RowId, row_id_at


@dataclass(frozen=True, slots=True)
class Allocation:
    """A run of row ids: ordinals `first` to `first + count - 1` over one random base."""

    base: bytes
    first: int
    count: int

    def at(self, place: int) -> RowId:
        """The id at a place of the allocation."""
        return row_id_at(self.base, self.first + place)


class Journal:
    """Opened journal. Only one process holds it for writing; reading needs no lease."""

    def __init__(self, folder: Path, operator: str, *, write: bool) -> None:
        """Open, take the lease when writing, replay. `torn_bytes` says what a crash left half written and was cut."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.operator = folder, operator
        self._segments = folder / "segments"
        self._segments.mkdir(exist_ok=True)
        self._lease = Lease(folder / "lease", operator) if write else None
        self._appender = Appender(self._segments) if write else None
        self.torn_bytes = self._appender.cut_bytes if self._appender else 0
        self.state: Replay = replay(self._segments)
        self._next_batch = self.state.last_batch + 1
        self._buffer = bytearray()
        self._waiting: list[asyncio.Future[None]] = []
        self._committer: asyncio.Task[None] | None = None
        # Called with the point's name before and after each durable write; tests kill the process there.
        self.on_boundary: Callable[[str], None] = lambda _: None

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close files and give the lease back. What was not committed is not there."""
        if self._appender:
            self._appender.close()
        if self._lease:
            self._lease.release()

    # ------------------------------------------------------------------ notes

    def begin_run(self, plan_sha256: str, command: str) -> int:
        """Note that a command starts to work on a plan; returns the run's number. Durable."""
        self.state.run += 1
        self._note(
            {"note": "run", "run": self.state.run, "plan": plan_sha256, "command": command, "operator": self.operator}
        )
        return self.state.run

    def allocate(self, table: str, count: int) -> Allocation:
        """Row ids nobody has used, following those of the table before. Durable before it returns."""
        earlier = [note for note in self.state.notes if note["note"] == "allocation" and note["table"] == table]
        first = max((int(note["first"]) + int(note["count"]) for note in earlier), default=0)
        base = bytes.fromhex(earlier[0]["base"]) if earlier else secrets.token_bytes(8)
        self._note({"note": "allocation", "table": table, "base": base.hex(), "first": first, "count": count})
        return Allocation(base, first, count)

    def store_keys(self, table: str, complete: Path) -> None:
        """Take a key map file (Parquet: digest, plain, object VARCHAR, row UUID; earlier rows included) in place of the old.

        Its hash is in the journal before it is used. The file is moved.
        """
        path = self._keymap(table)
        path.parent.mkdir(exist_ok=True)
        sha256 = file_sha256(complete)
        complete.replace(path)
        self._note({"note": "keys", "table": table, "sha256": sha256})

    def keymap_path(self, table: str) -> Path | None:
        """The table's key map (Parquet), or None when no record became a row of it."""
        path = self._keymap(table)
        return path if path.exists() else None

    def keymap_tables(self) -> list[str]:
        """Tables that have a key map."""
        return sorted(path.stem for path in (self.folder / "keymap").glob("*.parquet"))

    def note(self, kind: str, **facts: Any) -> None:
        """Note something durable of another kind (schema made, setting changed)."""
        self._note({"note": kind, **facts})

    def notes(self, kind: str) -> list[dict[str, Any]]:
        """Notes of a kind, oldest first."""
        return [note for note in self.state.notes if note["note"] == kind]

    # ------------------------------------------------------------------ rows

    def intend(
        self, step: int, operation: Operation, table: str, ids: bytes, hashes: bytes, before: bytes | None = None
    ) -> BatchId:
        """Write down a request; it may leave only after `commit`. `before`: JSON lines, one a row, kept compressed."""
        batch = self._next_batch
        self._next_batch += 1
        offset, size = self._keep_image(before) if before is not None else (NO_IMAGE, 0)
        intent = Intent(batch, step, operation, table, ids, hashes, offset, size)
        self.state.unsettled[batch] = intent
        self._buffer += intent_frame(intent)
        return BatchId(batch)

    def settle(self, outcome: Outcome) -> None:
        """Write down what became of a batch; durable with the next commit."""
        self.state.unsettled.pop(outcome.batch, None)
        self._buffer += outcome_frame(outcome)

    async def commit(self) -> None:
        """Wait until everything written down so far is on disk. Callers that wait together share one sync."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        if self._committer is None or self._committer.done():
            self._committer = asyncio.create_task(self._commit_groups())
        await waiting

    def commit_now(self) -> None:
        """The same for callers outside an event loop."""
        self.on_boundary("before commit")
        if self._buffer:
            group, self._buffer = bytes(self._buffer), bytearray()
            self._writer().write(group)
        self.on_boundary("after commit")

    async def _commit_groups(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            group, self._buffer = bytes(self._buffer), bytearray()
            try:
                self.on_boundary("before commit")
                if group:
                    await loop.run_in_executor(None, self._writer().write, group)
                self.on_boundary("after commit")
            except BaseException as error:
                for future in waiting:
                    if not future.done():
                        future.set_exception(error)
                raise
            for future in waiting:
                if not future.done():
                    future.set_result(None)

    # ------------------------------------------------------------------ reading

    def refresh(self) -> None:
        """Replay again, so that the row files hold what this process did."""
        self.state = replay(self._segments)

    def rows_files(self) -> list[Path]:
        """Parquet files (replay.ROWS_SCHEMA) with every settled row, oldest first."""
        return [rows_path(path) for path in segment_paths(self._segments)]

    def before_images(self) -> Iterator[tuple[Intent, bytes]]:
        """Intents that kept before-images, oldest first, with their JSON lines."""
        path = self.folder / "images.bin"
        for segment in segment_paths(self._segments):
            for group in read_groups(segment):
                for kind, payload in group.frames:
                    if kind is Kind.INTENT:
                        intent = read_intent(payload)
                        if intent.image_offset != NO_IMAGE:
                            with path.open("rb") as file:
                                file.seek(intent.image_offset)
                                yield intent, igzip.decompress(file.read(intent.image_bytes))

    def verify(self) -> tuple[int, list[Break]]:
        """Walk the hash chain: groups that hold, and where it breaks. Key maps are checked against their noted hash."""
        groups, breaks = verify_chain(self._segments)
        for table in self.keymap_tables():
            noted = [note["sha256"] for note in self.notes("keys") if note["table"] == table]
            if not noted or file_sha256(self._keymap(table)) != noted[-1]:
                breaks.append(Break(f"keymap/{table}.parquet", 0, "the file is not the one the journal noted"))
        return groups, breaks

    # ------------------------------------------------------------------ inside

    def _note(self, note: dict[str, Any]) -> None:
        self.state.notes.append(note | {"at_ms": int(datetime.now(UTC).timestamp() * 1000)})
        self._buffer += note_frame(note)
        self.commit_now()

    def _keep_image(self, before: bytes) -> tuple[int, int]:
        """Append a before-image to a file only its owner may read; synced before the intent that names it."""
        packed = igzip.compress(before, compresslevel=1)
        path = self.folder / "images.bin"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            offset = os.fstat(handle).st_size
            os.write(handle, packed)
            os.fsync(handle)
        finally:
            os.close(handle)
        return offset, len(packed)

    def _keymap(self, table: str) -> Path:
        return self.folder / "keymap" / f"{table}.parquet"

    def _writer(self) -> Appender:
        if self._appender is None:
            raise StepFailed(
                Problem(
                    "journal-read-only",
                    "the journal was opened for reading",
                    do="report this: a step wrote without the lease",
                )
            )
        return self._appender
