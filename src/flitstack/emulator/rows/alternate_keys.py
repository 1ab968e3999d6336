"""Alternate keys: the folded text that is unique, and finding a row by its key values."""

from collections.abc import Mapping, Sequence

from flitstack.catalogue.types import Key
from flitstack.emulator.checkers import Stored, checker_for
from flitstack.emulator.ddl import key_column, quoted
from flitstack.emulator.messages import Refusal
from flitstack.emulator.paths import Literal
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.store import Store
from flitstack.emulator.values import fold

_BETWEEN = "\x1f"


def key_text(key: Key, values: Mapping[str, Stored]) -> str | None:
    """What the unique index holds: folded parts joined; None (never colliding) when one part is null.

    Whether rows with null key columns collide on the real service is not documented; here they do not.
    """
    parts = []
    for column in key.columns:
        value = values.get(column)
        if value is None:
            return None
        parts.append(fold(value) or "" if isinstance(value, str) else _plain(value))
    return _BETWEEN.join(parts)


def key_texts(columns: Sequence[Sequence[Stored]]) -> Sequence[str | None]:
    """`key_text` of many rows, whose values of the key's columns are given."""
    folded = [_folded(values) for values in columns]
    if len(folded) == 1:
        return folded[0]
    return [None if None in parts else _BETWEEN.join(parts) for parts in zip(*folded, strict=True)]


def _folded(values: Sequence[Stored]) -> list[str | None]:
    if set(map(type, values)) == {str}:
        return [fold(value) for value in values]  # type: ignore[arg-type]
    return [
        None if value is None else (fold(value) or "" if isinstance(value, str) else _plain(value)) for value in values
    ]


def _plain(value: float | bytes) -> str:
    return value.hex() if isinstance(value, bytes) else repr(value)


def find_key(model: EntityModel, given: Mapping[str, Literal]) -> tuple[Key, dict[str, Stored]]:
    """The key that has exactly the columns of a predicate, and its values in stored form."""
    named = {model.value_properties.get(name, name): value for name, value in given.items()}
    for key in model.keys:
        if set(key.columns) == set(named):
            break
    else:
        raise Refusal(
            400, "0x80060890", f"The key(s) {', '.join(named)} is not a defined alternate key of entity '{model.name}'."
        )
    stored: dict[str, Stored] = {}
    for name, value in named.items():
        check = checker_for(model.name, model.table.entity_set, model.columns[name])
        stored[name] = None if value is None else check(value)
    return key, stored


def find_row(store: Store, model: EntityModel, given: Mapping[str, Literal]) -> bytes | None:
    """The id of the row with these key values, None when there is none."""
    key, stored = find_key(model, given)
    text = key_text(key, stored)
    if text is None:
        return None
    sql = f"SELECT {quoted(model.table.id_column)} FROM {store.ensure(model)} WHERE {quoted(key_column(key.name))} = ?"
    row = store.connection.execute(sql, (text,)).fetchone()
    return row[0] if row else None


def missing_key(model: EntityModel) -> Refusal:
    """404 for a key that no row has."""
    return Refusal(404, "0x80060891", f"A record with the specified key values does not exist in {model.name} entity")
