"""Reading the journal back: which rows landed, which batches nobody settled, what was noted.

Rows are kept as packed bytes and become Arrow columns; no Python object a row is made.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from flitstack.journal.frames import (
    HASH_BYTES,
    ID_BYTES,
    Intent,
    Kind,
    Operation,
    Outcome,
    Status,
    read_intent,
    read_outcome,
)
from flitstack.journal.segments import Group, read_groups, segment_paths

ROWS_SCHEMA = pa.schema(
    [
        ("row", pa.uuid()),
        ("hash", pa.binary(HASH_BYTES)),
        ("table", pa.string()),
        ("operation", pa.int8()),
        ("batch", pa.int64()),
        ("step", pa.int32()),
        ("status", pa.int8()),
        ("run", pa.int32()),
        ("at_ms", pa.int64()),
    ]
)
# Rows that are there by the journal, of the view `journal_rows` of row files: the last create or delete that landed was a create.
STANDING_ROWS = f"""SELECT "table", "row", arg_max(run, batch) AS run FROM journal_rows
    WHERE status = {Status.LANDED} AND operation IN ({Operation.CREATE}, {Operation.DELETE})
    GROUP BY "table", "row" HAVING arg_max(operation, batch) = {Operation.CREATE}"""
_ROWS_PER_BATCH = 65_536
_PARQUET_END = b"PAR1"
# Reasons kept once for all rows that have them; of messages that name their row there may be as many as rows.
_MOST_SHARED = 1_000
# What is refused of a row, in the order in which it first was: operation, (code, message).
Verdicts = tuple[tuple[Operation, tuple[str, str]], ...]


@dataclass
class Replay:
    """What the journal says. `unsettled`: intents without outcome, oldest first, by batch number."""

    notes: list[dict[str, Any]] = field(default_factory=list)
    unsettled: dict[int, Intent] = field(default_factory=dict)
    # (table, row id) -> what was refused. Each operation on a row is refused and lands by itself.
    refused: dict[tuple[str, bytes], Verdicts] = field(default_factory=dict)
    last_batch: int = 0
    run: int = 0
    run_of_batch: dict[int, int] = field(default_factory=dict)  # unsettled batches only
    _shared: dict[Verdicts, Verdicts] = field(default_factory=dict)

    @property
    def refusals(self) -> dict[tuple[str, bytes], tuple[str, str]]:
        """(table, row id) -> code and message of the first thing that is still refused."""
        return {key: verdicts[0][1] for key, verdicts in self.refused.items()}

    def copy(self) -> "Replay":
        """The same, to go on from twice."""
        return Replay(
            list(self.notes),
            dict(self.unsettled),
            dict(self.refused),
            self.last_batch,
            self.run,
            dict(self.run_of_batch),
            self._shared,
        )

    def keep_refused(self, key: tuple[str, bytes], verdicts: Verdicts) -> None:
        """What of a row is refused now. A table that is refused as a whole has one reason for millions of rows."""
        if not verdicts:
            self.refused.pop(key, None)
        elif len(self._shared) < _MOST_SHARED:
            self.refused[key] = self._shared.setdefault(verdicts, verdicts)
        else:
            self.refused[key] = self._shared.get(verdicts, verdicts)


class Reader:
    """Follows a growing journal: each `read` walks only the segments that were not closed the time before.

    The settled rows of a segment are written to `rows`/<segment>-<bytes read>.parquet (ROWS_SCHEMA) for the engine. A
    batch's outcome may lie in a later segment than its intent, so rows stand with the segment of their outcome.
    """

    def __init__(self, segments: Path, rows: Path | None) -> None:
        """`rows` None: only the state is wanted."""
        self._segments, self._rows = segments, rows
        self._closed: dict[str, Path] = {}
        self._open: tuple[Replay, str] = (Replay(), "")  # state before the first segment that may still grow, its name
        # What the files looked like at the last read, and what it gave. Their times too: a torn tail may be cut and as many
        # bytes be written.
        self._last: tuple[list[tuple[str, int, int]], Replay] = ([], Replay())
        self.files: list[Path] = []

    def read(self) -> Replay:
        """The state now; what was given last when nothing was written since. Raises StepFailed when the journal is damaged."""
        paths = segment_paths(self._segments)
        found = [(path.name, stat.st_size, stat.st_mtime_ns) for path in paths if (stat := path.stat())]
        if found != self._last[0]:
            self._last = (found, self._read(paths))
        return self._last[1]

    def _read(self, paths: list[Path]) -> Replay:
        state, first = self._open
        state = state.copy()
        self.files = [self._closed[path.name] for path in paths if path.name < first and path.name in self._closed]
        for path in (path for path in paths if path.name >= first):
            is_last = path is paths[-1]
            if is_last:
                self._open = (state.copy(), path.name)
            target = self._walk(path, state, is_last=is_last)
            if target is not None:
                self.files.append(target)
                self._closed |= {} if is_last else {path.name: target}
        return state

    def _walk(self, path: Path, state: Replay, *, is_last: bool) -> Path | None:
        """Take a segment into the state; returns the file with its settled rows, if rows are wanted and there are any."""
        if self._rows is None or _is_whole(ready := self._file(path, path.stat().st_size)):
            for group in read_groups(path, is_last=is_last):
                for _ in _settled_in(group, state):
                    pass
            return None if self._rows is None else ready
        loose: list[_Settled] = []
        loose_rows = end = 0
        with _RowsFile(self._rows / f"{path.stem}.part") as written:
            for group in read_groups(path, is_last=is_last):
                end = group.end
                for settled in _settled_in(group, state):
                    loose.append(settled)
                    loose_rows += settled.intent.rows
                if loose_rows >= _ROWS_PER_BATCH:
                    written.write(_rows(loose))
                    loose, loose_rows = [], 0
            if loose:
                written.write(_rows(loose))
        if not written.has_rows:
            return None
        target = self._file(path, end)
        # It is known by its name from then on: after a power cut the name may be there and the bytes not.
        with written.path.open("r+b") as file:
            os.fsync(file.fileno())
        written.path.replace(target)
        for older in set(self._rows.glob(f"{path.stem}-*.parquet")) - {target}:
            older.unlink()
        return target

    def _file(self, path: Path, end: int) -> Path:
        """Where the settled rows of a segment's first `end` bytes are."""
        assert self._rows is not None
        return self._rows / f"{path.stem}-{end}.parquet"


