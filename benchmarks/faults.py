"""Seeded disasters against the emulator over a socket, and what is left afterwards. Prints one line a kind, exits 1 on a miss.

    python benchmarks/faults.py --runs 1000 --bad-rows 20000 [--seed 1] [--only runs bad] [--write docs/benchmarks.md]

runs   loads, deltas and rollbacks, by turns, under plans that mix every fault kind of the emulator: rows doubled, rows lost,
       accounts that do not close, commands that do not come to their end, requests begun after a 429 was read and before its
       pause ended (by the HTTP library's own hooks; `arrived_in_pauses` is what the emulator saw, with requests that were under
       way already). Time runs 50 times as fast for both sides, so that a pause costs little
bad    one row in a hundred, and one in a thousand, is refused: every good row lands, every bad one is named, and no more
       requests are used than the clean load's x (1 + share of failing requests) + 2 %

Killed processes: benchmarks/kills.py. Corrupted cells: benchmarks/corrupting.py.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
sys.path[:0] = [str(CHECKOUT / "tests"), str(CHECKOUT / "benchmarks")]

from bad_rows import play_bad_rows  # noqa: E402
from disasters import Told, play_disaster, play_of  # noqa: E402
from pages import a_page, write_section  # noqa: E402
from quick_time import WATCH, hurry  # noqa: E402
from rehearsed import rehearse_all  # noqa: E402

from flitstack.app.emulators import EmulatorProcess  # noqa: E402

MUST_BE_ZERO = {
    "runs": ("doubled", "lost", "not_closed", "never_ended", "in_pauses", "differing_ends"),
    "bad": ("good_not_landed", "bad_not_named", "good_named_bad", "requests_over_bound"),
}


MOST_S = float("inf")  # of the runs; set by --minutes


def play_runs(work: Path, url: str, runs: int, seed: int) -> Told:
    """Loads, deltas and rollbacks under faults, by turns, each compared with its undisturbed end."""
    started = time.monotonic()
    ends = started + MOST_S
    told = Told(dict.fromkeys(("runs", *MUST_BE_ZERO["runs"]), 0))
    hurry(url)
    migration = rehearse_all(work / "runs", url)
    WATCH.take()
    for run in range(runs):
        if time.monotonic() > ends:
            break
        number = seed * 1_000_000 + run
        before = dict(told.counts)
        play_disaster(migration, play_of(run), number, told)
        wrong = [
            name
            for name, count in told.counts.items()
            if name.startswith(MUST_BE_ZERO["runs"]) and count != before.get(name, 0)
        ]
        if run % 50 == 49:
            print(f"  {run + 1} runs, {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
        if wrong:
            print(f"  {play_of(run).name}, run {run}: {', '.join(wrong)}", file=sys.stderr, flush=True)
    return told


PLAYS: dict[str, Callable[[Path, str, int, int], Told]] = {"runs": play_runs, "bad": play_bad_rows}


TITLES = {"runs": "Disasters by seed", "bad": "Bad rows"}


def table(told: Told) -> list[str]:
    """The counts as Markdown."""
    lines = ["| what | count |", "| --- | ---: |"]
    return lines + [f"| {word.replace('_', ' ')} | {number:,} |" for word, number in told.counts.items()]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--minutes", type=float, help="begin no more runs after so long")
    parser.add_argument("--bad-rows", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=list(MUST_BE_ZERO), default=list(MUST_BE_ZERO))
    parser.add_argument("--write", type=a_page, help="also write the figures to this page")
    given = parser.parse_args()
    global MOST_S
    MOST_S = given.minutes * 60 if given.minutes else MOST_S
    sizes = {"runs": given.runs, "bad": given.bad_rows}
    told: dict[str, Told] = {}
    missed = 0
    with tempfile.TemporaryDirectory(prefix="flitstack-faults-") as name:
        for kind in given.only:
            started = time.monotonic()
            with EmulatorProcess(Path(name) / f"emulator-{kind}") as emulator:
                told[kind] = PLAYS[kind](Path(name), emulator.url, sizes[kind], given.seed)
            wrong = [word for word in MUST_BE_ZERO[kind] if told[kind].counts.get(word, 0)]
            missed += bool(wrong)
            counts = ", ".join(f"{word} {number:,}" for word, number in told[kind].counts.items())
            took = f"({time.monotonic() - started:.0f} s, seed {given.seed})"
            print(f"{kind}: {counts} {took}{'  MISSED' if wrong else ''}", flush=True)
    for kind in told if given.write else ():
        runs = told[kind].counts["runs"] if kind == "runs" else given.runs
        asked = f"--runs {runs}" if kind == "runs" else f"--bad-rows {given.bad_rows}"
        command = f"python benchmarks/faults.py --only {kind} {asked} --seed {given.seed} --write docs/benchmarks.md"
        write_section(given.write, TITLES[kind], command, table(told[kind]))
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
