"""The loading command dies, or its answers get lost: run again until done, the destination is that of an undisturbed run."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from route.route_case import TO_LOAD, TO_PLAN, Migration, begin, command, environment, serving

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
from klipy_export import write_export

# Entity sets of the route and what tells their rows apart; the ids of close activities are the server's own.
QUERIES = {
    "accounts": "accountid", "contacts": "contactid", "opportunities": "opportunityid", "emails": "activityid",
    "phonecalls": "activityid", "appointments": "activityid", "tasks": "activityid", "annotations": "annotationid",
    "flit_notedetails": "flit_notedetailid", "opportunitycloses": "_opportunityid_value",
}  # fmt: skip
# They tell when a row was written, not what.
VOLATILE = {"overriddencreatedon", "modifiedon", "versionnumber"}
# What close activities are compared by: the rest is the server's own.
CLOSED = ("_opportunityid_value", "statuscode", "actualrevenue")
# Writes take a while, so that a kill meets them under way.
SLOW = {"seed": 5, "rules": [{"kind": "slow", "method": "POST", "probability": 0.7, "seconds": 0.3}]}


@dataclass(frozen=True)
class Approved:
    """A migration that is approved to load, how an undisturbed load left the destination, and how long that took."""

    migration: Migration
    rows: dict[str, dict[str, dict[str, Any]]]
    accounts: dict[str, dict[str, int]]
    seconds: float

    def proves_itself(self) -> None:
        """The destination, the accounts and the comparison are those of the undisturbed run."""
        migration = self.migration
        migration.admin("faults", {"rules": []})
        assert migration.do("reconcile", code=3)["differences"] == 0
        assert migration.do("status")["accounts"] == self.accounts
        found = contents(migration)
        for query in QUERIES:
            assert found[query].keys() == self.rows[query].keys(), f"{query}: not every row is there once"
            changed = [
                (row, column, value, found[query][row].get(column))
                for row, values in self.rows[query].items()
                for column, value in values.items()
                if found[query][row].get(column) != value
            ]
            assert not changed, (query, changed[:3])
        assert migration.do("audit", "--verify")["unsettled"] == 0


@pytest.fixture(scope="module")
def approved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Approved]:
    folder = tmp_path_factory.mktemp("killed")
    write_export(folder / "export", 60, seed=11, dirt=0.05)
    with serving(folder / "emulator") as url:
        migration = begin(folder / "acme", url, folder / "export")
        migration.go(TO_PLAN + TO_LOAD)
        migration.keep("approved")
        migration.admin("faults", SLOW)
        started = time.monotonic()
        migration.do("load", code=3)
        seconds = time.monotonic() - started
        accounts = migration.do("status")["accounts"]
        assert all(account["closes"] for account in accounts.values())
        yield Approved(migration, contents(migration), accounts, seconds)


def kill_load(approved: Approved, kills: int, seed: int) -> int:
    """Start the load and kill it, again and again; how often it came to its end before the kill.

    Whenever it did, the outcome is proven and the next kills meet a fresh load.
    """
    chance, migration, ended = random.Random(seed), approved.migration, 0
    words = command("load", "--project", str(migration.folder))
    killed = 0
    fresh(migration)
    while killed < kills:
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment()) as load:
            try:
                load.wait(chance.uniform(0.15, 1.0) * approved.seconds)
            except subprocess.TimeoutExpired:
                load.kill()
                killed += 1
                continue
            assert load.stderr is not None
            assert load.returncode == 3, load.stderr.read().decode()
        ended += 1
        approved.proves_itself()
        fresh(migration)
    return ended


def fresh(migration: Migration) -> None:
    """Back to where the load is approved, the destination slow."""
    migration.back_to("approved")
    migration.admin("faults", SLOW)


@pytest.mark.slow
def test_killed_at_six_random_instants_it_ends_as_if_undisturbed(approved: Approved) -> None:
    kill_load(approved, 6, seed=1)
    approved.migration.do("load", code=3)
    approved.proves_itself()


@pytest.mark.slow
def test_killed_at_fifty_random_instants_it_ends_as_if_undisturbed(approved: Approved) -> None:
    kill_load(approved, 50, seed=2)
    approved.migration.do("load", code=3)
    approved.proves_itself()


MISHAPS: dict[str, list[dict[str, Any]]] = {
    "answers lost and requests throttled": [
        {"kind": "cut_after", "method": "POST", "every": 4},
        {"kind": "throttle429", "every": 5, "times": 8, "seconds": 1},
    ],
    "half of a batch done": [{"kind": "cut_midway", "method": "POST", "every": 3, "times": 6}],
    "half an answer": [{"kind": "truncated_body", "method": "POST", "every": 3, "times": 6}],
    "refused at the door": [{"kind": "unavailable503", "every": 4, "times": 8}],
    "cut before anything was done": [{"kind": "cut_before", "method": "POST", "every": 3, "times": 6}],
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if n else ()) for n, name in enumerate(MISHAPS)]
)
def test_mishaps_on_the_way_double_and_lose_nothing(approved: Approved, name: str) -> None:
    migration = approved.migration
    migration.back_to("approved")
    migration.admin("faults", {"seed": 3, "rules": MISHAPS[name]})
    for _ in range(5):
        answer = migration.run("load")
        if answer.code != 1:
            break
    assert answer.code == 3, answer.stdout + answer.stderr
    approved.proves_itself()


def contents(migration: Migration) -> dict[str, dict[str, dict[str, Any]]]:
    """Rows by id of each table of the route, what is volatile left out. Our row ids stand in the journal, so they stay."""
    found = {}
    for query, id_column in QUERIES.items():
        rows = [{k: v for k, v in row.items() if k not in VOLATILE and "@" not in k} for row in migration.rows(query)]
        if query == "opportunitycloses":
            rows = [{name: row[name] for name in CLOSED} for row in rows]
        found[query] = {row[id_column]: row for row in rows}
        assert len(found[query]) == len(rows)
    return found
