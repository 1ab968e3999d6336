"""Deals stand at their stage in the administrator's business process flow, where it exists and is asked for."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from route.rounds_case import decide
from route.route_case import TO_LOAD, TO_PLAN, Migration, begin, example_export, serving

pytestmark = pytest.mark.slow

SALES = {"name": "Opportunity Sales Process", "stages": ["Qualify", "Discovery", "Proposal", "Negotiation", "Close"]}

OTHER = {"name": "Other", "uniquename": "new_other", "stages": ["First"]}


def example(folder: Path, *processes: dict[str, Any], **decided: Any) -> Path:
    export = example_export(folder / "export")
    scoping = json.loads((export / "scoping.json").read_text()) | {"stage_process": "follow"} | decided
    (export / "scoping.json").write_text(json.dumps(scoping))
    (export / "destination" / "processes.json").write_text(json.dumps(processes))
    return export


def places(
    migration: Migration, table: str = "opportunitysalesprocesses", lookup: str = "opportunityid"
) -> dict[str, Any]:
    """Deal -> (stage, stages walked, status of the instance)."""
    stages = {row["processstageid"]: row["stagename"] for row in migration.rows("processstages")}
    deals = {row["opportunityid"]: row["flit_sourceid"].rpartition("/")[2] for row in migration.rows("opportunities")}
    return {
        deals[row[f"_{lookup}_value"]]: (
            stages[row["_activestageid_value"]],
            [stages[id_] for id_ in row["traversedpath"].split(",")],
            row["statuscode"],
        )
        for row in migration.rows(table)
    }


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migration]:
    folder = tmp_path_factory.mktemp("process")
    export = example(folder, SALES)
    with serving(folder / "emulator") as url:
        migration = begin(folder / "acme", url, export)
        migration.go(TO_PLAN + TO_LOAD)
        migration.do("load", code={0, 3})
        yield migration


def test_each_deal_stands_at_its_stage_with_the_path_to_it(moved: Migration) -> None:
    whole = SALES["stages"]
    assert places(moved) == {
        "d01": ("Close", whole, 2), "d02": ("Negotiation", whole[:4], 1), "d03": ("Proposal", whole[:3], 1),
        "d04": ("Qualify", whole[:1], 3), "d05": ("Discovery", whole[:2], 1), "d09": ("Discovery", whole[:2], 1),
    }  # fmt: skip
    assert moved.do("reconcile", code={0, 3})["differences"] == 0
    assert all(account["closes"] for account in moved.do("status")["accounts"].values())


def test_a_cell_of_an_instance_is_traced_to_the_stage_in_the_export(moved: Migration) -> None:
    row = next(row for row in moved.rows("opportunitysalesprocesses") if len(row["traversedpath"].split(",")) == 4)
    traced = moved.do(
        "trace", "opportunitysalesprocess", row["businessprocessflowinstanceid"], "traversedpath", "--values"
    )
    assert traced["rule"] == {"made_by": "planning", "what": "where the record stands in the process"}
    assert [(cell["file"], cell["line"], cell["value"]) for cell in traced["cells"]] == [
        ("deals.csv", 3, "Negotiation")
    ]
    assert traced["planned"]["value"] == traced["destination"]["value"] == row["traversedpath"]


def test_a_rollback_takes_the_instances_away(moved: Migration) -> None:
    assert moved.do("rollback")["equal"]
    assert moved.rows("opportunitysalesprocesses") == []


def evidence(migration: Migration) -> tuple[str, str]:
    (check,) = [one for one in migration.do("status")["checks"] if one["name"] == "Stages in a business process flow"]
    return check["state"], check["evidence"]


def test_stages_that_the_process_lacks_are_told_and_not_guessed(tmp_path: Path) -> None:
    # The last stage is one of another table: nobody stands there, and the process cannot be finished before it.
    elsewhere = {"name": "Discovery", "table": "quote"}
    process = {
        "name": "Retainer",
        "uniquename": "new_retainer",
        "stages": ["Qualify", "Offer", "Negotiation", "Won", elsewhere],
    }
    export = example(tmp_path, process, process_stages={"Proposal": "Offer", "closed won": "WON"})
    with serving(tmp_path / "emulator") as url:
        migration = begin(tmp_path / "acme", url, export)
        assert evidence(migration) == ("waiting", "asked by flitstack plan")
        migration.go(TO_PLAN)
        state, told = evidence(migration)
        assert state == "warn"
        assert told == (
            "active: Retainer; 4 records stand in a process; lost, and at the first stage for the source does not tell where: 1; "
            "won, but not finished for their stage is not the last: 1; stages that the process lacks, with how many records: "
            "Discovery (2)"
        )
        told_of = [f for f in migration.do("findings") if f["code"] == "stage_without_process"]
        assert sorted(f["record"] for f in told_of if f["outcome"] == "listed") == ["d05", "d09"]
        migration.go(TO_LOAD)
        migration.do("load", code={0, 3})
        found = places(migration, "new_retainers", "bpf_opportunityid")
        assert {deal: place[0] for deal, place in found.items()} == {
            "d01": "Won", "d02": "Negotiation", "d03": "Offer", "d04": "Qualify",
        }  # fmt: skip
        assert migration.rows("opportunitysalesprocesses") == []
        assert len([row for row in migration.rows("opportunities") if row["flit_dealstage"]]) == 6
        assert migration.do("reconcile", code={0, 3})["differences"] == 0
        assert migration.do("rollback")["equal"]


# What the environment has, what is decided besides, and what the plan says then; one after the other in the same project.
REFUSED: list[tuple[list[dict[str, Any]], dict[str, Any], str, str, str]] = [
    ([], {}, "process-missing", "no business process flow of opportunity is active", "stage_process: none"),
    ([SALES | {"active": False}], {}, "process-missing", "no business process flow", "activate one"),
    ([SALES], {"process_names": {"": "Sale"}}, "process-missing", "'Sale' that process_names names is not there", "process_names"),
    ([SALES], {"process_names": {}, "process_stages": {"Proposal": "Offer"}}, "process-stage", "has the stage 'Offer'", "process_stages"),
    ([SALES, OTHER], {"process_stages": {}}, "process-unclear", "several business process flows", 'process_names: {"": Opportunity'),
    ([SALES, OTHER], {"process_names": ["Other"]}, "option-unknown", "process_names", "write pairs"),
]  # fmt: skip


def test_a_process_that_cannot_be_followed_stops_the_plan_with_what_to_do(tmp_path: Path) -> None:
    with serving(tmp_path / "emulator") as url:
        migration = begin(tmp_path / "acme", url, example(tmp_path))
        migration.go(TO_PLAN[:-1])
        for processes, decided, code, told, do in REFUSED:
            if processes:
                migration.admin("seed", {"processes": processes})
            decide(migration, **decided)
            problem = migration.run("plan").errors[code]
            assert told in problem["what"]
            assert do in problem["do"]
            assert evidence(migration)[0] == "block"
        decide(migration, process_names={"": "Other"}, process_stages={"Proposal": "First"})
        migration.do("plan", code={0, 3})
        assert evidence(migration)[0] == "warn"
