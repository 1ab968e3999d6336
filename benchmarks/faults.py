"""Seeded disasters against the emulator over a socket, and what is left afterwards. Prints one line a kind, exits 1 on a miss.

    python benchmarks/faults.py --runs 20 --kills 12 --bad-rows 20000 --cells 300 [--seed 1] [--only runs kills bad cells]

runs   loads and rollbacks under plans that mix every fault kind of the emulator: rows doubled, rows lost, accounts that do not
       close, requests begun after a 429 was read and before its pause ended (counted by the HTTP library's own hooks)
kills  loaders killed with SIGKILL at random instants and started again: the end against the undisturbed end, requests in doubt
bad    one row in a hundred is refused: every good row lands, every bad one is named
cells  single cells changed behind everybody's back, over every column type: reconcile must name each
"""

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp

CHECKOUT = Path(__file__).parents[1]
sys.path[:0] = [str(CHECKOUT / "tests"), str(CHECKOUT / "benchmarks")]

from contacts_case import contacts_case  # noqa: E402
from loading.loading_case import Silent, make_case, shared_engine  # noqa: E402
from pages import write_section  # noqa: E402

from flitstack.app.emulators import EmulatorProcess, call  # noqa: E402
from flitstack.catalogue.read import load_catalogue  # noqa: E402
from flitstack.destinations.dataverse.client import Client  # noqa: E402
from flitstack.destinations.dataverse.destination import DataverseDestination  # noqa: E402
from flitstack.destinations.throttled import ThrottledDestination  # noqa: E402
from flitstack.documents import save_json  # noqa: E402
from flitstack.errors import StepFailed  # noqa: E402
from flitstack.journal.journal import Journal  # noqa: E402
from flitstack.loading.document import LoadDocument  # noqa: E402
from flitstack.loading.load import Load, execute  # noqa: E402
from flitstack.loading.sending import SendOptions  # noqa: E402
from flitstack.planning.document import Plan, Step  # noqa: E402

BAD = ("contact 3", "opportunity 4", "email 1")
KINDS = (
    "throttle429", "unavailable503", "timeout", "cut_before", "cut_midway", "cut_after", "slow", "trickle",
    "truncated_body", "expired_token",
)  # fmt: skip
OURS = ("account", "lead", "contact", "opportunity", "email", "annotation")
IN_FLIGHT = 3
LONGEST_NAP_S = 0.2  # the loader's own backoff; pauses that the service asks for are kept in full
MOST_STARTS = 8


@dataclass
class Told:
    """What one kind of disaster left."""

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, **more: int) -> None:
        """Add to the counts."""
        for name, count in more.items():
            self.counts[name] = self.counts.get(name, 0) + count


class WatchedClient(Client):
    """Counts requests that began after this user had read a 429 and before its pause ended, by the library's hooks."""

    in_pauses = 0
    requests = 0
    _pause_ends = 0.0

    def _connection_trace(self) -> aiohttp.TraceConfig:
        trace = super()._connection_trace()

        async def start(_: object, __: SimpleNamespace, ___: object) -> None:
            self.requests += 1
            self.in_pauses += time.monotonic() < self._pause_ends - 0.001

        async def end(_: object, __: SimpleNamespace, done: aiohttp.TraceRequestEndParams) -> None:
            if done.response.status == 429:
                wait_s = float(done.response.headers["Retry-After"])
                self._pause_ends = max(self._pause_ends, time.monotonic() + wait_s)

        trace.on_request_start.append(start)
        trace.on_request_end.append(end)
        return trace


async def nap(seconds: float) -> None:
    """Sleep, never for long."""
    await asyncio.sleep(min(seconds, LONGEST_NAP_S))


