"""A loaded and changed migration taken back, after somebody edited some rows and pointed to others. Exits 1 on a miss.

    python benchmarks/rollback.py --contacts 20000 [--edited 500] [--referenced 500] [--seed 1] [--write docs/benchmarks.md]

The load makes rows and merges duplicates, a delta changes every tenth contact; then `--edited` contacts are edited in the
destination and `--referenced` others get a task of somebody else's. Rollback must keep exactly these and the accounts they need,
take everything else back, prove the state before, and take at most twice the time of load and delta. About 2.8 rows a contact.
"""

import argparse
import csv
import json
import random
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[1]
sys.path[:0] = [str(CHECKOUT / "benchmarks")]

from klipy_export import write_export  # noqa: E402
from pages import a_page, write_section  # noqa: E402

from flitstack.app.emulators import EmulatorProcess, call  # noqa: E402
from flitstack.app.project import Project  # noqa: E402
from flitstack.app.result import Silent  # noqa: E402
from flitstack.app.steps.approve import approve  # noqa: E402
from flitstack.app.steps.emulator import read_destination  # noqa: E402
from flitstack.app.steps.load import load  # noqa: E402
from flitstack.app.steps.new import new  # noqa: E402
from flitstack.app.steps.plan_delta import plan_delta  # noqa: E402
from flitstack.app.steps.rollback import rollback  # noqa: E402
from flitstack.app.steps.run import rehearse  # noqa: E402
from flitstack.app.steps.stage import stage  # noqa: E402

CHANGED_EVERY = 10
MOST_TIMES_LOAD = 2.0
OURS = ("contacts", "accounts", "opportunities", "emails", "phonecalls", "appointments", "tasks", "annotations")
AT_ONCE = 8


@dataclass
class Back:
    """One migration and what its commands took."""

    project: Path
    url: str
    seconds: dict[str, float] = field(default_factory=dict)
    documents: dict[str, Any] = field(default_factory=dict)

    def open(self) -> Project:
        """The project as a command opens it."""
        return Project.open(self.project, "benchmark")

    def take(self, name: str, command: Callable[[Project], Any]) -> None:
        """Run a command and keep its time and document."""
        project, started = self.open(), time.monotonic()
        self.documents[name] = command(project).document
        self.seconds[name] = time.monotonic() - started
        print(f"{name}: {self.seconds[name]:.1f} s", file=sys.stderr, flush=True)

    def ask(self, path: str, body: dict[str, Any] | None = None, method: str = "GET") -> dict[str, Any]:
        """One request at the data API."""
        address = path if path.startswith("http") else f"{self.url}/api/data/v9.2/{path.replace(' ', '%20')}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(address, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            text = answer.read()
        return dict(json.loads(text)) if text else {}

    def rows(self, query: str) -> list[dict[str, Any]]:
        """All rows a query gives."""
        found: list[dict[str, Any]] = []
        link = query
        while link:
            page = self.ask(link)
            found += page["value"]
            link = page.get("@odata.nextLink", "")
        return found

    def ours(self, entity_set: str, column: str) -> dict[str, Any]:
        """Ids of rows that carry a source key, with a column; of notes, which take no custom columns, all: none were there before."""
        id_column = {"opportunities": "opportunityid"}.get(entity_set, f"{entity_set.removesuffix('s')}id")
        id_column = "activityid" if entity_set in {"emails", "phonecalls", "appointments", "tasks"} else id_column
        condition = "" if entity_set == "annotations" else "&$filter=flit_sourcekey ne null"
        rows = self.rows(f"{entity_set}?$select={id_column}{',' + column if column else ''}{condition}")
        return {row[id_column]: row.get(column) for row in rows}


