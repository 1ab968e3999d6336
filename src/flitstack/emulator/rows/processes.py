"""Business process flows: instances of a process, one a record, and the one a new record gets by itself.

A process is a row of workflow (category 4), activated when its statecode is 1; its `uniquename` names the table of its
instances, its `clientdata` the order of its stages, which are rows of processstage.
Sources: Microsoft Learn, "Work with business process flows using code" (creating, moving, ending instances, which process a
new record gets and how `processid` overrides that); messages of wrong paths as people report them. Codes are not documented.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flitstack.emulator.ddl import quoted
from flitstack.emulator.messages import Refusal
from flitstack.emulator.rows.blocks import Block, Unusual
from flitstack.emulator.rows.payload import Draft
from flitstack.emulator.rows.references import Target
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.values import guid_blob, guid_text
from flitstack.emulator.work import Change, Work

CATEGORY, ACTIVATED, DEFINITION = 4, 1, 1
FINISHED = 2
STAGE_STEP = "StageStep:#Microsoft.Crm.Workflow.ObjectModel"
_NOTHING = bytes(16)


@dataclass(frozen=True, slots=True)
class Process:
    """An activated process: the table of its instances, the table it is about, its stages in order."""

    id: bytes
    table: str
    primary: str
    order: int
    stages: tuple[bytes, ...]


def processes(work: Work) -> tuple[Process, ...]:
    """Activated processes, those that a new record meets first in front. Read once a request."""
    found = work.memory.get("processes")
    if not isinstance(found, tuple):
        found = work.memory["processes"] = tuple(sorted(_read(work), key=lambda one: (one.order, one.table)))
    return found


def record_column(model: EntityModel, primary: str) -> str:
    """The lookup of an instance to its record: `opportunityid` of the platform's own, `bpf_opportunityid` of others."""
    return f"bpf_{primary}id" if f"bpf_{primary}id" in model.columns else f"{primary}id"


def settle_instance(change: Change) -> None:
    """A new instance gets its process and, without a stage, the first one; a moved one goes to a neighbouring stage."""
    process = next((one for one in processes(change.work) if one.table == change.model.name), None)
    if process is None:
        return
    if change.before is None:
        _begin(change, process)
    elif "activestageid" in change.values or "traversedpath" in change.values:
        _move(change, process)
    if change.values.get("statuscode") == FINISHED and change.after("activestageid") != process.stages[-1]:
        raise _wrong("A process can be finished at its last stage only.")


def starting(work: Work, model: EntityModel, changes: Sequence[Change]) -> Iterator[tuple[EntityModel, list[Draft]]]:
    """Instances that new rows get by themselves: of the process that `processid` names, none for the empty GUID, else of the
    first process in order. Who made the row does not matter here, nor does an app."""
    if "processid" not in model.columns or model.table.is_process:
        return
    mine = [one for one in processes(work) if one.primary == model.name and one.table in work.store.schema.tables]
    for process in mine:
        wanted = [c for c in changes if c.before is None and _process_of(c, mine) is process]
        if wanted:
            table = work.store.schema.tables[process.table]
            yield table, [_instance(table, process, change) for change in wanted]


def leave_new(block: Block) -> None:
    """Rows of a block may not start a process."""
    mine = [one for one in processes(block.work) if one.primary == block.model.name]
    if mine and any(value != _NOTHING for value in block.values("processid")):
        raise Unusual


def goes_with(model: EntityModel, column: str) -> bool:
    """Whether an instance is deleted with what this lookup points to: its record."""
    primary = column.removeprefix("bpf_").removesuffix("id")
    return model.table.is_process and model.columns[column].targets == (primary,)


def _process_of(change: Change, mine: Sequence[Process]) -> Process | None:
    given = change.values.get("processid")
    if given is None:
        return mine[0] if mine else None
    return next((one for one in mine if one.id == given), None)


def _instance(table: EntityModel, process: Process, change: Change) -> Draft:
    draft = Draft()
    draft.point(table, record_column(table, process.primary), Target(change.model, change.id))
    return draft


def _begin(change: Change, process: Process) -> None:
    values, work = change.values, change.work
    column = record_column(change.model, process.primary)
    record = values.get(column)
    if record is None:
        raise _wrong(f"An instance of this process needs its record: '{column}' is missing.")
    work.store.ensure_index(change.model.name, column) if work.store.exists(change.model.name) else None
    sql = f"SELECT 1 FROM {work.store.ensure(change.model)} WHERE {quoted(column)} = ?"
    if work.store.connection.execute(sql, (record,)).fetchone():
        raise Refusal(412, "0x80040237", "The record already has an instance of this process.")
    if values.setdefault("processid", process.id) != process.id:
        raise _wrong(f"'{change.model.name}' holds instances of another process.")
    stage = values.setdefault("activestageid", process.stages[0])
    if values.get("traversedpath") is None and stage == process.stages[0]:
        values["traversedpath"] = guid_text(process.stages[0])
    _check_path(change, process)


def _move(change: Change, process: Process) -> None:
    assert change.before is not None
    _check_path(change, process)
    old, new = change.before.get("activestageid"), change.after("activestageid")
    if old in process.stages and abs(process.stages.index(new) - process.stages.index(old)) > 1:
        raise _wrong(
            f"Invalid stage transition. Transition to stage {_name(change, new)} is not in the process active path: "
            "only the next or the previous stage is."
        )


def _check_path(change: Change, process: Process) -> None:
    stage, path = change.after("activestageid"), str(change.after("traversedpath") or "")
    if stage not in process.stages:
        raise _wrong(f"Invalid stage transition. Transition to stage {_name(change, stage)} is not in the process.")
    walked = [guid_blob(part.strip()) for part in path.split(",")]
    if walked[-1] != stage:
        raise _wrong(
            f"Active Stage ID '{_text(stage)}' does not match last Stage ID in Traversed Path '{path.rpartition(',')[2]}'. "
            "Please contact your system administrator."
        )
    if walked != list(process.stages[: len(walked)]):
        raise _wrong(f"The traversed path '{path}' does not follow the stages of the process.")


def _wrong(message: str) -> Refusal:
    return Refusal(400, "0x80040203", message)


def _text(value: object) -> str:
    return guid_text(value) if isinstance(value, bytes) else ""


def _name(change: Change, stage: object) -> str:
    model = change.work.store.schema.tables["processstage"]
    found = change.work.find(model, stage) if isinstance(stage, bytes) else None
    return str(found["stagename"]) if found else _text(stage)


def _read(work: Work) -> Iterator[Process]:
    if not work.store.exists("workflow"):
        return
    sql = (
        f"SELECT workflowid, uniquename, primaryentity, coalesce(processorder, 0), clientdata FROM "
        f"{work.store.ensure(work.store.schema.tables['workflow'])} "
        f"WHERE category = {CATEGORY} AND statecode = {ACTIVATED} AND coalesce(type, {DEFINITION}) = {DEFINITION}"
    )
    for id_, table, primary, order, data in work.store.connection.execute(sql):
        stages = tuple(_stages(json.loads(data or "null")))
        if stages:
            yield Process(id_, str(table), str(primary), int(order), stages)


def _stages(node: object) -> Iterator[bytes]:
    """Ids of the stages inside `clientdata`, in the order they stand there."""
    if isinstance(node, list):
        for one in node:
            yield from _stages(one)
    elif isinstance(node, dict):
        id_ = guid_blob(str(node.get("stageId"))) if node.get("__class") == STAGE_STEP else None
        if id_ is not None:
            yield id_
        yield from _stages(node.get("steps") or node.get("list"))
