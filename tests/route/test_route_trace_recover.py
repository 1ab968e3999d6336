"""Tracing a cell, a day's budget, simulation and a lost journal, through the commands a person uses."""

import csv
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from route.route_case import EXAMPLE, TO_LOAD, TO_PLAN, Answer, Migration, begin, serving

pytestmark = pytest.mark.slow

# A bulk request is refused as a whole, and of the batch that isolates its rows one: somebody's rule in the destination.
REFUSING = [
    {"kind": "precondition412", "request": "CreateMultiple", "times": 1},
    {"kind": "precondition412", "request": "create", "in_batch": True, "times": 1},
]
BUDGET = 1  # the sample has used more


@dataclass(frozen=True)
class Walk:
    """What each command answered, and the destination's fingerprint at three moments."""

    migration: Migration
    answers: dict[str, Answer]
    traces: dict[str, Any]
    contact: dict[str, Any]
    before: dict[str, Any]
    loaded: dict[str, Any]
    again: dict[str, Any]
    after: dict[str, Any]
    audit: list[dict[str, str]]
    retried: dict[str, Any]


def set_budget(migration: Migration, requests: int) -> None:
    path = migration.folder / "flitstack.yaml"
    lines = [line for line in path.read_text().splitlines() if "daily_requests" not in line]
    place = next(number for number, line in enumerate(lines) if line.strip().startswith("url:"))
    indent = lines[place][: len(lines[place]) - len(lines[place].lstrip())]
    path.write_text("\n".join([*lines[: place + 1], f"{indent}daily_requests: {requests}", *lines[place + 1 :]]) + "\n")


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    folder = tmp_path_factory.mktemp("trace")
    answers: dict[str, Answer] = {}
    with serving(folder / "emulator") as url:
        migration = begin(folder / "acme", url, EXAMPLE)
        before = migration.admin("fingerprint")
        migration.go(TO_PLAN)
        answers["simulate"] = migration.run("load", "--simulate", "--row-ms", "10")
        migration.go(TO_LOAD)
        set_budget(migration, BUDGET)
        answers["stopped"] = migration.run("load")
        set_budget(migration, 0)
        migration.admin("faults", {"rules": REFUSING})
        answers["load"] = migration.run("load")
        migration.admin("faults", {"rules": []})
        migration.admin("counters/reset", {})
        answers["retry"] = migration.run("retry")
        retried = migration.admin("counters")
        loaded = migration.admin("fingerprint")
        answers["export"] = migration.run("audit", "--verify", "--export", str(folder / "audit.csv"))
        with (folder / "audit.csv").open() as file:
            audit = list(csv.DictReader(file))
        contacts = migration.rows("contacts?$filter=flit_sourceid ne null")
        contact = next(one for one in contacts if one.get("emailaddress1") and one.get("_parentcustomerid_value"))
        traces = {
            column: migration.do("trace", "contact", contact["contactid"], column, "--values")
            for column in ("emailaddress1", "parentcustomerid", "flit_sourcekey", "ownerid")
        }
        traces["shape"] = migration.do("trace", "contact", contact["contactid"], "emailaddress1")
        answers["strange row"] = migration.run("trace", "contact", "00000000-0000-0000-0000-000000000001", "lastname")
        answers["recover too early"] = migration.run("journal", "recover")
        journal = next((migration.folder / ".flitstack").glob("*/journal"))
        shutil.move(journal, folder / "lost")
        for name, words in (
            ("recover", ("journal", "recover")), ("plan again", ("plan",)), ("load again", ("load",)),
        ):  # fmt: skip
            answers[name] = migration.run(*words)
        again = migration.admin("fingerprint")
        answers["reconcile"] = migration.run("reconcile")
        answers["rollback"] = migration.run("rollback", "--schema")
        yield Walk(
            migration, answers, traces, contact, before, loaded, again, migration.admin("fingerprint"), audit, retried
        )


def test_a_simulation_sends_nothing_and_tells_what_more_users_bring(walk: Walk) -> None:
    answer = walk.answers["simulate"]
    assert answer.code == 0
    users = answer.document["users"]
    assert list(users) == ["1", "4", "8"]
    assert users["1"]["entitlement"] == users["8"]["entitlement"] > users["1"]["requests"] > 0
    assert users["8"]["seconds"] <= users["1"]["seconds"]
    assert users["1"]["execution_s"] >= 0.009 * users["1"]["entitlement"]
    assert answer.document["assumed"]["row_s"] == 0.01


