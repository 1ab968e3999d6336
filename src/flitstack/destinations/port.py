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


@dataclass(frozen=True, slots=True)
class Encoder:
    """How the engine turns a typed relation into this destination's body text.

    `sql` is a scalar expression over the relation's columns giving one row's text (VARCHAR, no trailing comma);
    bodies are `head + b",".join(texts) + tail`. Null columns are left out of a create and sent as null by an update.
    """

    sql: str
    head: bytes
    tail: bytes


@dataclass(frozen=True, slots=True)
class Call:
    """One write inside a batch. `row` names the row it is about (for outcomes); `body` is JSON text or empty.

    kind: create | update | delete | win | lose | associate | parties ...: see `Destination.batch`.
    """

    kind: str
    table: str
    row: UUID
    body: bytes = b""
    relationship: str = ""  # associate: collection-valued navigation property
    target: UUID | None = None  # associate: the other row
    target_table: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """Outcome of one call of a batch: refusal is None when it was done."""

    refusal: Refusal | None


class Destination(Protocol):
    """A CRM environment that rows can be written to and read back from."""

    async def facts(self) -> Facts:
        """Organisation, users, teams, currencies. Asked anew on each call."""

    async def table(self, name: str) -> Table | None:
        """Live metadata of a table with its custom columns, or None when the environment has no such table."""

    async def apply(self, operation: Mapping[str, Any]) -> None:
        """Make one schema operation (see planning/schema.py: kind, table, ...). Making what exists already is no error."""

    async def revert(self, operation: Mapping[str, Any]) -> None:
        """Remove what the operation made. Removing what is not there is no error."""

    def encoder(self, table: Table, columns: Sequence[str], *, with_id: bool, nulls: bool, parties: bool) -> Encoder:
        """SQL that encodes the named columns of a send table (planning/document.py) for `create_rows` or `batch`.

        The relation holds `_row` (UUID), value columns by logical name, lookups as UUID plus `<column>__table`
        (VARCHAR), and `_parties` as LIST(STRUCT(mask INTEGER, table VARCHAR, id UUID, address VARCHAR)).
        """

    async def create_rows(self, table: Table, body: bytes, count: int) -> None:
        """Bulk create, all or nothing: `body` is head + rows + tail of `encoder`. Refused means no row landed."""

    async def batch(self, calls: Sequence[Call], *, continue_on_error: bool) -> list[Done]:
        """Up to 1,000 writes in one request, executed in order, one outcome a call (as far as they got)."""

    async def existing(self, table: Table, ids: Sequence[UUID]) -> set[UUID]:
        """Which of these rows exist now."""

    def rows(
        self, table: Table, columns: Sequence[str], *, ids: Sequence[UUID] | None = None, source_keyed: str | None = None
    ) -> AsyncIterator[pa.RecordBatch]:
        """Read rows back, typed: `_row` (fixed_size_binary 16), then columns as string, int64, bool, double/decimal text,
        timestamp[us, UTC], date32; lookups as `<column>` (16 bytes) and `<column>__table`. Only the rows in `ids`, or
        those whose `source_keyed` column is not null, or all."""

    async def related(self, table: Table, row: UUID, relationship: str) -> set[UUID]:
        """Ids associated through a many-to-many relationship."""

    async def close(self) -> None:
        """Release connections."""
