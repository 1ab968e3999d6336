"""Reading the journal back: which rows landed, which batches nobody settled, what was noted.

Rows are kept as packed bytes and become Arrow columns; no Python object a row is made.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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


@dataclass
class Replay:
    """What the journal says. `unsettled`: intents without outcome, oldest first, by batch number."""

    notes: list[dict[str, Any]] = field(default_factory=list)
    unsettled: dict[int, Intent] = field(default_factory=dict)
    refusals: dict[tuple[str, bytes], tuple[str, str]] = field(default_factory=dict)  # (table, row id) -> code, message
    last_batch: int = 0
    run: int = 0
    run_of_batch: dict[int, int] = field(default_factory=dict)  # unsettled batches only


def replay(folder: Path) -> Replay:
    """Read everything. Segments are walked once; `<segment>.rows.parquet` beside each holds its settled rows.

    A batch's outcome may lie in a later segment than its intent, so rows are written to the segment of their outcome.
    """
    state = Replay()
    for path in segment_paths(folder):
        batches = list(_segment_rows(path, state))
        target = rows_path(path)
        with pq.ParquetWriter(target.with_suffix(".part"), ROWS_SCHEMA, compression="zstd") as writer:
            for batch in batches:
                writer.write_batch(batch)
        target.with_suffix(".part").replace(target)
    return state


def rows_path(segment: Path) -> Path:
    """Where a segment's rows lie for the engine."""
    return segment.with_suffix(".rows.parquet")


def _segment_rows(path: Path, state: Replay) -> Iterator[pa.RecordBatch]:
    pending: list[pa.RecordBatch] = []
    size = 0
    for group in read_groups(path):
        for batch in _group_rows(group, state):
            pending.append(batch)
            size += batch.num_rows
        if size >= 500_000:
            yield from _merged(pending)
            pending, size = [], 0
    yield from _merged(pending)


def _merged(batches: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    return pa.Table.from_batches(batches, ROWS_SCHEMA).combine_chunks().to_batches() if batches else []


def _group_rows(group: Group, state: Replay) -> Iterator[pa.RecordBatch]:
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
                yield _rows(settled, outcome, run, group.at_ms)


def _rows(intent: Intent, outcome: Outcome, run: int, at_ms: int) -> pa.RecordBatch:
    count = intent.rows
    statuses = np.frombuffer(outcome.statuses, np.int8) if outcome.statuses else np.full(count, Status.LANDED, np.int8)
    return pa.record_batch(
        [
            pa.ExtensionArray.from_storage(pa.uuid(), _packed(intent.ids, ID_BYTES, count)),
            _packed(intent.hashes, HASH_BYTES, count),
            pa.array([intent.table] * count, pa.string()),
            pa.array(np.full(count, int(intent.operation), np.int8)),
            pa.array(np.full(count, intent.batch, np.int64)),
            pa.array(np.full(count, intent.step, np.int32)),
            pa.array(statuses),
            pa.array(np.full(count, run, np.int32)),
            pa.array(np.full(count, at_ms, np.int64)),
        ],
        schema=ROWS_SCHEMA,
    )


def _packed(data: bytes, width: int, count: int) -> pa.Array:
    return pa.Array.from_buffers(pa.binary(width), count, [None, pa.py_buffer(data)])


def _keep_refusals(intent: Intent, outcome: Outcome, state: Replay) -> None:
    ids = intent.ids
    if not outcome.statuses:
        return
    for place, code, message in outcome.refusals:
        state.refusals[intent.table, ids[place * ID_BYTES : (place + 1) * ID_BYTES]] = (code, message)


def operation_name(number: int) -> str:
    """The word for an operation, as the audit shows it."""
    return Operation(number).name.lower()