def test_a_load_stops_at_the_days_budget_says_until_when_and_goes_on(walk: Walk) -> None:
    stopped = walk.answers["stopped"]
    assert stopped.code == 1, stopped.stdout[-1500:]
    assert f"of the day's {BUDGET}" in stopped.errors["daily-requests-used"]["what"]
    assert "T00:00Z" in stopped.errors["daily-requests-used"]["do"]
    assert walk.answers["load"].code == 3
    assert walk.answers["load"].document["load"]["asked"] == 0, "nothing was under way when it stopped"


def test_a_retry_loads_what_was_rejected_and_nothing_else(walk: Walk) -> None:
    rejected = walk.answers["load"].document["load"]["refused"]
    assert rejected >= 1
    assert walk.answers["retry"].document["load"]["refused"] == 0
    assert walk.retried["rows_created"] == rejected


def test_a_cell_is_traced_to_the_cell_of_the_export_it_was_made_of(walk: Walk) -> None:
    trace = walk.traces["emailaddress1"]
    assert trace["destination"]["value"] == walk.contact["emailaddress1"] == trace["planned"]["value"]
    assert trace["rule"]["where"].startswith("mapping/")
    assert trace["rule"]["from"]
    (cell,) = trace["cells"]
    with (EXAMPLE / cell["file"]).open(newline="", encoding="utf-8-sig") as file:
        record = list(csv.DictReader(file))[cell["number"] - 1]
    assert record[cell["header"]] == cell["value"]
    assert cell["value"].strip().lower() == trace["planned"]["value"].lower()
    assert ("create", "landed") in {(one["operation"], one["outcome"]) for one in trace["operations"]}


def test_a_lookup_is_traced_to_the_record_that_its_target_came_from(walk: Walk) -> None:
    trace = walk.traces["parentcustomerid"]
    assert trace["destination"]["value"] == walk.contact["_parentcustomerid_value"]
    assert trace["planned"]["target"]["table"] in {"account", "contact"}
    assert trace["planned"]["target"]["record"]
    assert trace["rule"]["lookups"][0]["via"]
    assert trace["cells"]


def test_a_column_of_planning_says_so_and_values_are_shapes_unless_asked_for(walk: Walk) -> None:
    assert walk.traces["flit_sourcekey"]["rule"]["made_by"] == "planning"
    assert walk.traces["ownerid"]["destination"]["exists"]
    assert walk.contact["emailaddress1"] not in str(walk.traces["shape"])
    assert "@" in walk.traces["shape"]["planned"]["value"]
    strange = walk.answers["strange row"]
    assert (strange.code, list(strange.errors)) == (2, ["row-not-ours"])


def test_the_log_of_operations_names_source_row_operation_time_and_operator(walk: Walk) -> None:
    assert walk.answers["export"].document["verified"]["breaks"] == []
    created = [one for one in walk.audit if one["operation"] == "create" and one["table"] == "contact"]
    assert walk.contact["contactid"] in {one["destination_id"] for one in created}
    for one in walk.audit:
        assert one["source_id"], one
        assert all(one[part] for part in ("destination_id", "outcome", "at", "operator", "run"))


def test_a_journal_that_is_there_is_not_recovered(walk: Walk) -> None:
    answer = walk.answers["recover too early"]
    assert (answer.code, list(answer.errors)) == (2, ["journal-there"])


def test_a_lost_journal_is_made_again_and_says_what_is_lost(walk: Walk) -> None:
    answer = walk.answers["recover"]
    assert answer.code == 0, answer.stdout
    tables = {one["table"]: one for one in answer.document["tables"]}
    assert tables["contact"]["by"] == "source key"
    assert tables["contact"]["created"] == tables["contact"]["keys"] > 0
    assert any("before-images" in what for what in answer.document["lost"])


def test_after_recovery_the_next_load_makes_no_row_twice(walk: Walk) -> None:
    assert walk.answers["plan again"].code == 3
    assert walk.answers["load again"].code == 3, walk.answers["load again"].stdout
    created = sum(s["done"] for s in walk.answers["load again"].document["load"]["steps"] if s["kind"] == "create")
    assert created == 0
    assert walk.again == walk.loaded
    assert walk.answers["reconcile"].document["differences"] == 0


def test_after_recovery_a_rollback_takes_back_everything_that_was_made(walk: Walk) -> None:
    answer = walk.answers["rollback"]
    assert answer.code == 0, answer.stdout
    assert answer.document["equal"] is True
    assert walk.after == walk.before


def test_a_row_id_that_is_none_is_usage(walk: Walk) -> None:
    answer = walk.migration.run("trace", "contact", "p08", "lastname")
    assert (answer.code, list(answer.errors)) == (2, ["row-id-wrong"])
