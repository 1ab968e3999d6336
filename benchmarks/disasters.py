"""Commands of a rehearsed migration played under seeded faults, and what they leave against an undisturbed end."""

import random
import sys
from dataclasses import dataclass, field
from typing import Any

from quick_time import WATCH
from rehearsed import PLAYS, SERVERS_OWN, Play, Rehearsed, not_closed, refused

from flitstack.app.emulators import call
from flitstack.app.result import Result
from flitstack.errors import StepFailed

KINDS = (
    "throttle429", "unavailable503", "timeout", "cut_before", "cut_midway", "cut_after", "slow", "trickle", "truncated_body",
    "precondition412", "expired_token",
)  # fmt: skip
PART_KINDS = ("throttle429", "unavailable503", "precondition412")
MOST_STARTS = 8


@dataclass
class Told:
    """What one kind of disaster left."""

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, **more: int) -> None:
        """Add to the counts."""
        for name, count in more.items():
            self.counts[name] = self.counts.get(name, 0) + count


def fault_plan(seed: int) -> dict[str, Any]:
    """Some kinds at once, each with a chance of its own; refusals inside batches too, and metadata that lags."""
    chance = random.Random(seed)
    rules = [_rule(kind, chance) for kind in chance.sample(KINDS, chance.randint(3, 6))]
    if chance.random() < 0.5:
        kind = chance.choice(PART_KINDS)
        rules.append(
            {"kind": kind, "probability": 0.1, "in_batch": True} | ({"times": 3} if kind == "precondition412" else {})
        )
    return {"seed": seed, "rules": rules, "metadata_lag_s": chance.choice([0, 0, 0, 5])}


def _rule(kind: str, chance: random.Random) -> dict[str, Any]:
    rule: dict[str, Any] = {"kind": kind, "probability": round(chance.uniform(0.01, 0.08), 3), "seconds": 0.5}
    if kind == "throttle429":
        rule |= {"seconds": 1, "facet": chance.choice(["requests", "time", "concurrency"])}
    if kind == "truncated_body":
        rule["share"] = chance.random()
    if kind == "expired_token":
        rule["times"] = 1  # an open emulator takes no token, so a second one in a row ends any client
    if kind == "precondition412":
        rule |= {"method": "POST", "times": 3}
    return rule


def play_disaster(migration: Rehearsed, play: Play, seed: int, told: Told) -> None:
    """One command from its beginning under the faults of a seed, started again until it ends, then measured."""
    migration.back_to(play.begins)
    call(migration.url, "counters/reset", {})
    call(migration.url, "faults", fault_plan(seed))
    result = _start_until_done(migration, play, told)
    arrived = call(migration.url, "counters")
    struck = {f"struck_{kind}": int(count) for kind, count in arrived["faults"].items()}
    told.add(runs=1, arrived_in_pauses=int(arrived["during_pause"]), faults=sum(struck.values()), **struck)
    call(migration.url, "faults", {"rules": []})
    if result is None:
        told.add(never_ended=1)
        return
    told.add(not_closed=not_closed(result))
    compare(told, migration.ends[play.name], call(migration.url, "fingerprint"))


def _start_until_done(migration: Rehearsed, play: Play, told: Told) -> Result | None:
    """As a person would: again after a failure, and again for what was refused. The last start meets no fault; None when it
    leaves something undone, too."""
    last = ""
    for start in range(MOST_STARTS + 1):
        if start == MOST_STARTS:
            call(migration.url, "faults", {"rules": []})
        try:
            result = play.command(migration.open())
        except StepFailed as failure:
            told.add(restarts=1)
            last = str(failure)
            continue
        finally:
            requests, in_pauses = WATCH.take()
            told.add(requests=requests, in_pauses=in_pauses)
        again = refused(result)
        told.add(refused_for_no_reason=again)
        if not again:
            return result
        last = f"{again} rows were refused: {result.document.get('failed_rows', '')}"
    print(f"  {play.name} did not come to its end in {MOST_STARTS} starts: {last}", file=sys.stderr, flush=True)
    return None


def compare(told: Told, wanted: dict[str, Any], found: dict[str, Any], apart: frozenset[str] = frozenset()) -> None:
    """Rows doubled and lost by count, and whether anything at all differs; the tables `apart` are left out."""
    for part in ("tables", "pairs"):
        for name in (wanted[part].keys() | found[part].keys()) - apart:
            expected, held = wanted[part].get(name, _NONE), found[part].get(name, _NONE)
            more = held["rows"] - expected["rows"]
            told.add(doubled=max(0, more), lost=max(0, -more))
            if expected["hash"] != held["hash"] and name not in SERVERS_OWN:
                told.add(differing_ends=1)
                told.counts.setdefault(f"differs_{name}", 0)
                told.counts[f"differs_{name}"] += 1


_NONE = {"rows": 0, "hash": ""}


def play_of(seed: int) -> Play:
    """The commands take turns."""
    return PLAYS[seed % len(PLAYS)]
