"""What the project knows of a Dataverse table: frozen facts, no behaviour beyond look-ups.

Source of the facts: see docs/catalogue.md. Column types use the platform's own words without the "Type" suffix
("String", "Memo", "Picklist", "MultiSelectPicklist", "State", "Status", "Boolean", "Integer", "BigInt", "Decimal",
"Double", "Money", "DateTime", "Lookup", "Customer", "Owner", "PartyList", "Uniqueidentifier", "EntityName",
"ManagedProperty", "Image", "File", "Virtual").
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

# What a column that is there may become wider in: member of a schema operation -> the column's own fact, and which way is wider.
WIDER: Mapping[str, tuple[str, int]] = {
    "length": ("max_length", 1),
    "precision": ("precision", 1),
    "max": ("max_value", 1),
    "min": ("min_value", -1),
}


@dataclass(frozen=True, slots=True)
class Option:
    """One value of a choice column. `state` is set on options of a Status column: the statecode it belongs to."""

    value: int
    label: str
    state: int | None = None


@dataclass(frozen=True, slots=True)
class State:
    """One statecode with its status reasons."""

    value: int
    label: str
    default_status: int
    statuses: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    `navigation` maps a lookup's target table to the single-valued navigation property used with `@odata.bind`.
    `max_length` counts UTF-16 code units, as SQL Server's nvarchar does. `date_behaviour` is UserLocal, DateOnly or
    TimeZoneIndependent; `format` is the platform's Format/FormatName (DateOnly, DateAndTime, Email, Url, TextArea ...).
    """

    name: str
    schema_name: str
    type: str
    label: str = ""
    required: str = "None"  # None | Recommended | ApplicationRequired | SystemRequired
    creatable: bool = False
    readable: bool = True
    updatable: bool = False
    max_length: int | None = None
    min_value: float | None = None
    max_value: float | None = None
    precision: int | None = None
    precision_source: int | None = None  # money: 0 precision, 1 organization pricing decimals, 2 currency precision
    format: str | None = None
    date_behaviour: str | None = None
    default: int | bool | None = None
    options: tuple[Option, ...] = ()
    option_set: str | None = None  # name of the option set
    is_global_choice: bool = False
    targets: tuple[str, ...] = ()
    navigation: dict[str, str] = field(default_factory=dict)
    base_of: str | None = None  # money column mirrored in base currency
    is_calculated: bool = False
    autonumber: str | None = None
    is_inherited: bool = False  # property lives on activitypointer in $metadata
    is_web_api: bool = True  # False: exists in metadata, is no Web API property
    is_logical: bool = False  # not stored
    max_kb: int | None = None
    is_secured: bool = False  # field-level security decides who may read and write it
    doubts: tuple[str, ...] = ()  # what the sources leave open: ops, required, default, presence (docs/catalogue.md)


def behaviour_of(definition: Mapping[str, Any]) -> str:
    """`Column.date_behaviour` of a DateTime column made by this definition (docs/destination.md, add_column)."""
    return str(definition.get("behaviour") or ("DateOnly" if definition.get("format") == "DateOnly" else "UserLocal"))


@dataclass(frozen=True, slots=True)
class OneToMany:
    """`referencing.referencing_column` is a lookup to `referenced`; cascade maps action (assign, delete, merge,
    reparent, share, unshare) to NoCascade, Cascade, Active, UserOwned, RemoveLink or Restrict."""

    name: str
    referenced: str
    referenced_column: str
    referencing: str
    referencing_column: str
    navigation: str | None
    collection: str | None
    cascade: dict[str, str] = field(default_factory=dict)
    is_hierarchical: bool = False
    doubts: tuple[str, ...] = ()  # "nav": the navigation property name is inferred


@dataclass(frozen=True, slots=True)
class ManyToMany:
    """Two tables joined by an intersect table that is not a table of its own for clients."""

    name: str
    table1: str
    column1: str
    navigation1: str
    table2: str
    column2: str
    navigation2: str
    intersect: str


@dataclass(frozen=True, slots=True)
class Key:
    """An alternate key."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A standard table. `columns` and `one_to_many` (as referenced side) are keyed by logical name."""

    name: str
    schema_name: str
    entity_set: str
    id_column: str
    name_column: str | None
    label: str
    label_plural: str
    ownership: str  # UserOwned | OrganizationOwned | BusinessOwned | TeamOwned | None
    object_type_code: int
    is_activity: bool
    is_activity_party: bool
    has_notes: bool
    has_activities: bool
    has_connections: bool
    is_customizable: (
        bool  # False: refuses custom columns and keys (annotation, activitymimeattachment, activityparty ...)
    )
    change_tracking: bool
    duplicate_detection: bool
    optimistic_concurrency: bool
    messages: frozenset[str]  # Create, Update, Delete, Assign, CreateMultiple, UpdateMultiple, UpsertMultiple ...
    columns: dict[str, Column]
    states: tuple[State, ...]  # first is the default state
    keys: tuple[Key, ...] = ()
    collection_schema_name: str = ""
    image_column: str | None = None
    can_queue: bool = False
    has_document_locations: bool = False
    is_child: bool = False  # lives below another row and takes its owner from there
    is_process: bool = False  # the table of a business process flow
    is_where_present: bool = False  # True: not created by a new Sales environment
    assumed: frozenset[str] = frozenset()  # traits no source states: change_tracking, duplicate_detection ...
    source: str = ""  # see docs/catalogue.md
    privileges: dict[str, str] = field(default_factory=dict)  # Create, Read, Write ... -> prvCreateContact; live only

    def column(self, name: str) -> Column | None:
        """The column with this logical name, or None."""
        return self.columns.get(name)


@dataclass(frozen=True)
class Catalogue:
    """All tables and their relationships; `tables` may read each one when it is asked for, relationships are read at first use."""

    tables: Mapping[str, Table]
    read_one_to_many: Callable[[], tuple[OneToMany, ...]]
    read_many_to_many: Callable[[], tuple[ManyToMany, ...]]

    @cached_property
    def one_to_many(self) -> tuple[OneToMany, ...]:
        """In the order of the tables' names."""
        return self.read_one_to_many()

    @cached_property
    def many_to_many(self) -> tuple[ManyToMany, ...]:
        """In the order of the tables' names."""
        return self.read_many_to_many()

    def lookups_from(self, table: str) -> tuple[OneToMany, ...]:
        """Relationships in which rows of `table` point at others."""
        return tuple(relationship for relationship in self.one_to_many if relationship.referencing == table)

    def referencing(self, table: str) -> tuple[OneToMany, ...]:
        """Relationships in which rows of other tables (or of this one) point at rows of `table`."""
        return tuple(relationship for relationship in self.one_to_many if relationship.referenced == table)

    def links_of(self, table: str) -> tuple[ManyToMany, ...]:
        """Many-to-many relationships with `table` on either side."""
        return tuple(link for link in self.many_to_many if table in (link.table1, link.table2))

    def by_entity_set(self) -> dict[str, Table]:
        """Tables by entity set name, which is case-sensitive."""
        return {table.entity_set: table for table in self.tables.values()}
