"""SQLite statements for a Dataverse table.

Its rows lie in `{table}$rows`, whose columns are those that some row was given: of the hundreds a table has most are never
used, and SQLite spends time and bytes on each column of each row. The view `{table}` shows all columns.
"""

from collections.abc import Collection, Iterable, Iterator

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


def rows_table(table: str) -> str:
    """SQLite table of a Dataverse table's rows."""
    return f"{table}$rows"


def columns_of(model: EntityModel) -> dict[str, tuple[str, int | None]]:
    """What rows may hold: name of the SQLite column -> its definition, and the value of rows that were given none."""
    found: dict[str, tuple[str, int | None]] = {}
    for column in model.stored.values():
        default = None if column.default is None else int(column.default)
        own, *companions = column_parts(column)
        found[column.name] = (own, default)
        found |= {type_column(column.name): (part, None) for part in companions}
    for key in model.keys:
        found[key_column(key.name)] = (f"{quoted(key_column(key.name))} TEXT", None)
    return found


def create_table(model: EntityModel, wanted: Collection[str]) -> Iterator[str]:
    """Statements that make the table of the rows with some of its columns, and its alternate keys."""
    id_column = model.table.id_column
    keys = {key_column(key.name) for key in model.keys}
    parts = [f"{quoted(id_column)} BLOB PRIMARY KEY NOT NULL"]
    for name, (definition, _) in columns_of(model).items():
        if name != id_column and (name in wanted or name in keys):
            parts.append(definition)
    yield f"CREATE TABLE {quoted(rows_table(model.name))} ({', '.join(parts)})"
    for key in model.keys:
        yield key_index(model.name, key)


def create_view(model: EntityModel, present: Collection[str]) -> str:
    """The statement that makes the view; `present`: the columns that the rows have."""
    shown = (
        quoted(name) if name in present else f"{'NULL' if default is None else default} AS {quoted(name)}"
        for name, (_, default) in columns_of(model).items()
    )
    return f"CREATE VIEW {quoted(model.name)} AS SELECT {', '.join(shown)} FROM {quoted(rows_table(model.name))}"


def key_index(table: str, key: Key) -> str:
    """The unique index of an alternate key."""
    name = quoted(f"{table}${key_column(key.name)}")
    return f"CREATE UNIQUE INDEX {name} ON {quoted(rows_table(table))} ({quoted(key_column(key.name))})"


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