def migrate(back: Back, work: Path, contacts: int, seed: int) -> None:
    """Load, then a delta that changes every tenth contact."""
    export = work / "export"
    write_export(export, contacts, seed=seed)
    call(back.url, "seed", read_destination(export / "destination"))
    new(back.project, "klipy", export, url=back.url, scoping=export / "scoping.json")
    rehearse(back.open(), Silent(), last="sample")
    for gate in ("sample", "load"):
        approve(back.open(), gate)
    back.take("load", lambda project: load(project, Silent()))
    later = work / "later"
    later.mkdir()
    with (export / "contacts.csv").open(encoding="utf-8-sig", newline="") as file:
        records = [record for number, record in enumerate(csv.DictReader(file)) if number % CHANGED_EVERY == 0]
    with (later / "contacts.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(records[0]))
        writer.writeheader()
        writer.writerows({**record, "Title": f"Changed {number}"} for number, record in enumerate(records))
    stage(back.open(), Silent(), later, partial=True)
    back.take("plan --delta", lambda project: plan_delta(project, Silent()))
    approve(back.open(), "load")
    back.take("load of the delta", lambda project: load(project, Silent()))


def disturb(back: Back, chance: random.Random, edited: int, referenced: int) -> tuple[set[str], set[str], set[str]]:
    """Contacts edited, contacts referenced by new tasks, and the accounts that these need."""
    contacts = back.ours("contacts", "_parentcustomerid_value")
    accounts = back.ours("accounts", "")
    chosen = chance.sample(sorted(contacts), edited + referenced)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(
            pool.map(
                lambda row: back.ask(f"contacts({row})", {"department": "Edited in Dynamics"}, "PATCH"), chosen[:edited]
            )
        )
        tasks = [
            {"subject": "Ring back", "regardingobjectid_contact@odata.bind": f"/contacts({row})"}
            for row in chosen[edited:]
        ]
        list(pool.map(lambda body: back.ask("tasks", body, "POST"), tasks))
    needed = {contacts[row] for row in chosen} & accounts.keys()
    return set(chosen[:edited]), set(chosen[edited:]), needed


def check(back: Back, edited: set[str], referenced: set[str], needed: set[str]) -> dict[str, int]:
    """What is not as it must be, counted."""
    told = back.documents["rollback"]
    kept = {(row["row"], row["why"]) for row in told["kept_rows"]}
    left = {name: set(back.ours(name, "")) for name in OURS}
    others = sum(len(rows) for name, rows in left.items() if name not in {"contacts", "accounts"})
    return {
        "edited_not_kept": len(edited - {row for row, why in kept if why == "edited"}),
        "referenced_not_kept": len(referenced - {row for row, why in kept if why == "referenced"}),
        "kept_for_no_reason": len({row for row, _ in kept} - edited - referenced - needed),
        "left_for_no_reason": len(left["contacts"] - edited - referenced) + len(left["accounts"] - needed) + others,
        "gone_though_kept": len((edited | referenced) - left["contacts"]) + len(needed - left["accounts"]),
        "failed": told["failed"],
        "not_equal": int(not told["equal"]),
        "too_slow": int(
            back.seconds["rollback"] > MOST_TIMES_LOAD * (back.seconds["load"] + back.seconds["load of the delta"])
        ),
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", type=int, default=20_000)
    parser.add_argument("--edited", type=int, default=500)
    parser.add_argument("--referenced", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=a_page, help="also write the figures to this page")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="flitstack-rollback-") as name,
        EmulatorProcess(Path(name) / "emulator") as emulator,
    ):
        back = Back(Path(name) / "project", emulator.url)
        migrate(back, Path(name), given.contacts, given.seed)
        chosen = disturb(back, random.Random(given.seed), given.edited, given.referenced)
        back.take(
            "rollback", lambda project: rollback(project, Silent(), force=False, with_schema=False, dry_run=False)
        )
        wrong = check(back, *chosen)
    told = back.documents["rollback"]
    made = sum(step["done"] for step in back.documents["load"]["load"]["steps"] if step["kind"] in {"create", "files"})
    changed = sum(step["done"] for step in back.documents["load of the delta"]["load"]["steps"])
    merged = sum(account["merged"] for account in back.documents["load"]["accounts"].values())
    forth = back.seconds["load"] + back.seconds["load of the delta"]
    line = (
        f"{made:,} rows made in {back.seconds['load']:.0f} s ({made / back.seconds['load']:,.0f} a second), {merged:,} records merged, "
        f"{changed:,} changed by the delta in {back.seconds['load of the delta']:.0f} s; taken back: {told['reversed']:,} rows in "
        f"{back.seconds['rollback']:.0f} s ({told['reversed'] / back.seconds['rollback']:,.0f} a second, "
        f"{back.seconds['rollback'] / forth:.2f} times the time of load and delta)"
    )
    buckets = ", ".join(f"{word.replace('_', ' ')} {count:,}" for word, count in told["buckets"].items())
    misses = ", ".join(f"{word.replace('_', ' ')} {count:,}" for word, count in wrong.items())
    print(line, buckets, misses, sep="\n", flush=True)
    if given.write:
        command = f"python benchmarks/rollback.py --contacts {given.contacts} --edited {given.edited} --referenced {given.referenced}"
        lines = [f"{line}.", "", f"Buckets: {buckets}.", "", f"What must be none: {misses}."]
        write_section(given.write, "Rollback", f"{command} --write docs/benchmarks.md", lines)
    sys.exit(any(wrong.values()))


if __name__ == "__main__":
    main()
