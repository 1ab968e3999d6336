"""What a destination must be able to do. Narrow on purpose: pacing, dry runs and counting wrap this port.

All methods raise only `faults.Fault`. None of them retries a write. Ids are chosen by the caller.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import pyarrow as pa

from flitstack.catalogue.types import Table
from flitstack.destinations.faults import Refusal

# A request body as parts that are sent one after another. The rows among them are the engine's own memory, which is not copied.
Body = tuple[bytes | memoryview, ...]


@dataclass(frozen=True, slots=True)
class User:
    """A user or team that can own rows. `email` is lower-cased and trimmed; teams have none."""

    id: UUID
    table: str  # systemuser | team
    name: str
    email: str
    is_disabled: bool
    is_application: bool = False


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency of the environment; exchange rate against the base currency."""

    id: UUID
    iso_code: str
    exchange_rate: float


# How far a privilege reaches, from the user's own rows to the whole environment.
DEPTHS = ("Basic", "Local", "Deep", "Global")


def reach(depth: str) -> int:
    """Where a depth stands among them; one that is not known (`RecordFilter`: rows named one by one) reaches least."""
    return DEPTHS.index(depth) if depth in DEPTHS else -1


@dataclass(frozen=True, slots=True)
class Facts:
    """What the environment says about itself."""

    url: str
    is_emulator: bool
    organization_id: UUID
    organization_name: str
    user_id: UUID
    language: int  # lcid of the base language
    base_currency: str  # ISO code
    max_upload_bytes: int  # of base64 text, see docs
    blocked_extensions: frozenset[str]
    users: tuple[User, ...]
    currencies: tuple[Currency, ...]
    parallelism_hint: int
    # What the user may do: privilege -> depth (Basic, Local, Deep, Global), of several users the least; None: not told.
    privileges: Mapping[str, str] | None = None
    is_administrator: bool = False  # holds System Administrator itself, so every privilege, also on tables to come


@dataclass(frozen=True, slots=True)
class Encoder:
    """How the engine turns a typed relation into this destination's body text.

    `sql` is a scalar expression over the relation's columns giving one row's text and a comma after it (VARCHAR); bodies
    are `head + b"".join(texts) + tail` without the last comma. Null columns are left out of a create and sent as null by an update.
    """

    sql: str
    head: bytes
    tail: bytes


@dataclass(frozen=True, slots=True)
class Call:
    """One write inside a batch. `row` names the row it is about (for outcomes); `body` is JSON text or empty.

    kind          body
    create        a row's text from `encoder(..., with_id=True)`
    update        a row's text from `encoder(..., with_id=False, nulls=True)`; refused when the row is missing
    delete        empty
    parties       a row's text from `encoder(table, [], with_id=False, nulls=False, parties=True)`: replaces the list
    state         {"state": 1, "status": 2}
    win, lose     {"status": 3, "at": "2026-01-31T10:00:00Z", "value": 12.5, "subject": "..."}; all but status optional.
                  Tables: opportunity, quote. Makes the closing activity, as the platform's own messages do
    fulfil, cancel   as win; table salesorder
    associate, disassociate   empty; `relationship` and `target` say what
    """

    kind: str
    table: str
    row: UUID
    body: bytes = b""
    relationship: str = ""  # associate: collection-valued navigation property of `table`
    target: UUID | None = None  # associate: the other row
    target_table: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """Outcome of one call of a batch: refusal is None when it was done.

    A refusal with status 429 or 503 is no verdict on the row: it was not executed and may be sent again.
    """

    refusal: Refusal | None


class Destination(Protocol):
    """A CRM environment that rows can be written to and read back from."""

    async def facts(self) -> Facts:
        """Organisation, users, teams, currencies. Asked anew on each call."""

    async def table(self, name: str) -> Table | None:
        """Live metadata of a table with its custom columns, or None when the environment has no such table."""

    async def apply(self, operation: Mapping[str, Any]) -> None:
        """Make one schema operation (kind, table, name, ...: docs/destination.md). What exists already is no error."""

    async def revert(self, operation: Mapping[str, Any]) -> None:
        """Remove what the operation made. Removing what is not there is no error."""

    def encoder(self, table: Table, columns: Sequence[str], *, with_id: bool, nulls: bool, parties: bool) -> Encoder:
        """SQL that encodes the named columns of a send table (planning/document.py) for `create_rows` or `batch`.

        The relation holds `_row` (UUID), value columns by logical name, lookups as UUID plus `<column>__table`
        (VARCHAR), and `_parties` as LIST(STRUCT(mask INTEGER, table VARCHAR, id UUID, address VARCHAR)).
        """

    async def create_rows(self, table: Table, body: Body, count: int) -> None:
        """Bulk create, all or nothing: `body` is head + rows + tail of `encoder`. Refused means no row landed."""

    async def update_rows(self, table: Table, rows: Sequence[tuple[UUID, bytes]]) -> None:
        """Bulk update, all or nothing, of rows that exist: each with a row's text from `encoder(..., with_id=False, nulls=True)`.
        Refused means no row was changed. Only where the table's messages name UpdateMultiple."""

    async def batch(self, calls: Sequence[Call], *, continue_on_error: bool) -> list[Done]:
        """Up to 1,000 writes in one request, executed in order, one outcome a call (as far as they got).

        Each call commits alone. Without `continue_on_error` the first refusal ends the batch and is the last outcome.
        """

    async def attach(self, table: Table, row: UUID, file_name: str, mime_type: str, content: bytes) -> None:
        """Give an existing note (annotation) or mail attachment (activitymimeattachment) its file, in blocks if large.

        Sending the same file again replaces it. Read back with `rows(table, ["documentbody"])`, `body` of attachments.
        """

    async def existing(self, table: Table, ids: Sequence[UUID]) -> set[UUID]:
        """Which of these rows exist now."""

    def rows(
        self,
        table: Table,
        columns: Sequence[str],
        *,
        ids: Sequence[UUID] | None = None,
        source_keyed: str | None = None,
    ) -> AsyncIterator[pa.RecordBatch]:
        """Read rows back, typed: `_row` (fixed_size_binary 16), then the columns as string, int64, bool, float64,
        decimal text (Money, Decimal), timestamp[us, UTC], date32 (DateOnly); lookups as `<column>` (16 bytes) and
        `<column>__table`; `_parties` as LIST(STRUCT(mask, table, id, address)). Only the rows in `ids`, or those whose
        `source_keyed` column is not null, or all. Every row once; no order is promised."""

    async def related(self, table: Table, row: UUID, relationship: str, other: Table) -> set[UUID]:
        """Ids of rows of `other` associated through a many-to-many relationship."""

    async def close(self) -> None:
        """Release connections."""
