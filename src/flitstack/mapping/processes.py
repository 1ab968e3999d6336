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
    """An activated process. `table` holds its instances, `record` is their lookup to the record; `stages` of the record's table
    in order. `goes_on`: stages of other tables follow, so that it cannot be finished here."""

    id: str
    name: str
    table: str
    record: str
    stages: tuple[Stage, ...]
    goes_on: bool = False


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
        named = [(name, one) for name, one in self.by_pipeline.items() if name]
        named += [(one.name, one) for one in self.processes]
        found = _named([(_key(name), literal(one.table)) for name, one in named], _field_key(self.rule.pipeline))
        return f"coalesce({found}, {otherwise})"

    def place_sql(self, process: Process) -> str:
        """Expression: which stage of this process, from 1, a record's stage is, else NULL."""
        places = {_folded(stage.name): str(place) for place, stage in enumerate(process.stages, start=1)}
        said = [(*key, places[_folded(target)]) for key, target in self.by_stage.items() if _folded(target) in places]
        anywhere = [(_key(stage), place) for pipeline, stage, place in said if not pipeline]
        anywhere += [(_key(stage.name), places[_folded(stage.name)]) for stage in process.stages]
        found = _named(anywhere, _field_key(self.rule.stage))
        within = [(f"{_key(pipeline)} || '/' || {_key(stage)}", place) for pipeline, stage, place in said if pipeline]
        if not within or not self.rule.pipeline:
            return found
        both = f"{_field_key(self.rule.pipeline)} || '/' || {_field_key(self.rule.stage)}"
        return f"coalesce({_named(within, both)}, {found})"


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
        # Where records take one of several routes to the table, each has routes of its own beside it.
        suffix = f"_{route.name}" if sum(one.table == rule.table for one in file.routes) > 1 else ""
        routes += [_beside(route, process, following, suffix) for process in following.processes]
    return {**maps, rule.object: replace(file, routes=tuple(routes))}


def _own(route: Route, following: Following) -> Route:
    """The record's own route: no process by itself, and a finding where the stage or the pipeline has no counterpart."""
    rule, process = following.rule, following.process_sql()
    ended = f"{_when(route, 'win')} OR {_when(route, 'lose')}"
    empty = {"from": literal(NO_PROCESS), "field": rule.stage, "verify": False}
    lacks = [(literal(one.table), f"({following.place_sql(one)}) IS NULL") for one in following.processes]
    nowhere = f"{_present(rule.stage)} AND NOT ({ended}) AND coalesce({_named(lacks, process)}, FALSE)"
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


def _beside(route: Route, process: Process, following: Following, suffix: str) -> Route:
    """Instances of one process: where the record stands, how it came there, and how that ended.

    A won record has come to the last stage, for a process can be finished there alone; a lost one, whose stage in the source
    does not tell where it was lost, is aborted at the first. Where the stage has a counterpart, that is where it stands.
    """
    rule, last, place = following.rule, len(process.stages), following.place_sql(process)
    won, lost = _when(route, "win"), _when(route, "lose")
    reached = f"CASE WHEN {won} THEN coalesce({place}, {last}) WHEN {lost} THEN coalesce({place}, 1) ELSE {place} END"
    # All ids are of one length, so a place in the path is a place in its text.
    path, width = literal(",".join(stage.id for stage in process.stages)), len(NO_PROCESS)
    active = f"substring({path}, {width + 1} * ({reached}) - {width}, {width})"
    finished = {"when": f"({won}) AND coalesce({place}, {last}) = {last}", "state": INACTIVE, "status": FINISHED}
    data = {
        "table": process.table,
        "name": f"process_{process.table}{suffix}",
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
            "traversedpath": {"from": f"left({path}, {width + 1} * ({reached}) - 1)", "field": rule.stage},
        },
        "states": [
            *([] if process.goes_on else [finished]),
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


def _named(pairs: Sequence[tuple[str, str]], key: str) -> str:
    """Expression: the value beside the first of these keys that `key` is, else NULL. The key is worked out once a record."""
    keys, values = ", ".join(key for key, _ in pairs), ", ".join(value for _, value in pairs)
    return f"list_extract(list_value({values}), nullif(list_position(list_value({keys}), {key}), 0))"


def _key(name: str) -> str:
    return f"choice_key({literal(name)})"


def _field_key(field: str) -> str:
    return f"choice_key({quoted(field)})"


def _present(field: str) -> str:
    return f"clean({quoted(field)}) IS NOT NULL"


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()
