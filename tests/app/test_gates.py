"""Gates: an approval names exactly what it approves, and falls when that changes."""

from pathlib import Path

import pytest

from flitstack.app.gates import GATES, Subject, approve, gate_states, require
from flitstack.errors import GateClosed, UsageError

READY = {name: Subject(f"sha-of-{name}") for name in GATES}


def test_a_gate_nobody_approved_is_closed_and_says_what_to_do(tmp_path: Path) -> None:
    states = gate_states(tmp_path / "approvals.yaml", "production", READY)
    with pytest.raises(GateClosed, match="gate export has not been approved") as error:
        require(states, before="export")
    assert "flitstack approve export" in error.value.problems[0].do


def test_every_closed_gate_is_named_in_one_go(tmp_path: Path) -> None:
    with pytest.raises(GateClosed) as error:
        require(gate_states(tmp_path / "approvals.yaml", "production", READY), before="map")
    assert [problem.what.split()[1] for problem in error.value.problems] == ["export", "quality", "map"]


def test_an_approval_opens_the_gate_until_its_subject_changes(tmp_path: Path) -> None:
    log = tmp_path / "approvals.yaml"
    approve(log, "production", "map", READY["map"], "ana", "looked at it")
    assert gate_states(log, "production", READY)["map"].state == "open"
    changed = READY | {"map": Subject("another")}
    assert gate_states(log, "production", changed)["map"].state == "fallen"


def test_approvals_of_one_environment_do_not_open_another(tmp_path: Path) -> None:
    log = tmp_path / "approvals.yaml"
    approve(log, "sandbox", "load", READY["load"], "ana")
    approve(log, "sandbox", "map", READY["map"], "ana")
    states = gate_states(log, "production", READY)
    assert states["load"].state == "closed"
    assert states["map"].state == "open", "the map stands for the project, not for one environment"


def test_what_is_not_ready_cannot_be_approved(tmp_path: Path) -> None:
    with pytest.raises(GateClosed, match="3 fields are still proposed"):
        approve(tmp_path / "a.yaml", "production", "map", Subject("x", "3 fields are still proposed"), "ana")
    with pytest.raises(UsageError, match="no gate 'door'"):
        approve(tmp_path / "a.yaml", "production", "door", Subject("x"), "ana")


def test_four_eyes_refuses_the_operator_as_approver(tmp_path: Path) -> None:
    with pytest.raises(GateClosed, match="somebody other than ana"):
        approve(tmp_path / "a.yaml", "production", "load", READY["load"], "ana", operator_of_step="ana")
    approve(tmp_path / "a.yaml", "production", "load", READY["load"], "ben", operator_of_step="ana")
