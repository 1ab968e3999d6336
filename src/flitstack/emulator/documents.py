"""Persisted JSON documents of an environment, and custom definitions as such documents."""

from collections.abc import Mapping
from typing import Any

import orjson

from flitstack.catalogue.types import Column, Key, ManyToMany, OneToMany, Option, State, Table
from flitstack.emulator.schema_build import Additions
from flitstack.emulator.store import Store

Document = dict[str, object]


def read_documents(store: Store, kind: str) -> dict[str, Document]:
    """All documents of a kind, by name."""
    rows = store.connection.execute("SELECT name, body FROM environment$document WHERE kind = ? ORDER BY name", (kind,))
    return {name: orjson.loads(body) for name, body in rows}


def write_document(store: Store, kind: str, name: str, document: Mapping[str, object]) -> None:
    """Store a document, replacing the one of that name."""
    body = orjson.dumps(document, default=_encode).decode()
    store.connection.execute("INSERT OR REPLACE INTO environment$document VALUES (?, ?, ?)", (kind, name, body))


def delete_document(store: Store, kind: str, name: str) -> None:
    """Remove a document; no error when absent."""
    store.connection.execute("DELETE FROM environment$document WHERE kind = ? AND name = ?", (kind, name))


def write_definition(store: Store, kind: str, name: str, definition: object, extra: Document | None) -> None:
    """Store a definition with what the front keeps beside it (kept as it was when `extra` is None)."""
    if extra is None:
        extra = _document_extra(read_documents(store, kind).get(name))
    write_document(store, kind, name, {"definition": definition, "extra": extra})


def _document_extra(document: Document | None) -> Document:
    extra = (document or {}).get("extra")
    return extra if isinstance(extra, dict) else {}


def read_additions(store: Store) -> Additions:
    """Everything the environment defines beyond the catalogue."""
    added = Additions()
    for name, document in read_documents(store, "table").items():
        added.tables[name] = _table(document["definition"])
    for name, document in read_documents(store, "column").items():
        column = _column(document["definition"])
        added.columns[name.partition(".")[0]][column.name] = column
    for name, document in read_documents(store, "key").items():
        key = _key(document["definition"])
        added.keys[name.partition(".")[0]][key.name] = key
    for name, document in read_documents(store, "one_to_many").items():
        added.one_to_many[name] = OneToMany(**_fields(document["definition"]))
    for name, document in read_documents(store, "many_to_many").items():
        added.many_to_many[name] = ManyToMany(**_fields(document["definition"]))
    return added


def _fields(definition: object) -> dict[str, Any]:
    if not isinstance(definition, dict):
        raise ValueError(f"a definition is an object, not {definition!r}")
    return definition


def _table(definition: object) -> Table:
    fields = dict(_fields(definition))
    fields["messages"] = frozenset(fields["messages"])
    fields["columns"] = {name: _column(column) for name, column in fields["columns"].items()}
    fields["keys"] = tuple(_key(key) for key in fields["keys"])
    fields["states"] = tuple(_state(state) for state in fields["states"])
    return Table(**fields)


def _column(definition: object) -> Column:
    fields = dict(_fields(definition))
    fields["options"] = tuple(Option(**option) for option in fields["options"])
    fields["targets"] = tuple(fields["targets"])
    return Column(**fields)


def _state(definition: dict[str, Any]) -> State:
    return State(**{**definition, "statuses": tuple(Option(**option) for option in definition["statuses"])})


def _key(definition: object) -> Key:
    fields = _fields(definition)
    return Key(fields["name"], tuple(fields["columns"]))


def _encode(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"no JSON form of {type(value).__name__}")
