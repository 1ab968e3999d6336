"""Rows of a table stand in the business process flows of the environment: instances as routes beside a record's own.

Which processes there are is known when the environment is asked, so these routes are made for each plan, never written to
the map. Each process of the environment has a table of its own; a route fills it.
Source: Microsoft Learn, "Work with business process flows using code".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from flitstack.mapping.maps import MapFile, Route, parse_column, parse_route
from flitstack.packs.processes import ProcessRule
from flitstack.staging.engine.engine import literal, quoted

# A new row whose processid is the empty GUID follows no process by itself: the platform would put it at the first stage of its
# first process. Source: the page above, "Apply business process flow while creating an entity record".
NO_PROCESS = str(UUID(int=0))
STAGE_INDEX = "process_stage"
RECORD_INDEX = "process_record"
NO_STAGE, NO_PIPELINE = "stage_without_process", "pipeline_without_process"
INACTIVE, FINISHED, ABORTED = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of a process."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Process:
    """An activated process. `table` holds its instances, `record` is their lookup to the record; `stages` in order."""

    id: str
    name: str
    table: str
    record: str
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class Following:
    """Which process a pipeline follows and which stage a stage is. `by_pipeline`: pipeline -> process, as people said; `default`:
    where neither that nor a process of the pipeline's own name decides; `by_stage`: (pipeline or "", stage) -> name of a stage."""

    rule: ProcessRule
    processes: tuple[Process, ...]
    by_pipeline: Mapping[str, Process]
    default: Process | None
    by_stage: Mapping[tuple[str, str], str]

    def process_sql(self) -> str:
        """Expression: table of the process that a record's pipeline follows, else NULL."""
        otherwise = literal(self.default.table) if self.default else "NULL"
        if not self.rule.pipeline:
            return otherwise
        own = [(name, one) for name, one in self.by_pipeline.items() if name]
        named = [*own, *((one.name, one) for one in self.processes)]
        return _case([(_same(self.rule.pipeline, name), literal(one.table)) for name, one in named], otherwise)

    def stage_sql(self, process: Process) -> str:
        """Expression: id of the stage of this process that a record's stage is, else NULL."""
        ids = {_folded(stage.name): stage.id for stage in process.stages}
        said = sorted(self.by_stage.items(), key=lambda entry: not entry[0][0])  # what names a pipeline goes first
        cases = [
            (self._is_stage(pipeline, stage), literal(ids[_folded(target)]))
            for (pipeline, stage), target in said
            if _folded(target) in ids
        ]
        cases += [(_same(self.rule.stage, stage.name), literal(stage.id)) for stage in process.stages]
        return _case(cases, "NULL")

    def _is_stage(self, pipeline: str, stage: str) -> str:
        same = _same(self.rule.stage, stage)
        return f"{_same(self.rule.pipeline, pipeline)} AND {same}" if pipeline else same


def with_processes(maps: Mapping[str, MapFile], following: Following) -> dict[str, MapFile]:
    """The maps with a route for each process beside those that fill the rule's table."""
    rule = following.rule
    file = maps.get(rule.object)
    if file is None:
        return dict(maps)
    routes: list[Route] = []
    for route in file.routes:
        if route.table != rule.table:
            routes.append(route)
            continue
        routes.append(_own(route, following))
        routes += [_beside(route, process, following) for process in following.processes]
    return {**maps, rule.object: replace(file, routes=tuple(routes))}


