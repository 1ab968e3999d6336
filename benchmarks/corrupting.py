"""Single cells of every column type, corrupted by chance in the destination: reconcile must find each and name it. Exits 1 on a miss.

    python benchmarks/corrupting.py --cells 10000 [--contacts 1000] [--seed 1] [--write docs/benchmarks.md]

Many a pass, at most so many of a column as reconcile lists examples; after each pass the destination is as loaded again.
"""

import argparse
import base64
import json
import random
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

CHECKOUT = Path(__file__).parents[1]
sys.path[:0] = [str(CHECKOUT / "tests"), str(CHECKOUT / "benchmarks")]

from every_type import OPTIONS, EveryType, every_type_case, id_sql  # noqa: E402
from loading.loading_case import shared_engine  # noqa: E402
from pages import a_page, write_section  # noqa: E402
from rehearsed import EXAMPLE  # noqa: E402

from flitstack.app.emulators import EmulatorProcess, call  # noqa: E402
from flitstack.app.steps.emulator import read_destination  # noqa: E402
from flitstack.destinations.port import Destination  # noqa: E402
from flitstack.planning.document import SendTable  # noqa: E402
from flitstack.reconciling.document import ReconcileDocument  # noqa: E402
from flitstack.reconciling.reconcile import reconcile  # noqa: E402
from flitstack.reconciling.tables import EXAMPLES_PER_COLUMN, Landed, Place  # noqa: E402

LINKS, PARTIES, STATE, FILE = "contactleads_association", "(parties)", "(state)", "(file)"
_SPECIAL_TYPES = {LINKS: "N:N link", PARTIES: "activity party", STATE: "state", FILE: "file bytes"}


