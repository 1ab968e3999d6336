"""What planning hands on: one plan document with its hash, and the send tables it names.

A send table is a Parquet file, one for every (phase, destination table), rows in load order. Columns:

    _ord BIGINT          position in load order, unique in the file
    _row UUID            the row's id, allocated by the journal
    _digest VARCHAR      32 hex characters (keys.SourceKey.digest), also the value of `<prefix>_sourcekey`
    _object, _file, _record VARCHAR, _line BIGINT      where the record stands in the export
    <column>             typed as in mapping/document.py
    <lookup> UUID, <lookup>__table VARCHAR             resolved targets; `ownerid` likewise (systemuser or team)
    _parties             LIST(STRUCT(mask INTEGER, "table" VARCHAR, id UUID, address VARCHAR)) where the step has parties
    _action VARCHAR, _state BIGINT, _status BIGINT, _state_at TIMESTAMPTZ, _state_value DECIMAL(38, 4)
    _content VARCHAR, _content_size BIGINT             file to attach, path inside the export
    _links               LIST(STRUCT(relationship VARCHAR, "table" VARCHAR, id UUID))

Columns without any value in the file are left out of `SendTable.columns`, so that nothing is encoded for them.
"""

from dataclasses import dataclass, field
from typing import Any

# Columns of reports/matches.xlsx, and what a person may decide there (app/apart.py reads it back).
MATCH_COLUMNS = ("object", "record", "table", "row", "known by", "filled", "left as in Dynamics", "decision")
KEEP_APART = "keep apart"

# A step's kind. The loader executes steps strictly in order.
STEP_KINDS = (
    "schema", "create", "files", "update", "parties", "lookups", "associate", "disassociate", "state", "delete", "revert",
    "roles",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SendColumn:
    """A column of a send table. `field` is the source field shown to people; `read_back` the column that shows the
    value afterwards (`overriddencreatedon` reads back as `createdon`); `second_pass`: sent by a `lookups` step, when the
    tables it points to, `targets`, have their rows."""

    name: str
    type: str  # catalogue type: String, Money, DateTime, Lookup ...
    field: str
    read_back: str
    is_lookup: bool = False
    second_pass: bool = False
    verify: bool = True
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SendTable:
    """Rows to send to one destination table in one phase.

    `is_change`: rows that are there already; an update sends the columns of the row's `_changed` LIST(VARCHAR), `_version`
    BIGINT is the version the plan saw.
    `was_there`: such rows stood in the environment before anything of ours; `_changed` then names every column that is ours,
    `to_send` how many rows have any.
    """

    name: str  # unique in the plan: <nn>_<table>
    table: str
    phase: str
    parquet: str  # relative to the plan's folder
    rows: int
    content_hash: str
    columns: tuple[SendColumn, ...]
    objects: tuple[str, ...]
    has_parties: bool = False
    has_states: bool = False
    has_files: bool = False
    has_links: bool = False
    is_change: bool = False
    was_there: bool = False
    to_send: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One thing the loader does. `send` names the send table of row steps; `operations` are a schema step's."""

    index: int
    kind: str
    phase: str
    table: str
    title: str
    send: str = ""
    rows: int = 0
    operations: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Grant:
    """A security role for a user: ids as text, the role's name, and the record of the source that says so."""

    user: str
    role: str
    name: str
    email: str
    object: str
    file: str
    record: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done to one environment. `sha256` covers everything but itself and `at`.

    `accounts`: per object, how its records fall before loading: read, merged, held, excluded, planned (records that
    have a primary row to be created or updated) and unchanged (already there with this content).
    """

    format: int
    kind: str  # full | sample | delta | retry | rollback
    environment: str
    url: str
    system: str  # pack name
    prefix: str
    staged: str  # fingerprint of the staged snapshot
    deduped: str
    maps: dict[str, str]
    owners: str  # sha256 of owners.yaml
    steps: tuple[Step, ...]
    tables: tuple[SendTable, ...]
    phases: tuple[str, ...]
    accounts: dict[str, dict[str, int]]
    export: str  # absolute path of the export folder, for files
    requests: dict[str, int] = field(default_factory=dict)  # forecast: requests, rows
    notes: tuple[str, ...] = ()
    at: str = ""
    sha256: str = ""
    kept: str = ""  # absolute path of the folder of files that stood inside records (staging/document.py)
    roles: tuple[Grant, ...] = ()  # of the step `roles`

    def send_table(self, name: str) -> SendTable:
        """The send table a step names."""
        return next(table for table in self.tables if table.name == name)
