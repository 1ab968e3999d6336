"""Gates: what a person must approve, in order. An approval names the sha256 of exactly what it approves.

It falls by itself when that changes. approvals.yaml is a log: the latest entry for a gate counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flitstack.documents import edit_yaml, read_yaml, write_yaml
from flitstack.errors import GateClosed, Problem, UsageError

GATES = ("export", "quality", "map", "schema", "owners", "sample", "rehearsal", "load", "cutover")

# What a person looks at before approving.
LOOK_AT = {
    "export": "reports/quality.html and `flitstack findings --step stage`",
    "quality": "reports/quality.html and reports/merges.xlsx",
    "map": "mapping/*.yaml, or the matrix: flitstack map --to-excel",
    "schema": "`flitstack plan` (the schema operations it lists)",
    "owners": "owners.yaml",
    "sample": "reports/sample/reconciliation.html after `flitstack load --sample`",
    "rehearsal": "the reconciliation of the sandbox: flitstack reconcile --env sandbox",
    "load": "`flitstack plan` (steps, rows, requests)",
    "cutover": "reports/reconciliation.html after the last delta",
}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a gate would approve now: a hash, "" when the step before has not been done; `blocked` says why not yet."""

    sha256: str
    blocked: str = ""


@dataclass(frozen=True, slots=True)
class Gate:
    """State of one gate. state: open | closed | fallen (approved once, changed since) | waiting (nothing to approve yet)
    | not asked (the pack or the project does not need it)."""

    name: str
    state: str
    sha256: str
    by: str = ""
    at: str = ""
    why: str = ""


def gate_states(approvals: Path, environment: str, subjects: Mapping[str, Subject]) -> dict[str, Gate]:
    """All gates in order; a gate without subject is not asked."""
    latest = _latest(approvals, environment)
    states = {}
    for name in GATES:
        subject = subjects.get(name)
        if subject is None:
            states[name] = Gate(name, "not asked", "")
            continue
        states[name] = _state(name, subject, latest.get(name))
    return states


def approve(
    approvals: Path,
    environment: str,
    gate: str,
    subject: Subject | None,
    by: str,
    note: str = "",
    *,
    operator_of_step: str = "",
) -> Gate:
    """Record an approval. Raises UsageError for an unknown gate, GateClosed when there is nothing to approve yet.

    `operator_of_step` is given when the project asks for four eyes: the approver must be somebody else.
    """
    if gate not in GATES:
        raise UsageError(
            Problem("gate-unknown", f"there is no gate {gate!r}", known=", ".join(GATES), do="name one of these")
        )
    if subject is None or not subject.sha256 or subject.blocked:
        why = subject.blocked if subject and subject.blocked else "the step before it has not been done"
        raise GateClosed(
            Problem("gate-not-ready", f"gate {gate} cannot be approved yet: {why}", do=f"see {LOOK_AT[gate]}")
        )
    if operator_of_step and operator_of_step == by:
        raise GateClosed(
            Problem(
                "four-eyes",
                f"gate {gate} needs somebody other than {by}, who made it",
                do=f"another person runs: flitstack approve {gate} --as NAME",
            )
        )
    entry = {"gate": gate, "env": environment, "sha256": subject.sha256, "by": by, "at": now(), "note": note}
    data: dict[str, Any] = edit_yaml(approvals) if approvals.exists() else {"format": 1}
    data["approvals"] = data.get("approvals") or []
    data["approvals"].append(entry)
    write_yaml(approvals, data)
    return Gate(gate, "open", subject.sha256, by, str(entry["at"]))


def require(states: Mapping[str, Gate], *, before: str) -> None:
    """Raise GateClosed naming every gate before `before` (inclusive) that is not open."""
    wanted = GATES[: GATES.index(before) + 1]
    shut = [states[name] for name in wanted if states[name].state not in {"open", "not asked"}]
    if shut:
        raise GateClosed(*(closed_problem(gate) for gate in shut))


def closed_problem(gate: Gate) -> Problem:
    """How a closed gate is told."""
    what = {
        "closed": "has not been approved",
        "fallen": "was approved, but what it approved has changed",
        "waiting": f"has nothing to approve yet: {gate.why}",
    }[gate.state]
    return Problem(
        "gate-closed",
        f"gate {gate.name} {what}",
        do=f"look at {LOOK_AT[gate.name]}, then: flitstack approve {gate.name}",
    )


def now() -> str:
    """The present moment as the documents write it: ISO 8601, UTC, whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _state(name: str, subject: Subject, approval: Mapping[str, Any] | None) -> Gate:
    if not subject.sha256 or subject.blocked:
        return Gate(name, "waiting", subject.sha256, why=subject.blocked or "the step before it has not been done")
    if approval is None:
        return Gate(name, "closed", subject.sha256)
    by, at = str(approval.get("by", "")), str(approval.get("at", ""))
    if approval.get("sha256") != subject.sha256:
        return Gate(name, "fallen", subject.sha256, by, at)
    return Gate(name, "open", subject.sha256, by, at)


def _latest(path: Path, environment: str) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for entry in (read_yaml(path)[0].get("approvals") or ()) if path.exists() else ():
        # The gates up to `map` stand for the project, the later ones for one environment.
        if entry.get("env") == environment or entry.get("gate") in {"export", "quality", "map"}:
            found[str(entry.get("gate"))] = entry
    return found
