"""Reads rows back from the destination into Parquet, a page at a time, so that their number does not bound memory."""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import UUID

import pyarrow as pa
from pyarrow import parquet

from flitstack.catalogue.types import Table
from flitstack.destinations.port import Destination
from flitstack.staging.engine.engine import Engine, read_parquet

# Ids asked for in one go; the destination cuts them to what a request holds.
IDS_PER_ROUND = 4_000
CONTENT = {"annotation": "documentbody", "activitymimeattachment": "body"}


async def read_back(
    destination: Destination,
    engine: Engine,
    table: Table,
    columns: Sequence[str],
    wanted: str,
    source_key: str,
    path: Path,
    *,
    whole: bool = False,
) -> None:
    """Write `path` with the rows of the SELECT `wanted` (one UUID column `_row`) that exist now.

    With a `source_key` column all rows that carry one are read first, in pages: the cheapest way, and the only one that
    shows rows nobody planned; `whole`: all rows of the table, where most are wanted. What is then still wanted is asked by
    id. File contents become their sha256.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _Sheet(path, CONTENT.get(table.name, "")) as sheet:
        if source_key:
            async for batch in destination.rows(table, columns, source_keyed=source_key):
                sheet.write(batch)
        else:
            async for batch in destination.rows(table, columns, ids=None if whole else []):
                sheet.write(batch)
    late = path.with_name(f"late-{path.name}")
    with _Sheet(late, CONTENT.get(table.name, "")) as sheet:
        for ids in _still_wanted(engine, wanted, path, path.with_name(f"wanted-{path.name}")):
            async for batch in destination.rows(table, columns, ids=ids):
                sheet.write(batch)
    if sheet.rows:
        engine.write_parquet(f"SELECT * FROM {read_parquet([path, late], 'union_by_name = true')}", path)
    late.unlink(missing_ok=True)


def _still_wanted(engine: Engine, wanted: str, path: Path, beside: Path) -> Iterator[list[UUID]]:
    """Wanted rows that are not in the file yet; listed in a file of their own, however many they are."""
    there = f"SELECT {as_uuid('_row')} AS _row FROM {read_parquet(path)}"
    missing = f"SELECT CAST(_row AS VARCHAR) AS id FROM ({wanted}) w ANTI JOIN ({there}) t USING (_row)"
    engine.write_parquet(missing, beside)
    with parquet.ParquetFile(beside) as file:
        for batch in file.iter_batches(IDS_PER_ROUND):
            yield [UUID(text) for text in batch.column(0).to_pylist()]
    beside.unlink()


def as_uuid(name: str) -> str:
    """SQL: a column of 16 bytes as UUID."""
    return f"CAST(lower(hex({name})) AS UUID)"


class _Sheet:
    """A Parquet file under construction; its columns are those of the first batch."""

    def __init__(self, path: Path, content: str) -> None:
        self._path, self._content = path, content
        self._writer: parquet.ParquetWriter | None = None
        self.rows = 0

    def __enter__(self) -> "_Sheet":
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows."""
        batch = _hashed(batch, self._content)
        if self._writer is None:
            self._writer = parquet.ParquetWriter(self._path, batch.schema, compression="lz4")
        self._writer.write_batch(batch)
        self.rows += batch.num_rows


def _hashed(batch: pa.RecordBatch, column: str) -> pa.RecordBatch:
    if column not in batch.schema.names:
        return batch
    at = batch.schema.get_field_index(column)
    hashes = [None if text is None else sha256_of_base64(text) for text in batch.column(at).to_pylist()]
    return batch.set_column(at, column, pa.array(hashes, pa.string()))


def sha256_of_base64(text: str) -> str:
    """Hex digest of the bytes a base64 text stands for."""
    return hashlib.sha256(base64.b64decode(text)).hexdigest()