def fault_plan(seed: int) -> dict[str, Any]:
    """Some kinds at once, each with a chance of its own; refusals inside batches too."""
    chance = random.Random(seed)
    rules: list[dict[str, Any]] = [
        {
            "kind": kind,
            "probability": round(chance.uniform(0.02, 0.15), 3),
            "seconds": 1 if kind == "throttle429" else 0.05,
        }
        for kind in chance.sample(KINDS, chance.randint(3, 6))
    ]
    for rule in rules:
        if rule["kind"] == "throttle429":
            rule["probability"] /= 4  # each costs a second at least
            rule["facet"] = chance.choice(["requests", "time", "concurrency"])
        if rule["kind"] == "truncated_body":
            rule["share"] = chance.random()
        if rule["kind"] == "expired_token":
            rule["times"] = 1  # an open emulator takes no token, so a second one in a row ends any client
    if chance.random() < 0.5:
        rules.append({"kind": chance.choice(["throttle429", "unavailable503"]), "probability": 0.1, "in_batch": True})
    return {"seed": seed, "rules": rules}


def load_once(plan: Plan, folder: Path, url: str, client: WatchedClient) -> LoadDocument:
    """One start of the loader, wired as the command wires it, in requests of few rows."""

    async def work() -> LoadDocument:
        paced = ThrottledDestination([DataverseDestination(client, load_catalogue())], trial=64.0)
        client.pacer = paced.lanes[0]
        options = SendOptions(batch_rows=7, in_flight=IN_FLIGHT, server_limit_s=0.5)
        engine = shared_engine()
        engine.connection.abort()
        with Journal(folder / "journal", "benchmark", write=True) as journal:
            try:
                return await execute(
                    Load(plan, folder, paced, journal, engine, Silent(), options, sleep=nap), plan.kind
                )
            finally:
                await paced.close()

    return asyncio.run(work())


def undo_plan(plan: Plan) -> Plan:
    """Deletes what the plan made, last table first."""
    steps = [
        Step(place, "delete", send.phase, send.table, f"deleting {send.table}", send.name, send.rows)
        for place, send in enumerate(reversed(plan.tables))
    ]
    return replace(plan, kind="rollback", steps=tuple(steps), sha256="undo")


def under_faults(plan: Plan, folder: Path, url: str, seed: int, told: Told) -> LoadDocument:
    """Start the loader until it ends, as a person would; the last start meets no fault."""
    call(url, "faults", fault_plan(seed))
    for start in range(MOST_STARTS + 1):
        if start == MOST_STARTS:
            call(url, "faults", {"rules": []})
        client = WatchedClient(url, sleep=nap)
        try:
            document = load_once(plan, folder, url, client)
        except StepFailed:
            told.add(restarts=1)
            continue
        finally:
            told.add(requests=client.requests, in_pauses=client.in_pauses)
        break
    call(url, "faults", {"rules": []})
    told.add(asked=document.asked)
    return document


def rows_of(fingerprint: dict[str, Any]) -> dict[str, int]:
    """Rows by table."""
    return {name: int(found["rows"]) for name, found in fingerprint["tables"].items()}


def compare(told: Told, wanted: dict[str, Any], found: dict[str, Any]) -> None:
    """Rows doubled and lost by count, and whether anything at all differs."""
    expected, held = rows_of(wanted), rows_of(found)
    for name in expected.keys() | held.keys():
        more = held.get(name, 0) - expected.get(name, 0)
        told.add(doubled=max(0, more), lost=max(0, -more))
    # Closing activities get their ids from the service, so only tables whose ids are ours can be equal cell by cell.
    told.add(differing_ends=int(any(found["tables"][name] != wanted["tables"][name] for name in OURS)))


def play_runs(work: Path, url: str, runs: int, seed: int) -> Told:
    """Loads and rollbacks under faults."""
    told = Told({"doubled": 0, "lost": 0, "not_closed": 0, "in_pauses": 0, "differing_ends": 0})
    case = make_case(work / "runs", bad=BAD)
    call(url, "snapshot", {"name": "empty"})
    empty = call(url, "fingerprint")
    load_once(case.plan, case.folder, url, WatchedClient(url, sleep=nap))
    loaded = call(url, "fingerprint")
    for run in range(runs):
        call(url, "restore", {"name": "empty"})
        (case.folder / "journal").rename(case.folder / f"journal-{run}")
        document = under_faults(case.plan, case.folder, url, seed * 100_000 + 2 * run, told)
        told.add(loads=1, not_closed=sum(not count.closes for count in document.counts))
        compare(told, loaded, call(url, "fingerprint"))
        undone = under_faults(undo_plan(case.plan), case.folder, url, seed * 100_000 + 2 * run + 1, told)
        told.add(rollbacks=1, not_deleted=undone.refused)
        left = rows_of(call(url, "fingerprint"))
        before = rows_of(empty)
        made = [send.table for send in case.plan.tables]
        told.add(left_after_rollback=sum(left.get(name, 0) - before.get(name, 0) for name in made))
    call(url, "restore", {"name": "empty"})
    return told


