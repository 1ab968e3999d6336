"""The port in memory: dictionaries of rows under the catalogue's rules. Every change is atomic."""

import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from copy import deepcopy
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
import pyarrow as pa

from flitstack.catalogue.types import Catalogue, Table
from flitstack.destinations.faults import NOT_THERE, Fatal, Refusal, Refused
from flitstack.destinations.memory import schema
from flitstack.destinations.memory.encoding import LOOKUPS, create_encoder
from flitstack.destinations.memory.values import Row, checked, refuse, to_batch
from flitstack.destinations.port import Body, Call, Currency, Done, Encoder, Facts, User

ME = UUID("00000000-0000-4000-8000-00000000000a")
US_DOLLAR = UUID("00000000-0000-4000-8000-0000000000d0")
_ORGANIZATION = UUID("00000000-0000-4000-8000-0000000000ff")
# Tables whose rows are the environment's own: lookups to them are checked against `Facts` alone.
_STANDING = frozenset({"systemuser", "team", "transactioncurrency"})
_CLOSED = {
    ("win", "opportunity"): (1, "opportunityclose", "opportunityid"),
    ("lose", "opportunity"): (2, "opportunityclose", "opportunityid"),
    ("win", "quote"): (2, "quoteclose", "quoteid"),
    ("lose", "quote"): (3, "quoteclose", "quoteid"),
    ("fulfil", "salesorder"): (3, "orderclose", "salesorderid"),
    ("cancel", "salesorder"): (2, "orderclose", "salesorderid"),
}


