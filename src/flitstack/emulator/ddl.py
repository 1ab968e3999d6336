"""SQLite statements for a Dataverse table: one column per attribute, the GUID as clustered key."""

from collections.abc import Iterable, Iterator

from flitstack.catalogue.types import Column, Key, ManyToMany
from flitstack.emulator.schema import UNBOUND_LOOKUPS, EntityModel

_SQL_TYPES = {
    "String": "TEXT",
    "Memo": "TEXT",
    "DateTime": "TEXT",
    "EntityName": "TEXT",
    "MultiSelectPicklist": "TEXT",
    "Integer": "INTEGER",
    "BigInt": "INTEGER",
    "Picklist": "INTEGER",
    "State": "INTEGER",
    "Status": "INTEGER",
    "Boolean": "INTEGER",
    "Decimal": "REAL",
    "Double": "REAL",
    "Money": "REAL",
}


def quoted(name: str) -> str:
    """A name as SQLite identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str | int | float | bytes | None) -> str:
    """A stored value as SQLite literal."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def type_column(column: str) -> str:
    """The companion that holds the target table's logical name of a lookup with several targets."""
    return f"{column}$type"


def key_column(key: str) -> str:
    """The hidden column that holds the folded values of an alternate key; NULL when one part is null."""
    return f"key${key}"


def pair_table(relationship: ManyToMany) -> str:
    """SQLite table of a N:N relationship."""
    return f"pairs${relationship.name}"


def is_polymorphic(column: Column) -> bool:
    """Whether the target's table must be stored beside the id."""
    return column.type in UNBOUND_LOOKUPS and len(column.targets) > 1


def column_parts(column: Column) -> Iterator[str]:
    """Column definitions (one, or two for a polymorphic lookup)."""
    kind = _SQL_TYPES.get(column.type, "BLOB")
    default = ""
    if column.default is not None:
        default = f" DEFAULT {int(column.default)}"
    yield f"{quoted(column.name)} {kind}{default}"
    if is_polymorphic(column):
        yield f"{quoted(type_column(column.name))} TEXT"


def create_table(model: EntityModel) -> Iterator[str]:
    """Statements that make the table with its alternate keys."""
    id_column = model.table.id_column
    parts = [f"{quoted(id_column)} BLOB PRIMARY KEY NOT NULL"]
    for column in model.stored.values():
        if column.name != id_column:
            parts.extend(column_parts(column))
    parts.extend(f"{quoted(key_column(key.name))} TEXT" for key in model.keys)
    yield f"CREATE TABLE {quoted(model.name)} ({', '.join(parts)})"
    for key in model.keys:
        yield key_index(model.name, key)


def key_index(table: str, key: Key) -> str:
    """The unique index of an alternate key."""
    name = quoted(f"{table}${key_column(key.name)}")
    return f"CREATE UNIQUE INDEX {name} ON {quoted(table)} ({quoted(key_column(key.name))})"


def create_pairs(relationship: ManyToMany) -> Iterator[str]:
    """Statements that make the table of a N:N relationship."""
    name = pair_table(relationship)
    yield (
        f"CREATE TABLE IF NOT EXISTS {quoted(name)} "
        "(first BLOB NOT NULL, second BLOB NOT NULL, PRIMARY KEY (first, second)) WITHOUT ROWID"
    )
    yield f"CREATE INDEX IF NOT EXISTS {quoted(name + '$second')} ON {quoted(name)} (second)"


def union_of(pointer: EntityModel, activities: Iterable[EntityModel]) -> str:
    """A subquery that shows the rows of all activity tables as those of activitypointer."""
    parts = [f"SELECT {', '.join(_shown(pointer, activity))} FROM {quoted(activity.name)}" for activity in activities]
    empty = ", ".join(f"NULL AS {quoted(name)}" for name in _names(pointer))
    return "(" + " UNION ALL ".join([f"SELECT {empty} WHERE 0", *parts]) + ")"


def _names(model: EntityModel) -> Iterator[str]:
    for column in model.stored.values():
        yield column.name
        if is_polymorphic(column):
            yield type_column(column.name)


def _shown(pointer: EntityModel, activity: EntityModel) -> Iterator[str]:
    for name in _names(pointer):
        own = activity.stored.get(name.removesuffix("$type"))
        if own is None:
            yield "NULL"
        elif name.endswith("$type") and not is_polymorphic(own):
            yield f"'{own.targets[0]}'" if own.targets else "NULL"
        else:
            yield quoted(name)
