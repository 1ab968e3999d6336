"""Runs the confirmed map: the records of one deduped snapshot become mapped tables, set-wise."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import duckdb

from flitstack.documents import save_json
from flitstack.errors import Problem, StepFailed, UsageError
from flitstack.mapping.compile import Compiler, active_routes, compile_object, open_scope, refuse
from flitstack.mapping.context import MapContext, Merged
from flitstack.mapping.derived import add_derived, derived_order
from flitstack.mapping.document import MappingDocument
from flitstack.mapping.files import open_files
from flitstack.mapping.finish import finish_route
from flitstack.mapping.indexes import Indexes
from flitstack.mapping.lookups import early
from flitstack.mapping.maps import MapFile, open_proposals
from flitstack.mapping.program import Program
from flitstack.mapping.resolve import HELD, list_found, open_holds, resolve_route
from flitstack.mapping.routing import route_records
from flitstack.mapping.tags import gather_vocabularies, tag_routes
from flitstack.packs.types import Pack
from flitstack.staging.engine.engine import Engine, literal, quoted, read_parquet
from flitstack.staging.engine.findings import FindingsWriter


@dataclass
class Records:
    """Views over the records of each object: merged (what is mapped) and as they were before merging."""

    merged: dict[str, str] = field(default_factory=dict)
    originals: dict[str, str] = field(default_factory=dict)
    fields: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Run:
    """One run of the map. `survivors`: the survivor map; `scratch` goes when it ends, `work` becomes the folder."""

    maps: Mapping[str, MapFile]
    pack: Pack
    engine: Engine
    context: MapContext
    records: Records
    programs: Sequence[Program]
    survivors: Path
    scratch: Path
    work: Path
    findings: FindingsWriter


def run_map(
    maps: Mapping[str, MapFile],
    pack: Pack,
    deduped: Merged,
    deduped_folder: Path,
    engine: Engine,
    context: MapContext,
    folder: Path,
    findings: FindingsWriter,
) -> MappingDocument:
    """Write the mapped tables and `document.json` to `folder`, replacing what was there; findings to `findings`.

    Raises UsageError with every mistake of the map, StepFailed when an expression fails on a record.
    """
    scratch, work = engine.scratch / "mapping", folder.with_name(f".{folder.name}.{os.getpid()}")
    for path in (scratch, work):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
    try:
        records = open_records(engine, pack, deduped, deduped_folder, context)
        programs = compile_maps(maps, pack, engine, context, records)
        survivors = (deduped_folder / deduped.survivors).resolve()
        run = _Run(maps, pack, engine, context, records, programs, survivors, scratch, work, findings)
        document = _run(run)
        save_json(work / "document.json", document)
        _swap(work, folder)
    except duckdb.Error as error:
        raise StepFailed(_failed(error, folder)) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(work, ignore_errors=True)
    return document


def open_records(engine: Engine, pack: Pack, deduped: Merged, deduped_folder: Path, context: MapContext) -> Records:
    """Lay views over the merged and the staged tables; fields that no file has are NULL."""
    records = Records()
    staged = context.staged or deduped_folder.parent / "staged"
    for number, (name, table) in enumerate(deduped.tables.items()):
        path = (deduped_folder / table.parquet).resolve()
        records.merged[name], records.fields[name] = _view(engine, pack, name, path, f"map_records_{number}")
        original = (staged / f"{name}.parquet").resolve()
        if table.merged and original.exists():
            records.originals[name], _ = _view(engine, pack, name, original, f"map_originals_{number}")
    _derive(engine, pack, records, context)
    return records


def _derive(engine: Engine, pack: Pack, records: Records, context: MapContext) -> None:
    """Add the derived fields, each after those it reads."""
    scratch = engine.scratch / "mapping"
    scratch.mkdir(parents=True, exist_ok=True)
    for name, fields in derived_order(pack):
        if name not in records.merged:
            continue
        scopes = {each: open_scope(pack, each, known, context) for each, known in records.fields.items()}
        records.merged[name] = add_derived(engine, pack, name, records.merged, scopes, fields, scratch)
        records.fields[name] = (*records.fields[name], *fields)
        if name in records.originals:
            blanks = "".join(f", NULL::VARCHAR AS {quoted(field)}" for field in fields)
            original = f"{records.originals[name]}_derived"
            engine.run(f"CREATE OR REPLACE TEMP VIEW {original} AS SELECT *{blanks} FROM {records.originals[name]}")
            records.originals[name] = original


def compile_maps(
    maps: Mapping[str, MapFile], pack: Pack, engine: Engine, context: MapContext, records: Records
) -> list[Program]:
    """Programs of the routes that these decisions leave standing, whose objects are in the snapshot.

    Raises UsageError with every mistake.
    """
    problems: list[Problem] = []
    here = {name: file for name, file in maps.items() if name in records.merged}
    active = active_routes(here, pack, context, records.fields)
    tables = frozenset(here[name].routes[number].table for name, numbers in active.items() for number in numbers)
    programs: list[Program] = []
    for name, file in here.items():
        fields = records.fields[name]
        scope = open_scope(pack, name, fields, context)
        compiler = Compiler(engine, pack, context, file, records.merged[name], scope, problems, {}, tables)
        programs += compile_object(compiler, active.get(name, []), fields)
    refuse(problems)
    return order_programs(programs)


def order_programs(programs: Sequence[Program]) -> list[Program]:
    """Each route after those its deciding lookups lead to, and after the route it comes beside.

    Raises UsageError when routes hold each other back in a circle.
    """
    by_name = {program.name: program for program in programs}
    edges: dict[str, list[str]] = {}
    for program in programs:
        ways = [*program.unless, *(way for plan in early(program) for way in plan.ways)]
        targets = {(table, way.via) for way in ways if not way.is_live for table in way.tables}
        # A list in the maps' order: the order of the plan, which people approve, must be the same in every process.
        edges[program.name] = [
            other.name
            for other in programs
            if (
                any((other.route.table, via) in targets for via in other.matches)
                and not (other is program and program.unless)
            )
            or (_is_beside(program) and other.route.object == program.route.object and other.is_primary)
        ]
    try:
        return [by_name[name] for name in TopologicalSorter(edges).static_order()]
    except CycleError as error:
        names = " -> ".join(error.args[1])
        raise UsageError(
            Problem(
                "lookup-circle",
                f"routes that hold a record without its parent wait for each other: {names}",
                where=f"mapping/{by_name[error.args[1][0]].route.object}.yaml",
                do="set missing: blank on one of these lookups; it is then set in a second pass",
            )
        ) from error


def _is_beside(program: Program) -> bool:
    """Whether a route waits to know which of its object's records are held."""
    return program.route.also and not program.route.distinct


