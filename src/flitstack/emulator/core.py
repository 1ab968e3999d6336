"""The seam between the front (HTTP, metadata API, admin) and the data core: one open data directory.

Everything is synchronous; one thread at a time may use an `Environment`.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from flitstack.catalogue.types import Column, Key, ManyToMany, OneToMany, Table
from flitstack.emulator.messages import Answer, Caller, Refusal, Request, Switches, not_implemented
from flitstack.emulator.schema import EntityModel

__all__ = ["Answer", "Caller", "EntityModel", "Environment", "Refusal", "Request", "Switches", "not_implemented"]

Document = dict[str, object]


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Environment:
    """One data directory: metadata, rows, and the requests that read and change them."""

    connection: sqlite3.Connection

    @classmethod
    def open(cls, directory: Path, switches: Switches | None = None, clock: Callable[[], datetime] = _utc_now) -> "Environment":
        """Open the directory, creating and seeding it when it is new."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the database; the object is of no use afterwards."""
        raise NotImplementedError

    @property
    def tables(self) -> Mapping[str, EntityModel]:
        """Live metadata (catalogue and custom) by logical name."""
        raise NotImplementedError

    def by_entity_set(self, name: str) -> EntityModel:
        """The table with this (case-sensitive) entity set name, or Refusal 404 0x8006088a."""
        raise NotImplementedError

    def handle(self, request: Request, caller: Caller) -> Answer:
        """Answer one data request. Raises Refusal; a refused request leaves nothing behind."""
        raise NotImplementedError

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Writes inside belong together: committed at the end, rolled back when an exception leaves the block.

        Re-entrant: an inner block joins the outer one.
        """
        raise NotImplementedError
        yield

    # Metadata changes: atomic, persisted, the SQLite table altered with them; `extra` is kept beside the definition
    # (labels in several languages, MetadataId ...) and read back with `document(kind, name)`.

    def define_table(self, table: Table, extra: Document | None = None) -> None:
        """A new custom table, with all its columns (system columns included). `tables` shows it at once."""

    def replace_table(self, table: Table, extra: Document | None = None) -> None:
        """Changed table properties (labels, has_notes ...); columns and keys of the argument are ignored."""

    def drop_table(self, name: str) -> None:
        """Remove a custom table, its rows, columns, keys and relationships."""

    def put_column(self, table: str, column: Column, extra: Document | None = None) -> None:
        """Add a column, or replace the definition of one (any table; options of standard choices included)."""

    def drop_column(self, table: str, name: str) -> None:
        """Remove a custom column with its values."""

    def put_relationship(self, relationship: OneToMany | ManyToMany, extra: Document | None = None) -> None:
        """Add or replace a relationship; the lookup column of a 1:N one must be there already (put_column)."""

    def drop_relationship(self, name: str) -> None:
        """Remove a relationship (a N:N one with its pairs)."""

    def put_key(self, table: str, key: Key, extra: Document | None = None) -> None:
        """Add an alternate key; Refusal 0x80060892 when existing rows collide."""

    def drop_key(self, table: str, name: str) -> None:
        """Remove an alternate key."""

    def documents(self, kind: str) -> dict[str, Document]:
        """All JSON documents of a kind, by name. The front may keep its own kinds ("publisher", "solution" ...).

        Kinds of the core: "table", "column" (name "table.column"), "one_to_many", "many_to_many",
        "key" (name "table.key"); each {"definition": ..., "extra": ...}.
        """
        raise NotImplementedError

    def put_document(self, kind: str, name: str, document: Document) -> None:
        """Store a JSON document under (kind, name)."""

    def drop_document(self, kind: str, name: str) -> None:
        """Remove a JSON document; no error when absent."""

    @property
    def one_to_many(self) -> Mapping[str, OneToMany]:
        """All 1:N relationships by name."""
        raise NotImplementedError

    @property
    def many_to_many(self) -> Mapping[str, ManyToMany]:
        """All N:N relationships by name."""
        raise NotImplementedError