def _own(route: Route, following: Following) -> Route:
    """The record's own route: no process by itself, and a finding where the stage or the pipeline has no counterpart."""
    rule, process = following.rule, following.process_sql()
    ended = f"{_when(route, 'win')} OR {_when(route, 'lose')}"
    empty = {"from": literal(NO_PROCESS), "field": rule.stage, "verify": False}
    placed = " OR ".join(
        f"(({process}) = {literal(one.table)} AND ({following.stage_sql(one)}) IS NOT NULL)"
        for one in following.processes
    )
    nowhere = f"{_present(rule.stage)} AND NOT ({ended}) AND ({process}) IS NOT NULL AND NOT coalesce({placed}, FALSE)"
    checks: list[Mapping[str, Any]] = [
        {
            "code": NO_STAGE, "when": nowhere, "field": rule.stage, "outcome": "listed",
            "what": "the business process flow has no stage of this name: the row stands in no process",
            "do": f"name the stage it is under {rule.stages} in decisions.yaml, or add it to the process",
        },
    ]  # fmt: skip
    if rule.pipeline:
        checks.append({
            "code": NO_PIPELINE, "when": f"{_present(rule.stage)} AND ({process}) IS NULL", "field": rule.pipeline,
            "outcome": "listed", "what": "no active business process flow is called like this pipeline",
            "do": f"name its process under {rule.processes} in decisions.yaml",
        })  # fmt: skip
    return replace(
        route,
        matches={**route.matches, RECORD_INDEX: route.key or "_id"},
        columns={**route.columns, "processid": parse_column("processid", empty, route.line)},
        checks=(*route.checks, *checks),
    )


def _beside(route: Route, process: Process, following: Following) -> Route:
    """Instances of one process: where the record stands, how it came there, and how that ended.

    A won record has come to the last stage, for a process can be finished there alone; a lost one, whose stage in the source
    does not tell where it was lost, is aborted at the first. Where the stage has a counterpart, that is where it stands.
    """
    rule, first, last = following.rule, process.stages[0].id, process.stages[-1].id
    stage = following.stage_sql(process)
    won, lost = _when(route, "win"), _when(route, "lose")
    active = _case(
        [(won, f"coalesce({stage}, {literal(last)})"), (lost, f"coalesce({stage}, {literal(first)})")], stage
    )
    ids = [one.id for one in process.stages]
    paths = [(f"({active}) = {literal(id_)}", literal(",".join(ids[: n + 1]))) for n, id_ in enumerate(ids)]
    data = {
        "table": process.table,
        "name": f"process_{process.table}",
        "phase": route.phase,
        "also": True,
        "when": f"({following.process_sql()}) = {literal(process.table)} AND {_present(rule.stage)}",
        "key": route.key or "_id",
        "columns": {
            process.record: {
                "lookup": [{"table": rule.table, "via": RECORD_INDEX, "by": route.key or "_id"}],
                "missing": "skip",
                "field": rule.stage,
            },
            "activestageid": {
                "lookup": [{"table": "processstage", "via": STAGE_INDEX, "by": active}],
                "missing": "skip",
                "field": rule.stage,
            },
            "traversedpath": {"from": _case(paths, "NULL"), "field": rule.stage},
        },
        "states": [
            {"when": f"({won}) AND ({active}) = {literal(last)}", "state": INACTIVE, "status": FINISHED},
            {"when": f"NOT ({won}) AND ({lost})", "state": INACTIVE, "status": ABORTED},
        ],
    }
    return parse_route(route.object, data, route.line)


def stage_rows(processes: Sequence[Process]) -> list[tuple[str, str]]:
    """(key, row id) of the stages, for lookups: they are known by their ids."""
    return [(stage.id, stage.id) for process in processes for stage in process.stages]


def _when(route: Route, action: str) -> str:
    """Condition under which a record is closed this way."""
    named = [f"({state.get('when', 'TRUE')})" for state in route.states if state.get("action") == action]
    return f"coalesce({' OR '.join(named)}, FALSE)" if named else "FALSE"


def _same(field: str, name: str) -> str:
    return f"choice_key({quoted(field)}) = choice_key({literal(name)})"


def _present(field: str) -> str:
    return f"clean({quoted(field)}) IS NOT NULL"


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()


def _case(cases: Sequence[tuple[str, str]], otherwise: str) -> str:
    branches = " ".join(f"WHEN {condition} THEN {value}" for condition, value in cases)
    return f"CASE {branches} ELSE {otherwise} END" if cases else otherwise
