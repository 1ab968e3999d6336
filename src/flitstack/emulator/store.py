"""The SQLite file of an environment: opening, transactions, row versions, lazily made tables and indexes."""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from flitstack.catalogue.types import ManyToMany
from flitstack.emulator import ddl
from flitstack.emulator.files import tables as file_tables
from flitstack.emulator.jobs import tables as job_tables
from flitstack.emulator.messages import Switches
from flitstack.emulator.query.fiscal import period_of
from flitstack.emulator.query.wildcards import matches
from flitstack.emulator.schema import EntityModel, Schema
from flitstack.emulator.turn import Turn
from flitstack.emulator.values import fold, instant_text

FORMAT = 2
FILE_NAME = "environment.sqlite"
_WAIT_S = 60  # for other programs that write to the file
_CHECKPOINT_PAGES = 4000
# What nearly every row is given: made with the table.
_STAMPS = (
    "createdon", "createdby", "modifiedon", "modifiedby", "versionnumber", "statecode", "statuscode", "ownerid",
    "ownerid$type", "owninguser", "owningteam", "owningbusinessunit",
)  # fmt: skip

_BASE = (
    "CREATE TABLE IF NOT EXISTS environment$counter (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    (
        "CREATE TABLE IF NOT EXISTS environment$document "
        "(kind TEXT, name TEXT, body TEXT NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID"
    ),
    *file_tables.STATEMENTS,
    *job_tables.STATEMENTS,
)


