"""File contents in the environment's own SQLite file, in blocks of at most 4 MB.

They change in the transaction of the row that names them: no row names a file that is not whole, and a copy of the
SQLite file is a copy of everything. Nothing here holds more than one block in memory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import IO

from flitstack.catalogue.types import Column
from flitstack.emulator.ddl import quoted
from flitstack.emulator.messages import Refusal
from flitstack.emulator.store import Store
from flitstack.emulator.values import instant_text
from flitstack.emulator.work import Work

BLOCK_BYTES = 4 * 1024 * 1024
LIFETIME_H = 24  # of an upload that is not finished; the emulator's choice


@dataclass(frozen=True, slots=True)
class Place:
    """Where a content belongs: a column of a row."""

    table: str
    row: bytes | None
    column: str


@dataclass(frozen=True, slots=True)
class Content:
    """A whole content, or one on its way (`size`: then what the client announced, if it did).

    `kind`: file, image (no full size is kept for readers), full image, annotation, activitymimeattachment.
    """

    id: bytes
    kind: str
    place: Place
    name: str
    mimetype: str
    size: int | None
    is_whole: bool


def over(what: str) -> Refusal:
    """404 for the token of an upload or a download that is no more; the emulator's choice of code."""
    return Refusal(404, "0x80040217", f"The {what} does not exist, is finished, or has expired.")


def begin(work: Work, kind: str, place: Place, name: str, mimetype: str) -> bytes:
    """The id of a content whose blocks will follow; uploads that nobody finished in time go."""
    store = work.store
    drop_expired(store)
    id_ = work.new_id()
    expires = instant_text(store.clock() + timedelta(hours=LIFETIME_H))
    store.connection.execute(
        "INSERT INTO file$content VALUES (?, ?, ?, ?, ?, ?, ?, NULL, ?)",
        (id_, kind, place.table, place.row, place.column, name, mimetype, expires),
    )
    return id_


def find(store: Store, id_: bytes) -> Content | None:
    """A content that is whole, or whose upload has not expired."""
    row = store.connection.execute(
        "SELECT kind, owner_table, owner, owner_column, name, mimetype, size, expires FROM file$content WHERE id = ?",
        (id_,),
    ).fetchone()
    if row is None or (row[7] is not None and row[7] < store.now):
        return None
    return Content(id_, row[0], Place(*row[1:4]), row[4], row[5], row[6], row[7] is None)


def all_whole(store: Store) -> list[Content]:
    """Every whole content."""
    ids = store.connection.execute("SELECT id FROM file$content WHERE expires IS NULL").fetchall()
    return [found for (id_,) in ids if (found := find(store, id_)) is not None]


def announce_size(store: Store, id_: bytes, size: int) -> None:
    """Note the size that an upload will have."""
    store.connection.execute("UPDATE file$content SET size = ? WHERE id = ?", (size, id_))


def put_block(store: Store, id_: bytes, block: str, data: bytes, start: int | None = None) -> None:
    """Store a block under its name; sent again it replaces the earlier one."""
    connection = store.connection
    old = connection.execute("SELECT data FROM file$block WHERE content = ? AND block = ?", (id_, block)).fetchone()
    if old is not None:
        connection.execute("DELETE FROM file$data WHERE id = ?", old)
    number = connection.execute("INSERT INTO file$data (bytes) VALUES (?)", (data,)).lastrowid
    connection.execute(
        "INSERT OR REPLACE INTO file$block VALUES (?, ?, ?, ?, ?)", (id_, block, start, len(data), number)
    )


def block_sizes(store: Store, id_: bytes) -> dict[str, int]:
    """Name -> bytes of the blocks there are."""
    return dict(store.connection.execute("SELECT block, size FROM file$block WHERE content = ?", (id_,)))


def spans(store: Store, id_: bytes) -> list[tuple[int, int]]:
    """Start and end of the placed blocks, in order."""
    rows = store.connection.execute(
        "SELECT start, start + size FROM file$block WHERE content = ? AND start IS NOT NULL ORDER BY start", (id_,)
    )
    return [(int(start), int(end)) for start, end in rows]


def order_blocks(store: Store, id_: bytes, names: Sequence[str]) -> int:
    """Put the named blocks one after another and drop the others; bytes in all. KeyError for a block never sent."""
    sizes = block_sizes(store, id_)
    start, placed = 0, []
    for name in names:
        placed.append((start, id_, name))
        start += sizes.pop(name)
    for name in sizes:
        drop_block(store, id_, name)
    store.connection.executemany("UPDATE file$block SET start = ? WHERE content = ? AND block = ?", placed)
    return start


