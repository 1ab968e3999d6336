"""Changing the metadata of an open environment: documents, SQLite tables and the live schema together."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from flitstack.catalogue.types import Catalogue, Column, Key, ManyToMany, OneToMany, Table
from flitstack.emulator import ddl
from flitstack.emulator.ddl import quoted
from flitstack.emulator.documents import (
    Document,
    delete_document,
    read_additions,
    read_documents,
    write_definition,
)
from flitstack.emulator.rows.alternate_keys import key_text
from flitstack.emulator.rows.write import duplicate
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.schema_build import build_schema
from flitstack.emulator.store import Store


class Definitions:
    """The metadata side of an environment; each change is one transaction and shows at once."""

    def __init__(self, store: Store, catalogue: Catalogue) -> None:
        self._store = store
        self._catalogue = catalogue
        store.on_new_definitions = self.reload
        self.reload()

    def reload(self) -> None:
        """Build the live schema from catalogue and documents."""
        self._store.forget(build_schema(self._catalogue, read_additions(self._store), self._store.schema))

    @contextmanager
    def _change(self) -> Iterator[None]:
        try:
            with self._store.transaction():
                yield
                self._store.announce_definitions()
                self.reload()
        except BaseException:
            self.reload()
            raise

    @contextmanager
    def _reshaping(self, table: str) -> Iterator[frozenset[str]]:
        """A change of a table's columns, without its view on the way; gives the columns its rows have."""
        with self._change():
            if not self._store.exists(table):
                yield frozenset()
                return
            present = self._store.present(self._model(table))
            self._store.hide(table)
            yield present
            self.reload()
            self._store.show(self._model(table))

    def _model(self, table: str) -> EntityModel:
        return self._store.schema.tables[table]

    def _run(self, sql: str) -> None:
        self._store.connection.execute(sql)

    def define_table(self, table: Table, extra: Document | None) -> None:
        """Store a table; its SQLite side is made on first use.

        Of a known table the properties only: columns and keys added later live in documents of their own, and one
        removed from there must not come back from here.
        """
        if table.name in self._store.schema.tables:
            first = read_additions(self._store).tables.get(table.name)
            table = replace(table, columns=first.columns if first else {}, keys=())
        with self._change():
            write_definition(self._store, "table", table.name, table, extra)

    def drop_table(self, name: str) -> None:
        """Remove a custom table with rows, columns, keys, relationships."""
        schema = self._store.schema
        with self._change():
            if self._store.exists(name):
                self._store.hide(name)
                self._run(f"DROP TABLE {quoted(ddl.rows_table(name))}")
            delete_document(self._store, "table", name)
            for kind in ("column", "key"):
                for full in read_documents(self._store, kind):
                    if full.partition(".")[0] == name:
                        delete_document(self._store, kind, full)
            for one in schema.one_to_many.values():
                if name in (one.referenced, one.referencing):
                    delete_document(self._store, "one_to_many", one.name)
            for many in schema.many_to_many.values():
                if name in (many.table1, many.table2):
                    self._drop_pairs(many)

    def put_column(self, table: str, column: Column, extra: Document | None) -> None:
        """Add or replace a column."""
        model = self._model(table)
        known = model.stored.get(column.name)
        if known is not None and known.default != column.default:
            self._store.ensure_rows(model, [column.name])  # rows that were given none keep the default they met
        with self._reshaping(table):
            write_definition(self._store, "column", f"{table}.{column.name}", column, extra)
            is_used = self._store.exists(table) and column.name in self._store.present(model)
            if is_used and known is not None and ddl.is_polymorphic(column) and not ddl.is_polymorphic(known):
                # A lookup that gains a second target starts to store which table each value points to.
                rows, companion = quoted(ddl.rows_table(table)), quoted(ddl.type_column(column.name))
                self._run(f"ALTER TABLE {rows} ADD COLUMN {companion} TEXT")
                self._store.connection.execute(
                    f"UPDATE {rows} SET {companion} = ? WHERE {quoted(column.name)} IS NOT NULL", known.targets[:1]
                )
            if is_used and known is not None and known.default != column.default:
                self._change_default(table, column)

    def _change_default(self, table: str, column: Column) -> None:
        """Give new rows another default; SQLite keeps the one a column was made with, so the column is made anew."""
        rows, old, new = quoted(ddl.rows_table(table)), quoted(column.name), f"{column.name}$new"
        self._run(f"DROP INDEX IF EXISTS {quoted(f'{table}$by${column.name}')}")
        for definition in ddl.column_parts(replace(column, name=new)):
            self._run(f"ALTER TABLE {rows} ADD COLUMN {definition}")
        self._run(f"UPDATE {rows} SET {quoted(new)} = {old}")
        self._run(f"ALTER TABLE {rows} DROP COLUMN {old}")
        self._run(f"ALTER TABLE {rows} RENAME COLUMN {quoted(new)} TO {old}")

    def drop_column(self, table: str, name: str) -> None:
        """Remove a custom column with its values."""
        with self._reshaping(table) as present:
            delete_document(self._store, "column", f"{table}.{name}")
            self._run(f"DROP INDEX IF EXISTS {quoted(f'{table}$by${name}')}")
            for gone in (name, ddl.type_column(name)):
                if gone in present:
                    self._run(f"ALTER TABLE {quoted(ddl.rows_table(table))} DROP COLUMN {quoted(gone)}")

    def put_relationship(self, relationship: OneToMany | ManyToMany, extra: Document | None) -> None:
        """Add or replace a relationship."""
        kind = "one_to_many" if isinstance(relationship, OneToMany) else "many_to_many"
        with self._change():
            write_definition(self._store, kind, relationship.name, relationship, extra)

    def drop_relationship(self, name: str) -> None:
        """Remove a relationship; pairs of a N:N one go with it."""
        many = self._store.schema.many_to_many.get(name)
        with self._change():
            delete_document(self._store, "one_to_many", name)
            if many is not None:
                self._drop_pairs(many)

    def _drop_pairs(self, many: ManyToMany) -> None:
        delete_document(self._store, "many_to_many", many.name)
        if self._store.exists(ddl.pair_table(many)):
            self._run(f"DROP TABLE {quoted(ddl.pair_table(many))}")

    def put_key(self, table: str, key: Key, extra: Document | None) -> None:
        """Add an alternate key over the rows there are; Refusal 412 when two collide."""
        model = self._model(table)
        with self._change():
            write_definition(self._store, "key", f"{table}.{key.name}", key, extra)
            if not self._store.exists(table) or key in model.keys:
                return
            self.reload()
            self._store.ensure_rows(self._model(table), [ddl.key_column(key.name)])
            self._fill_key(model, key)
            try:
                self._run(ddl.key_index(table, key))
            except sqlite3.IntegrityError as error:
                suffix = f".{ddl.key_column(key.name)}"
                raise duplicate(self._model(table), str(error) + suffix) from error

    def _fill_key(self, model: EntityModel, key: Key) -> None:
        id_column = quoted(model.table.id_column)
        names = ", ".join(map(quoted, key.columns))
        rows = self._store.connection.execute(f"SELECT {id_column}, {names} FROM {quoted(model.name)}").fetchall()
        texts = [(key_text(key, dict(zip(key.columns, row[1:], strict=True))), row[0]) for row in rows]
        self._store.connection.executemany(
            f"UPDATE {quoted(ddl.rows_table(model.name))} SET {quoted(ddl.key_column(key.name))} = ? WHERE {id_column} = ?",
            texts,
        )

    def drop_key(self, table: str, name: str) -> None:
        """Remove an alternate key with its index."""
        column = ddl.key_column(name)
        with self._reshaping(table) as present:
            delete_document(self._store, "key", f"{table}.{name}")
            if column in present:
                self._run(f"DROP INDEX IF EXISTS {quoted(f'{table}${column}')}")
                self._run(f"ALTER TABLE {quoted(ddl.rows_table(table))} DROP COLUMN {quoted(column)}")
