"""A plan of faults: which requests meet which mishap, decided by counting or by a seeded generator.

A plan is YAML: `seed: 7` and `rules:`, each rule with `kind` and any of `method`, `path` (regular expression, searched
in the path below the service root), `request` (kind of request, see counters.kind_of), `probability` or `every`,
`skip` (the first n matches pass), `times` (at most n faults), `seconds` (of slow and timeout, or Retry-After),
`in_batch` (true: strikes requests inside batches, with throttle429, unavailable503 or precondition412).
The first rule that strikes wins.
"""

import random
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

# cut_before: the connection is cut, nothing was done. cut_midway: the first half of a batch was. cut_after: all of it.
# timeout: as cut_after, `seconds` later. truncated_body: all was done, half of the answer arrives.
KINDS = frozenset(
    {
        "throttle429", "unavailable503", "timeout", "cut_before", "cut_midway", "cut_after", "slow", "truncated_body",
        "precondition412", "expired_token",
    }
)  # fmt: skip
PART_KINDS = frozenset({"throttle429", "unavailable503", "precondition412"})


class FaultPlanError(ValueError):
    """A plan that cannot be used; says which rule and why."""


@dataclass(slots=True)
class Rule:
    """One rule with its count of matches and faults so far."""

    kind: str
    method: str | None = None
    path: re.Pattern[str] | None = None
    request: str | None = None
    probability: float | None = None
    every: int = 1
    skip: int = 0
    times: int | None = None
    seconds: float = 1.0
    in_batch: bool = False
    matched: int = field(default=0, init=False)
    struck: int = field(default=0, init=False)

    def strikes(self, method: str, path: str, request: str, chance: random.Random) -> bool:
        """Whether this request meets the fault; counts it."""
        if self.method not in (None, method) or self.request not in (None, request):
            return False
        if self.path is not None and not self.path.search(path):
            return False
        self.matched += 1
        if self.matched <= self.skip or (self.times is not None and self.struck >= self.times):
            return False
        is_due = (self.matched - self.skip) % self.every == 0
        hit = is_due if self.probability is None else chance.random() < self.probability
        self.struck += hit
        return hit


class FaultPlan:
    """Rules in order, and the generator their probabilities draw from."""

    def __init__(self, rules: list[Rule], seed: int) -> None:
        self.rules = rules
        self._chance = random.Random(seed)

    def draw(self, method: str, path: str, request: str, *, in_batch: bool = False) -> Rule | None:
        """The fault this request meets, if any."""
        for rule in self.rules:
            if rule.in_batch is in_batch and rule.strikes(method, path, request, self._chance):
                return rule
        return None


NO_FAULTS = FaultPlan([], 0)


def load_plan(path: Path) -> FaultPlan:
    """Read a plan file. Raises FaultPlanError."""
    return read_plan(yaml.safe_load(path.read_text(encoding="utf-8")))


def read_plan(document: Any) -> FaultPlan:
    """A plan from its document. Raises FaultPlanError."""
    if not isinstance(document, dict) or not isinstance(document.get("rules"), list):
        raise FaultPlanError("a fault plan is a mapping with `rules`, a list")
    rules = [_read_rule(number, item) for number, item in enumerate(document["rules"], 1)]
    return FaultPlan(rules, int(document.get("seed", 0)))


def _read_rule(number: int, item: Any) -> Rule:
    if not isinstance(item, dict) or item.get("kind") not in KINDS:
        raise FaultPlanError(f"rule {number}: `kind` must be one of {', '.join(sorted(KINDS))}")
    fields = dict(item)
    if "path" in fields:
        try:
            fields["path"] = re.compile(str(fields["path"]))
        except re.error as error:
            raise FaultPlanError(f"rule {number}: `path` is no regular expression: {error}") from error
    unknown = fields.keys() - {name for name in Rule.__dataclass_fields__ if name not in {"matched", "struck"}}
    if unknown:
        raise FaultPlanError(f"rule {number}: unknown {', '.join(sorted(unknown))}")
    if fields.get("in_batch") and fields["kind"] not in PART_KINDS:
        raise FaultPlanError(f"rule {number}: inside a batch only {', '.join(sorted(PART_KINDS))} can strike")
    if fields.get("every", 1) < 1:
        raise FaultPlanError(f"rule {number}: `every` is at least 1")
    return Rule(**fields)
