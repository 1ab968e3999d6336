"""A plan whose cells are of every column type, loaded into an emulator by the loader itself: values, lookups, owners, states,
many-to-many links, activity parties and files."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from loading.loading_case import Silent, shared_engine

from flitstack.catalogue.read import load_catalogue
from flitstack.destinations.dataverse.client import Client
from flitstack.destinations.dataverse.destination import DataverseDestination
from flitstack.destinations.port import Destination
from flitstack.journal.journal import Journal
from flitstack.loading.document import LoadDocument
from flitstack.loading.load import Load, execute
from flitstack.loading.sending import SendOptions
from flitstack.planning.document import Plan, SendColumn, SendTable, Step

T = TypeVar("T")
OPTIONS = [[72_700_000 + n, f"Interest {n}"] for n in range(5)]
OPERATIONS = (
    {"kind": "add_column", "table": "contact", "name": "ex_count", "type": "BigInt", "label": "Count"},
    {"kind": "add_column", "table": "contact", "name": "ex_share", "type": "Decimal", "label": "Share", "precision": 4},
    {"kind": "add_column", "table": "contact", "name": "ex_factor", "type": "Double", "label": "Factor", "precision": 5},
    {"kind": "add_column", "table": "contact", "name": "ex_interests", "type": "MultiSelectPicklist", "label": "Interests", "options": OPTIONS},
    {"kind": "publish", "table": "", "name": "all"},
)  # fmt: skip
_PLACES = {"account": 1, "lead": 2, "contact": 3, "opportunity": 4, "task": 5, "email": 6, "annotation": 7}
_SHARES = {
    "account": 0.2,
    "lead": 0.1,
    "contact": 1.0,
    "opportunity": 0.5,
    "task": 0.5,
    "email": 0.5,
    "annotation": 0.3,
}


def id_sql(table: str, n: str) -> str:
    """SQL of a row's id."""
    head = f"eeeeeeee-000{_PLACES[table]}-8000-8000-"
    return f"CAST('{head}' || lpad(lower(to_hex(CAST({n} AS BIGINT))), 12, '0') AS UUID)"


# Table -> column -> (type, SQL over n); a lookup's type names its target behind a colon.
def _columns(rows: dict[str, int], users: Sequence[str]) -> dict[str, dict[str, tuple[str, str]]]:
    owner = f"CAST((['{users[0]}', '{users[1]}'])[1 + n % 2] AS UUID)"
    return {
        "account": {"name": ("String", "'Firm ' || n"), "revenue": ("Money", "(n * 1000.25)::DECIMAL(38, 4)")},
        "lead": {"lastname": ("String", "'Lead ' || n"), "subject": ("String", "'Topic ' || n")},
        "contact": {
            "lastname": ("String", "'Person ' || n"),
            "description": ("Memo", "'Line one of ' || n || chr(10) || 'and ünïcode'"),
            "numberofchildren": ("Integer", "(n % 7)::BIGINT"),
            "ex_count": ("BigInt", "9007199254740993 + n"),
            "ex_share": ("Decimal", "(n / 7.0)::DECIMAL(38, 4)"),
            "ex_factor": ("Double", "round(n / 3.0, 5)::DOUBLE"),
            "annualincome": ("Money", "(n * 10.5)::DECIMAL(38, 2)"),
            "donotemail": ("Boolean", "n % 2 = 0"),
            "familystatuscode": ("Picklist", "(1 + n % 4)::BIGINT"),
            "ex_interests": ("MultiSelectPicklist", "'72700000,' || (72700001 + n % 3)"),
            "birthdate": ("DateOnly", "DATE '1970-01-01' + (n % 9000)::INTEGER"),
            "parentcustomerid": ("Customer:account", id_sql("account", f"n % {rows['account']}")),
            "ownerid": ("Owner:systemuser", owner),
        },
        "opportunity": {
            "name": ("String", "'Deal ' || n"),
            "parentcontactid": ("Lookup:contact", id_sql("contact", f"n % {rows['contact']}")),
            "estimatedvalue": ("Money", "(n * 99.5)::DECIMAL(38, 2)"),
        },
        "task": {
            "subject": ("String", "'Ring back ' || n"),
            "scheduledend": ("DateTime", "TIMESTAMPTZ '2026-01-01 08:00:00Z' + to_minutes(n::INTEGER)"),
            "regardingobjectid": ("Lookup:contact", id_sql("contact", f"n % {rows['contact']}")),
        },
        "email": {"subject": ("String", "'Letter ' || n")},
        "annotation": {"subject": ("String", "'File ' || n"), "filename": ("String", "'f' || n || '.txt'")},
    }  # fmt: skip


