"""Business process flows as the environment defines them, with the order of their stages.

The order of a process's stages stands in `clientdata` of its definition alone; processstage has none. Where it cannot be read in
it, or branches, it is left open.
Source: Microsoft Learn, "Work with business process flows using code"; the form of clientdata as solutions export it.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from flitstack.catalogue.types import Table
from flitstack.destinations.port import Destination
from flitstack.mapping.processes import Stage

DEFINITIONS, STAGES = "workflow", "processstage"
_CATEGORY, _BUSINESS_FLOW, _DEFINITION, _ACTIVATED = 4, 0, 1, 1
_HEAD = ("name", "uniquename", "primaryentity", "category", "businessprocesstype", "type", "statecode")
_CLASS = "#Microsoft.Crm.Workflow.ObjectModel"


@dataclass(frozen=True, slots=True)
class Definition:
    """A process of the environment as its definition tells. `stages`: those of the table it is about, in order, () when the
    order cannot be read; `known`: the same, by name; `goes_on`: stages of other tables follow."""

    id: str
    name: str
    table: str
    is_active: bool
    stages: tuple[Stage, ...]
    known: tuple[Stage, ...]
    goes_on: bool = False


async def read_definitions(destination: Destination, primary: str) -> tuple[Definition, ...]:
    """Processes whose records are rows of `primary`, by name; none where the environment knows no processes."""
    workflows, stages = await destination.table(DEFINITIONS), await destination.table(STAGES)
    if workflows is None or stages is None:
        return ()
    heads = [
        row
        async for row in _rows(destination, workflows, _HEAD)
        if row["category"] == _CATEGORY
        and row["primaryentity"] == primary
        and row["businessprocesstype"] in {None, _BUSINESS_FLOW}
        and row["type"] in {None, _DEFINITION}
    ]
    if not heads:
        return ()
    ids = [row["_row"] for row in heads]
    told = {row["_row"]: row["clientdata"] async for row in _rows(destination, workflows, ["clientdata"], ids)}
    by_process: dict[UUID, list[Stage]] = {}
    elsewhere: dict[UUID, set[str]] = {}
    async for row in _rows(destination, stages, ["stagename", "processid", "primaryentitytypecode"]):
        if row["processid"] is None:
            continue
        process, stage = UUID(bytes=row["processid"]), Stage(str(row["_row"]), str(row["stagename"]))
        # A stage of another table (a quote's) is reached by that table's row, which is not moved there.
        if row["primaryentitytypecode"] in {None, primary}:
            by_process.setdefault(process, []).append(stage)
        else:
            elsewhere.setdefault(process, set()).add(stage.id)
    found = [
        _definition(row, told.get(row["_row"]), by_process.get(row["_row"], []), elsewhere.get(row["_row"], set()))
        for row in heads
    ]
    return tuple(sorted(found, key=lambda one: (one.name, one.table)))


async def _rows(
    destination: Destination, table: Table, columns: Sequence[str], ids: Sequence[UUID] | None = None
) -> AsyncIterator[dict[str, Any]]:
    async for batch in destination.rows(table, columns, ids=ids):
        for row in batch.to_pylist():
            yield {**row, "_row": UUID(bytes=row["_row"])}


def _definition(row: Mapping[str, Any], data: str | None, known: Sequence[Stage], elsewhere: set[str]) -> Definition:
    order = stage_order(data)
    by_id = {stage.id: stage for stage in known}
    stages = tuple(by_id[id_] for id_ in order if id_ in by_id)
    is_whole = len(stages) == len(by_id)
    return Definition(
        str(row["_row"]), str(row["name"]), str(row["uniquename"] or ""), row["statecode"] == _ACTIVATED,
        stages if is_whole else (), tuple(sorted(known, key=lambda stage: stage.name)),
        order[-1] in elsewhere if order else bool(elsewhere),
    )  # fmt: skip


def stage_order(data: str | None) -> list[str]:
    """Ids of the stages as `clientdata` orders them; none when it cannot be read, or the process branches."""
    try:
        whole = orjson.loads(data or "")
    except orjson.JSONDecodeError:
        return []
    steps = list(_steps(whole))
    if any(str(step["__class"]).startswith("Condition") for step in steps):
        return []
    stages = [step for step in steps if step["__class"] == f"StageStep:{_CLASS}" and step.get("stageId")]
    ids = [str(step["stageId"]).strip("{}").casefold() for step in stages]
    following = [str(step.get("nextStageId") or "").strip("{}").casefold() for step in stages]
    is_chain = all(not after or after == ids[n + 1] for n, after in enumerate(following[:-1]))
    return ids if is_chain and len(set(ids)) == len(ids) else []


def _steps(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, list):
        for one in node:
            yield from _steps(one)
    elif isinstance(node, dict):
        if "__class" in node:
            yield node
        for value in node.values():
            if isinstance(value, dict | list):
                yield from _steps(value)
