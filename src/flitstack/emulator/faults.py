"""A plan of faults: which requests meet which mishap, decided by counting or by seeded chance.

A plan is YAML: `seed: 7` and `rules:`, each rule with `kind` and any of `method`, `path` (regular expression, searched
in the path below the service root), `request` (kind of request, see counters.kind_of), `probability` or `every`,
`skip` (the first n matches pass), `times` (at most n faults), `seconds` (of slow, trickle, timeout, or Retry-After),
`facet` (requests, time or concurrency: which 429), `share` (of the answer that arrives: truncated_body),
`in_batch` (true: strikes requests inside batches, with throttle429, unavailable503 or precondition412).
The first rule that strikes wins, but for `slow`: its seconds come on top. `metadata_lag_s` beside the rules: definitions
are read from a cache of that age unless a request says `Consistency: Strong`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from flitstack.emulator.chance import uniform
from flitstack.emulator.limits import CONCURRENCY, REQUESTS, TIME
from flitstack.emulator.shared.cells import Cells

# cut_before: the connection is cut, nothing was done. cut_midway: the first half of a batch was. cut_after: all of it.
# timeout: as cut_after, `seconds` later. truncated_body: all was done, a `share` of the answer arrives. trickle: the
# answer takes `seconds` to arrive, piece by piece.
KINDS = frozenset(
    {
        "throttle429", "unavailable503", "timeout", "cut_before", "cut_midway", "cut_after", "slow", "trickle",
        "truncated_body", "precondition412", "expired_token",
    }
)  # fmt: skip
PART_KINDS = frozenset({"throttle429", "unavailable503", "precondition412"})
FACETS = {"requests": REQUESTS, "time": TIME, "concurrency": CONCURRENCY}
_STRIKE = 2  # purpose of chance; the rule's number is added
_TYPES: dict[str, tuple[type, ...]] = {
    "method": (str,), "request": (str,), "probability": (int, float), "every": (int,), "skip": (int,), "times": (int,),
    "seconds": (int, float), "facet": (str,), "share": (int, float), "in_batch": (bool,),
}  # fmt: skip


class FaultPlanError(ValueError):
    """A plan that cannot be used; says which rule and why."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. Its counts of matches and faults stand in the cells `fault/<number>/matched` and `.../struck`."""

    kind: str
    method: str | None = None
    path: re.Pattern[str] | None = None
    request: str | None = None
    probability: float | None = None
    every: int = 1
    skip: int = 0
    times: int | None = None
    seconds: float = 1.0
    facet: str = "requests"
    share: float = 0.5
    in_batch: bool = False

    def matches(self, method: str, path: str, request: str) -> bool:
        """Whether the rule speaks of such a request."""
        if self.method not in (None, method) or self.request not in (None, request):
            return False
        return self.path is None or self.path.search(path) is not None

    def is_due(self, matched: int, struck: int, chance: Callable[[int], float]) -> bool:
        """Whether the nth match is struck, given how many were before."""
        if matched <= self.skip or (self.times is not None and struck >= self.times):
            return False
        if self.probability is not None:
            return chance(matched) < self.probability
        return (matched - self.skip) % self.every == 0


@dataclass(frozen=True, slots=True)
class Mishap:
    """What a request meets: a delay, and the rule that strikes, if any."""

    delay_s: float = 0.0
    rule: Rule | None = None

    @property
    def kind(self) -> str:
        """The kind of the rule, empty when there is none."""
        return self.rule.kind if self.rule else ""


NO_MISHAP = Mishap()


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Rules in order. `document` is what the plan was read from, for other processes."""

    rules: tuple[Rule, ...]
    seed: int
    metadata_lag_s: float
    document: dict[str, Any]

    def draw(self, cells: Cells, method: str, path: str, request: str, *, in_batch: bool = False) -> Mishap:
        """What this request meets; counted in the cells, whose lock the caller holds.

        The nth match of a rule meets the same in every run, whatever other rules saw.
        """
        delay_s = 0.0
        for number, rule in enumerate(self.rules):
            if rule.in_batch is not in_batch or not rule.matches(method, path, request):
                continue
            matched = cells.add(f"fault/{number}/matched")
            struck = cells.get(f"fault/{number}/struck")
            if not rule.is_due(matched, struck, partial(uniform, self.seed, _STRIKE + number)):
                continue
            cells.add(f"fault/{number}/struck")
            cells.add(f"faults/{rule.kind}")
            if rule.kind != "slow":
                return Mishap(delay_s, rule)
            delay_s += rule.seconds
        return Mishap(delay_s) if delay_s else NO_MISHAP


def load_plan(path: Path) -> FaultPlan:
    """Read a plan file. Raises FaultPlanError."""
    try:
        return read_plan(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise FaultPlanError(f"a fault plan is YAML: {error}") from error


def read_plan(document: Any) -> FaultPlan:
    """A plan from its document. Raises FaultPlanError."""
    if not isinstance(document, dict) or not isinstance(document.get("rules"), list):
        raise FaultPlanError("a fault plan is a mapping with `rules`, a list")
    unknown = document.keys() - {"seed", "rules", "metadata_lag_s"}
    if unknown:
        raise FaultPlanError(f"a fault plan has no {', '.join(sorted(map(str, unknown)))}")
    seed, lag_s = document.get("seed", 0), document.get("metadata_lag_s", 0)
    if type(seed) is not int or type(lag_s) not in (int, float) or not 0 <= lag_s < 1e6:
        raise FaultPlanError("`seed` is a whole number, `metadata_lag_s` a number of seconds")
    rules = tuple(_read_rule(number, item) for number, item in enumerate(document["rules"], 1))
    return FaultPlan(rules, seed, float(lag_s), document)


def _read_rule(number: int, item: Any) -> Rule:
    if not isinstance(item, dict) or item.get("kind") not in KINDS:
        raise FaultPlanError(f"rule {number}: `kind` must be one of {', '.join(sorted(KINDS))}")
    fields = dict(item)
    unknown = fields.keys() - Rule.__dataclass_fields__.keys()
    if unknown:
        raise FaultPlanError(f"rule {number}: unknown {', '.join(sorted(map(str, unknown)))}")
    for name, types in _TYPES.items():
        if name in fields and type(fields[name]) not in types:
            raise FaultPlanError(f"rule {number}: `{name}` is no {types[-1].__name__}")
    if "path" in fields:
        try:
            fields["path"] = re.compile(str(fields["path"]))
        except re.error as error:
            raise FaultPlanError(f"rule {number}: `path` is no regular expression: {error}") from error
    rule = Rule(**fields)
    if rule.in_batch and rule.kind not in PART_KINDS:
        raise FaultPlanError(f"rule {number}: inside a batch only {', '.join(sorted(PART_KINDS))} can strike")
    if rule.every < 1:
        raise FaultPlanError(f"rule {number}: `every` is at least 1")
    if rule.facet not in FACETS:
        raise FaultPlanError(f"rule {number}: `facet` must be one of {', '.join(FACETS)}")
    if not 0 <= rule.share <= 1 or not 0 <= rule.seconds < 1e6:
        raise FaultPlanError(f"rule {number}: `share` lies between 0 and 1, `seconds` is not negative")
    return rule


NO_FAULTS = read_plan({"rules": []})