class MemoryDestination:
    """An environment that is gone with the process. `users` beside the built-in application user can own rows."""

    def __init__(self, catalogue: Catalogue, users: Sequence[User] = ()) -> None:
        self.tables = dict(catalogue.tables)
        self.stored: dict[str, dict[UUID, Row]] = {}
        self.links: dict[str, set[tuple[UUID, UUID]]] = {}
        me = User(ME, "systemuser", "flitstack", "flitstack@memory.invalid", is_disabled=False, is_application=True)
        self._users = (me, *users)

    async def facts(self) -> Facts:
        """See the port."""
        return Facts(
            url="memory:",
            is_emulator=True,
            organization_id=_ORGANIZATION,
            organization_name="memory",
            user_id=ME,
            language=1033,
            base_currency="USD",
            max_upload_bytes=5_242_880,
            blocked_extensions=frozenset({"exe", "js", "bat"}),
            users=self._users,
            currencies=(Currency(US_DOLLAR, "USD", 1.0),),
            parallelism_hint=4,
        )

    async def table(self, name: str) -> Table | None:
        """See the port."""
        return self.tables.get(name)

    async def apply(self, operation: Mapping[str, Any]) -> None:
        """See the port."""
        schema.change(self.tables, operation, undo=False)

    async def revert(self, operation: Mapping[str, Any]) -> None:
        """See the port."""
        schema.change(self.tables, operation, undo=True)
        if operation["kind"] == "create_table":
            self.stored.pop(operation["table"], None)

    def encoder(self, table: Table, columns: Sequence[str], *, with_id: bool, nulls: bool, parties: bool) -> Encoder:
        """See the port."""
        return create_encoder(table, columns, with_id=with_id, nulls=nulls, parties=parties)

    async def create_rows(self, table: Table, body: Body, count: int) -> None:
        """See the port."""
        rows = orjson.loads(b"".join(body))
        if len(rows) != count:
            raise Fatal(f"{count} rows were announced, the body has {len(rows)}")
        before = dict(self.stored.get(table.name, {}))
        try:
            for row in rows:
                self._create(table.name, row)
        except Refused:
            self.stored[table.name] = before
            raise

    async def update_rows(self, table: Table, rows: Sequence[tuple[UUID, bytes]]) -> None:
        """See the port."""
        before = deepcopy(self.stored.get(table.name, {}))
        try:
            for row, text in rows:
                self._update(Call("update", table.name, row), orjson.loads(text))
        except Refused:
            self.stored[table.name] = before
            raise

    async def batch(self, calls: Sequence[Call], *, continue_on_error: bool) -> list[Done]:
        """See the port."""
        outcomes: list[Done] = []
        for call in calls:
            outcomes.append(Done(self._refusal_of(call)))
            if outcomes[-1].refusal is not None and not continue_on_error:
                break
        return outcomes

    async def attach(self, table: Table, row: UUID, file_name: str, mime_type: str, content: bytes) -> None:
        """See the port."""
        column = "documentbody" if table.name == "annotation" else "body"
        text = base64.b64encode(content).decode()
        self._row(table.name, row).update(
            filename=file_name, mimetype=mime_type, filesize=len(content), **{column: text}
        )

    async def existing(self, table: Table, ids: Sequence[UUID]) -> set[UUID]:
        """See the port."""
        return set(ids) & self.stored.get(table.name, {}).keys()

    async def rows(
        self,
        table: Table,
        columns: Sequence[str],
        *,
        ids: Sequence[UUID] | None = None,
        source_keyed: str | None = None,
    ) -> AsyncIterator[pa.RecordBatch]:
        """See the port."""
        rows = self.stored.get(table.name, {})
        wanted = rows.keys() if ids is None else set(ids) & rows.keys()
        chosen = {i: rows[i] for i in wanted if source_keyed is None or rows[i].get(source_keyed) is not None}
        yield to_batch(table, columns, deepcopy(chosen))

    async def related(self, table: Table, row: UUID, relationship: str, other: Table) -> set[UUID]:
        """See the port."""
        pairs = self.links.get(relationship, set())
        return {second if first == row else first for first, second in pairs if row in (first, second)}

    async def close(self) -> None:
        """Nothing to release."""

    def _refusal_of(self, call: Call) -> Refusal | None:
        before = deepcopy(self.stored.get(call.table, {}).get(call.row))
        try:
            self._execute(call)
        except Refused as fault:
            if before is not None:
                self.stored[call.table][call.row] = before
            return fault.refusal
        return None

    def _execute(self, call: Call) -> None:
        if call.kind == "create":
            self._create(call.table, orjson.loads(call.body))
        elif call.kind == "update":
            self._update(call, orjson.loads(call.body))
        elif call.kind == "delete":
            self._row(call.table, call.row)
            del self.stored[call.table][call.row]
        elif call.kind == "parties":
            self._row(call.table, call.row)["_parties"] = orjson.loads(call.body).get("_parties", [])
        elif call.kind == "state":
            wanted = orjson.loads(call.body)
            self._set_state(call, wanted["state"], wanted.get("status"))
        elif (call.kind, call.table) in _CLOSED:
            self._close(call, orjson.loads(call.body))
        elif call.kind in {"associate", "disassociate"}:
            self._link(call)
        else:
            raise Fatal(f"a batch cannot {call.kind!r} {call.table}")

    def _create(self, name: str, body: Row) -> None:
        table = self.tables[name]
        row_id = UUID(body.pop("_row"))
        if row_id in self.stored.get(name, {}):
            raise refuse("0x80040237", 412, "A record with matching key values already exists.")
        row = self._values(table, body, is_create=True)
        self._check_keys(table, row_id, row)
        now = datetime.now(UTC)
        supplied = row.get("overriddencreatedon")
        row |= {"createdon": supplied or now, "modifiedon": now}
        if supplied is not None:
            row["overriddencreatedon"] = now
        row.setdefault("ownerid", ("systemuser", ME))
        row[table.id_column] = row_id
        if table.states:
            default = table.states[0]
            status = row.get("statuscode", default.default_status)
            if status not in {option.value for option in default.statuses}:
                message = f"{status} is not a valid status code for state code {default.label} on {name}."
                raise refuse("0x80048408", 400, message)
            row |= {"statecode": default.value, "statuscode": status}
        self.stored.setdefault(name, {})[row_id] = row

    def _update(self, call: Call, body: Row) -> None:
        row = self._row(call.table, call.row)
        table = self.tables[call.table]
        new = self._values(table, body, is_create=False)
        self._check_keys(table, call.row, {**row, **new})
        row.update(new, modifiedon=datetime.now(UTC))

    def _values(self, table: Table, body: Row, *, is_create: bool) -> Row:
        """Checked values of the columns that may be written; others are ignored, as the platform does."""
        parties = {"_parties": body.pop("_parties")} if "_parties" in body else {}
        row: Row = {}
        for name, value in body.items():
            column = table.columns[name]
            if column.creatable if is_create else column.updatable:
                row[name] = checked(table, column, value)
                if column.type in LOOKUPS and row[name] is not None:
                    self._check_target(*row[name])
        return row | parties

    def _check_target(self, target: str, target_id: UUID) -> None:
        standing = {user.id for user in self._users} | {US_DOLLAR} if target in _STANDING else frozenset()
        if target_id not in standing and target_id not in self.stored.get(target, {}):
            raise refuse(NOT_THERE, 404, f"{target} With Id = {target_id} Does Not Exist")

    def _check_keys(self, table: Table, row_id: UUID, row: Row) -> None:
        for key in table.keys:
            values = [_folded(row.get(column)) for column in key.columns]
            if None in values:
                continue
            for other_id, other in self.stored.get(table.name, {}).items():
                if other_id != row_id and [_folded(other.get(column)) for column in key.columns] == values:
                    raise refuse(
                        "0x80060892", 412, f"A record that has the attribute values {key.name} already exists."
                    )

    def _row(self, name: str, row_id: UUID) -> Row:
        row = self.stored.get(name, {}).get(row_id)
        if row is None:
            raise refuse(NOT_THERE, 404, f"{name} With Id = {row_id} Does Not Exist")
        return row

    def _set_state(self, call: Call, state: int, status: int | None) -> None:
        row = self._row(call.table, call.row)
        found = next((s for s in self.tables[call.table].states if s.value == state), None)
        if found is None or (status is not None and status not in {option.value for option in found.statuses}):
            message = f"{status} is not a valid status code for state code {state} on {call.table}."
            raise refuse("0x80048408", 400, message)
        row.update(statecode=state, statuscode=found.default_status if status is None else status)

    def _close(self, call: Call, wanted: Row) -> None:
        state, activity, lookup = _CLOSED[call.kind, call.table]
        row = self._row(call.table, call.row)
        if call.table == "opportunity" and row["statecode"] != 0:
            raise refuse("0x80040515", 400, "The opportunity has already been closed.")
        if call.table == "quote" and row["statecode"] != 1:
            raise refuse("0x80040203", 400, "The quote must be active.")
        self._set_state(call, state, wanted["status"])
        if call.table == "opportunity" and wanted.get("at"):
            row["actualclosedate"] = date.fromisoformat(wanted["at"][:10])
        closing = {lookup: (call.table, call.row), "subject": wanted.get("subject"), "statecode": 1}
        self.stored.setdefault(activity, {})[uuid4()] = closing

    def _link(self, call: Call) -> None:
        if call.target is None:
            raise Fatal(f"{call.kind} names no target")
        self._row(call.table, call.row)
        self._row(call.target_table, call.target)
        pairs = self.links.setdefault(call.relationship, set())
        pair = (call.row, call.target)
        if call.kind == "associate":
            pairs.add(pair)
        else:
            pairs.discard(pair)


def _folded(value: Any) -> Any:
    """Alternate keys ignore case."""
    return value.casefold() if isinstance(value, str) else value