def ask(url: str, query: str, method: str = "GET") -> Any:
    """One request at the data API."""
    request = urllib.request.Request(f"{url}/api/data/v9.2/{query.replace(' ', '%20')}", method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        text = answer.read()
    return json.loads(text) if text else None


@dataclass(frozen=True)
class Cell:
    """One cell, as reconcile calls its column, and what it holds; `key`: the export's record."""

    table: str
    row: str
    column: str
    type: str
    record: str
    value: Any


@dataclass
class Corrupter:
    """Changes cells of one loaded case behind everybody's back."""

    url: str
    case: EveryType
    chance: random.Random
    users: list[str]

    def choose(self, most: int) -> list[Cell]:
        """At most `most` cells, no two of a row and column, no more of a column than reconcile lists."""
        chosen: list[Cell] = []
        for send in self.case.plan.tables:
            for column, kind in self._columns(send).items():
                cells = self._cells(send, column, kind)
                chosen += self.chance.sample(cells, min(EXAMPLES_PER_COLUMN, len(cells)))
        self.chance.shuffle(chosen)
        return chosen[:most]

    def corrupt(self, cell: Cell) -> None:
        """Change one cell, past every rule where a rule would mind."""
        how: Callable[[Cell], None] = {
            LINKS: self._unlink,
            PARTIES: self._party,
            STATE: self._state,
            FILE: self._file,
        }.get(cell.column, self._value)
        how(cell)

    def _columns(self, send: SendTable) -> dict[str, str]:
        found = {column.name: column.type for column in send.columns}
        if send.table == "contact":
            found["birthdate"] = "date only"
        flags = ((send.has_links, LINKS), (send.has_parties, PARTIES), (send.has_states, STATE), (send.has_files, FILE))
        return found | {name: _SPECIAL_TYPES[name] for has, name in flags if has}

    def _cells(self, send: SendTable, column: str, kind: str) -> list[Cell]:
        stored = {LINKS: "_links", PARTIES: "_parties", STATE: "_action", FILE: "_content"}.get(column, column)
        where = "len(_links) > 0" if column == LINKS else "TRUE" if column == STATE else f"{stored} IS NOT NULL"
        rows = shared_engine().rows(
            f"SELECT CAST(_row AS VARCHAR), _record, {stored} FROM read_parquet('{self.case.folder / send.parquet}') WHERE {where}"
        )
        return [Cell(send.table, str(row), column, kind, str(record), value) for row, record, value in rows]

    def _set(self, table: str, row: str, column: str, value: object) -> None:
        call(self.url, "cell", {"table": table, "id": row, "column": column, "value": value})

    def _value(self, cell: Cell) -> None:
        self._set(cell.table, cell.row, cell.column, self._other(cell.type, cell.value, cell))

    def _state(self, cell: Cell) -> None:
        """Open what is closed, close what is open; or another reason of the same state."""
        if self.chance.random() < 0.5:
            self._set(cell.table, cell.row, "statecode", 0 if cell.value else 1)
        else:
            self._set(cell.table, cell.row, "statuscode" if cell.value else "statecode", 2)

    def _unlink(self, cell: Cell) -> None:
        target = self.chance.choice(cell.value)["id"]
        ask(self.url, f"contacts({cell.row})/{LINKS}({target})/$ref", "DELETE")

    def _party(self, cell: Cell) -> None:
        query = f"emails({cell.row})/email_activity_parties?$select=participationtypemask"
        parties = ask(self.url, query)["value"]
        mine = next(party for party in parties if party["participationtypemask"] == 2)
        column, value = self.chance.choice([("addressused", "mallory@example.com"), ("participationtypemask", 3)])
        self._set("activityparty", mine["activitypartyid"], column, value)

    def _file(self, cell: Cell) -> None:
        content = bytearray((self.case.folder / "export" / cell.value).read_bytes())
        content[self.chance.randrange(len(content))] ^= 1
        self._set(cell.table, cell.row, "documentbody", base64.b64encode(bytes(content)).decode())

    def _other(self, kind: str, value: Any, cell: Cell) -> object:
        """A value of the type that is not this one: the smallest change that can be told."""
        if kind in {"String", "Memo"}:
            place = self.chance.randrange(len(value))
            return value[:place] + ("x" if value[place] != "x" else "y") + value[place + 1 :]
        if kind in {"Lookup", "Customer"}:
            target = "account" if kind == "Customer" else "contact"
            return str(self.case_id(target, not_this=str(value)))
        if kind == "Owner":
            return next(user for user in self.users if user != str(value))
        if kind in {"Integer", "BigInt"}:
            return int(value) + 1
        if kind == "Picklist":
            return int(value) % 4 + 1
        if kind == "Boolean":
            return not value
        if kind == "MultiSelectPicklist":
            return ",".join(sorted(str(option) for option, _ in self.chance.sample(OPTIONS, 3)))
        if kind in {"Money", "Decimal", "Double"}:
            return round(float(value) + {"Money": 0.01, "Decimal": 0.0001, "Double": 0.00001}[kind], 5)
        if isinstance(value, datetime):
            return (value.astimezone(UTC) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        assert isinstance(value, date), cell
        return (value + timedelta(days=1)).isoformat()

    def case_id(self, table: str, not_this: str) -> UUID:
        """The id of some other row of a table."""
        while True:
            found = shared_engine().one(f"SELECT {id_sql(table, str(self.chance.randrange(self.case.rows[table])))}")[0]
            if str(found) != not_this:
                return UUID(str(found))


def play_cells(work: Path, url: str, cells: int, contacts: int, seed: int) -> tuple[Counter[str], Counter[str]]:
    """(counts, cells corrupted by type)."""
    call(url, "seed", read_destination(EXAMPLE / "destination"))
    found = ask(url, "systemusers?$select=systemuserid&$filter=isdisabled eq false")
    users = [row["systemuserid"] for row in found["value"]][:2]
    case = every_type_case(work / "case", contacts, users)
    case.load(url)
    call(url, "snapshot", {"name": "loaded"})
    counts, types = (
        Counter({"cells": 0, "passes": 0, "not_found": 0, "not_named": 0, "found_too_many": 0}),
        Counter[str](),
    )
    while counts["cells"] < cells:
        call(url, "restore", {"name": "loaded"})
        corrupter = Corrupter(url, case, random.Random(seed * 1_000 + counts["passes"]), users)
        chosen = corrupter.choose(cells - counts["cells"])
        for cell in chosen:
            corrupter.corrupt(cell)
        document, named = _reconcile(case, url, work / "back")
        missed = [c for c in chosen if (c.record, c.column) not in named]
        for cell in missed:
            print(f"  not named: {cell}", file=sys.stderr)
        counts.update(
            cells=len(chosen), passes=1, not_named=len(missed), not_found=max(0, len(chosen) - document.differences),
            found_too_many=max(0, document.differences - len(chosen)) + len(named - {(c.record, c.column) for c in chosen}),
        )  # fmt: skip
        types.update(cell.type for cell in chosen)
    return counts, types


def _reconcile(case: EveryType, url: str, back: Path) -> tuple[ReconcileDocument, set[tuple[str, str]]]:
    """The document, and (record, column) of every finding."""
    engine = shared_engine()

    async def work(destination: Destination) -> tuple[ReconcileDocument, set[tuple[str, str]]]:
        document, findings = await reconcile(
            case.plan, destination, engine, Landed(), Place(case.folder, back), at="2026-01-01T00:00:00Z"
        )
        listed = engine.table(f"SELECT record, field FROM {findings.table}").to_pylist()
        return document, {(str(f["record"]), str(f["field"])) for f in listed}

    return case.run(url, work)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=1_000)
    parser.add_argument("--contacts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=a_page, help="also write the figures to this page")
    given = parser.parse_args()
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="flitstack-cells-") as name,
        EmulatorProcess(Path(name) / "emulator") as emulator,
    ):
        counts, types = play_cells(Path(name), emulator.url, given.cells, given.contacts, given.seed)
    told = ", ".join(f"{word} {number:,}" for word, number in counts.items())
    print(f"cells: {told} ({time.monotonic() - started:.0f} s, seed {given.seed})")
    print("types: " + ", ".join(f"{kind} {number:,}" for kind, number in sorted(types.items())), flush=True)
    if given.write:
        command = f"python benchmarks/corrupting.py --cells {given.cells} --contacts {given.contacts} --seed {given.seed} --write docs/benchmarks.md"
        lines = [
            "| column type | cells corrupted, found and named |",
            "| --- | ---: |",
            *(f"| {k} | {n:,} |" for k, n in sorted(types.items())),
        ]
        write_section(given.write, "Corrupted cells", command, [told[:1].upper() + told[1:] + ".", "", *lines])
    sys.exit(bool(counts["not_found"] or counts["not_named"] or counts["found_too_many"]))


if __name__ == "__main__":
    main()
