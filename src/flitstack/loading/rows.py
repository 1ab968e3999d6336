"""Send tables as packed batches: ids, payload texts and their hashes, without a Python object a row on the bulk path."""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import numpy as np
import pyarrow as pa
import xxhash

from flitstack.destinations.port import Body
from flitstack.journal.frames import HASH_BYTES, ID_BYTES, Operation, Status
from flitstack.journal.journal import Journal
from flitstack.journal.replay import STANDING_ROWS
from flitstack.planning.document import SendTable
from flitstack.staging.engine.engine import Engine, literal, read_parquet

READ_ROWS = 4_096


@dataclass(frozen=True, slots=True)
class RowBatch:
    """Rows to send: packed 16-byte ids, packed 8-byte hashes, the texts one after another, each ended by a comma.

    `offsets[i]` is where text i begins in `data`; there is one more offset than rows. `marks`: a byte a row, 1 for those that
    `Wanted.marked` names; empty when nobody asked.
    """

    ids: bytes
    hashes: bytes
    data: memoryview
    offsets: tuple[int, ...]
    marks: bytes = b""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def text(self, place: int) -> bytes:
        """One row's JSON text."""
        return bytes(self.data[self.offsets[place] : self.offsets[place + 1] - 1])

    def body(self, head: bytes, tail: bytes) -> Body:
        """All texts as one body."""
        return head, self.data[self.offsets[0] : self.offsets[-1] - 1], tail

    def row_id(self, place: int) -> UUID:
        """One row's id."""
        return UUID(bytes=self.ids[place * ID_BYTES : (place + 1) * ID_BYTES])

    def row_ids(self) -> list[UUID]:
        """All ids."""
        return [self.row_id(place) for place in range(len(self))]

    def marked(self) -> frozenset[UUID]:
        """Ids of the marked rows."""
        return frozenset(self.row_id(place) for place, mark in enumerate(self.marks) if mark)

    def pick(self, places: list[int]) -> "RowBatch":
        """A smaller batch of some of the rows."""
        texts = [bytes(self.data[self.offsets[p] : self.offsets[p + 1]]) for p in places]
        offsets, end = [0], 0
        for text in texts:
            end += len(text)
            offsets.append(end)
        return RowBatch(
            b"".join(self.ids[p * ID_BYTES : (p + 1) * ID_BYTES] for p in places),
            b"".join(self.hashes[p * HASH_BYTES : (p + 1) * HASH_BYTES] for p in places),
            memoryview(b"".join(texts)),
            tuple(offsets),
            bytes(self.marks[p] for p in places) if self.marks else b"",
        )

    def part(self, start: int, end: int) -> "RowBatch":
        """The rows from place `start` to before `end`; nothing is copied but ids and hashes."""
        return RowBatch(
            self.ids[start * ID_BYTES : end * ID_BYTES],
            self.hashes[start * HASH_BYTES : end * HASH_BYTES],
            self.data,
            self.offsets[start : end + 1],
            self.marks[start:end],
        )

    def followed_by(self, other: "RowBatch") -> "RowBatch":
        """Both, as one batch."""
        mine = self.data[self.offsets[0] : self.offsets[-1]]
        theirs = other.data[other.offsets[0] : other.offsets[-1]]
        offsets = np.concatenate(
            (
                np.array(self.offsets[:-1], np.int64) - self.offsets[0],
                np.array(other.offsets, np.int64) + len(mine) - other.offsets[0],
            )
        )
        data = memoryview(b"".join((mine, theirs)))
        ids, hashes, marks = self.ids + other.ids, self.hashes + other.hashes, self.marks + other.marks
        return RowBatch(ids, hashes, data, tuple(offsets.tolist()), marks)


def make_done_view(engine: Engine, journal: Journal) -> None:
    """Temporary view `journal_rows` (columns: journal.replay.ROWS_SCHEMA): every settled row up to the last refresh."""
    files = journal.rows_files()
    if not files:
        engine.run(
            'CREATE OR REPLACE TEMP VIEW journal_rows AS SELECT NULL::UUID AS "row", NULL::BLOB AS hash, '
            'NULL::VARCHAR AS "table", 0 AS operation, 0 AS batch, 0 AS step, 0 AS status, 0 AS run, 0 AS at_ms WHERE FALSE'
        )
        return
    engine.run(f"CREATE OR REPLACE TEMP VIEW journal_rows AS SELECT * FROM {read_parquet(files)}")


def landed_sql(table: str) -> str:
    """Rows of a table that are there by the journal: the last create or delete that landed was a create."""
    return f'SELECT "row" FROM ({STANDING_ROWS}) WHERE "table" = {literal(table)}'


def ours_sql(table: str) -> str:
    """Rows of a table that hold something of ours: such as are there by our making, and older ones that we changed."""
    return (
        f'SELECT "row" FROM journal_rows WHERE "table" = {literal(table)} AND status = {Status.LANDED} '
        f"AND operation IN ({Operation.CREATE}, {Operation.UPDATE}, {Operation.DELETE}) "
        f'GROUP BY "row" HAVING arg_max(operation, batch) <> {Operation.DELETE}'
    )


def done_sql(table: str, operation: Operation) -> str:
    """(row, hash of the payload) of rows whose `operation` landed after their last create; the last payload counts."""
    mine = f"FILTER (WHERE operation = {operation})"
    return (
        f'SELECT "row", arg_max(hash, batch) {mine} AS hash FROM journal_rows '
        f'WHERE "table" = {literal(table)} AND status = {Status.LANDED} GROUP BY "row" '
        f"HAVING max(batch) {mine} > coalesce(max(batch) FILTER (WHERE operation = {Operation.CREATE}), 0)"
    )