def finish(store: Store, id_: bytes, size: int, name: str, mimetype: str) -> None:
    """The content is whole from now on."""
    store.connection.execute(
        "UPDATE file$content SET size = ?, name = ?, mimetype = ?, expires = NULL WHERE id = ?",
        (size, name, mimetype, id_),
    )


def fill(store: Store, id_: bytes, source: IO[bytes]) -> int:
    """Take all of a stream as blocks; bytes in all."""
    start = 0
    while data := source.read(BLOCK_BYTES):
        put_block(store, id_, str(start), data, start)
        start += len(data)
    return start


def read(store: Store, id_: bytes, start: int, end: int) -> Iterator[bytes]:
    """The bytes from `start` to before `end`, in pieces of at most a block."""
    found = store.connection.execute(
        "SELECT start, size, data FROM file$block WHERE content = ? AND start < ? AND start + size > ? ORDER BY start",
        (id_, end, start),
    ).fetchall()
    for at, size, number in found:
        first, last = max(start - at, 0), min(end - at, size)
        (piece,) = store.connection.execute(
            "SELECT substr(bytes, ?, ?) FROM file$data WHERE id = ?", (first + 1, last - first, number)
        ).fetchone()
        yield piece


def drop_block(store: Store, id_: bytes, name: str) -> None:
    """Remove one block of an upload."""
    _drop_data(store, "content = ? AND block = ?", (id_, name))
    store.connection.execute("DELETE FROM file$block WHERE content = ? AND block = ?", (id_, name))


def drop(store: Store, id_: bytes) -> None:
    """Remove a content with its blocks; no error when it is gone."""
    _drop_data(store, "content = ?", (id_,))
    store.connection.execute("DELETE FROM file$block WHERE content = ?", (id_,))
    store.connection.execute("DELETE FROM file$content WHERE id = ?", (id_,))


def drop_of_rows(store: Store, table: str, rows: Sequence[bytes]) -> None:
    """Remove what rows that are deleted hold, uploads on their way included."""
    of_table = store.connection.execute("SELECT 1 FROM file$content WHERE owner_table = ? LIMIT 1", (table,))
    if of_table.fetchone() is None:
        return
    for row in rows:
        of_row = "SELECT id FROM file$content WHERE owner_table = ? AND owner = ?"
        for (id_,) in store.connection.execute(of_row, (table, row)).fetchall():
            drop(store, id_)


def drop_expired(store: Store) -> None:
    """Remove uploads that were not finished in time."""
    for (id_,) in store.connection.execute("SELECT id FROM file$content WHERE expires < ?", (store.now,)).fetchall():
        drop(store, id_)


def sweep(store: Store) -> None:
    """Remove what nobody can reach: expired uploads, contents of rows, columns and tables that are gone."""
    if store.connection.execute("SELECT 1 FROM file$content LIMIT 1").fetchone() is None:
        return
    with store.transaction():
        drop_expired(store)
        pairs = "SELECT DISTINCT owner_table, owner_column FROM file$content WHERE expires IS NULL"
        for table, column in store.connection.execute(pairs).fetchall():
            model = store.schema.tables.get(table)
            known = model.columns.get(column) if model is not None else None
            named = pointer_of(known) if known is not None else None
            gone = "owner_table = ? AND owner_column = ? AND expires IS NULL"
            if model is not None and named in model.stored and store.exists(table):
                gone += (
                    f" AND NOT EXISTS (SELECT 1 FROM {quoted(table)} WHERE {quoted(model.table.id_column)} = owner "
                    f"AND {quoted(str(named))} = file$content.id)"
                )
            sql = f"SELECT id FROM file$content WHERE {gone}"
            for (id_,) in store.connection.execute(sql, (table, column)).fetchall():
                drop(store, id_)


def pointer_of(column: Column) -> str:
    """The stored column that holds the id of a content: the column itself, or the id column of an image."""
    return f"{column.name}id" if column.type == "Image" else column.name


def _drop_data(store: Store, where: str, parameters: Sequence[object]) -> None:
    sql = f"DELETE FROM file$data WHERE id IN (SELECT data FROM file$block WHERE {where})"
    store.connection.execute(sql, parameters)
