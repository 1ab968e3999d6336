"""Definitions of business process flows: the order of their stages read, and what the decisions make of them."""

import json
from dataclasses import replace
from typing import Any

import pytest

from flitstack.app.process_definitions import Definition, stage_order
from flitstack.app.processes import follow
from flitstack.catalogue.read import load_catalogue
from flitstack.mapping.processes import Stage
from flitstack.packs.processes import ProcessRule

MODEL = "#Microsoft.Crm.Workflow.ObjectModel"
RULE = ProcessRule("Deal", "opportunity", "Pipeline", "Stage", "asked", "names", "stages", "order")
LIVE = load_catalogue().tables
FIRST, SECOND = "opportunitysalesprocess", "leadtoopportunitysalesprocess"


def stage(number: int, after: int | None = None, **more: Any) -> dict[str, Any]:
    told = f"{{{after:08x}-0000-0000-0000-000000000000}}".upper() if after else None
    return {
        "__class": f"StageStep:{MODEL}",
        "stageId": f"{number:08x}-0000-0000-0000-000000000000",
        "nextStageId": told,
        **more,
    }


def definition(*steps: dict[str, Any]) -> str:
    listed = {"__class": f"EntityStep:{MODEL}", "steps": {"list": list(steps)}}
    return json.dumps({"__class": f"WorkflowStep:{MODEL}", "steps": {"list": [listed]}})


@pytest.mark.parametrize(
    ("data", "order"),
    [
        (definition(stage(10, 11), stage(11, 12), stage(12)), [10, 11, 12]),
        (definition(stage(10), stage(11)), [10, 11]),  # the designer of some versions leaves the next stage out
        (definition(stage(10, steps={"list": [{"__class": f"StepStep:{MODEL}"}]}), stage(11)), [10, 11]),
        (definition(stage(10, 12), stage(11), stage(12)), []),  # its links say another order than the list
        (definition(stage(10), stage(10)), []),
        (
            definition(stage(10), {"__class": f"ConditionStep:{MODEL}", "steps": {"list": [stage(11)]}}),
            [],
        ),  # it branches
        ("<xml/>", []),
        (None, []),
        ("[]", []),
    ],
)
def test_stages_have_the_order_of_the_definition_unless_it_branches_or_contradicts_itself(
    data: str | None, order: list[int]
) -> None:
    assert [int(id_[:8], 16) for id_ in stage_order(data)] == order


def process(name: str, table: str, *stages: str, is_active: bool = True, ordered: bool = True) -> Definition:
    known = tuple(Stage(f"{name}/{one}", one) for one in stages)
    return Definition(name, name, table, is_active, known if ordered else (), known)


def codes(found: list[Definition], **decided: Any) -> list[str]:
    following, problems = follow(RULE, decided, found, LIVE)
    assert (following is None) == bool(problems)
    return [problem.code for problem in problems]


def test_people_may_say_an_order_that_the_definition_does_not_tell() -> None:
    branched = process("Sales", FIRST, "b", "c", "a", ordered=False)
    assert codes([branched]) == ["process-order"]
    assert codes([branched], order={"Sales": "a; x"}) == ["process-order"], "it names a stage that is not there"
    assert codes([branched], order={"Sales": "a; b; c; b"}) == ["process-order"], "a stage twice"
    assert codes([branched], order={"Sails": "a; b; c"}) == ["process-missing"]
    following, _ = follow(RULE, {"order": {"sales": "a; b ;c;"}}, [branched], LIVE)
    assert following is not None
    assert [one.name for one in following.processes[0].stages] == ["a", "b", "c"]


def test_a_process_whose_order_is_not_known_stops_nobody_who_does_not_follow_it() -> None:
    both = [process("Sales", FIRST, "a"), process("Odd", SECOND, "b", ordered=False)]
    assert codes(both) == []
    assert codes(both, names={"P": "Odd"}) == ["process-order"]
    following, _ = follow(RULE, {}, both, LIVE)
    assert following is not None
    assert following.default is None, "two are active: a pipeline follows the one of its name only"


def test_only_an_active_process_with_its_table_can_be_followed() -> None:
    assert codes([process("Sales", FIRST, "a", is_active=False)]) == ["process-missing"]
    assert codes([process("Sales", "new_absent", "a")]) == ["process-missing"]
    assert codes(
        [process("Sales", FIRST, "a"), process("Draft", SECOND, "a", is_active=False)], names={"P": "Draft"}
    ) == ["process-missing"]


def test_a_name_with_a_slash_is_a_stage_or_one_of_a_pipeline() -> None:
    sales = [process("Sales", FIRST, "Try", "Buy")]
    said = {"stages": {"Demo / Trial": "Try"}}
    following, _ = follow(RULE, said, sales, LIVE)
    assert following is not None
    assert following.by_stage == {("", "Demo / Trial"): "Try", ("Demo", "Trial"): "Try"}
    alone, _ = follow(replace(RULE, pipeline=""), said, sales, LIVE)
    assert alone is not None
    assert alone.by_stage == {("", "Demo / Trial"): "Try"}
    assert codes(sales, stages={"Demo / Trial": "Tyr"}) == ["process-stage"], "told once"
