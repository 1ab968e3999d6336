"""What mapping hands on: one mapped table (Parquet) a route, ready to be planned.

One row for every record that the route took and did not hold. Columns:

    _object VARCHAR      pack object                  _file VARCHAR, _record VARCHAR (source id), _line BIGINT
    _key VARCHAR         the source key's text (keys.SourceKey.key; routes other than an object's first one to the same
                         table append `#<route name>`)
    _digest VARCHAR      keys.SourceKey.digest()
    <column>             typed: VARCHAR (String, Memo), BIGINT (Integer, BigInt, Picklist, State, Status), BOOLEAN,
                         DECIMAL(38, p) (Money, Decimal), DOUBLE, TIMESTAMPTZ (DateTime), DATE (DateOnly),
                         VARCHAR "1,2" (MultiSelectPicklist)
    <lookup>, <lookup>__table   VARCHAR digest of the target's source key and its table; for rows that exist in the
                         environment before (currency) the digest is the row id as text and `<lookup>__live` is TRUE
    ownerid__email VARCHAR   the owner as the source names it (trimmed, lower case), resolved by planning
    _parties             LIST(STRUCT(mask INTEGER, "table" VARCHAR, digest VARCHAR, address VARCHAR)); table "owner"
                         means: the owner named by `address`
    _action VARCHAR, _state BIGINT, _status BIGINT, _state_at TIMESTAMPTZ, _state_value DECIMAL(38, 4)
                         the state step of the row (action win | lose | patch), NULL when it stays open
    _content VARCHAR     path inside the export of the file to attach; `_content_size` BIGINT
    _copy_from, _copy_to VARCHAR, _copy_size BIGINT     of routes whose files are copied by hand: path inside the export,
                         path below the place they go to
    _links               LIST(STRUCT(relationship VARCHAR, "table" VARCHAR, digest VARCHAR)) many-to-many
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class MappedColumn:
    """A column a route fills. `kind` is value | lookup | owner | id_text; `create` describes a custom column.

    `create`: type, label, length, min, max, precision, format, options [[value, label], ...], targets.
    `targets` lets planning order the tables. `field` is the source field (or fields, comma-separated) shown in findings
    and diffs; `sql` what was run.
    """

    name: str
    kind: str
    type: str
    field: str
    sql: str
    create: dict[str, Any] | None = None
    verify: bool = True
    targets: tuple[str, ...] = ()  # tables a lookup (or id_text) column may point to; () for other kinds


@dataclass(frozen=True, slots=True)
class MappedRoute:
    """One route of one object and the table it produced."""

    object: str
    name: str
    table: str
    phase: str
    is_primary: bool  # False: `also` routes and derived rows, not counted in the object's account
    parquet: str
    rows: int
    columns: tuple[MappedColumn, ...]
    has_parties: bool
    has_states: bool
    has_files: bool
    has_links: bool
    depends_on: tuple[str, ...]  # tables that its lookups point to
    create_table: dict[str, Any] | None = None  # label, plural, name_label: a custom table
    has_copies: bool = False


@dataclass(frozen=True, slots=True)
class MappingDocument:
    """Everything the confirmed map made of one deduped snapshot.

    `held`, `excluded`: records by object. `map_sha256`: by map file. `proposed`: how many
    fields are still without a decision, by object. `links`: many-to-many relationships used, name -> (table1, table2).
    """

    routes: tuple[MappedRoute, ...]
    held: dict[str, int]
    excluded: dict[str, int]
    map_sha256: dict[str, str]
    links: dict[str, tuple[str, str]]
    at: str
    proposed: dict[str, int] = field(default_factory=dict)
