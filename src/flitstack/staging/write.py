"""Writes what a reader gives into Parquet, in batches: memory is bounded whatever the file's size."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from flitstack.staging.source import Record, Reject, Source

BATCH_RECORDS = 20_000
BATCH_CHARACTERS = 16 << 20


@dataclass
class Written:
    """What came of one source."""

    records: int = 0
    rejects: list[Reject] = field(default_factory=list)


def write_source(source: Source, target: Path) -> Written:
    """Records to `target` (`_record`, `_line` and the header's columns, all text), rejects returned."""
    schema = pa.schema(
        [("_record", pa.int64()), ("_line", pa.int64()), *((name, pa.string()) for name in source.header)]
    )
    written = Written()
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for batch in _batches(source.records(), written):
            columns = [pa.array([r.number for r in batch], pa.int64()), pa.array([r.line for r in batch], pa.int64())]
            columns += [pa.array(cells, pa.string()) for cells in zip(*(r.values for r in batch), strict=True)]
            writer.write_batch(pa.record_batch(columns, schema=schema))
            written.records += len(batch)
    return written


def _batches(records: Iterator[Record | Reject], written: Written) -> Iterator[list[Record]]:
    batch: list[Record] = []
    characters = 0
    for record in records:
        if isinstance(record, Reject):
            written.rejects.append(record)
            continue
        batch.append(record)
        characters += sum(len(value) for value in record.values if value)
        if len(batch) >= BATCH_RECORDS or characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch
