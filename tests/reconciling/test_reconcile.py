"""Loads a small plan into memory, tampers with it, and expects every tampering to be found, and nothing else."""

import asyncio
import base64
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest

from flitstack.catalogue.read import load_catalogue
from flitstack.destinations.memory.destination import ME, MemoryDestination
from flitstack.destinations.port import Call
from flitstack.planning.document import Plan, SendColumn, SendTable, Step
from flitstack.reconciling.document import ReconcileDocument
from flitstack.reconciling.reconcile import reconcile
from flitstack.reconciling.tables import Landed, Place
from flitstack.staging.engine.engine import Engine, literal

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
    destination: MemoryDestination = field(default_factory=lambda: MemoryDestination(CATALOGUE))
    sends: list[SendTable] = field(default_factory=list)
    accounts: dict[str, dict[str, int]] = field(default_factory=dict)
    rejected: dict[str, set[UUID]] = field(default_factory=dict)
    known: dict[str, Path] = field(default_factory=dict)
    update: bool = False

    def send(
        self, table: str, object_name: str, rows: list[dict[str, Any]], phase: str = "contacts", **has: bool
    ) -> None:
        """Add a send table and load its rows. Lookups are (table, id); names with `_` are the send table's own."""
        columns = [name for name in rows[0] if not name.startswith("_")]
        live = asyncio.run(self.destination.table(table))
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
        calls = [Call("create", table, row, text.encode()) for row, text in texts]
        done = asyncio.run(self.destination.batch(calls, continue_on_error=True))
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
                   CAST(_row AS VARCHAR) AS _record, CAST(row_number() OVER () AS BIGINT) AS _line FROM plain_rows"""

    def plan(self) -> Plan:
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
        place = Place(self.folder, self.folder / "back")
        landed = Landed(self.known, self.rejected)
        plan = replace(self.plan(), kind=kind)
        document, findings = asyncio.run(reconcile(plan, self.destination, self.engine, landed, place, at="now"))
        return document, self.engine.table(f"SELECT * FROM {findings.table}").to_pylist()

    def stored(self, table: str, number: int) -> dict[str, Any]:
        return self.destination.stored[table][row_id(number)]


@pytest.fixture
def migration(tmp_path: Path) -> Any:
    with Engine(tmp_path / "scratch") as engine:
        yield Migration(tmp_path, engine)


WHEN = datetime(2026, 1, 31, 10, 0, 5, tzinfo=UTC)


def contacts(migration: Migration) -> None:
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
                "ownerid": ("systemuser", ME),
            }
            for n in range(3)
        ],
    )


def test_a_clean_load_has_no_difference_and_closes(migration: Migration) -> None:
    contacts(migration)
    document, findings = migration.reconcile()
    assert findings == []
    assert (document.rows, document.cells, document.differences) == (5, 2 + 3 * 10, 0)
    assert document.closes
    assert [(p.phase, p.planned, p.landed) for p in document.phases] == [("accounts", 2, 2), ("contacts", 3, 3)]
    assert (document.accounts["Contact"].read, document.accounts["Contact"].created) == (3, 3)


def set_cell(**cells: Any) -> Callable[[Migration], None]:
    return lambda migration: migration.stored("contact", 10).update(cells)


@pytest.mark.parametrize(
    ("tamper", "column"),
    [
        (set_cell(firstname="Eva"), "firstname"),
        (set_cell(firstname=None), "firstname"),
        (set_cell(lastname="ode"), "lastname"),
        (set_cell(birthdate=date(1980, 2, 28)), "birthdate"),
        (set_cell(gendercode=1), "gendercode"),
        (set_cell(donotemail=False), "donotemail"),
        (set_cell(description="line line"), "description"),
        (set_cell(creditlimit=Decimal("10.27")), "creditlimit"),
        (set_cell(createdon=WHEN + timedelta(seconds=1)), "overriddencreatedon"),
        (set_cell(parentcustomerid=("account", row_id(2))), "parentcustomerid"),
        (set_cell(parentcustomerid=("contact", row_id(1))), "parentcustomerid"),
        (set_cell(parentcustomerid=None), "parentcustomerid"),
        (set_cell(ownerid=("team", ME)), "ownerid"),
    ],
)
def test_one_changed_cell_is_one_difference(migration: Migration, tamper: Any, column: str) -> None:
    contacts(migration)
    tamper(migration)
    document, findings = migration.reconcile()
    assert document.differences == 1
    assert {c.name for t in document.tables for c in t.columns if c.differences} == {column}
    [finding] = findings
    assert (finding["code"], finding["file"], finding["line"]) == ("cell_differs", "contacts.csv", 1)
    assert finding["field"] == f"Field of {column}"
    assert "Eva" not in finding["what"]  # shapes, not values


def test_a_cell_that_was_empty_in_the_source_must_stay_empty(migration: Migration) -> None:
    contacts(migration)
    migration.stored("contact", 11)["lastname"] = "Filled"
    assert migration.reconcile()[0].differences == 1


@pytest.mark.parametrize(
    "cells",
    [
        {"firstname": "Ana"},  # blanks at the end
        {"description": "line\nline"},
        {"creditlimit": Decimal("10.26")},  # the column's scale
        {"createdon": WHEN + timedelta(milliseconds=400)},
    ],
)
def test_what_the_platform_changes_by_itself_is_no_difference(migration: Migration, cells: dict[str, Any]) -> None:
    contacts(migration)
    migration.stored("contact", 10).update(cells)
    assert migration.reconcile()[0].differences == 0


def test_a_missing_row_is_found_and_opens_the_account(migration: Migration) -> None:
    contacts(migration)
    del migration.destination.stored["contact"][row_id(12)]
    document, findings = migration.reconcile()
    assert (document.rows, document.differences) == (4, 1)
    assert document.accounts["Contact"].missing == 1
    assert not document.closes
    assert [f["code"] for f in findings] == ["row_missing"]


def test_a_rejected_row_is_accounted_for_and_no_difference(migration: Migration) -> None:
    rows = [{"_row": row_id(n), "name": "x" * (161 if n == 2 else 1)} for n in (1, 2, 3)]
    migration.send("account", "Company", rows)
    document, findings = migration.reconcile()
    account = document.accounts["Company"]
    assert (account.read, account.created, account.rejected, account.closes) == (3, 2, 1, True)
    assert (document.rows, document.differences, findings) == (2, 0, [])


def test_a_row_with_our_source_key_that_nobody_sent_is_too_much(migration: Migration) -> None:
    operation = {"kind": "add_column", "table": "account", "name": "cr1_sourcekey", "type": "String", "length": 100}
    asyncio.run(migration.destination.apply(operation))
    rows = [{"_row": row_id(n), "name": "x", "cr1_sourcekey": f"{n}"} for n in (1, 2)]
    migration.send("account", "Company", rows)
    stray = dict(migration.stored("account", 1), accountid=row_id(99), cr1_sourcekey="99")
    migration.destination.stored["account"][row_id(99)] = stray
    document, findings = migration.reconcile()
    assert (document.differences, document.tables[0].extra) == (1, 1)
    assert [f["code"] for f in findings] == ["row_extra"]

    known = migration.folder / "keys.parquet"
    migration.engine.write_parquet(f"SELECT '99' AS digest, UUID '{row_id(99)}' AS \"row\"", known)
    migration.known["account"] = known
    assert migration.reconcile()[0].differences == 0  # an earlier plan made it


def test_a_row_whose_source_key_was_cleared_is_still_compared(migration: Migration) -> None:
    operation = {"kind": "add_column", "table": "account", "name": "cr1_sourcekey", "type": "String", "length": 100}
    asyncio.run(migration.destination.apply(operation))
    migration.send("account", "Company", [{"_row": row_id(1), "name": "x", "cr1_sourcekey": "1"}])
    migration.stored("account", 1)["cr1_sourcekey"] = None
    document, _ = migration.reconcile()
    assert (document.rows, document.differences) == (1, 1)


def test_a_sample_looks_at_its_own_rows_only(migration: Migration) -> None:
    contacts(migration)
    assert migration.reconcile("sample")[0].differences == 0


def deals(migration: Migration) -> None:
    migration.send("account", "Company", [{"_row": row_id(1), "name": "x"}])
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
    asyncio.run(migration.destination.batch(calls, continue_on_error=False))


def test_states_are_compared(migration: Migration) -> None:
    deals(migration)
    assert migration.reconcile()[0].differences == 0
    migration.stored("opportunity", 20)["statuscode"] = 4
    migration.stored("opportunity", 22)["statecode"] = 1
    document, _ = migration.reconcile()
    assert {c.name: c.differences for c in document.tables[1].columns} == {"name": 0, "(state)": 2}


def test_parties_are_compared_as_sets_without_the_platforms_own(migration: Migration) -> None:
    migration.send("contact", "Contact", [{"_row": row_id(1), "firstname": "A"}])
    parties = [
        {"mask": 1, "table": "systemuser", "id": str(ME), "address": None},
        {"mask": 2, "table": "contact", "id": str(row_id(1)), "address": None},
        {"mask": 2, "table": None, "id": None, "address": "Odd@b.example"},
    ]
    migration.send("email", "Mail", [{"_row": row_id(30), "subject": "Hi", "_parties": parties}], has_parties=True)
    stored = migration.stored("email", 30)
    owner = {"mask": 9, "table": "systemuser", "id": str(ME), "address": None}
    found = {"mask": 2, "table": "contact", "id": str(row_id(5)), "address": "odd@b.example"}
    stored["_parties"] = [owner, parties[1], found, parties[0]]  # any order; an address whose contact was found
    assert migration.reconcile()[0].differences == 0
    stored["_parties"] = parties[:2]
    assert migration.reconcile()[0].differences == 1
    stored["_parties"] = [*parties, {"mask": 3, "table": None, "id": None, "address": "more@b.example"}]
    assert migration.reconcile()[0].differences == 1


def test_files_are_compared_by_their_bytes(migration: Migration) -> None:
    export = migration.folder / "export" / "files"
    export.mkdir(parents=True)
    (export / "a.bin").write_bytes(b"\x00\x01a")
    rows = [
        {"_row": row_id(40), "subject": "File", "_content": "files/a.bin"},
        {"_row": row_id(41), "subject": "No file", "_content": None},
    ]
    migration.send("annotation", "File", rows, has_files=True)
    table = CATALOGUE.tables["annotation"]
    asyncio.run(migration.destination.attach(table, row_id(40), "a.bin", "application/octet-stream", b"\x00\x01a"))
    assert migration.reconcile()[0].differences == 0
    migration.stored("annotation", 40)["documentbody"] = base64.b64encode(b"\x00\x01b").decode()
    document, _ = migration.reconcile()
    assert {c.name: c.differences for c in document.tables[0].columns} == {"subject": 0, "(file)": 1}


def test_links_are_compared_row_by_row(migration: Migration) -> None:
    migration.send("contact", "Contact", [{"_row": row_id(n), "firstname": "A"} for n in (1, 2)])
    links = [{"relationship": "listcontact_association", "table": "contact", "id": str(row_id(1))}]
    migration.send("list", "List", [{"_row": row_id(50), "listname": "L", "_links": links}], has_links=True)
    pairs = migration.destination.links.setdefault("listcontact_association", set())
    pairs.add((row_id(50), row_id(1)))
    assert migration.reconcile()[0].differences == 0
    pairs.add((row_id(50), row_id(2)))
    document, [finding] = migration.reconcile()
    assert document.differences == 1
    assert finding["record"] == str(row_id(50))


def test_markup_that_the_platform_rewrote_is_the_same_text(migration: Migration) -> None:
    migration.send("email", "Mail", [{"_row": row_id(30), "description": "<p>Hello <b>you</b></p>"}])
    migration.stored("email", 30)["description"] = "<div><p>Hello <strong>you</strong></p></div>"
    assert migration.reconcile()[0].differences == 0
    migration.stored("email", 30)["description"] = "<p>Hello <b>me</b></p>"
    assert migration.reconcile()[0].differences == 1


def test_an_update_to_nothing_must_leave_nothing(migration: Migration) -> None:
    migration.update = True
    rows = [{"_row": row_id(n), "firstname": "A", "donotemail": None} for n in (1, 2)]
    migration.send("contact", "Contact", rows)
    migration.stored("contact", 1)["donotemail"] = False
    document, _ = migration.reconcile()
    assert document.accounts["Contact"].updated == 2
    assert document.differences == 1
