"""References to rows: `/accounts(guid)`, `accounts(accountnumber='A1')`, an absolute URL, or `$1`."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flitstack.emulator.ddl import quoted
from flitstack.emulator.messages import Refusal
from flitstack.emulator.paths import parse_path
from flitstack.emulator.rows.alternate_keys import find_row, missing_key
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.store import Store
from flitstack.emulator.values import guid_blob, guid_text

PLAIN = re.compile(r"/?(\w+)\(([0-9a-fA-F-]{36})\)")
_ABSOLUTE = re.compile(r"(?:https?://[^/]+/)?api/data/v\d+\.\d+/", re.IGNORECASE)
_CHUNK = 512


@dataclass(frozen=True, slots=True)
class Target:
    """A row somebody points to; not yet known to exist."""

    model: EntityModel
    id: bytes


def parse_target(store: Store, text: object, content_ids: Mapping[str, str]) -> Target:
    """The row a reference names. A key is looked up at once, an id is taken as it is (see `require`)."""
    if not isinstance(text, str):
        raise _bad_reference(text)
    plain = PLAIN.fullmatch(text)
    if plain:
        id_ = guid_blob(plain[2])
        if id_ is not None:
            return Target(store.schema.by_entity_set(plain[1]), id_)
    stripped = text.lstrip("/")
    if stripped.startswith("$"):
        known = content_ids.get(stripped[1:])
        if known is None:
            raise Refusal(400, "0x0", f"Content-ID Reference: '{stripped}' does not exist in the batch context.")
        return parse_target(store, known, {})
    segments = parse_path(_ABSOLUTE.sub("", stripped))
    if len(segments) != 1 or not segments[0].is_row:
        raise _bad_reference(text)
    segment = segments[0]
    model = store.schema.by_entity_set(segment.name)
    if segment.id is not None:
        return Target(model, segment.id)
    found = find_row(store, model, segment.key or {})
    if found is None:
        raise missing_key(model)
    return Target(model, found)


def require(store: Store, targets: Iterable[Target]) -> None:
    """404 0x80040217 unless all targets exist; asked set-wise, one statement per table and 500 ids."""
    by_table: dict[str, tuple[EntityModel, set[bytes]]] = {}
    for target in targets:
        by_table.setdefault(target.model.name, (target.model, set()))[1].add(target.id)
    for model, wanted in by_table.values():
        require_ids(store, model, wanted)


def require_ids(store: Store, model: EntityModel, wanted: Collection[bytes]) -> None:
    """404 0x80040217 unless all ids are rows of the table."""
    found = sum(row[0] for row in _per_chunk(store, model, wanted, "count(*)"))
    if found < len(wanted):
        present = {row[0] for row in rows_of(store, model, wanted)}
        raise missing_row(model, min(id_ for id_ in wanted if id_ not in present))


def rows_of(
    store: Store, model: EntityModel, wanted: Collection[bytes], columns: str = "NULL"
) -> Iterator[tuple[Any, ...]]:
    """Id and columns of those rows that exist; one statement for 512 ids."""
    return _per_chunk(store, model, wanted, f"{quoted(model.table.id_column)}, {columns}")


def _per_chunk(store: Store, model: EntityModel, wanted: Collection[bytes], shown: str) -> Iterator[tuple[Any, ...]]:
    id_column, ids = quoted(model.table.id_column), sorted(wanted)
    for start in range(0, len(ids), _CHUNK):
        chunk = ids[start : start + _CHUNK]
        # Filled up to a power of two, so that few statements serve all counts.
        count = 1 << (len(chunk) - 1).bit_length()
        sql = f"SELECT {shown} FROM {store.ensure(model)} WHERE {id_column} IN ({','.join('?' * count)})"
        yield from store.connection.execute(sql, [*map(bytearray, chunk), *chunk[-1:] * (count - len(chunk))])


def row_exists(store: Store, model: EntityModel, id_: bytes) -> bool:
    """Whether a row has this id."""
    return any(rows_of(store, model, [id_]))


def missing_row(model: EntityModel, id_: bytes) -> Refusal:
    """404 for an id that no row has."""
    return Refusal(404, "0x80040217", f"{model.name} With Id = {guid_text(id_)} Does Not Exist")


def _bad_reference(text: object) -> Refusal:
    return Refusal(
        400,
        "0x80048d19",
        f"Error identified in Payload provided by the user, InnerException : '{text}' is no entity reference.",
    )