def play_kills(work: Path, url: str, kills: int, seed: int) -> Told:
    """Loaders as processes of their own, killed at random instants; every sixth one may end."""
    told = Told({"doubled": 0, "lost": 0, "differing_ends": 0, "kills": 0, "most_in_doubt": 0})
    chance = random.Random(seed)
    case = make_case(work / "kills", bad=("contact 49",))
    save_json(case.folder / "plan.json", case.plan)
    call(url, "snapshot", {"name": "empty"})
    loader = [sys.executable, str(CHECKOUT / "tests" / "crash" / "loader.py"), str(case.folder), url]

    def start(delay_s: float | None) -> float:
        """Seconds from the loader's first word to its end."""
        with subprocess.Popen(loader, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            began = time.monotonic()
            if delay_s is not None:
                time.sleep(delay_s)
                told.add(kills=1, kills_too_late=int(process.poll() is not None))
                process.kill()
            process.stdout.read()
        return time.monotonic() - began

    whole_s = start(None)
    wanted = call(url, "fingerprint")
    while told.counts["kills"] < kills:
        call(url, "restore", {"name": "empty"})
        (case.folder / "journal").rename(case.folder / f"journal-{told.counts['kills']}")
        for _ in range(min(6, kills - told.counts["kills"])):
            start(chance.uniform(0.0, 0.6 * whole_s))
            with Journal(case.folder / "journal", "benchmark", write=False) as journal:
                told.counts["most_in_doubt"] = max(told.counts["most_in_doubt"], len(journal.state.unsettled))
        start(None)
        told.add(ends=1)
        compare(told, wanted, call(url, "fingerprint"))
    call(url, "restore", {"name": "empty"})
    told.add(too_many_in_doubt=int(told.counts["most_in_doubt"] > IN_FLIGHT))
    return told


def play_bad(work: Path, url: str, rows: int, seed: int) -> Told:
    """One row in a hundred, spread by chance over all requests, is refused."""
    call(url, "snapshot", {"name": "empty"})
    bad = sorted(random.Random(seed).sample(range(rows), rows // 100))
    case = contacts_case(shared_engine(), work / "bad", rows, bad=bad)

    async def load() -> LoadDocument:
        client = Client(url)
        paced = ThrottledDestination([DataverseDestination(client, load_catalogue())], trial=64.0)
        client.pacer = paced.lanes[0]
        with Journal(case.folder / "journal", "benchmark", write=True) as journal:
            try:
                options = SendOptions(batch_rows=100, server_limit_s=1.0)
                return await execute(
                    Load(case.plan, case.folder, paced, journal, shared_engine(), Silent(), options), "load"
                )
            finally:
                await paced.close()

    document = asyncio.run(load())
    landed = rows_of(call(url, "fingerprint")).get("contact", 0)
    with Journal(case.folder / "journal", "benchmark", write=False) as journal:
        named = {int.from_bytes(row[10:], "big"): code for (_, row), (code, _) in journal.state.refusals.items()}
    call(url, "restore", {"name": "empty"})
    clean = -(-rows // 100)
    return Told(
        {
            "rows": rows, "bad": len(bad), "landed": landed, "good_not_landed": rows - len(bad) - landed,
            "bad_not_named": len(set(bad) - set(named)), "good_named_bad": len(set(named) - set(bad)),
            "requests": document.requests, "requests_if_clean": clean,
        }
    )  # fmt: skip


def flit(project: Path, *words: str) -> tuple[int, Any]:
    """A command with --json."""
    done = subprocess.run(
        [sys.executable, "-m", "flitstack", *words, "--project", str(project), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else None


def play_cells(work: Path, url: str, cells: int, seed: int) -> Told:
    """Cells of the pack's example, all types there are, many in one pass."""
    from corrupting import choose_cells, corrupt  # the project's documents, read only when this part is played

    example = CHECKOUT / "src" / "flitstack" / "packs" / "klipy" / "example"
    project = work / "cells"
    subprocess.run(
        [sys.executable, "-m", "flitstack", "emulator", "seed", str(example / "destination"), "--url", url], check=True
    )
    new = ["new", str(project), "--from", "klipy", "--export", str(example), "--to", url]
    subprocess.run([sys.executable, "-m", "flitstack", *new, "--scoping", str(example / "scoping.json")], check=True)
    code, answer = flit(project, "run", "--rehearse")
    if code != 3:
        sys.exit(f"run --rehearse ended with {code}: {answer}")
    call(url, "snapshot", {"name": "loaded"})
    told, round_ = Told({"cells": 0, "not_found": 0, "not_named": 0, "found_too_many": 0}), 0
    types: set[str] = set()
    while told.counts["cells"] < cells:
        call(url, "restore", {"name": "loaded"})
        chosen = choose_cells(project, random.Random(seed * 1_000 + round_), cells - told.counts["cells"])
        corrupt(url, chosen)
        code, document = flit(project, "reconcile")
        _, findings = flit(project, "findings", "--step", "reconcile")
        named = [(f["record"], f["what"]) for f in findings]
        missed = [c for c in chosen if not any(record == c.record and c.column in what for record, what in named)]
        for cell in missed:
            print(f"  not named: {cell}", file=sys.stderr)
        types |= {cell.type for cell in chosen}
        told.add(
            cells=len(chosen), passes=1, not_named=len(missed), not_found=max(0, len(chosen) - document["differences"]),
            found_too_many=max(0, document["differences"] - len(chosen)), not_told=int(code != 5),
        )  # fmt: skip
        round_ += 1
    print(f"  column types: {', '.join(sorted(types))}")
    return told


MUST_BE_ZERO = {
    "runs": ("doubled", "lost", "not_closed", "in_pauses", "differing_ends", "not_deleted", "left_after_rollback"),
    "kills": ("doubled", "lost", "differing_ends", "too_many_in_doubt"),
    "bad": ("good_not_landed", "bad_not_named", "good_named_bad"),
    "cells": ("not_found", "not_named", "found_too_many", "not_told"),
}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--bad-rows", type=int, default=20_000)
    parser.add_argument("--cells", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=list(MUST_BE_ZERO), default=list(MUST_BE_ZERO))
    parser.add_argument("--write", type=Path, help="also write the figures to this page")
    given = parser.parse_args()
    lines: list[str] = []
    plays: dict[str, tuple[Callable[[Path, str, int, int], Told], int]] = {
        "runs": (play_runs, given.runs), "kills": (play_kills, given.kills), "bad": (play_bad, given.bad_rows),
        "cells": (play_cells, given.cells),
    }  # fmt: skip
    missed = 0
    with tempfile.TemporaryDirectory(prefix="flitstack-faults-") as name:
        for kind in given.only:
            play, count = plays[kind]
            started = time.monotonic()
            with EmulatorProcess(Path(name) / f"emulator-{kind}") as emulator:
                told = play(Path(name), emulator.url, count, given.seed)
            wrong = [word for word in MUST_BE_ZERO[kind] if told.counts.get(word, 0)]
            missed += bool(wrong)
            counts = ", ".join(f"{word} {number:,}" for word, number in told.counts.items())
            print(
                f"{kind}: {counts} ({time.monotonic() - started:.0f} s, seed {given.seed}){'  MISSED' if wrong else ''}",
                flush=True,
            )
    if given.write:
        asked = f"--runs {given.runs} --kills {given.kills} --bad-rows {given.bad_rows} --cells {given.cells} --seed {given.seed}"
        told = f"python benchmarks/faults.py {asked} --only {' '.join(given.only)} --write docs/benchmarks.md"
        write_section(given.write, "Disasters by seed", told, lines)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
