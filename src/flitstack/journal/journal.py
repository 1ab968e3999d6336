"""The write-ahead journal of one environment: what was about to be done, what became of it, which row a record is.

Intent is durable before a request leaves, the outcome with the next intent, at the latest before its next use. The truth is in
the segments; the Parquet files beside them and the key maps are what the engine joins, and can be made again.
"""

import asyncio
import os
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

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
from flitstack.journal.images import Images
from flitstack.journal.lease import Lease
from flitstack.journal.replay import Reader, Replay
from flitstack.journal.segments import Appender, Break, Position, read_groups, segment_paths, sync_folder, verify_chain
from flitstack.keys import BatchId, RowId, row_id_at

LONGEST_SYNC_S = 60.0
# Handing a write to a thread costs more than a quick disk takes; a slower disk must not hold up the answers of other requests.
QUICK_WRITE_S = 0.001


@dataclass(frozen=True, slots=True)
class Allocation:
    """A run of row ids: ordinals `first` to `first + count - 1` over one random base."""

    base: bytes
    first: int
    count: int

    def at(self, place: int) -> RowId:
        """The id at a place of the allocation."""
        return row_id_at(self.base, self.first + place)

    def at_sql(self, place: str) -> str:
        """SQL (DuckDB): the same of a place given as an integer expression; a third of the work of putting a text together."""
        return f"CAST(CAST('{self.at(0).int}' AS UHUGEINT) + CAST({place} AS UHUGEINT) AS UUID)"