class _RowsFile:
    """A file of rows, written as they come: the rows of a whole segment are more than memory should hold."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.has_rows = False
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> "_RowsFile":
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows."""
        if self._writer is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Ids and hashes never repeat: a dictionary of them costs twice the time and space.
            repeating = [name for name in ROWS_SCHEMA.names if name not in {"row", "hash"}]
            self._writer = pq.ParquetWriter(self.path, ROWS_SCHEMA, compression="lz4", use_dictionary=repeating)
            self.has_rows = True
        self._writer.write_batch(batch)


def _is_whole(path: Path) -> bool:
    """Whether a file of rows is there to its end; one that lost it in a power cut is made again."""
    if not path.exists():
        return False
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - len(_PARQUET_END)))
        return file.read() == _PARQUET_END


class _Settled(NamedTuple):
    """An intent with what became of it."""

    intent: Intent
    outcome: Outcome
    run: int
    at_ms: int


def _settled_in(group: Group, state: Replay) -> Iterator[_Settled]:
    """Take a group into the state; what it settles."""
    for kind, payload in group.frames:
        if kind is Kind.NOTE:
            note = orjson.loads(payload)
            note["at_ms"] = group.at_ms
            state.notes.append(note)
            if note["note"] == "run":
                state.run = int(note["run"])
        elif kind is Kind.INTENT:
            intent = read_intent(payload)
            state.unsettled[intent.batch] = intent
            state.run_of_batch[intent.batch] = state.run
            state.last_batch = max(state.last_batch, intent.batch)
        else:
            outcome = read_outcome(payload)
            settled = state.unsettled.pop(outcome.batch, None)
            if settled is not None:
                run = state.run_of_batch.pop(outcome.batch)
                _keep_refusals(settled, outcome, state)
                yield _Settled(settled, outcome, run, group.at_ms)


def _rows(settled: Sequence[_Settled]) -> pa.RecordBatch:
    """The rows of many intents at once."""
    intents = [one.intent for one in settled]
    counts = [intent.rows for intent in intents]
    statuses = b"".join(one.outcome.statuses or bytes([Status.LANDED]) * one.intent.rows for one in settled)
    of_intent = {
        "table": [intent.table for intent in intents],
        "operation": [int(intent.operation) for intent in intents],
        "batch": [intent.batch for intent in intents],
        "step": [intent.step for intent in intents],
        "run": [one.run for one in settled],
        "at_ms": [one.at_ms for one in settled],
    }
    place = np.repeat(np.arange(len(intents)), counts)
    columns = {name: pa.array(each, ROWS_SCHEMA.field(name).type).take(place) for name, each in of_intent.items()}
    ids = _packed(b"".join(intent.ids for intent in intents), ID_BYTES, sum(counts))
    columns["row"] = pa.ExtensionArray.from_storage(pa.uuid(), ids)
    columns["hash"] = _packed(b"".join(intent.hashes for intent in intents), HASH_BYTES, sum(counts))
    columns["status"] = pa.array(np.frombuffer(statuses, np.int8))
    return pa.record_batch([columns[name] for name in ROWS_SCHEMA.names], schema=ROWS_SCHEMA)


def _packed(data: bytes, width: int, count: int) -> pa.Array:
    return pa.Array.from_buffers(pa.binary(width), count, [None, pa.py_buffer(data)])


def _keep_refusals(intent: Intent, outcome: Outcome, state: Replay) -> None:
    """The last word on a row and operation counts: what landed later is no refusal any more. A deleted row has none."""
    operation = intent.operation
    for place in range(intent.rows) if state.refused else ():
        key = _key(intent, place)
        landed = not outcome.statuses or outcome.statuses[place] == Status.LANDED
        if not landed or key not in state.refused:
            continue
        still = () if operation is Operation.DELETE else state.refused[key]
        state.keep_refused(key, tuple(entry for entry in still if entry[0] is not operation))
    for place, code, message in outcome.refusals:
        key = _key(intent, place)
        state.keep_refused(key, tuple((dict(state.refused.get(key, ())) | {operation: (code, message)}).items()))


def _key(intent: Intent, place: int) -> tuple[str, bytes]:
    return intent.table, intent.ids[place * ID_BYTES : (place + 1) * ID_BYTES]
