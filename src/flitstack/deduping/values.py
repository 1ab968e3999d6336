"""Value functions that only rules need: what scoping decided, canonical names, hosts that many share."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from flitstack.staging.engine.engine import Engine, literal
from flitstack.staging.engine.labels import label_key

HOSTS_FILE = Path(__file__).with_name("shared_hosts.txt")


@cache
def bundled_hosts() -> frozenset[str]:
    """Public mail hosts, site builders and networks: they say nothing about who is behind them."""
    lines = HOSTS_FILE.read_text(encoding="utf-8").splitlines()
    return frozenset(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def register_rule_values(engine: Engine, decisions: Mapping[str, Any]) -> None:
    """Make `decision`, `canonical`, `settled_name`, `is_shared_host` and `private_host` callable.

    `canonical(name)` follows the decision `canonical_names` (variant -> name, or name -> its variants); `settled_name`
    is NULL for names that the decision does not settle. `is_shared_host` knows the bundled hosts and the decision
    `free_mail_domains`.
    """
    hosts = bundled_hosts() | {host.casefold() for host in _texts(decisions.get("free_mail_domains"))}
    variants = canonical_names(decisions.get("canonical_names"))
    engine.run(
        f"CREATE OR REPLACE TEMP MACRO is_shared_host(host) AS host IN ({', '.join(map(literal, sorted(hosts)))})"
    )
    engine.run("CREATE OR REPLACE TEMP MACRO private_host(host) AS CASE WHEN NOT is_shared_host(host) THEN host END")
    engine.run("CREATE OR REPLACE TEMP MACRO canonical(name) AS " + _case("label_key(name)", variants, "name"))
    itself = {label_key(name): name for name in variants.values()}
    engine.run(
        "CREATE OR REPLACE TEMP MACRO settled_name(name) AS lower("
        + _case("label_key(name)", itself | variants, "NULL")
        + ")"
    )
    settled = {name: str(value) for name, value in decisions.items() if isinstance(value, str | int | float)}
    engine.run(f"CREATE OR REPLACE TEMP MACRO decision(name) AS {_case('name', settled, 'NULL')}")


def canonical_names(decided: Any) -> dict[str, str]:
    """Variant (as `label_key` writes it) -> canonical name."""
    found: dict[str, str] = {}
    for left, right in decided.items() if isinstance(decided, Mapping) else ():
        if isinstance(right, list | tuple):
            found |= {label_key(str(variant)): str(left) for variant in right}
        else:
            found[label_key(str(left))] = str(right)
    return found


def _case(subject: str, answers: Mapping[str, str], otherwise: str) -> str:
    if not answers:
        return otherwise
    branches = " ".join(f"WHEN {literal(key)} THEN {literal(answers[key])}" for key in sorted(answers))
    return f"CASE {subject} {branches} ELSE {otherwise} END"


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [part for part in re.split(r"[,;\s]+", value) if part]
    return [str(part) for part in value or ()]
