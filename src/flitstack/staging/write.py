"""Writes what a reader gives into Parquet, in batches: memory is bounded whatever the file's size."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from flitstack.staging.encodings import UNREADABLE
from flitstack.staging.source import Record, Reject, Source

BATCH_RECORDS = 20_000
BATCH_CHARACTERS = 16 << 20
RAW_LIMIT = 100_000

REJECTS = pa.schema(
    [
        ("file", pa.string()),
        ("object", pa.string()),
        ("record", pa.string()),
        ("line", pa.int64()),
        ("code", pa.string()),
        ("outcome", pa.string()),
        ("reason", pa.string()),
        ("raw", pa.string()),
    ]
)


def write_records(source: Source, places: Sequence[int], target: Path, refuse: Callable[[Reject], None]) -> int:
    """Records to `target` (`_record`, `_line` and `c<place>` for the 0-based places, all text); how many.

    What could not be read goes to `refuse`.
    """
    schema = pa.schema([("_record", pa.int64()), ("_line", pa.int64()), *((f"c{p}", pa.string()) for p in places)])
    records = 0
    with pq.ParquetWriter(target, schema, compression="lz4") as writer:
        for batch in _batches(source.records(), refuse):
            columns = [pa.array([r.number for r in batch], pa.int64()), pa.array([r.line for r in batch], pa.int64())]
            columns += [pa.array([r.values[place] for r in batch], pa.string()) for place in places]
            writer.write_batch(pa.record_batch(columns, schema=schema))
            records += len(batch)
    return records


def _batches(records: Iterator[Record | Reject], refuse: Callable[[Reject], None]) -> Iterator[list[Record]]:
    batch: list[Record] = []
    characters = 0
    for record in records:
        if isinstance(record, Reject):
            refuse(record)
            continue
        batch.append(record)
        characters += sum(map(len, filter(None, record.values)))
        if len(batch) >= BATCH_RECORDS or characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


class RejectsFile:
    """`rejects.parquet`: every record that could not be read, with its raw text, so that nothing is lost."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer = pq.ParquetWriter(path, REJECTS, compression="zstd")
        self._rows: list[dict[str, object]] = []
        self._characters = 0

    def add(self, file: str, object_name: str, record: str, reject: Reject, *, with_text: bool) -> None:
        """Keep one. Without its text where that could hold fields that are never staged."""
        raw = reject.raw[:RAW_LIMIT].replace(UNREADABLE, "\ufffd") if with_text else ""
        self._rows.append(
            {"file": file, "object": object_name, "record": record, "line": reject.line, "code": reject.code,
             "outcome": reject.outcome, "reason": reject.reason, "raw": raw}
        )  # fmt: skip
        self._characters += len(raw)
        if len(self._rows) >= BATCH_RECORDS or self._characters >= BATCH_CHARACTERS:
            self._flush()

    def close(self) -> None:
        """Finish the file."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=REJECTS))
        self._rows, self._characters = [], 0