def _more(table: str, rows: dict[str, int]) -> tuple[str, dict[str, bool]]:
    """More of the send table's own columns, and what it has."""
    if table == "contact":
        lead = id_sql("lead", f"(n + k) % {rows['lead']}")
        link = f"{{'relationship': 'contactleads_association', 'table': 'lead', 'id': {lead}}}"
        leads = f"list_transform(range(n % 3), lambda k: {link})"
        return f", {leads} AS _links", {"has_links": True}
    if table in {"opportunity", "task"}:
        action, state, status = ("'win'", 1, 3) if table == "opportunity" else ("'state'", 1, 5)
        closed = "CASE WHEN n % 2 = 0 THEN {} END"
        listed = ", ".join(
            f"{closed.format(value)} AS {name}"
            for name, value in (("_action", action), ("_state", f"{state}::BIGINT"), ("_status", f"{status}::BIGINT"))
        )
        return f", {listed}, NULL::TIMESTAMPTZ AS _state_at, NULL::DECIMAL(38, 4) AS _state_value", {"has_states": True}
    if table == "email":
        sender = id_sql("contact", f"n % {rows['contact']}")
        parties = (
            f"[{{'mask': 1, 'table': 'contact', 'id': {sender}, 'address': NULL::VARCHAR}}, "
            "{'mask': 2, 'table': NULL::VARCHAR, 'id': NULL::UUID, 'address': 'a' || n || '@example.com'}]"
        )
        return f", {parties} AS _parties", {"has_parties": True}
    if table == "annotation":
        return ", 'text/plain' AS mimetype, 'f' || n || '.txt' AS _content, NULL::BIGINT AS _content_size", {
            "has_files": True
        }
    return "", {}


@dataclass(frozen=True)
class EveryType:
    """The plan, where it lies, and how many rows each table has."""

    folder: Path
    plan: Plan
    rows: dict[str, int]

    def run(self, url: str, work: Callable[[Destination], Awaitable[T]]) -> T:
        """Work with a destination of its own, which belongs to one event loop."""

        async def whole() -> T:
            destination = DataverseDestination(Client(url), load_catalogue())
            try:
                return await work(destination)
            finally:
                await destination.close()

        return asyncio.run(whole())

    def load(self, url: str) -> LoadDocument:
        """Load it. Exits unless every row landed."""

        async def work(destination: Destination) -> LoadDocument:
            with Journal(self.folder / "journal", "benchmark", write=True) as journal:
                options = SendOptions(server_limit_s=1.0)
                load = Load(self.plan, self.folder, destination, journal, shared_engine(), Silent(), options)
                return await execute(load, "load")

        document = self.run(url, work)
        if document.refused:
            raise SystemExit(f"{document.refused} rows were refused")
        return document


def every_type_case(folder: Path, contacts: int, users: Sequence[str]) -> EveryType:
    """Write send tables and files; `users`: ids of two users that own the contacts by turns."""
    rows = {table: max(3, int(contacts * share)) for table, share in _SHARES.items()}
    export = folder / "export"
    export.mkdir(parents=True)
    for n in range(rows["annotation"]):
        (export / f"f{n}.txt").write_bytes(b"content of file %d" % n)
    tables = [_write(folder, table, columns, rows) for table, columns in _columns(rows, users).items()]
    steps = [Step(0, "schema", "schema", "", "columns", operations=OPERATIONS)]
    for table in tables:
        kinds = ["files" if table.has_files else "create"]
        kinds += ["associate"] * table.has_links + ["state"] * table.has_states
        steps += [
            Step(len(steps) + n, kind, "rows", table.table, kind, table.name, table.rows)
            for n, kind in enumerate(kinds)
        ]
    plan = Plan(
        format=1, kind="full", environment="benchmark", url="", system="example", prefix="ex", staged="", deduped="", maps={}, owners="",
        steps=tuple(steps), tables=tuple(tables), phases=("rows",), accounts={}, export=str(export), sha256="every-type",
    )  # fmt: skip
    return EveryType(folder, plan, rows)


def _write(folder: Path, table: str, columns: dict[str, tuple[str, str]], rows: dict[str, int]) -> SendTable:
    values, sent = [], []
    for name, (kind, sql) in columns.items():
        kind, _, target = kind.partition(":")
        values.append(f"{sql} AS {name}" + (f", '{target}' AS {name}__table" if target else ""))
        sent.append(SendColumn(name, "DateTime" if kind == "DateOnly" else kind, name, name, is_lookup=bool(target)))
    more, traits = _more(table, rows)
    origin = (
        f"CAST(n AS BIGINT) AS _ord, {id_sql(table, 'n')} AS _row, md5('{table}' || n) AS _digest, '{table}' AS _object, "
        f"'{table}.csv' AS _file, '{table}-' || n AS _record, CAST(n AS BIGINT) + 2 AS _line, FALSE AS _beside"
    )
    shared_engine().write_parquet(
        f"SELECT {origin}, {', '.join(values)}{more} FROM range({rows[table]}) r(n)", folder / f"{table}.parquet"
    )
    return SendTable(table, table, "rows", f"{table}.parquet", rows[table], "", tuple(sent), (table,), **traits)
