"""One request at work: who, when, and what was looked up on the way."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from flitstack.emulator.checkers import Stored
from flitstack.emulator.ddl import quoted
from flitstack.emulator.messages import Caller
from flitstack.emulator.privileges import Rights
from flitstack.emulator.rows.references import missing_row
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.store import Store
from flitstack.emulator.values import uuid_blob

Values = dict[str, Stored]
_CHUNK = 100


@dataclass(slots=True)
class Owner:
    """What a row takes from its owner."""

    kind: str  # systemuser | team
    unit: bytes
    is_disabled: bool


@dataclass(slots=True)
class Work:
    """`now` is one moment for the whole request; `owners`, `ownership` and `rates` are read once per request.

    `prepared` is what an operation did before the write lock was taken, `fetched` holds rows for the next look at each.
    `rights` is None for callers who may do everything.
    `memory` holds what rules read once per request, each under a key of its own.
    """

    store: Store
    caller: Caller
    content_ids: Mapping[str, str] = field(default_factory=dict)
    now: str = ""
    user: bytes = b""
    owners: dict[bytes, Owner] = field(default_factory=dict)
    ownership: dict[tuple[str, bytes], Values] = field(default_factory=dict)
    rates: dict[bytes, float] = field(default_factory=dict)
    prepared: object = None
    memory: dict[object, object] = field(default_factory=dict)
    fetched: dict[tuple[str, bytes], Values] = field(default_factory=dict)
    rights: Rights | None = None
    _noise: bytes = b""

    def __post_init__(self) -> None:
        self.now = self.store.now
        noise = bytearray(os.urandom(10))
        noise[0] = noise[0] & 0x3F | 0x80  # RFC 9562 variant and version, at their places of the stored order
        noise[3] = noise[3] & 0x0F | 0x40
        self._noise = bytes(noise)
        self.user = uuid_blob(self.caller.user_id)

    def new_id(self) -> bytes:
        """A fresh id; ascending in SQL Server's order, as the platform's own sequential GUIDs.

        Unique in the environment by its counter, among environments by the request's random part.
        """
        return self.store.next_version().to_bytes(6, "big") + self._noise

    def new_ids(self, versions: Iterable[int]) -> list[bytes]:
        """Fresh ids for row versions already taken."""
        noise = self._noise
        return [version.to_bytes(6, "big") + noise for version in versions]

    def read(self, model: EntityModel, id_: bytes) -> Values:
        """All stored values of a row; 404 when it does not exist."""
        row = self.find(model, id_)
        if row is None:
            raise missing_row(model, id_)
        return row

    def find(self, model: EntityModel, id_: bytes) -> Values | None:
        """All stored values of a row, None when it does not exist."""
        known = self.fetched.pop((model.name, id_), None)
        if known is None:
            known = next((values for _, values in self._select(model, "= ?", [id_])), None)
        return known

    def fetch(self, model: EntityModel, ids: Collection[bytes]) -> None:
        """Read many rows at once for the next `find` of each. Who writes other rows of the table must clear `fetched`."""
        wanted = list(ids)
        for start in range(0, len(wanted), _CHUNK):
            chunk = wanted[start : start + _CHUNK]
            condition = f"IN ({','.join('?' * len(chunk))})"
            self.fetched |= {(model.name, id_): values for id_, values in self._select(model, condition, chunk)}

    def _select(self, model: EntityModel, condition: str, ids: list[bytes]) -> Iterator[tuple[bytes, Values]]:
        id_column = model.table.id_column
        cursor = self.store.connection.execute(
            f"SELECT * FROM {self.store.ensure(model)} WHERE {quoted(id_column)} {condition}", ids
        )
        names = [column[0] for column in cursor.description]
        place = names.index(id_column)
        for row in cursor:
            yield row[place], dict(zip(names, row, strict=True))


@dataclass(slots=True)
class Change:
    """A row about to be written: `values` are the new ones, `before` the stored row (None on create)."""

    work: Work
    model: EntityModel
    id: bytes
    values: Values
    before: Values | None = None

    def after(self, column: str) -> Stored:
        """The value once written."""
        if column in self.values or self.before is None:
            return self.values.get(column)
        return self.before.get(column)
