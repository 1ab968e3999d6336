"""The pack's example through every command: exit codes, documents, and that each step may be taken again."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from route.route_case import EXAMPLE, TO_LOAD, TO_PLAN, Answer, Migration, begin, flit, serving

GATES = ["export", "quality", "map", "schema", "owners", "sample", "rehearsal", "load", "cutover"]
COUNTS = {"read", "created", "updated", "merged", "unchanged", "held", "rejected", "excluded", "closes"}


@dataclass(frozen=True)
class Walk:
    """Every command of the route in order, each taken twice where that makes sense."""

    migration: Migration
    answers: dict[str, Answer]
    before: dict[str, Any]
    loaded: dict[str, Any]
    asked_again: dict[str, Any]
    after: dict[str, Any]


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    folder = tmp_path_factory.mktemp("example")
    answers: dict[str, Answer] = {}
    with serving(folder / "emulator") as url:
        migration = begin(folder / "acme", url, EXAMPLE)
        before = migration.admin("fingerprint")

        def take(name: str, *words: str) -> None:
            answers[name] = migration.run(*words)

        take("status of nothing", "status")
        take("load too early", "load")
        for words, _ in TO_PLAN:
            take(" ".join(words), *words)
        take("plan again", "plan")
        take("load before approval", "load")
        for words, _ in TO_LOAD:
            take(" ".join(words), *words)
        take("load", "load")
        loaded = migration.admin("fingerprint")
        migration.admin("counters/reset", {})
        take("load again", "load")
        asked_again = migration.admin("counters")
        take("reconcile", "reconcile")
        take("reconcile again", "reconcile")
        take("status", "status")
        take("findings", "findings")
        take("audit", "audit", "--verify")
        take("report", "report")
        take("retry", "retry")
        assert migration.admin("fingerprint") == loaded
        take("rollback --dry-run", "rollback", "--dry-run")
        assert migration.admin("fingerprint") == loaded
        take("rollback", "rollback", "--schema")
        take("rollback again", "rollback", "--schema")
        yield Walk(migration, answers, before, loaded, asked_again, migration.admin("fingerprint"))


def test_every_command_ends_with_the_code_that_its_outcome_has(walk: Walk) -> None:
    """Thirteen records of the example are held on purpose: 3 wherever they count."""
    expected = dict.fromkeys(walk.answers, 0) | {
        "load too early": 2, "load before approval": 4, "plan": 3, "plan again": 3, "load": 3, "load again": 3,
        "reconcile": 3, "reconcile again": 3, "retry": 3,
    }  # fmt: skip
    assert {name: answer.code for name, answer in walk.answers.items()} == expected


def test_a_closed_gate_names_itself_and_the_command_that_opens_it(walk: Walk) -> None:
    problems = walk.answers["load before approval"].document["errors"]
    assert [problem["code"] for problem in problems] == ["gate-closed"] * 4
    for gate, problem in zip(("schema", "owners", "sample", "load"), problems, strict=True):
        assert gate in problem["what"]
    assert "flitstack approve schema" in problems[0]["do"]


def test_planning_again_gives_the_same_plan(walk: Walk) -> None:
    assert walk.answers["plan"].document == walk.answers["plan again"].document


def test_loading_again_writes_no_row(walk: Walk) -> None:
    first, second = walk.answers["load"].document, walk.answers["load again"].document
    assert sum(step["done"] for step in first["load"]["steps"] if step["kind"] == "create") > 0
    asked = walk.asked_again
    assert asked["rows_created"] == 0
    assert asked["requests"].keys() <= {"read", "metadata", "batch", "PublishAllXml", "RetrieveUserPrivileges"}
    assert asked["parts"].keys() <= {"read"}
    assert asked["methods"].keys() <= {"GET", "POST"}
    assert second["tables"] == first["tables"]
    assert second["accounts"] == first["accounts"]


def test_status_gives_gates_accounts_and_tables(walk: Walk) -> None:
    status = walk.answers["status"].document
    assert list(status["gates"]) == GATES
    assert {name: gate["state"] for name, gate in status["gates"].items()} == {
        **dict.fromkeys(GATES, "open"), "rehearsal": "not asked", "cutover": "closed",
    }  # fmt: skip
    for name, account in status["accounts"].items():
        assert account.keys() >= COUNTS
        assert account["closes"] is True, name
        assert account["read"] == sum(account[word] for word in COUNTS - {"read", "closes"}), name
    assert status["tables"]["contact"] == status["accounts"]["Contact"]["created"]


def test_every_finding_names_file_record_outcome_and_remedy(walk: Walk) -> None:
    found = walk.answers["findings"].document
    assert {finding["outcome"] for finding in found} <= {"held", "merged", "excluded", "listed", "loaded"}
    for finding in found:
        assert (EXAMPLE / finding["file"]).is_file(), finding
        assert finding["record"], finding
        if finding["outcome"] == "held":
            assert all(finding[part] for part in ("what", "do", "field")), finding


def test_each_held_record_of_the_accounts_is_a_finding(walk: Walk) -> None:
    held = {(f["object"], f["record"]) for f in walk.answers["findings"].document if f["outcome"] == "held"}
    accounts = walk.answers["status"].document["accounts"]
    assert {name: a["held"] for name, a in accounts.items() if a["held"]} == {
        name: sum(1 for each, _ in held if each == name) for name in {each for each, _ in held}
    }


def test_reconcile_counts_rows_cells_and_differences(walk: Walk) -> None:
    first, second = walk.answers["reconcile"].document, walk.answers["reconcile again"].document
    assert first["rows"] > 0
    assert first["cells"] > first["rows"]
    assert first["differences"] == 0
    assert (second["rows"], second["cells"]) == (first["rows"], first["cells"])


def test_the_journal_holds_and_knows_every_command(walk: Walk) -> None:
    audit = walk.answers["audit"].document
    assert audit["verified"]["breaks"] == []
    assert audit["unsettled"] == 0
    assert {run["command"] for run in audit["runs"]} >= {"load --sample", "load"}


def test_the_report_lies_where_it_says(walk: Walk) -> None:
    names = {path.rsplit("/", 1)[-1] for path in walk.answers["report"].document["reports"]}
    assert names >= {"quality.html", "reconciliation.html"}


def test_rollback_restores_the_start_and_says_so(walk: Walk) -> None:
    undone = walk.answers["rollback"].document
    assert undone.keys() >= {"reversed", "kept", "failed", "equal"}
    assert undone["reversed"] == walk.answers["rollback --dry-run"].document["planned"] > 0
    assert (undone["kept"], undone["failed"], undone["equal"]) == (0, 0, True)
    assert walk.after == walk.before
    assert walk.loaded != walk.before


def test_rolling_back_again_takes_nothing_back(walk: Walk) -> None:
    again = walk.answers["rollback again"].document
    assert (again["reversed"], again["failed"], again["equal"]) == (0, 0, True)


def test_rolled_back_rows_are_no_longer_counted_as_created(walk: Walk) -> None:
    status = walk.migration.do("status")
    assert sum(status["tables"].values()) == 0


def test_after_a_rollback_the_next_step_is_a_plan_that_a_load_will_take(walk: Walk) -> None:
    """What was planned before was compared with rows that are gone; `load` refuses it."""
    status = walk.migration.do("status")
    assert [name for name, done in status["steps"].items() if done] == ["stage", "profile", "dedupe", "map"]
    assert status["rollback"]["verdict"] == "the destination is as it was before"
    assert "plan-before-rollback" in walk.migration.run("load").errors


def test_a_folder_without_project_is_told_in_json_too() -> None:
    answer = flit("status", "--project", "/nowhere")
    assert answer.code == 2
    assert "flitstack new" in answer.errors["no-project"]["do"]