class Journal:
    """Opened journal. Only one process holds it for writing; reading needs no lease."""

    def __init__(self, folder: Path, operator: str, *, write: bool) -> None:
        """Open, take the lease when writing, replay. `torn_bytes` says what a crash left half written and was cut."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.operator, self._writes = folder, operator, write
        self._segments = folder / "segments"
        self._segments.mkdir(exist_ok=True)
        self._writing = threading.Lock()
        self._appender: Appender | None = None
        self._own_rows: tempfile.TemporaryDirectory[str] | None = None
        self._lease = Lease(folder / "lease", operator) if write else None
        try:
            self._appender = Appender(self._segments) if write else None
            self.torn_bytes = self._appender.cut_bytes if self._appender else 0
            self._reader = Reader(self._segments, folder / "rows" if write else None)
            self.state: Replay = self._reader.read()
        except BaseException:
            self.close()
            raise
        self._images = Images(folder, len(self.notes("images-erased")))
        if write:
            self._finish()
        self._next_batch = self.state.last_batch + 1
        self._buffer = bytearray()
        self._failed: BaseException | None = None
        self._waiting: list[asyncio.Future[None]] = []
        self._committer: asyncio.Task[None] | None = None
        self._write_s = 0.0  # what a write took of late
        # Called with the point's name before and after each durable write; tests kill the process there.
        self.on_boundary: Callable[[str], None] = lambda _: None

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def position(self) -> Position | None:
        """Where it ends; None when nothing was ever written, and when it is not open for writing."""
        return self._appender.position if self._appender else None

    def close(self) -> None:
        """Close files and give the lease back. What was not committed is not there."""
        # A cancelled commit may still be on its way to the disk: a closed file's number can become another file's.
        is_quiet = self._writing.acquire(timeout=LONGEST_SYNC_S)
        if self._appender and is_quiet:
            self._appender.close()
        self._appender = None
        if is_quiet:
            self._writing.release()
        if self._own_rows:
            self._own_rows.cleanup()
            self._own_rows = None
        if self._lease:
            self._lease.release()
            self._lease = None

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

        Its hash is in the journal before it is used. The file is moved; opening the journal ends what a crash interrupts.
        """
        draft = _draft(self._keymap(table))
        draft.parent.mkdir(exist_ok=True)
        complete.replace(draft)
        with draft.open("r+b") as file:
            os.fsync(file.fileno())
        sync_folder(draft.parent)
        self._note({"note": "keys", "table": table, "sha256": file_sha256(draft)})
        self._take_over(table)

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

    def runs_of(self, plan_sha256: str) -> list[int]:
        """The runs that last worked on a plan, without those before another plan's: what a rollback undid in between was not
        done by a plan that is carried out again."""
        found: list[int] = []
        for note in reversed(self.notes("run")):
            if note["plan"] == plan_sha256:
                found.append(int(note["run"]))
            elif found:
                break
        return sorted(found)

    def standing_runs(self, since_ms: int = 0) -> list[int]:
        """Runs whose doing still stands: those after the last rollback of everything that came to its end (`note_rolled_back`),
        without those of rounds that were taken back by themselves (`note_round_rolled_back`), and, if told, begun at `since_ms` or
        later."""
        back = max((int(note["run"]) for note in self.notes("rolled_back")), default=0)
        gone = {int(run) for note in self.notes("round_rolled_back") for run in note.get("runs", ())}
        runs = ((int(note["run"]), int(note["at_ms"])) for note in self.notes("run"))
        return [run for run, at_ms in runs if run > back and at_ms >= since_ms and run not in gone]

    def note_rolled_back(self) -> None:
        """Note that everything up to now was taken back: what rows hold from here on is theirs."""
        self._note({"note": "rolled_back", "run": self.state.run})

    def note_round_rolled_back(self, runs: Iterable[int]) -> None:
        """Note that what these runs did was taken back, and nothing else: what rows hold in its place is theirs."""
        self._note({"note": "round_rolled_back", "runs": sorted(runs)})

    def last_rollback_ms(self) -> int:
        """When a rollback, of everything or of one round, last came to its end; 0: never."""
        notes = (*self.notes("rolled_back"), *self.notes("round_rolled_back"))
        return max((int(note["at_ms"]) for note in notes), default=0)

    # ------------------------------------------------------------------ rows

    def intend(
        self, step: int, operation: Operation, table: str, ids: bytes, hashes: bytes, before: bytes | None = None
    ) -> BatchId:
        """Write down a request; it may leave only after `commit`. `before`: JSON lines, one a row, kept compressed."""
        batch = self._next_batch
        self._next_batch += 1
        offset, size = self._images.keep(before) if before is not None else (NO_IMAGE, 0)
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
        self._writing.acquire()
        self._write(self._take())
        if self._failed is not None:
            raise self._failed

    async def _commit_groups(self) -> None:
        while self._waiting:
            # Never blocks for long: the only other holder is `commit_now`, which runs on this same thread.
            self._writing.acquire()
            waiting, self._waiting = self._waiting, []
            taken = self._take()
            if self._write_s > QUICK_WRITE_S:
                # Not awaited itself: a write that is cancelled before its turn would never free the lock.
                await asyncio.wait({asyncio.get_running_loop().run_in_executor(None, self._write, taken)})
            else:
                self._write(taken)
            for future in waiting:
                if future.done():
                    continue
                if self._failed is None:
                    future.set_result(None)
                else:
                    future.set_exception(self._failed)
                    future.exception()  # its coroutine may have been cancelled: then nobody would ever look

    def _take(self) -> tuple[bytes, bytes]:
        group, self._buffer = bytes(self._buffer), bytearray()
        return group, self._images.take()

    def _write(self, taken: tuple[bytes, bytes]) -> None:
        """Write and sync; frees the lock. What kept a group from the disk is in `_failed`, for callers to raise; after it nothing is
        written any more, for what the disk holds is unknown."""
        group, images = taken
        try:
            if group and self._failed is None:
                started = time.monotonic()
                self.on_boundary("before commit")
                writer = self._writer()
                # An intent must never name an image that the disk has not.
                self._images.write(images)
                writer.write(group)
                self.on_boundary("after commit")
                self._write_s += (time.monotonic() - started - self._write_s) / 8
        except BaseException as error:  # noqa: BLE001 (raised by commit and commit_now)
            self._failed = error
        finally:
            self._writing.release()

    # ------------------------------------------------------------------ reading

    def refresh(self) -> None:
        """Replay what is new, so that the row files hold what this process did; it is durable then."""
        if self._buffer:
            self.commit_now()
        self.state = self._reader.read()

    def rows_files(self) -> list[Path]:
        """Parquet files (replay.ROWS_SCHEMA) with every settled row up to the last `refresh`, oldest first.

        A journal opened for reading makes files of its own: those of the loader change under its feet.
        """
        if not self._writes and self._own_rows is None:
            self._own_rows = tempfile.TemporaryDirectory(prefix="flitstack-journal-")
            self._reader = Reader(self._segments, Path(self._own_rows.name))
            self.state = self._reader.read()
        return list(self._reader.files)

    def before_images(self) -> Iterator[tuple[Intent, bytes]]:
        """Intents that kept before-images, oldest first, with their JSON lines; without those that were erased."""
        erasures, erased = len(self.notes("images-erased")), 0
        paths = segment_paths(self._segments)
        for path in paths:
            for group in read_groups(path, is_last=path is paths[-1]):
                for kind, payload in group.frames:
                    if kind is Kind.NOTE:
                        erased += orjson.loads(payload)["note"] == "images-erased"
                    elif kind is Kind.INTENT and erased == erasures:
                        intent = read_intent(payload)
                        if intent.image_offset != NO_IMAGE:
                            yield intent, self._images.read(intent.image_offset, intent.image_bytes)

    def erase_images(self) -> None:
        """Erase every before-image (personal values): updates can then no longer be rolled back. Noted first."""
        self._note({"note": "images-erased"})
        self._images.erase(len(self.notes("images-erased")))

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

    def _keymap(self, table: str) -> Path:
        return self.folder / "keymap" / f"{table}.parquet"

    def _finish(self) -> None:
        """End what a crash interrupted between a note and the change of files that it tells of."""
        self._images.erase(len(self.notes("images-erased")))
        for draft in (self.folder / "keymap").glob("*.draft"):
            table = draft.name.split(".")[0]
            noted = [note["sha256"] for note in self.notes("keys") if note["table"] == table]
            if noted and file_sha256(draft) == noted[-1]:
                self._take_over(table)
            else:
                draft.unlink()

    def _take_over(self, table: str) -> None:
        path = self._keymap(table)
        _draft(path).replace(path)
        sync_folder(path.parent)

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


def _draft(keymap: Path) -> Path:
    """Where a key map waits until the journal has noted it."""
    return keymap.with_suffix(".draft")
