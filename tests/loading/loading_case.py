"""A small plan and everything to load it: accounts, contacts below them, opportunities to close, notes with files."""

import asyncio
import atexit
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from uuid import UUID

from flitstack.catalogue.read import load_catalogue
from flitstack.catalogue.types import Catalogue
from flitstack.destinations.memory.destination import MemoryDestination
from flitstack.destinations.port import Destination
from flitstack.journal.journal import Journal
from flitstack.keys import row_id_at
from flitstack.loading.document import LoadDocument
from flitstack.loading.load import Load, execute
from flitstack.loading.sending import SendOptions
from flitstack.planning.document import Plan, SendColumn, SendTable, Step
from flitstack.staging.engine.engine import Engine

ROWS = {"account": 30, "lead": 3, "contact": 50, "opportunity": 12, "annotation": 6, "email": 8}
_BASES = {name: bytes([place + 1] * 8) for place, name in enumerate(ROWS)}
WON, LOST = 3, 4  # opportunity status reasons of the standard states


@dataclass
class Silent:
    """Progress nobody looks at; remembers rows told."""

    told: int = 0

    def phase(self, title: str, total: int | None = None) -> None:
        pass

    def advance(self, rows: int) -> None:
        self.told += rows


async def nap(seconds: float) -> None:
    """Sleeping in tests: never for long."""
    await asyncio.sleep(min(seconds, 0.001))


@cache
def shared_engine() -> Engine:
    """One engine for all loads of a test run: opening one takes half a second."""
    atexit.register(_close_engine)
    return Engine(Path(mkdtemp()))


def _close_engine() -> None:
    engine = shared_engine()
    engine.close()
    rmtree(engine.scratch, ignore_errors=True)
    shared_engine.cache_clear()


@dataclass
class Case:
    """A plan on disk and a destination in memory."""

    folder: Path
    plan: Plan
    memory: MemoryDestination = field(default_factory=lambda: MemoryDestination(load_catalogue()))
    memory_catalogue: Catalogue = field(default_factory=load_catalogue)
    options: SendOptions = field(default_factory=lambda: SendOptions(batch_rows=7, server_limit_s=0.01))

    def load(
        self,
        destination: Destination | None = None,
        hook: Callable[[str], None] | None = None,
        plan: Plan | None = None,
    ) -> LoadDocument:
        """One execution that opens the journal anew, as a process would."""
        engine = shared_engine()
        engine.connection.abort()  # what an earlier, killed load left unread
        with Journal(self.folder / "journal", "ana", write=True) as journal:
            if hook:
                journal.on_boundary = hook
            target = destination or self.memory
            work = Load(plan or self.plan, self.folder, target, journal, engine, Silent(), self.options, sleep=nap)
            return asyncio.run(execute(work, "load"))

    def refusals(self) -> dict[str, tuple[str, str]]:
        """Refused rows by table and ordinal."""
        with Journal(self.folder / "journal", "ana", write=False) as journal:
            found = journal.state.refusals.items()
            return {f"{table} {int.from_bytes(row[10:], 'big')}": verdict for (table, row), verdict in found}

    def stored(self) -> dict[str, dict[str, dict[str, object]]]:
        """What the destination holds, by table and id, without times and ids it chose itself."""
        told = {}
        for table, rows in self.memory.stored.items():
            if table.endswith("close"):
                told[table] = {str(place): {"subject": None} for place, _ in enumerate(rows)}
            else:
                told[table] = {str(i): {k: v for k, v in r.items() if k not in _TIMES} for i, r in rows.items()}
        return told


_TIMES = frozenset({"createdon", "modifiedon"})


def row(table: str, ordinal: int) -> UUID:
    """The id of a row of the case."""
    return row_id_at(_BASES[table], ordinal)


def make_case(folder: Path, *, bad: tuple[str, ...] = ()) -> Case:
    """Write the send tables. `bad`: rows ("contact 3") that the destination refuses, for a text too long."""
    export = folder / "export"
    export.mkdir(parents=True, exist_ok=True)
    for n in range(ROWS["annotation"]):
        (export / f"file{n}.txt").write_bytes(b"content %d" % n)
    for table, sql in _tables(bad).items():
        shared_engine().write_parquet(sql, folder / f"{table}.parquet")
    tables = (
        _send("account", ("name", "String", False), ("parentaccountid", "Lookup", True), has_links=False),
        _send("lead", ("lastname", "String", False)),
        _send("contact", ("lastname", "String", False), ("parentcustomerid", "Customer", False), has_links=True),
        _send("opportunity", ("name", "String", False), ("parentaccountid", "Lookup", False), has_states=True),
        _send("email", ("subject", "String", False), has_parties=True),
        _send("annotation", ("subject", "String", False), ("filename", "String", False), has_files=True),
    )
    steps = [
        ("create", "account"),
        ("lookups", "account"),
        ("create", "lead"),
        ("create", "contact"),
        ("create", "opportunity"),
    ]
    steps += [("associate", "contact"), ("state", "opportunity"), ("create", "email"), ("files", "annotation")]
    plan = Plan(
        format=1,
        kind="full",
        environment="sandbox",
        url="memory:",
        system="example",
        prefix="ex",
        staged="",
        deduped="",
        maps={},
        owners="",
        steps=tuple(
            Step(place, kind, _PHASES[table], table, f"{kind} {table}", table, ROWS[table])
            for place, (kind, table) in enumerate(steps)
        ),
        tables=tables,
        phases=("people", "sales", "history"),
        accounts={},
        export=str(export),
        sha256="plan-1",
    )
    return Case(folder, plan)