def tried_sql(table: str, operation: Operation) -> str:
    """Rows whose `operation` was sent but did not land by what the journal knows."""
    return (
        f'SELECT DISTINCT "row" FROM journal_rows WHERE "table" = {literal(table)} AND operation = {operation} '
        f"AND status <> {Status.LANDED}"
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows of a send table to read: where `where` holds, without those of the query `without` ("row"), and without
    those for which the query `same` ("row", hash) already has the hash of the text. Rows of the query `marked` ("row") come marked:
    the engine joins them, for a set of Python objects would grow with the table. The mark is no part of the text nor of its hash."""

    where: str = "TRUE"
    without: str = ""
    same: str = ""
    marked: str = ""


def read_rows(
    engine: Engine, folder: Path, send: SendTable, text_sql: str, wanted: Wanted
) -> Generator[RowBatch, None, None]:
    """Batches of rows, `text_sql` the text of one with a comma after it. About in load order: joins on two threads may swap neighbours."""
    joins = f'ANTI JOIN ({wanted.without}) gone ON gone."row" = _row ' if wanted.without else ""
    more = ""
    if wanted.same:
        joins += f'LEFT JOIN (SELECT "row" AS done_row, hash AS done_hash FROM ({wanted.same})) ON done_row = _row '
        more += ", done_hash"
    if wanted.marked:
        joins += f'LEFT JOIN (SELECT DISTINCT "row" AS marked_row FROM ({wanted.marked})) ON marked_row = _row '
        more += ", CAST(marked_row IS NOT NULL AS UTINYINT) AS mark"
    sql = (
        f"SELECT _row AS id, {text_sql} AS text{more} "
        f"FROM {read_parquet(folder / send.parquet)} {joins}WHERE {wanted.where}"
    )
    for batch in engine.batches(sql, READ_ROWS, one_thread=True):
        packed = _packed(batch)
        if wanted.marked:
            packed = replace(packed, marks=batch.column("mark").to_numpy().tobytes())
        if wanted.same:
            packed = _without_same(packed, batch.column("done_hash"))
        if len(packed):
            yield packed


def cut(batches: Iterable[RowBatch], most_rows: Callable[[], int], most_bytes: int) -> Generator[RowBatch, None, None]:
    """Requests of `most_rows()` rows, the last one smaller; about `most_bytes` at most, never below one row."""
    rest: RowBatch | None = None
    for batch in batches:
        if rest:
            # Only what the next request still needs is copied.
            end = min(len(batch), max(0, most_rows() - len(rest)))
            rest = yield from _requests(rest.followed_by(batch.part(0, end)), most_rows, most_bytes)
            batch = batch.part(end, len(batch))
        rest = yield from _requests(rest.followed_by(batch) if rest else batch, most_rows, most_bytes)
    while rest:
        end = _fitting(rest, most_rows(), most_bytes)
        yield rest.part(0, end)
        rest = rest.part(end, len(rest))


def _requests(batch: RowBatch, most_rows: Callable[[], int], most_bytes: int) -> Generator[RowBatch, None, RowBatch]:
    """Whole requests of a batch; returns what is left."""
    while len(batch) >= most_rows():
        end = _fitting(batch, most_rows(), most_bytes)
        yield batch.part(0, end)
        batch = batch.part(end, len(batch))
    return batch


def _fitting(batch: RowBatch, most_rows: int, most_bytes: int) -> int:
    end = min(most_rows, len(batch))
    while end > 1 and batch.offsets[end] - batch.offsets[0] > most_bytes:
        end = max(1, end // 2)
    return end


def _packed(batch: pa.RecordBatch) -> RowBatch:
    ids = batch.column(0).storage  # 16 bytes each, in display order
    texts = batch.column(1).cast(pa.string())
    if ids.null_count or texts.null_count:
        raise ValueError("a send table holds a row without id or text")
    id_data = memoryview(ids.buffers()[1])[ids.offset * ID_BYTES :]
    data, offsets = _buffer(texts)
    hashes = b"".join(xxhash.xxh3_64_digest(data[start:end]) for start, end in pairwise(offsets))
    return RowBatch(bytes(id_data[: len(ids) * ID_BYTES]), hashes, data, offsets)


def _without_same(batch: RowBatch, was: pa.Array) -> RowBatch:
    known = was.cast(pa.binary()).fill_null(bytes(HASH_BYTES))
    earlier = np.frombuffer(bytes(_buffer(known)[0]), np.uint64)
    is_new = was.is_null().to_numpy(zero_copy_only=False) | (earlier != np.frombuffer(batch.hashes, np.uint64))
    return batch if is_new.all() else batch.pick(np.flatnonzero(is_new).tolist())


def _buffer(array: pa.Array) -> tuple[memoryview, tuple[int, ...]]:
    """The contiguous bytes of a binary or string array and its offsets, both beginning at 0."""
    _, offset_buffer, data = array.buffers()
    offsets = np.frombuffer(offset_buffer, np.int32)[array.offset : array.offset + len(array) + 1]
    view = memoryview(data)[offsets[0] : offsets[-1]] if data is not None else memoryview(b"")
    return view, tuple((offsets - offsets[0]).tolist())
