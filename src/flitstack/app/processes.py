"""Business process flows of the environment: read, met with the pipelines, and refused where nothing could be followed.

The order of a process's stages stands in `clientdata` of its definition alone; processstage has none. What cannot be read in
it, or branches, people say in decisions.yaml.
Source: Microsoft Learn, "Work with business process flows using code"; the form of clientdata as solutions export it.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from flitstack.app.project import Project
from flitstack.catalogue.types import Table
from flitstack.destinations.port import Destination
from flitstack.documents import load_json, save_json
from flitstack.errors import Problem, UsageError
from flitstack.mapping.processes import Following, Process, Stage
from flitstack.packs.processes import FOLLOW, ProcessRule, read_process_rule
from flitstack.planning.document import Plan
from flitstack.planning.instances import Instances

DEFINITIONS, STAGES = "workflow", "processstage"
_CATEGORY, _BUSINESS_FLOW, _DEFINITION, _ACTIVATED = 4, 0, 1, 1
_HEAD = ("name", "uniquename", "primaryentity", "category", "businessprocesstype", "type", "statecode")
_CLASS = "#Microsoft.Crm.Workflow.ObjectModel"
_CHOSEN = "processid"  # of a record that is made
_ASK = "have an administrator make and activate one (Power Automate, Business process flows), or choose {}: none"


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


def wanted_rule(project: Project) -> ProcessRule | None:
    """What the playbook says of processes, where the decision asks for them."""
    rule = read_process_rule(project.pack.playbook)
    return rule if rule is not None and project.decisions.get(rule.decision) == FOLLOW else None


def settle_following(
    project: Project, found: Sequence[Definition], live: Mapping[str, Table | None]
) -> Following | None:
    """What the records of this project follow, None where nobody asked; remembered for the check. Raises UsageError."""
    rule = wanted_rule(project)
    if rule is None:
        facts_path(project).unlink(missing_ok=True)
        return None
    following, problems = follow(rule, project.decisions, found, live)
    save_json(facts_path(project), _facts(found, following, problems))
    if problems:
        raise UsageError(*problems)
    return following


def instances_of(following: Following | None) -> tuple[Instances, ...]:
    """Tables of instances that a plan fills."""
    if following is None:
        return ()
    return tuple(Instances(one.table, one.record, following.rule.table) for one in following.processes)


def refuse_late(project: Project, following: Following | None, loaded: Plan) -> None:
    """Raise UsageError when the decision was another one when the records were loaded: how a record follows a process is
    settled when it is made."""
    rule = read_process_rule(project.pack.playbook)
    sends = [send for send in loaded.tables if rule is not None and send.table == rule.table]
    was_followed = any(column.name == _CHOSEN for send in sends for column in send.columns)
    if rule is None or not sends or was_followed == (following is not None):
        return
    was = FOLLOW if was_followed else "none"
    what = f"the rows of {rule.table} were loaded with {rule.decision}: {was}"
    do = f"set {rule.decision}: {was} in decisions.yaml again; or roll back, then plan and load anew"
    raise UsageError(Problem("process-late", what, do=do))


def followed_tables(project: Project) -> list[str]:
    """Tables of instances that the last plan filled; the map does not name them."""
    path = facts_path(project)
    return list(load_json(path, dict).get("followed", {})) if path.exists() else []


def facts_path(project: Project) -> Path:
    """What the last plan learnt of the environment's processes."""
    return project.env_state / "processes.json"


def _facts(found: Sequence[Definition], following: Following | None, problems: Sequence[Problem]) -> dict[str, Any]:
    followed = {one.table: one.name for one in following.processes} if following else {}
    active = [one.name for one in found if one.is_active]
    return {
        "active": active,
        "inactive": [one.name for one in found if not one.is_active],
        "followed": followed,
        "problems": [problem.what for problem in problems],
    }


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


def follow(
    rule: ProcessRule, decisions: Mapping[str, Any], found: Sequence[Definition], live: Mapping[str, Table | None]
) -> tuple[Following | None, list[Problem]]:
    """What the environment's processes and the decisions make of the rule; or what is wrong with it."""
    said, problems = _said(rule, decisions)
    problems += _wrong_orders(rule, said.get(rule.order, {}), found)
    if problems:
        return None, problems
    active = [one for one in found if one.is_active and live.get(one.table) is not None]
    if not active:
        drafts = ", ".join(one.name for one in found)
        what = f"no business process flow of {rule.table} is active"
        return None, [Problem("process-missing", what, known=f"not active: {drafts}" if drafts else "none",
                              do=_ASK.format(rule.decision))]  # fmt: skip
    processes, unordered = _ordered(rule, said[rule.order], active, live)
    if not processes:
        return None, [_no_order(rule, one) for one in unordered]
    chosen, problems = _chosen(rule, said[rule.processes], processes, found, unordered)
    default = chosen.get("") or (processes[0] if len(active) == 1 else None)
    if default is None and not rule.pipeline and not problems:
        what = f"several business process flows of {rule.table} are active, and no decision says which one is meant"
        do = f'name it in decisions.yaml, {rule.processes}: {{"": {processes[0].name}}}'
        problems.append(Problem("process-unclear", what, known=_names(processes), do=do))
    problems += _strange_stages(rule, said[rule.stages], processes)
    stages = {key: target for name, target in said[rule.stages].items() for key in _readings(rule, name)}
    return (None if problems else Following(rule, processes, chosen, default, stages)), problems