class Store:
    """Connection, schema, clock and switches: what every operation on rows needs.

    `root_unit`, `organization` and `base_currency` are stored ids of the seeded rows.
    """

    root_unit: bytes
    organization: bytes
    base_currency: bytes

    def __init__(self, path: Path, switches: Switches, clock: Callable[[], datetime]) -> None:
        self.switches = switches
        self.clock = clock
        self.schema = Schema({}, {}, {})
        self.compiled: dict[object, object] = {}  # what modules derive from the schema; emptied with each change
        self.on_new_definitions: Callable[[], None] = lambda: None
        self.turn = Turn(path.with_suffix(".lock"))
        self.version = 1_000_000
        self.definitions = 0
        self._depth = 0
        self._made: set[str] = set()
        self._present: dict[str, frozenset[str]] = {}  # columns of the tables of rows
        self._seen: tuple[int, int] = (0, 0)  # SQLite's data_version and schema_version
        # Alone: SQLite's switch to the write-ahead log fails at once when another process opens the file too.
        with self.turn:
            self.connection = sqlite3.connect(
                path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False, cached_statements=256
            )
            self._set_up()
            self._look()

    def _set_up(self) -> None:
        run = self.connection.execute
        is_new = not run("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
        found = self._pragma("user_version")
        if not is_new and found != FORMAT:
            raise ValueError(
                f"the data directory was written by another version (format {found}, this one writes {FORMAT}): "
                "begin with an empty directory, or use the version that made it"
            )
        run("PRAGMA page_size=16384")  # wide rows: less time than 4,096 or 8,192
        run("PRAGMA journal_mode=WAL")
        run(f"PRAGMA synchronous={'FULL' if self.switches.sync_full else 'NORMAL'}")
        run("PRAGMA cache_size=-65536")
        run("PRAGMA secure_delete=OFF")  # some builds overwrite every cell that moves
        run(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        if is_new:
            run(f"PRAGMA user_version={FORMAT}")
        self.connection.create_function("fold", 1, fold, deterministic=True)
        self.connection.create_function("matches", 2, matches, deterministic=True)
        self.connection.create_function("fiscal_period", 3, period_of, deterministic=True)
        for statement in _BASE:
            run(statement)

    def close(self) -> None:
        """The object is of no use afterwards."""
        self.connection.close()
        self.turn.close()

    def refresh(self) -> None:
        """Take over what other processes committed. Called before each request and with each turn to write."""
        if self._depth or self._pragma("data_version") == self._seen[0]:
            return
        self._look()

    def _look(self) -> None:
        """Read what this process keeps in memory: row version, tables made, definitions."""
        self.version = max(int(str(self.counter("version") or 1_000_000)), 1_000_000)
        seen_made = self._seen[1]
        self._seen = self._pragma("data_version"), self._pragma("schema_version")
        if self._seen[1] != seen_made:
            self._read_made()
        if self.stored_definitions() != self.definitions:
            self.on_new_definitions()

    def _pragma(self, name: str) -> int:
        number: int = self.connection.execute(f"PRAGMA {name}").fetchone()[0]
        return number

    def stored_definitions(self) -> int:
        """Rises with each change of the definitions, by whichever process."""
        return int(str(self.counter("definitions") or 0))

    def announce_definitions(self) -> None:
        """Tell the other processes, by what this transaction commits, that definitions changed."""
        self.set_counter("definitions", self.stored_definitions() + 1)

    def _read_made(self) -> None:
        found = self.connection.execute("SELECT name FROM sqlite_schema WHERE type IN ('table', 'index', 'view')")
        self._made = {name for (name,) in found}
        self._present.clear()

    @property
    def now(self) -> str:
        """The clock as a stored date-time."""
        return instant_text(self.clock())

    def next_version(self) -> int:
        """A fresh row version; ascending over the whole environment."""
        self.version += 1
        return self.version

    def take_versions(self, count: int) -> range:
        """So many fresh row versions."""
        self.version += count
        return range(self.version - count + 1, self.version + 1)

    def counter(self, name: str) -> object:
        """A small persistent value, None when never set."""
        row = self.connection.execute("SELECT value FROM environment$counter WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def set_counter(self, name: str, value: object) -> None:
        """Store a small persistent value."""
        self.connection.execute("INSERT OR REPLACE INTO environment$counter VALUES (?, ?)", (name, value))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end, roll back on any exception; an inner block joins the outer one."""
        if self._depth:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
            return
        with self.turn:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                self.refresh()
                self._depth = 1
                before = self.version
                yield
                if self.version != before:
                    self.set_counter("version", self.version)
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                self._read_made()
                raise
            finally:
                self._depth = 0

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Inside a transaction: an exception that leaves the block undoes what the block did, and no more."""
        self.connection.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK TO part")
            self.connection.execute("RELEASE part")
            self._read_made()
            raise
        self.connection.execute("RELEASE part")

    def exists(self, name: str) -> bool:
        """Whether a SQLite table or index of this name has been made."""
        return name in self._made

    def ensure(self, model: EntityModel) -> str:
        """The quoted SQLite name to read a table by, made on first use; for activitypointer a subquery over all activities."""
        if model.name == "activitypointer":
            activities = [m for m in self.schema.tables.values() if m.table.is_activity and self.exists(m.name)]
            return ddl.union_of(model, activities)
        if model.name not in self._made:
            self._make_rows(model, ())
        return ddl.quoted(model.name)

    def ensure_rows(self, model: EntityModel, columns: Collection[str]) -> str:
        """The quoted SQLite name to write a table's rows by; it has all the columns that the statement names."""
        if model.name not in self._made:
            self._make_rows(model, columns)
        if not self.present(model).issuperset(columns):
            with self.transaction():
                self._widen(model, columns)
        return ddl.quoted(ddl.rows_table(model.name))

    def present(self, model: EntityModel) -> frozenset[str]:
        """The columns that rows of a table were given so far."""
        found = self._present.get(model.name)
        if found is None:
            info = self.connection.execute(f"PRAGMA table_info({ddl.quoted(ddl.rows_table(model.name))})")
            found = self._present[model.name] = frozenset(row[1] for row in info)
        return found

    def _make_rows(self, model: EntityModel, columns: Collection[str]) -> None:
        wanted = {*columns, *_STAMPS}
        held = {model.table.id_column, *(ddl.key_column(key.name) for key in model.keys)}
        present = held | (wanted & ddl.columns_of(model).keys())
        self._make(model.name, [*ddl.create_table(model, wanted), ddl.create_view(model, present)])

    def _widen(self, model: EntityModel, columns: Collection[str]) -> None:
        present, known = self.present(model), ddl.columns_of(model)
        run, rows = self.connection.execute, ddl.quoted(ddl.rows_table(model.name))
        for name in columns:
            if name not in present:
                run(f"ALTER TABLE {rows} ADD COLUMN {known[name][0]}")
        self.show(model)

    def hide(self, table: str) -> None:
        """Drop a table's view, because its columns are going to change; `show` makes it again."""
        self.connection.execute(f"DROP VIEW IF EXISTS {ddl.quoted(table)}")

    def show(self, model: EntityModel) -> None:
        """Make a table's view anew."""
        self._present.pop(model.name, None)
        self.hide(model.name)
        self.connection.execute(ddl.create_view(model, self.present(model)))

    def ensure_pairs(self, relationship: ManyToMany) -> str:
        """The quoted SQLite name of a N:N relationship's table, made on first use."""
        name = ddl.pair_table(relationship)
        if name not in self._made:
            self._make(name, ddl.create_pairs(relationship))
        return ddl.quoted(name)

    def ensure_index(self, table: str, column: str) -> None:
        """An index on a lookup, made when it is first searched, so that a load before pays nothing for it."""
        name = f"{table}$by${column}"
        if name in self._made or table not in self._made or column not in self.present(self.schema.tables[table]):
            return
        target = f"{ddl.quoted(ddl.rows_table(table))} ({ddl.quoted(column)})"
        self._make(name, [f"CREATE INDEX {ddl.quoted(name)} ON {target} WHERE {ddl.quoted(column)} IS NOT NULL"])

    def _make(self, name: str, statements: Iterable[str]) -> None:
        with self.transaction():
            if name not in self._made:  # another process may have been first
                for statement in statements:
                    self.connection.execute(statement)
        self._made.add(name)

    def forget(self, schema: Schema) -> None:
        """Take a changed schema; everything derived from the old one is dropped."""
        self.schema = schema
        self.compiled.clear()
        self.definitions = self.stored_definitions()
        self._read_made()