_PHASES = {
    "account": "people",
    "lead": "people",
    "contact": "sales",
    "opportunity": "sales",
    "email": "history",
    "annotation": "history",
}


def _send(table: str, *columns: tuple[str, str, bool], **traits: bool) -> SendTable:
    made = tuple(
        SendColumn(name, kind, name, name, is_lookup=kind in {"Lookup", "Customer"}, second_pass=later)
        for name, kind, later in columns
    )
    return SendTable(table, table, _PHASES[table], f"{table}.parquet", ROWS[table], "", made, (table,), **traits)


def _ids(table: str, ordinal: str) -> str:
    """SQL for the id of a row, as planning makes it."""
    head = str(row(table, 0))[:24]
    return f"CAST('{head}' || lpad(lower(to_hex(CAST({ordinal} AS BIGINT))), 12, '0') AS UUID)"


def _tables(bad: tuple[str, ...]) -> dict[str, str]:
    def start(table: str) -> str:
        return (
            f"SELECT n AS _ord, {_ids(table, 'n')} AS _row, md5(n::VARCHAR) AS _digest, '{table}' AS _object, "
            "'x.csv' AS _file, n::VARCHAR AS _record, n AS _line, FALSE AS _beside"
        )

    def text(table: str, name: str, length: int) -> str:
        places = ", ".join(b.split()[1] for b in bad if b.startswith(f"{table} ")) or "-1"
        return f"CASE WHEN n IN ({places}) THEN repeat('x', {length}) ELSE '{table} ' || n END AS {name}"

    def numbers(table: str) -> str:
        return f"FROM range({ROWS[table]}) r(n)"

    parties = (
        f"[{{'mask': 1, 'table': 'contact', 'id': {_ids('contact', 'n')}, 'address': NULL::VARCHAR}}, "
        "{'mask': 2, 'table': NULL::VARCHAR, 'id': NULL::UUID, 'address': 'a' || n || '@example.com'}] AS _parties"
    )
    leads = (
        f"list_transform(range(n % 3), lambda k: {{'relationship': 'contactleads_association', 'table': 'lead', "
        f"'id': {_ids('lead', 'k')}}}) AS _links"
    )
    return {
        "account": f"{start('account')}, {text('account', 'name', 200)}, CASE WHEN n > 0 THEN {_ids('account', 'n - 1')} "
        f"END AS parentaccountid, CASE WHEN n > 0 THEN 'account' END AS parentaccountid__table {numbers('account')}",
        "lead": f"{start('lead')}, {text('lead', 'lastname', 60)} {numbers('lead')}",
        "contact": f"{start('contact')}, {text('contact', 'lastname', 60)}, {_ids('account', 'n % 30')} AS parentcustomerid, "
        f"'account' AS parentcustomerid__table, {leads} {numbers('contact')}",
        "opportunity": f"{start('opportunity')}, {text('opportunity', 'name', 400)}, {_ids('account', 'n')} AS "
        "parentaccountid, 'account' AS parentaccountid__table, CASE n % 3 WHEN 0 THEN 'win' WHEN 1 THEN 'lose' END AS _action, "
        f"CASE n % 3 WHEN 0 THEN 1 WHEN 1 THEN 2 END AS _state, CASE n % 3 WHEN 0 THEN {WON} WHEN 1 THEN {LOST} END AS _status, "
        f"TIMESTAMPTZ '2026-01-31 10:00:00Z' AS _state_at, 12.5::DECIMAL(38, 4) AS _state_value {numbers('opportunity')}",
        "email": f"{start('email')}, {text('email', 'subject', 900)}, {parties} {numbers('email')}",
        "annotation": f"{start('annotation')}, {text('annotation', 'subject', 900)}, 'file' || n || '.txt' AS filename, "
        f"'text/plain' AS mimetype, 'file' || n || '.txt' AS _content, 9 AS _content_size {numbers('annotation')}",
    }
