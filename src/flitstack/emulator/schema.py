"""Live metadata of an environment: the catalogue's tables plus what was added to them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from flitstack.catalogue.types import Column, Key, ManyToMany, OneToMany, Table
from flitstack.emulator.messages import Refusal

UNBOUND_LOOKUPS = frozenset({"Lookup", "Customer", "Owner"})


@dataclass(frozen=True, slots=True)
class LookupNav:
    """A single-valued navigation property: which column it fills, with a row of which tables."""

    name: str
    column: str
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CollectionNav:
    """A collection-valued navigation property: rows of `table` whose `column` points here, or pairs of a N:N."""

    name: str
    table: str
    column: str | None = None
    pairs: ManyToMany | None = None
    is_first: bool = True  # N:N: this side is table1


@dataclass(frozen=True)
class EntityModel:
    """One table as requests see it: `table` holds all columns and keys, standard and custom."""

    table: Table
    lookups: Mapping[str, LookupNav]
    collections: Mapping[str, CollectionNav]
    custom_columns: frozenset[str] = frozenset()
    is_custom: bool = False

    @property
    def name(self) -> str:
        """Logical name."""
        return self.table.name

    @property
    def columns(self) -> Mapping[str, Column]:
        """Columns by logical name."""
        return self.table.columns

    @property
    def keys(self) -> tuple[Key, ...]:
        """Alternate keys."""
        return self.table.keys

    def require_message(self, message: str) -> None:
        """405 unless the table knows Create, Update or Delete."""
        if self.table.messages and message not in self.table.messages:
            raise Refusal(405, "0x80040800", f"The '{message}' method does not support entities of type '{self.name}'.")

    @cached_property
    def stored(self) -> Mapping[str, Column]:
        """Columns that have a place in SQLite: Web API properties that are not party lists or files."""
        return {c.name: c for c in self.table.columns.values() if is_stored(c)}

    @cached_property
    def positions(self) -> Mapping[str, int]:
        """The number of each column, from 1."""
        return {name: number for number, name in enumerate(self.table.columns, 1)}

    @cached_property
    def value_properties(self) -> Mapping[str, str]:
        """`_x_value` of each lookup column -> its column."""
        return {f"_{c.name}_value": c.name for c in self.stored.values() if c.type in UNBOUND_LOOKUPS}


@dataclass(frozen=True)
class Schema:
    """All tables and relationships at one moment; replaced as a whole after a metadata change."""

    tables: Mapping[str, EntityModel]
    one_to_many: Mapping[str, OneToMany]
    many_to_many: Mapping[str, ManyToMany]
    children: Mapping[str, tuple[OneToMany, ...]] = field(default_factory=dict)  # by referenced table

    @cached_property
    def entity_sets(self) -> Mapping[str, EntityModel]:
        """Tables by entity set name."""
        return {m.table.entity_set: m for m in self.tables.values()}

    def by_entity_set(self, name: str) -> EntityModel:
        """The table with this entity set name, or Refusal 404."""
        model = self.entity_sets.get(name)
        if model is None:
            raise Refusal(404, "0x8006088a", f"Resource not found for the segment '{name}'.")
        return model


def is_stored(column: Column) -> bool:
    """Whether rows hold a value for this column."""
    if column.type == "File":  # the id of the file; the platform's own file columns are not filled
        return column.is_web_api and column.updatable
    return column.is_web_api and column.type not in {"PartyList", "Virtual", "ManagedProperty", "Image"}
