"""The log of deleted rows that change tracking answers from; written by deletes only, kept for seven days.

Source: Microsoft Learn, "Use change tracking to synchronize data with external systems" (7 days by default).
"""

from collections.abc import Sequence
from datetime import timedelta

from flitstack.emulator.messages import Refusal
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.store import Store
from flitstack.emulator.values import instant_text, parse_instant
from flitstack.emulator.work import Work

RETENTION_DAYS = 7
_TABLE = "environment$deletion"
_COLUMNS = "version INTEGER PRIMARY KEY, name TEXT NOT NULL, id BLOB NOT NULL, at TEXT NOT NULL"
_MAKE = (
    f'CREATE TABLE IF NOT EXISTS "{_TABLE}" ({_COLUMNS})',
    f'CREATE INDEX IF NOT EXISTS "{_TABLE}$at" ON "{_TABLE}" (at)',
)


def record_deletions(work: Work, model: EntityModel, ids: Sequence[bytes]) -> None:
    """Note rows that go, when their table tracks changes; what is older than the retention is forgotten."""
    if not ids or not model.table.change_tracking:
        return
    connection = work.store.connection
    for statement in _MAKE:
        connection.execute(statement)
    connection.execute(f'DELETE FROM "{_TABLE}" WHERE at < ?', (oldest_token(work.now),))
    connection.executemany(
        f'INSERT INTO "{_TABLE}" VALUES (?, ?, ?, ?)',
        ((work.store.next_version(), model.name, id_, work.now) for id_ in ids),
    )


def oldest_token(now: str) -> str:
    """The moment from which on deletions are known and delta tokens are honoured."""
    moment = parse_instant(now)
    if moment is None:
        raise Refusal(500, "0x80040216", "The clock of the environment stands before its calendar.")
    return instant_text(moment - timedelta(days=RETENTION_DAYS))


def deletions(store: Store, names: Sequence[str], after: int, until: int) -> tuple[str, list[str | int]]:
    """SQL (columns version, id) and parameters of the deletions in these tables, versions above `after`."""
    found = store.connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (_TABLE,)).fetchone()
    if found is None:
        return "SELECT NULL AS version, NULL AS id WHERE 0", []
    marks = ", ".join("?" * len(names))
    sql = f'SELECT version, id FROM "{_TABLE}" WHERE version > ? AND version <= ? AND name IN ({marks})'
    return sql, [after, until, *names]
