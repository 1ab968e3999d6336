"""A tiny migration for tests: send tables written as planning does, loaded call by call, reconciled."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import pyarrow as pa

from flitstack.catalogue.read import load_catalogue
from flitstack.destinations.memory.destination import ME, MemoryDestination
from flitstack.destinations.port import Call
from flitstack.planning.document import Plan, SendColumn, SendTable, Step
from flitstack.reconciling.document import ReconcileDocument
from flitstack.reconciling.reconcile import reconcile
from flitstack.reconciling.tables import Landed, Place
from flitstack.staging.engine.engine import Engine, literal

T = TypeVar("T")
WHEN = datetime(2026, 1, 31, 10, 0, 5, tzinfo=UTC)
CATALOGUE = load_catalogue()
LOOKUPS = {"Lookup", "Customer", "Owner"}
PARTY = 'STRUCT(mask INTEGER, "table" VARCHAR, id UUID, address VARCHAR)[]'
LINK = 'STRUCT(relationship VARCHAR, "table" VARCHAR, id UUID)[]'

OWN_COLUMNS = {
    "_parties": PARTY,
    "_links": LINK,
    "_action": "VARCHAR",
    "_state": "BIGINT",
    "_status": "BIGINT",
    "_content": "VARCHAR",
}


def row_id(number: int) -> UUID:
    return UUID(f"00000000-0000-8000-8000-{number:012d}")


@dataclass
class Migration:
    """A plan and the environment it was loaded into."""

    folder: Path
    engine: Engine
    destination: Any = field(default_factory=lambda: MemoryDestination(CATALOGUE))
    sends: list[SendTable] = field(default_factory=list)
    accounts: dict[str, dict[str, int]] = field(default_factory=dict)
    rejected: dict[str, set[UUID]] = field(default_factory=dict)
    known: dict[str, Path] = field(default_factory=dict)
    update: bool = False

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run to the end and close connections, which belong to one event loop."""

        async def whole() -> T:
            try:
                return await work
            finally:
                await self.destination.close()

        return asyncio.run(whole())

    def send(
        self, table: str, object_name: str, rows: list[dict[str, Any]], phase: str = "contacts", **has: bool
    ) -> None:
        """Add a send table and load its rows. Lookups are (table, id); names with `_` are the send table's own."""
        columns = [name for name in rows[0] if not name.startswith("_")]
        live = self.run(self.destination.table(table))
        assert live is not None
        name = f"{len(self.sends):02d}_{table}"
        path = self.folder / "rows" / f"{name}.parquet"
        self.engine.write_parquet(self._select(table, object_name, rows, columns), path)
        sent = tuple(
            SendColumn(
                column,
                live.columns[column].type,
                field=f"Field of {column}",
                read_back="createdon" if column == "overriddencreatedon" else column,
                is_lookup=live.columns[column].type in LOOKUPS,
            )
            for column in columns
        )
        self.sends.append(
            SendTable(name, table, phase, f"rows/{name}.parquet", len(rows), "", sent, (object_name,), **has)
        )
        counted = self.accounts.setdefault(object_name, {"read": 0, "merged": 0, "held": 0, "excluded": 0})
        counted["read"] += len(rows)
        parties = has.get("has_parties", False)
        encoder = self.destination.encoder(live, columns, with_id=True, nulls=False, parties=parties)
        texts = self.engine.rows(f"SELECT _row, {encoder.sql} FROM read_parquet({literal(str(path))})")
        calls = [Call("create", table, row, text[:-1].encode()) for row, text in texts]
        done = self.run(self.destination.batch(calls, continue_on_error=True))
        refused = {call.row for call, outcome in zip(calls, done, strict=True) if outcome.refusal}
        self.rejected.setdefault(table, set()).update(refused)

    def _select(self, table: str, object_name: str, rows: list[dict[str, Any]], columns: list[str]) -> str:
        arrays: dict[str, pa.Array] = {"_row": pa.array([str(row["_row"]) for row in rows])}
        casts = ["CAST(_row AS UUID) AS _row"]
        for name in columns:
            if CATALOGUE.tables[table].columns.get(name) and CATALOGUE.tables[table].columns[name].type in LOOKUPS:
                arrays[name] = pa.array([str(row[name][1]) if row[name] else None for row in rows], pa.string())
                arrays[f"{name}__table"] = pa.array([row[name][0] if row[name] else None for row in rows], pa.string())
                casts += [f"CAST({name} AS UUID) AS {name}", f"{name}__table"]
            else:
                arrays[name] = pa.array([row[name] for row in rows])
                casts.append(name)
        for name, kind in OWN_COLUMNS.items():
            if name in rows[0]:
                arrays[name] = pa.array([row[name] for row in rows])
                casts.append(f"CAST({name} AS {kind}) AS {name}")
        self.engine.connection.register("plain_rows", pa.table(arrays))
        return f"""
            SELECT {", ".join(casts)}, {literal(object_name)} AS _object, 'contacts.csv' AS _file,
                   CAST(_row AS VARCHAR) AS _record, CAST(row_number() OVER () AS BIGINT) AS _line,
                   FALSE AS _beside FROM plain_rows"""

    def plan(self) -> Plan:
        """The plan that was carried out."""
        kind = "update" if self.update else "create"
        steps = tuple(
            Step(n, kind, send.phase, send.table, "rows", send.name, send.rows) for n, send in enumerate(self.sends)
        )
        phases = tuple(dict.fromkeys(send.phase for send in self.sends))
        return Plan(
            1, "full", "sandbox", "memory:", "tiny", "cr1", "", "", {}, "", steps, tuple(self.sends), phases,
            self.accounts, str(self.folder / "export"), sha256="p",
        )  # fmt: skip

    def reconcile(self, kind: str = "full") -> tuple[ReconcileDocument, list[dict[str, Any]]]:
        """Document and findings."""
        place = Place(self.folder, self.folder / "back")
        landed = Landed(self.known, self.rejected)
        plan = replace(self.plan(), kind=kind)
        document, findings = self.run(reconcile(plan, self.destination, self.engine, landed, place, at="now"))
        return document, self.engine.table(f"SELECT * FROM {findings.table}").to_pylist()

    def stored(self, table: str, number: int) -> dict[str, Any]:
        """A stored row, to be tampered with (memory only)."""
        found: dict[str, Any] = self.destination.stored[table][row_id(number)]
        return found


