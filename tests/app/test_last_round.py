"""Which of the journal's runs `rollback --last` is about, whatever was loaded, stopped and taken back before."""

from pathlib import Path

import pytest

from flitstack.app.project import Project, ProjectSettings
from flitstack.app.rounds import Loaded, Round, save_loaded, state_folder
from flitstack.app.rounds_back import LastRound, last_round
from flitstack.documents import save_json
from flitstack.errors import UsageError
from flitstack.journal.journal import Journal
from flitstack.packs.read import load_pack
from flitstack.planning.document import Plan

EMPTY = Plan(1, "delta", "", "", "", "", "", "", {}, "", (), (), (), {}, "")
BACK = "--last came to its end"
RECOVERED = "journal recover"


def look(folder: Path, rounds: str, attempts: str, journal_says: list[str]) -> LastRound:
    """`rounds`, `attempts`: plans by letter, the first a full one; the journal: loads by letter, other commands by name."""
    project = Project(folder, ProjectSettings(pack="klipy", export="export"), load_pack("klipy"), {}, "ana", "sandbox")
    project.env_state.mkdir(parents=True)
    for plan in {*rounds, *attempts}:
        for name in ("whole.json", "left.json"):
            save_json(state_folder(project, plan) / name, EMPTY)
    made = [Round(at, "delta" if at else "full", plan, at, "") for at, plan in enumerate(rounds)]
    save_loaded(project, Loaded(rounds[-1], len(rounds), tuple(made), tuple(attempts)))
    with Journal(folder / "journal", operator="ana", write=True) as journal:
        for what in journal_says:
            if what == BACK:
                journal.note("round_rolled_back")
            elif what == RECOVERED:
                journal.begin_run((attempts or rounds)[-1], RECOVERED)
            else:
                journal.begin_run(what, "rollback" if what == "undo" else "load")
        return last_round(project, journal)


@pytest.mark.parametrize(
    ("rounds", "attempts", "journal_says", "runs", "before"),
    [
        ("fd", "", ["f", "d"], (2,), "f"),
        ("fd", "", ["f", "d", "d"], (2, 3), "f"),
        ("f", "d", ["f", "d"], (2,), "f"),
        ("fd", "eg", ["f", "d", "e", "g"], (3, 4), "d"),  # two attempts, the second planned anew
        ("fd", "", ["f", "d", "undo", "d"], (2, 4), "f"),  # taken back half, then loaded once more
        ("f", "d", ["f", "d", "undo"], (2,), "f"),  # a rollback that was stopped made nothing that is to go
        ("fe", "", ["f", "d", "undo", BACK, "e"], (4,), "f"),  # what was taken back wholly is over
        ("fd", "", ["f", "d", "e", "undo", BACK], (2,), "f"),  # the round after it was taken back: now this one
        ("fd", "e", ["f", "d", "g", "undo", BACK, "e"], (5,), "d"),
        ("fde", "", [RECOVERED, "d", "e"], (3,), "d"),  # what came after the recovery is known
    ],
)
def test_the_runs_of_the_last_round_are_those_since_the_round_before(
    tmp_path: Path, rounds: str, attempts: str, journal_says: list[str], runs: tuple[int, ...], before: str
) -> None:
    found = look(tmp_path, rounds, attempts, journal_says)
    assert (found.runs, found.before.folder.name) == (runs, before)
    assert [state.folder.name for state in found.left] == list(reversed(attempts or rounds[-1]))


@pytest.mark.parametrize(
    ("rounds", "attempts", "journal_says"), [("fd", "", [RECOVERED]), ("f", "d", [RECOVERED, "d"])]
)
def test_a_journal_that_was_made_again_cannot_tell_what_the_last_round_did(
    tmp_path: Path, rounds: str, attempts: str, journal_says: list[str]
) -> None:
    with pytest.raises(UsageError) as raised:
        look(tmp_path, rounds, attempts, journal_says)
    assert [problem.code for problem in raised.value.problems] == ["rounds-unknown"]


def test_a_full_load_alone_is_no_round_to_take_back(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        look(tmp_path, "f", "", ["f"])
    assert [problem.code for problem in raised.value.problems] == ["no-delta"]
