"""Inserting a block: references, rules, stamps, keys, one statement."""

import sqlite3
from collections.abc import Sequence
from math import nan

from flitstack.emulator.checkers import Stored
from flitstack.emulator.column_checks import Sparse
from flitstack.emulator.ddl import key_column, literal, quoted
from flitstack.emulator.messages import Refusal
from flitstack.emulator.rows.alternate_keys import key_texts
from flitstack.emulator.rows.block_rules import own
from flitstack.emulator.rows.blocks import Block, Unusual
from flitstack.emulator.rows.references import require_ids
from flitstack.emulator.rows.rules import block_rules_for
from flitstack.emulator.rows.write import default_of, duplicate
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.store import Store
from flitstack.emulator.values import uuid_blob

# From so many rows on, values that all rows share pay as literals of a statement that SQLite must compile anew.
_MANY = 100
_NULL = nan  # SQLite stores NaN as NULL


def takes_blocks(store: Store, model: EntityModel) -> bool:
    """Whether all rules of a table can be followed for a block."""
    return not model.table.is_activity and model.name != "uomschedule" and block_rules_for(store, model) is not None


def insert_block(block: Block) -> list[bytes] | None:
    """Ids of the new rows; None when the rows must go one by one, nothing being written then."""
    store, model = block.work.store, block.model
    rules = block_rules_for(store, model)
    if rules is None:
        return None
    try:
        for table, ids in block.targets.items():
            require_ids(store, store.schema.tables[table], ids)
        given = _given_ids(block)
        for rule in rules:
            rule(block)
        own(block)
    except (Unusual, Refusal):
        return None
    new_ids = _stamp(block, given)
    for key in model.keys:
        block.put(key_column(key.name), key_texts([block.values(column) for column in key.columns]))
    _insert(block)
    return new_ids


def _given_ids(block: Block) -> list[bytes] | None:
    """The ids that the rows bring, None when they bring none."""
    values = block.columns.get(block.model.table.id_column)
    if values is None:
        return None
    given = [value for value in values if isinstance(value, bytes)]
    if len(given) < block.size:
        raise Unusual
    return given


def _stamp(block: Block, given: list[bytes] | None) -> list[bytes]:
    """Created and modified columns, versions and, where the rows bring none, ids; see `stamps.stamp_created`."""
    work, stored = block.work, block.model.stored
    has_version = "versionnumber" in stored
    per_row = has_version + (given is None)
    numbers = work.store.take_versions(per_row * block.size)
    ids = work.new_ids(numbers[::per_row]) if given is None else given
    block.put(block.model.table.id_column, ids)
    if has_version:
        block.put("versionnumber", numbers[per_row - 1 :: per_row])
    supplied = block.columns.get("overriddencreatedon")
    stamps: dict[str, Stored] = {
        "createdon": work.now, "createdby": work.user, "modifiedon": work.now, "modifiedby": work.user,
    }  # fmt: skip
    if work.caller.on_behalf_of is not None:
        real = uuid_blob(work.caller.on_behalf_of)
        stamps |= {"createdonbehalfby": real, "modifiedonbehalfby": real}
    for column, value in stamps.items():
        if column in stored:
            block.put_same(column, value)
    if supplied is not None:
        block.put("overriddencreatedon", [None if value is None else work.now for value in supplied])
        if "createdon" in stored:
            block.put("createdon", [work.now if value is None else value for value in supplied])
    return ids


def _insert(block: Block) -> None:
    _settle_constants(block)
    if block.size < _MANY:
        for column, value in list(block.constants.items()):
            block.put(column, [value] * block.size)
    bound: dict[int, Sequence[object]] = {}
    marks = []
    for values in block.columns.values():
        # Shadows and base amounts share their values with another column: bound once, named twice.
        bound.setdefault(id(values), values)
        marks.append(f"?{list(bound).index(id(values)) + 1}")
    columns = (*block.columns, *block.constants)
    names = ", ".join(map(quoted, columns))
    marks.extend(map(literal, block.constants.values()))
    store = block.work.store
    sql = f"INSERT INTO {store.ensure_rows(block.model, columns)} ({names}) VALUES ({', '.join(marks)})"
    try:
        store.connection.executemany(sql, zip(*map(_bindable, bound.values()), strict=True))
    except sqlite3.IntegrityError as error:
        raise duplicate(block.model, str(error)) from error


def _bindable(values: Sequence[object]) -> Sequence[object]:
    """Values in the types that sqlite3 binds at once: bytes and None go through its adapters, at several times the cost."""
    if isinstance(values, Sparse):
        return [_NULL if value is None else bytearray(value) if type(value) is bytes else value for value in values]
    if type(values[0]) is bytes and None not in values:
        return list(map(bytearray, values))  # type: ignore[arg-type]
    return values


def _settle_constants(block: Block) -> None:
    """Columns whose rows all hold the same become constants; constants that are the column's default anyway go."""
    for column, values in list(block.columns.items()):
        first = values[0]
        # Two looks spare the count for nearly all columns. A literal cannot hold a NUL character.
        is_same = first == values[-1] == values[block.size // 2] and values.count(first) == block.size
        if is_same and not (isinstance(first, str) and "\0" in first):
            block.put_same(column, first)
    for column, value in list(block.constants.items()):
        if value is None and default_of(block.model.stored.get(column)) is None:
            del block.constants[column]