def contacts(migration: Migration, me: UUID = ME) -> None:
    """Two firms and three people of the first."""
    migration.send("account", "Company", [{"_row": row_id(n), "name": f"Firm {n}"} for n in (1, 2)], phase="accounts")
    migration.send(
        "contact",
        "Contact",
        [
            {
                "_row": row_id(10 + n),
                "firstname": "Ana ",
                "lastname": None if n == 1 else "Ode",
                "birthdate": date(1980, 2, 29),
                "gendercode": 2,
                "donotemail": True,
                "description": "line\r\nline",
                "creditlimit": Decimal("10.255"),
                "overriddencreatedon": WHEN,
                "parentcustomerid": ("account", row_id(1)),
                "ownerid": ("systemuser", me),
            }
            for n in range(3)
        ],
    )


def deals(migration: Migration) -> None:
    """One deal won, one lost, one open."""
    states = [("win", None, 3), ("lose", 2, 4), (None, None, None)]
    rows = [
        {"_row": row_id(20 + n), "name": "d", "_action": a, "_state": s, "_status": r}
        for n, (a, s, r) in enumerate(states)
    ]
    migration.send("opportunity", "Deal", rows, has_states=True)
    calls = [
        Call("win", "opportunity", row_id(20), b'{"status":3}'),
        Call("lose", "opportunity", row_id(21), b'{"status":4}'),
    ]
    done = migration.run(migration.destination.batch(calls, continue_on_error=True))
    assert [outcome.refusal for outcome in done] == [None, None]
