"""The seam between the front (HTTP, metadata API, admin) and the data core: one open data directory.

Everything is synchronous; one thread at a time may use an `Environment`.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from flitstack.catalogue.read import load_catalogue
from flitstack.catalogue.types import Column, Key, ManyToMany, OneToMany, Table
from flitstack.emulator.definitions import Definitions
from flitstack.emulator.documents import Document, delete_document, read_documents, write_document
from flitstack.emulator.files.contents import Content, all_whole, read, sweep
from flitstack.emulator.jobs.bulk_delete import run_slice
from flitstack.emulator.messages import Answer, Caller, Refusal, Request, Switches, not_implemented
from flitstack.emulator.resources import operations
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.seed import APPLICATION_USER, put_row, seed
from flitstack.emulator.store import FILE_NAME, Store
from flitstack.emulator.work import Values

__all__ = [
    "APPLICATION_USER",
    "Answer",
    "Caller",
    "Document",
    "EntityModel",
    "Environment",
    "Refusal",
    "Request",
    "Switches",
    "not_implemented",
]


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Environment:
    """One data directory: metadata, rows, and the requests that read and change them."""

    def __init__(self, store: Store, definitions: Definitions) -> None:
        self._store = store
        self._definitions = definitions

    @classmethod
    def open(
        cls, directory: Path, switches: Switches | None = None, clock: Callable[[], datetime] = _utc_now
    ) -> "Environment":
        """Open the directory, creating and seeding it when it is new."""
        directory.mkdir(parents=True, exist_ok=True)
        store = Store(directory / FILE_NAME, switches or Switches(), clock)
        with store.turn:  # of several processes that open an empty directory, one seeds it
            definitions = Definitions(store, load_catalogue())
            seed(store)
            sweep(store)
        return cls(store, definitions)

    def close(self) -> None:
        """Close the database; the object is of no use afterwards."""
        self._store.close()

    @property
    def connection(self) -> sqlite3.Connection:
        """The SQLite connection, for snapshots and fingerprints."""
        return self._store.connection

    @property
    def application_user(self) -> UUID:
        """The seeded application user (System Administrator)."""
        return APPLICATION_USER

    def ensure_rows(self, model: EntityModel, columns: Collection[str]) -> str:
        """The SQLite name to write these columns of a table's rows by."""
        return self._store.ensure_rows(model, columns)

    @property
    def tables(self) -> Mapping[str, EntityModel]:
        """Live metadata (catalogue and custom) by logical name."""
        return self._store.schema.tables

    @property
    def one_to_many(self) -> Mapping[str, OneToMany]:
        """All 1:N relationships by name."""
        return self._store.schema.one_to_many

    @property
    def many_to_many(self) -> Mapping[str, ManyToMany]:
        """All N:N relationships by name."""
        return self._store.schema.many_to_many

    def by_entity_set(self, name: str) -> EntityModel:
        """The table with this (case-sensitive) entity set name, or Refusal 404 0x8006088a."""
        return self._store.schema.by_entity_set(name)

    def handle(self, request: Request, caller: Caller) -> Answer:
        """Answer one data request. Raises Refusal; a refused request leaves nothing behind."""
        return operations.answer(self._store, request, caller)

    def run_job(self) -> bool:
        """Do a slice of a system job that is due; whether there was one. The front calls it between requests."""
        return run_slice(self._store)

    def contents(self) -> list[Content]:
        """All whole contents of file and image columns."""
        return all_whole(self._store)

    def read_content(self, content: Content) -> Iterator[bytes]:
        """The bytes of a content, in pieces of at most 4 MB."""
        return read(self._store, content.id, 0, content.size or 0)

    def transaction(self) -> AbstractContextManager[None]:
        """Writes inside belong together: committed at the end, rolled back when an exception leaves the block.

        Re-entrant: an inner block joins the outer one, and an exception must leave the outer one too.
        """
        return self._store.transaction()

    def savepoint(self) -> AbstractContextManager[None]:
        """Inside a transaction: an exception that leaves the block undoes what the block did, and no more."""
        return self._store.savepoint()

    def refresh(self) -> None:
        """Take over what other processes on the directory committed. Cheap when they committed nothing."""
        self._store.refresh()

    @property
    def definitions_generation(self) -> int:
        """Rises with each change of the metadata, by whichever process."""
        return self._store.definitions

    def reload(self) -> None:
        """Read the metadata anew, after the file was replaced or edited from outside."""
        self._definitions.reload()

    def put_row(self, table: str, id_: UUID, values: Values) -> None:
        """Insert or replace a row past every rule; `values` in stored form. For seeding."""
        with self._store.transaction():
            put_row(self._store, table, id_, values)

    # Metadata changes: atomic, persisted, the SQLite table altered with them. `extra` is kept beside the definition
    # (labels in several languages, MetadataId ...) and read back with `documents(kind)`; None keeps what was there.

    def define_table(self, table: Table, extra: Document | None = None) -> None:
        """A new custom table with all its columns (system columns included); `tables` shows it at once.

        With the name of a known table: changed properties only; its columns and keys stay.
        """
        self._definitions.define_table(table, extra)

    def drop_table(self, name: str) -> None:
        """Remove a custom table, its rows, columns, keys and relationships."""
        self._definitions.drop_table(name)

    def put_column(self, table: str, column: Column, extra: Document | None = None) -> None:
        """Add a column, or replace the definition of one (any table; options of standard choices included)."""
        self._definitions.put_column(table, column, extra)

    def drop_column(self, table: str, name: str) -> None:
        """Remove a custom column with its values."""
        self._definitions.drop_column(table, name)

    def put_relationship(self, relationship: OneToMany | ManyToMany, extra: Document | None = None) -> None:
        """Add or replace a relationship; the lookup column of a 1:N one must be there already (put_column)."""
        self._definitions.put_relationship(relationship, extra)

    def drop_relationship(self, name: str) -> None:
        """Remove a relationship (a N:N one with its pairs)."""
        self._definitions.drop_relationship(name)

    def put_key(self, table: str, key: Key, extra: Document | None = None) -> None:
        """Add an alternate key; Refusal 412 0x80060892 when existing rows collide."""
        self._definitions.put_key(table, key, extra)

    def drop_key(self, table: str, name: str) -> None:
        """Remove an alternate key."""
        self._definitions.drop_key(table, name)

    def documents(self, kind: str) -> dict[str, Document]:
        """All JSON documents of a kind, by name. The front may keep its own kinds ("publisher", "solution" ...).

        Kinds of the core: "table", "column" (name "table.column"), "one_to_many", "many_to_many",
        "key" (name "table.key"); each {"definition": ..., "extra": ...}.
        """
        return read_documents(self._store, kind)

    def put_document(self, kind: str, name: str, document: Document) -> None:
        """Store a JSON document under (kind, name)."""
        with self._store.transaction():
            write_document(self._store, kind, name, document)

    def drop_document(self, kind: str, name: str) -> None:
        """Remove a JSON document; no error when absent."""
        with self._store.transaction():
            delete_document(self._store, kind, name)