def _run(run: _Run) -> MappingDocument:
    engine = run.engine
    open_files(engine, run.context.attachments, run.context.export)
    open_holds(engine)
    left = _route_all(run)
    indexes = Indexes(engine, run.context, run.programs, run.scratch, run.survivors, run.records.originals)
    for program in run.programs:
        path = run.scratch / f"{program.name}.parquet"
        resolve_route(engine, program, run.context, indexes, path)
        indexes.resolved[program.name] = path
        made = f"(SELECT * FROM {read_parquet(path)} WHERE NOT _is_skipped)"
        list_found(engine, run.findings, program, made)
    excluded = _list_unrouted(run, left)
    vocabularies = gather_vocabularies(engine, run.programs, run.pack, run.context, run.records.merged)
    routes = [
        finish_route(engine, program, run.context, indexes, vocabularies, run.work, run.findings)
        for program in run.programs
    ]
    tagged, links = tag_routes(engine, run.programs, vocabularies, run.pack, run.context, run.work)
    held = engine.rows(f"SELECT object, count(DISTINCT n) FROM {HELD} GROUP BY object ORDER BY object")
    return MappingDocument(
        routes=(*tagged, *routes),
        held={str(name): int(count) for name, count in held},
        excluded=excluded,
        map_sha256={name: file.sha256 for name, file in sorted(run.maps.items())},
        links=links,
        proposed=_proposed(run.maps),
        at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _failed(error: duckdb.Error, folder: Path) -> Problem:
    return Problem(
        "map-failed",
        f"the engine could not run the map: {str(error).splitlines()[0]}",
        where=str(folder),
        do="correct the expression that it names; where a cast does not bear a record's value, use TRY_CAST",
    )


def _route_all(run: _Run) -> dict[str, str]:
    """Settle which records each route takes; returns, by object, the condition of those left over."""
    left = {}
    for name, view in run.records.merged.items():
        mine = [program for program in run.programs if program.route.object == name]
        left[name] = route_records(run.engine, mine, view, run.scratch / f"routed_{name}.parquet")
    return left


def _list_unrouted(run: _Run, left: Mapping[str, str]) -> dict[str, int]:
    """Records that no route takes: held where the map says so, merged where another row carries what they say, else
    excluded by rule. Returns the excluded by object."""
    excluded: dict[str, int] = {}
    for name, file in run.maps.items():
        view = run.records.merged.get(name)
        if view is None:
            continue
        given = file.unrouted or {}
        outcome = str(given.get("outcome", "held")) if given else "excluded"
        code, shown = str(given.get("code", "out_of_scope")), str(given.get("field", ""))
        condition = left[name] + _without_rows(run, name)
        shape = f"coalesce(shape({quoted(shown)}), '')" if shown in run.records.fields[name] else "''"
        what = str(given.get("what", "no route of the map takes this record"))
        do = str(given.get("do", f"add a route to {file.path.name}, or nothing"))
        count = run.findings.add_sql(
            f"""SELECT {literal(code)} AS code, {literal(name)} AS object, _file AS file, _id AS record, _line AS line,
                {literal(shown)} AS field, {literal(outcome)} AS outcome, {shape} AS shape, {literal(what)} AS what,
                {literal(do)} AS "do" FROM {view} WHERE {condition}"""
        )
        if outcome == "held":
            run.engine.run(f"INSERT INTO {HELD} SELECT {literal(name)}, _n FROM {view} WHERE {condition}")
        elif count and outcome == "excluded":
            excluded[name] = count
    return excluded


def _without_rows(run: _Run, name: str) -> str:
    """Of an object whose routes all make rows beside its records (a schedule's sessions): only records that have none."""
    mine = [program for program in run.programs if program.route.object == name]
    if not mine or any(program.is_primary for program in mine):
        return ""
    files = read_parquet((run.scratch / f"{program.name}.parquet" for program in mine), "union_by_name = true")
    return (
        f" AND NOT EXISTS (SELECT 1 FROM {files} made"
        " WHERE made._file = _file AND made._record = _id AND made._line IS NOT DISTINCT FROM _line)"
    )


def _proposed(maps: Mapping[str, MapFile]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for entry in open_proposals(maps):
        name = entry.partition(".")[0]
        counts[name] = counts.get(name, 0) + 1
    return counts


def _view(engine: Engine, pack: Pack, name: str, path: Path, view: str) -> tuple[str, tuple[str, ...]]:
    source = read_parquet(path, "file_row_number = true")
    present = [str(row[0]) for row in engine.rows(f"DESCRIBE SELECT * FROM {source}")]
    columns = [c for c in present if c not in {"_file", "_record", "_line", "_id", "file_row_number"}]
    known = {column.casefold() for column in columns}
    declared = pack.objects[name].fields if name in pack.objects else {}
    absent = [column for column in declared if column.casefold() not in known]
    blanks = "".join(f", NULL::VARCHAR AS {quoted(column)}" for column in absent)
    listed = "".join(f", {quoted(column)}" for column in columns)
    engine.run(
        f"CREATE OR REPLACE TEMP VIEW {view} AS SELECT file_row_number AS _n, _file, _record, _line, _id{listed}{blanks} FROM {source}"
    )
    return view, (*columns, *absent)


def _swap(work: Path, folder: Path) -> None:
    """Put the finished tables in place of the ones before."""
    before = folder.with_name(f".{folder.name}.before")
    shutil.rmtree(before, ignore_errors=True)
    if folder.exists():
        folder.rename(before)
    work.rename(folder)
    shutil.rmtree(before, ignore_errors=True)
