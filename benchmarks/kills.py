"""Loads, deltas and rollbacks killed with SIGKILL at random instants and started again; prints what was left, exits 1 on a miss.

    python benchmarks/kills.py --runs 500 [--seed 1] [--copies 10] [--write docs/benchmarks.md]

`runs` counts kills. A command is killed up to four times, then it may end, or everything is rolled back at once; a delta may also be
taken back by itself. What the destination holds must be what it holds after an undisturbed command, and after each kill the journal
must be in doubt about one request a worker at most.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[1]
sys.path[:0] = [str(CHECKOUT / "benchmarks")]

from disasters import Told, compare  # noqa: E402
from pages import a_page, write_section  # noqa: E402
from rehearsed import PLAYS, SERVERS_OWN, Play, Rehearsed, rehearse_all  # noqa: E402

from flitstack.app.emulators import EmulatorProcess, call  # noqa: E402
from flitstack.app.local import open_journal  # noqa: E402
from flitstack.app.steps.load import send_options  # noqa: E402

# Writes take a while, so that a kill meets them under way.
SLOW = {"seed": 5, "rules": [{"kind": "slow", "method": "POST", "probability": 0.7, "seconds": 0.3}]}
MOST_KILLS = 4  # of one command, before it may end
PARALLELISM_HINT = 8  # of an emulator without limits
MUST_BE_ZERO = ("doubled", "lost", "not_closed", "differing_ends", "too_many_in_doubt")


@dataclass
class Killer:
    """Kills the commands of one migration."""

    migration: Rehearsed
    chance: random.Random
    told: Told
    seconds: dict[str, float]

    def play(self, play: Play, kills: int, then: Play) -> None:
        """One command from its beginning, killed so often, then the command `then` undisturbed, then measured."""
        self.migration.back_to(play.begins)
        call(self.migration.url, "faults", SLOW)
        document = None
        for place in range(kills):
            delay_s = self.chance.uniform(0.0, self.seconds[play.name])
            document = self._start(play, delay_s, is_whole=place == 0)
            if document is not None:
                self.told.add(ended_before_the_kill=1)
                break
            self.told.add(kills=1)
            self._count_in_doubt()
        if document is None or then is not play:
            document = self._start(then, None, is_whole=False)
        assert document is not None
        call(self.migration.url, "faults", {"rules": []})
        self.told.add(ends=1, not_closed=document["not_closed"] + document["refused"])
        # Deals that the delta did not get to close hold no date of closing (docs/rollback.md, Limits), and the service made no rows
        # for it; the command's own proof looks at them.
        apart = (
            SERVERS_OWN | {"opportunity"} if (play.name, then.name) == ("delta", PLAYS[2].name) else frozenset[str]()
        )
        compare(self.told, self.migration.ends[then.name], call(self.migration.url, "fingerprint"), apart)

    def measure(self, play: Play) -> None:
        """How long the command takes when nobody disturbs it."""
        self.migration.back_to(play.begins)
        call(self.migration.url, "faults", SLOW)
        self._start(play, None, is_whole=True)

    def _start(self, play: Play, delay_s: float | None, *, is_whole: bool) -> dict[str, Any] | None:
        """Start the command; what it told at its end, None when it was killed before."""
        words = [sys.executable, str(CHECKOUT / "benchmarks" / "played.py"), str(self.migration.folder), play.name]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            if process.stdout.readline() != "begun\n":
                raise SystemExit(f"{play.name} did not begin")
            began = time.monotonic()
            if delay_s is not None:
                time.sleep(delay_s)
                process.kill()
            told = process.stdout.read()
        if told and is_whole:
            # A command that came to its end in spite of the delay shows that it takes less time by now.
            took = time.monotonic() - began
            self.seconds[play.name] = min(took, self.seconds.get(play.name, took))
        if not told and delay_s is None:
            raise SystemExit(f"{play.name} ended with {process.returncode} and told nothing")
        return json.loads(told) if told else None

    def _count_in_doubt(self) -> None:
        most = send_options(PARALLELISM_HINT, 1, 1.0).in_flight
        with open_journal(self.migration.open(), write=False) as journal:
            in_doubt = len(journal.state.unsettled)
        self.told.counts["most_in_doubt"] = max(self.told.counts["most_in_doubt"], in_doubt)
        self.told.add(kills_in_doubt=int(in_doubt > 0), too_many_in_doubt=int(in_doubt > most))


def play_kills(work: Path, url: str, runs: int, seed: int, copies: int, most_s: float) -> Told:
    """So many kills, spread over the commands by turns; no command begins after `most_s` seconds."""
    ends = time.monotonic() + most_s
    told = Told(dict.fromkeys(("kills", "ends", *MUST_BE_ZERO, "most_in_doubt"), 0))
    killer = Killer(rehearse_all(work / "kills", url, copies), random.Random(seed), told, {})
    for play in PLAYS:
        killer.measure(play)
    number = 0
    while told.counts["kills"] < runs and time.monotonic() < ends:
        play = PLAYS[number % len(PLAYS)]
        killer.play(play, min(MOST_KILLS, runs - told.counts["kills"]), _ending(play, number // len(PLAYS)))
        number += 1
    return told


def _ending(play: Play, turn: int) -> Play:
    """By turns it may end, everything is taken back at once, or, of a delta, the delta alone."""
    endings = [play, PLAYS[-1], *(PLAYS[2:3] if play.name == "delta" else [])]
    return endings[turn % len(endings)]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=1e6, help="begin no more commands after so long")
    parser.add_argument("--copies", type=int, default=10)
    parser.add_argument("--write", type=a_page, help="also write the figures to this page")
    given = parser.parse_args()
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="flitstack-kills-") as name,
        EmulatorProcess(Path(name) / "emulator") as emulator,
    ):
        told = play_kills(Path(name), emulator.url, given.runs, given.seed, given.copies, given.minutes * 60)
    counts = ", ".join(f"{word} {number:,}" for word, number in told.counts.items())
    print(f"{counts} ({time.monotonic() - started:.0f} s, seed {given.seed})", flush=True)
    if given.write:
        asked = f"--runs {told.counts['kills']} --seed {given.seed} --copies {given.copies}"
        command = f"python benchmarks/kills.py {asked} --write docs/benchmarks.md"
        lines = [
            "| count | |",
            "| --- | ---: |",
            *(f"| {w.replace('_', ' ')} | {n:,} |" for w, n in told.counts.items()),
        ]
        write_section(given.write, "Killed at random instants", command, lines)
    sys.exit(any(told.counts[word] for word in MUST_BE_ZERO))


if __name__ == "__main__":
    main()
