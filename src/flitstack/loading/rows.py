"""Send tables as packed batches: ids, payload texts and their hashes, without a Python object a row on the bulk path."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import xxhash

from flitstack.journal.frames import ID_BYTES, Operation, Status
from flitstack.journal.journal import Journal
from flitstack.planning.document import SendTable
from flitstack.staging.engine.engine import Engine, literal

READ_ROWS = 4_096

# The row's id as 16 bytes in display order; DuckDB hands UUIDs to Arrow as text otherwise.
_ID = "unhex(replace(CAST(_row AS VARCHAR), '-', ''))"


@dataclass(frozen=True, slots=True)
class RowBatch:
    """Rows to send: packed 16-byte ids, packed 8-byte hashes, the texts one after another, each ended by a comma.

    `offsets[i]` is where text i begins in `data`; there is one more offset than rows.
    """

    ids: bytes
    hashes: bytes
    data: memoryview
    offsets: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def text(self, place: int) -> bytes:
        """One row's JSON text."""
        return bytes(self.data[self.offsets[place] : self.offsets[place + 1] - 1])

    def body(self, head: bytes, tail: bytes) -> bytes:
        """All texts as one body."""
        return b"".join((head, self.data[self.offsets[0] : self.offsets[-1] - 1], tail))

    def row_id(self, place: int) -> UUID:
        """One row's id."""
        return UUID(bytes=self.ids[place * ID_BYTES : (place + 1) * ID_BYTES])

    def row_ids(self) -> list[UUID]:
        """All ids."""
        return [self.row_id(place) for place in range(len(self))]

    def pick(self, places: list[int]) -> "RowBatch":
        """A smaller batch of some of the rows."""
        texts = [bytes(self.data[self.offsets[p] : self.offsets[p + 1]]) for p in places]
        offsets, end = [0], 0
        for text in texts:
            end += len(text)
            offsets.append(end)
        return RowBatch(
            b"".join(self.ids[p * ID_BYTES : (p + 1) * ID_BYTES] for p in places),
            b"".join(self.hashes[p * 8 : (p + 1) * 8] for p in places),
            memoryview(b"".join(texts)),
            tuple(offsets),
        )


def make_done_view(engine: Engine, journal: Journal) -> None:
    """Temporary table `journal_rows` (row UUID, "table", operation, batch, status, run): every settled row so far."""
    files = ", ".join(literal(str(path)) for path in journal.rows_files())
    if not files:
        engine.run(
            'CREATE OR REPLACE TEMP VIEW journal_rows AS SELECT NULL::UUID AS "row", NULL::VARCHAR AS "table", '
            "0 AS operation, 0 AS batch, 0 AS step, 0 AS status, 0 AS run, 0 AS at_ms WHERE FALSE"
        )
        return
    engine.run(f"CREATE OR REPLACE TEMP VIEW journal_rows AS SELECT * EXCLUDE (hash) FROM read_parquet([{files}])")


def landed_sql(table: str) -> str:
    """Rows of a table that are there by the journal: the last create or delete that landed was a create."""
    return (
        f'SELECT "row" FROM journal_rows WHERE "table" = {literal(table)} AND status = {Status.LANDED} '
        f"AND operation IN ({Operation.CREATE}, {Operation.DELETE}) "
        f'GROUP BY "row" HAVING arg_max(operation, batch) = {Operation.CREATE}'
    )


def done_since_create_sql(table: str, operation: Operation) -> str:
    """Rows whose `operation` landed after their last create."""
    return (
        f'SELECT "row" FROM journal_rows WHERE "table" = {literal(table)} AND status = {Status.LANDED} '
        f'GROUP BY "row" HAVING max(batch) FILTER (WHERE operation = {operation}) '
        f"> coalesce(max(batch) FILTER (WHERE operation = {Operation.CREATE}), 0)"
    )


def read_rows(
    engine: Engine, folder: Path, send: SendTable, text_sql: str, where: str, without: str
) -> Iterator[RowBatch]:
    """Batches of rows of a send table that `where` holds for and that are not in the query `without`."""
    source = literal(str(folder / send.parquet))
    sql = (
        f"SELECT {_ID} AS id, ({text_sql}) || ',' AS text FROM read_parquet({source}) "
        f'ANTI JOIN ({without}) done ON done."row" = _row WHERE {where}'
    )
    for batch in engine.batches(sql, READ_ROWS):
        if batch.num_rows:
            yield _packed(batch)


def _packed(batch: pa.RecordBatch) -> RowBatch:
    ids = batch.column(0).cast(pa.binary())
    texts = batch.column(1).cast(pa.string())
    if ids.null_count or texts.null_count:
        raise ValueError("a send table holds a row without id or text")
    id_data, _ = _buffer(ids)
    data, offsets = _buffer(texts)
    hashes = b"".join(xxhash.xxh3_64_digest(data[start:end]) for start, end in zip(offsets, offsets[1:], strict=False))
    return RowBatch(bytes(id_data[: len(ids) * ID_BYTES]), hashes, data, offsets)


def _buffer(array: pa.Array) -> tuple[memoryview, tuple[int, ...]]:
    """The contiguous bytes of a binary or string array and its offsets, both beginning at 0."""
    _, offset_buffer, data = array.buffers()
    offsets = memoryview(offset_buffer).cast("i")[array.offset : array.offset + len(array) + 1].tolist()
    first = offsets[0]
    view = memoryview(data)[first : offsets[-1]] if data is not None else memoryview(b"")
    return view, tuple(offset - first for offset in offsets)


def slices(batch: RowBatch, rows: int, most_bytes: int) -> Iterator[RowBatch]:
    """Cut a batch into requests of at most `rows` rows and about `most_bytes` bytes (never below one row)."""
    start = 0
    while start < len(batch):
        end = min(start + rows, len(batch))
        while end > start + 1 and batch.offsets[end] - batch.offsets[start] > most_bytes:
            end -= 1
        yield RowBatch(
            batch.ids[start * ID_BYTES : end * ID_BYTES],
            batch.hashes[start * 8 : end * 8],
            batch.data,
            batch.offsets[start : end + 1],
        )
        start = end