def _no_order(rule: ProcessRule, one: Definition) -> Problem:
    what = f"the order of the stages of {one.name!r} is not known: it branches, or its definition does not tell"
    do = f'say it in decisions.yaml, {rule.order}: {{{one.name}: "first; second; third"}}'
    return Problem("process-order", what, known=_names(one.known), do=do)


def _wrong_orders(rule: ProcessRule, said: Mapping[str, str], found: Sequence[Definition]) -> Iterator[Problem]:
    """Orders that people said of processes that are not there, or with stages that they have not, or twice."""
    for name, text in said.items():
        named = [one for one in found if _folded(one.name) == _folded(name)]
        if not named:
            what = f"the business process flow {name!r} that {rule.order} names is not there"
            do = f"correct {rule.order} in decisions.yaml"
            yield Problem("process-missing", what, known=", ".join(one.name for one in found), do=do)
        parts = [_folded(part) for part in _parts(text)]
        for one in named:
            known = {_folded(stage.name) for stage in one.known}
            strange = [part for part in _parts(text) if _folded(part) not in known]
            if strange or len(set(parts)) != len(parts) or not parts:
                why = f"names {', '.join(map(repr, strange))}" if strange else "names a stage twice, or none"
                what = f"the order of the stages of {one.name!r} that {rule.order} says {why}"
                do = f"write its stages, each once, between semicolons under {rule.order} in decisions.yaml"
                yield Problem("process-order", what, known=_names(one.known), do=do)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(";") if part.strip()]


def _said(rule: ProcessRule, decisions: Mapping[str, Any]) -> tuple[dict[str, dict[str, str]], list[Problem]]:
    found: dict[str, dict[str, str]] = {}
    problems = []
    for name in (rule.processes, rule.stages, rule.order):
        value = decisions.get(name) or {}
        if not isinstance(value, Mapping):
            do = "write pairs: {source value: value}"
            problems.append(
                Problem("option-unknown", f"{value!r} is no answer to decision {name}", where="decisions.yaml", do=do)
            )
            continue
        found[name] = {str(key).strip(): str(one).strip() for key, one in value.items()}
    return found, problems


def _ordered(
    rule: ProcessRule, said: Mapping[str, str], active: Sequence[Definition], live: Mapping[str, Table | None]
) -> tuple[tuple[Process, ...], list[Definition]]:
    """The processes with their stages in order, as people said or the definition tells; and those whose order is not known."""
    orders = {_folded(name): [_folded(part) for part in _parts(text)] for name, text in said.items()}
    found, unordered = [], []
    for one in active:
        stages, order = one.stages, orders.get(_folded(one.name))
        if order is not None:
            by_name = {_folded(stage.name): stage for stage in one.known}
            stages = tuple(by_name[name] for name in order)
        record = _record_column(live[one.table], rule.table)
        if not stages or record is None:
            unordered.append(one)
        else:
            found.append(Process(one.id, one.name, one.table, record, stages, one.goes_on))
    return tuple(found), unordered


def _record_column(table: Table | None, primary: str) -> str | None:
    names = (f"bpf_{primary}id", f"{primary}id")
    return next((name for name in names if table is not None and table.column(name) is not None), None)


def _chosen(
    rule: ProcessRule,
    said: Mapping[str, str],
    processes: Sequence[Process],
    found: Sequence[Definition],
    unordered: Sequence[Definition],
) -> tuple[dict[str, Process], list[Problem]]:
    by_name, without = {_folded(one.name): one for one in processes}, {_folded(one.name): one for one in unordered}
    inactive = {_folded(one.name) for one in found if not one.is_active}
    chosen: dict[str, Process] = {}
    problems = []
    for pipeline, name in said.items():
        if _folded(name) in without:
            problems.append(_no_order(rule, without[_folded(name)]))
            continue
        if _folded(name) in by_name:
            chosen[pipeline] = by_name[_folded(name)]
            continue
        why = "is not activated" if _folded(name) in inactive else "is not there"
        what = f"the business process flow {name!r} that {rule.processes} names {why}"
        do = f"have an administrator activate it, or name another one under {rule.processes} in decisions.yaml"
        problems.append(Problem("process-missing", what, known=_names(processes), do=do))
    return chosen, problems


def _strange_stages(rule: ProcessRule, said: Mapping[str, str], processes: Sequence[Process]) -> Iterator[Problem]:
    known = {_folded(stage.name): stage.name for one in processes for stage in one.stages}
    for stage, target in said.items():
        if _folded(target) not in known and processes:
            what = f"no active process has the stage {target!r} that {rule.stages} names for {stage!r}"
            do = f"correct {rule.stages} in decisions.yaml"
            yield Problem("process-stage", what, known=", ".join(sorted(known.values())), do=do)


def _readings(rule: ProcessRule, name: str) -> list[tuple[str, str]]:
    """(pipeline, stage) that a name may mean: a stage of any pipeline, or one of the pipeline before the last " / "."""
    pipeline, slash, stage = name.rpartition(" / ")
    return [("", name), *([(pipeline.strip(), stage.strip())] if slash and rule.pipeline else [])]


def _names(named: Sequence[Process | Stage]) -> str:
    return ", ".join(one.name for one in named)


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()
