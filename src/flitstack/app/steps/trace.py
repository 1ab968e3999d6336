"""`flitstack trace TABLE ID COLUMN`: from a cell of the destination back to the cells of the export it was made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flitstack.app.local import open_engine, open_journal
from flitstack.app.project import Project
from flitstack.app.result import Result
from flitstack.app.rounds import everything
from flitstack.app.running import run_async
from flitstack.app.store import (
    deduped_folder,
    load_dedupe,
    load_mapping,
    load_plan,
    load_staging,
    mapped_folder,
    plan_folder,
    staged_folder,
)
from flitstack.app.subjects import plan_missing
from flitstack.app.trace_lines import trace_lines
from flitstack.app.wiring import open_destination
from flitstack.deduping.document import DedupeDocument
from flitstack.errors import Problem, UsageError, shape_of
from flitstack.journal.audit import runs
from flitstack.journal.frames import Operation, Status
from flitstack.journal.journal import Journal
from flitstack.loading.rows import make_done_view
from flitstack.mapping.document import MappedColumn, MappedRoute
from flitstack.mapping.expressions import ExpressionError, fields_of
from flitstack.mapping.maps import ColumnRule, MapFile, Route, read_maps
from flitstack.planning.document import Plan, SendTable
from flitstack.planning.schema import source_id_column, source_key_column
from flitstack.staging.document import StagingDocument
from flitstack.staging.engine.engine import Engine, literal, quoted, read_parquet


@dataclass(frozen=True)
class Tracing:
    """What tracing one cell reads. `plan`: with every send table that stands for rows of ours; `shows`: values as they are; else
    as shapes, since they may be personal."""

    project: Project
    engine: Engine
    plan: Plan
    staged: StagingDocument
    deduped: DedupeDocument
    shows: bool

    def told(self, value: Any) -> str | None:
        """A value as it may be printed."""
        if value is None:
            return None
        return str(value) if self.shows else shape_of(str(value), 60)


def trace(project: Project, table: str, row: str, column: str, *, shows_values: bool) -> Result:
    """Every station of one cell. Raises UsageError when table, row or column are not of this project's plan."""
    plan, staged, deduped = load_plan(project), load_staging(project), load_dedupe(project)
    if plan is None or staged is None or deduped is None:
        raise UsageError(plan_missing())
    row_id = _row_id(row)
    with open_engine(project) as engine, open_journal(project, write=False) as journal:
        this = Tracing(project, engine, everything(project, plan), staged, deduped, shows_values)
        send, origin = _origin(this, table, row_id)
        route, mapped = _mapped(this, table, column, origin["digest"])
        document: dict[str, Any] = {
            "table": table, "row": str(row_id), "column": column, "object": origin["object"],
            "file": origin["file"], "record": origin["record"], "line": origin["line"],
        }  # fmt: skip
        document["planned"] = _planned(this, send, row_id, column)
        document |= _rule(this, send, origin["object"], route, mapped, column)
        document["cells"] = _cells(this, origin["object"], origin["record"], document.pop("fields"))
        document["merged"] = _merged(this, origin["object"], origin["record"])
        make_done_view(engine, journal)
        document["operations"] = _operations(engine, journal, row_id)
    document["destination"] = run_async(_live(this, table, row_id, column), plan.url)
    return Result(document, tuple(trace_lines(document)))


def _row_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        problem = Problem("row-id-wrong", f"{text!r} is no row id", do="give the row's GUID, as its URL shows it")
        raise UsageError(problem) from error


def _origin(this: Tracing, table: str, row: UUID) -> tuple[SendTable, dict[str, Any]]:
    """The send table that holds the row, and where its record stands."""
    for send in this.plan.tables:
        if send.table == table:
            source = read_parquet(plan_folder(this.project) / send.parquet)
            found = this.engine.rows(
                f"SELECT _digest, _object, _file, _record, _line FROM {source} WHERE _row = ?", [str(row)]
            )
            if found:
                return send, dict(zip(("digest", "object", "file", "record", "line"), found[0], strict=True))
    known = ", ".join(sorted({send.table for send in this.plan.tables}))
    raise UsageError(
        Problem(
            "row-not-ours",
            f"the plan makes no row {row} of {table}",
            known=f"tables of the plan: {known}",
            do="check the id; rows of an earlier plan are named in: flitstack audit --export FILE",
        )
    )


def _mapped(
    this: Tracing, table: str, column: str, digest: str
) -> tuple[MappedRoute | None, tuple[MappedColumn, Any] | None]:
    """The route that made the row, and the column with its mapped value, if the map fills it."""
    mapping = load_mapping(this.project)
    for route in mapping.routes if mapping else ():
        if route.table != table:
            continue
        source = read_parquet(mapped_folder(this.project) / route.parquet)
        if not this.engine.rows(f"SELECT 1 FROM {source} WHERE _digest = ?", [digest]):
            continue
        for one in route.columns:
            if one.name == column:
                names = [str(r[0]) for r in this.engine.rows(f"DESCRIBE SELECT * FROM {source}")]
                name = column if column in names else f"{column}__email"
                value = this.engine.one(f"SELECT {quoted(name)} FROM {source} WHERE _digest = ?", [digest])[0]
                return route, (one, value)
        return route, None
    return None, None


def _planned(this: Tracing, send: SendTable, row: UUID, column: str) -> dict[str, Any]:
    """What the plan sends; of a lookup also the record that its target came from."""
    source = read_parquet(plan_folder(this.project) / send.parquet)
    sent = next((one for one in send.columns if column in {one.name, one.read_back}), None)
    if sent is None:
        return {"value": None, "sent": False}
    value = this.engine.one(f"SELECT {quoted(sent.name)} FROM {source} WHERE _row = ?", [str(row)])[0]
    planned: dict[str, Any] = {
        "value": str(value) if sent.is_lookup and value else this.told(value),
        "sent": True,
        "type": sent.type,
    }
    if (
        send.was_there
        and not this.engine.one(
            f"SELECT list_contains(_changed, {literal(sent.name)}) FROM {source} WHERE _row = ?", [str(row)]
        )[0]
    ):
        planned |= {"sent": False, "kept": "the row was in the environment before: what it holds here stays"}
    if sent.second_pass:
        planned["later"] = "sent by a second pass, after the row it points to"
    if sent.is_lookup and value is not None:
        planned["target"] = _target(this, UUID(str(value)))
    return planned


def _target(this: Tracing, row: UUID) -> dict[str, Any] | None:
    for send in this.plan.tables:
        source = read_parquet(plan_folder(this.project) / send.parquet)
        found = this.engine.rows(f"SELECT _object, _file, _record, _line FROM {source} WHERE _row = ?", [str(row)])
        if found:
            return {"table": send.table, **dict(zip(("object", "file", "record", "line"), found[0], strict=True))}
    return None


def _rule(
    this: Tracing,
    send: SendTable,
    object_name: str,
    route: MappedRoute | None,
    mapped: tuple[MappedColumn, Any] | None,
    column: str,
) -> dict[str, Any]:
    """Map file and line, the expression as written and as run, choices, lookups; `fields` are the source fields read."""
    prefix = this.plan.prefix
    made = {source_key_column(prefix): "md5 of the source key", source_id_column(prefix): "the source key as text"}
    if column in made:
        return {"rule": {"made_by": "planning", "what": made[column]}, "fields": ()}
    file = read_maps(this.project.maps).get(object_name)
    written = _written(file, route.name if route else "", send.table)
    if file is not None and written is None and route is not None:
        # A route that each plan makes of what it finds in the environment (mapping/processes.py).
        fields = _read_fields(this, object_name, mapped[0], None) if mapped else ()
        return {"rule": {"made_by": "planning", "what": "where the record stands in the process"}, "fields": fields}
    if file is None or written is None:
        return {"rule": None, "fields": ()}
    number, found = written
    if mapped is None:
        return _rule_beside(file, number, found, column)
    described, value = mapped
    rule = found.columns.get(column)
    document: dict[str, Any] = {
        "made_by": "map", "route": found.name, "kind": described.kind, "run": described.sql, "value": this.told(value),
        "where": file.at("routes", number, "columns", column),
    }  # fmt: skip
    if rule is not None:
        document |= _written_parts(rule)
    return {"rule": document, "fields": _read_fields(this, object_name, described, rule)}


def _written(file: MapFile | None, name: str, table: str) -> tuple[int, Route] | None:
    routes = list(enumerate(file.routes)) if file else []
    named = [(n, route) for n, route in routes if route.table == table and (not name or route.name == name)]
    return named[0] if named else None


def _rule_beside(file: MapFile, number: int, route: Route, column: str) -> dict[str, Any]:
    """A column the route fills by other means than a column rule."""
    if column in {"statecode", "statuscode"} and route.states:
        where = file.at("routes", number, "states")
        return {"rule": {"made_by": "states", "where": where, "states": list(route.states)}, "fields": ()}
    return {"rule": {"made_by": "nobody", "what": "the map does not fill this column"}, "fields": ()}


def _written_parts(rule: ColumnRule) -> dict[str, Any]:
    parts: dict[str, Any] = {"from": rule.source, "status": rule.status}
    if rule.choices:
        parts["choices"] = dict(rule.choices)
    if rule.otherwise:
        parts["otherwise"] = rule.otherwise
    if rule.alternatives:
        parts["lookups"] = [
            {"tables": list(one.tables), "via": one.via, "by": one.by or one.each, "when": one.when}
            for one in rule.alternatives
        ]
    return parts


def _read_fields(this: Tracing, object_name: str, described: MappedColumn, rule: ColumnRule | None) -> tuple[str, ...]:
    """Source fields that the column reads."""
    staged = this.staged.tables.get(object_name)
    known = [field.name for field in staged.fields] if staged else []
    texts = [rule.source, *(text for one in rule.alternatives for text in (one.by, one.each))] if rule else []
    found = [name.strip() for name in described.field.split(",")]
    for text in texts:
        if text:
            found += _fields(text, known)
    return tuple(name for name in dict.fromkeys(found) if name in known)


def _fields(text: str, known: Sequence[str]) -> tuple[str, ...]:
    try:
        return fields_of(text, known)
    except ExpressionError:
        return (text,)  # the name of a field that is no identifier stands for itself


def _cells(this: Tracing, object_name: str, record: str, fields: Sequence[str]) -> list[dict[str, Any]]:
    """The cells of the export: of the record itself or of one merged into it, with their place and text."""
    staged = this.staged.tables.get(object_name)
    if staged is None or not fields:
        return []
    source = read_parquet(staged_folder(this.project) / staged.parquet)
    origins = read_parquet(deduped_folder(this.project) / this.deduped.sources)
    given = dict(
        this.engine.rows(
            f"SELECT field, from_id FROM {origins} WHERE object = ? AND survivor_id = ?",
            [object_name, record],
        )
    )
    headers = {field.name: field.header for field in staged.fields}
    cells = []
    for name in fields:
        from_id = given.get(name, record)
        for file, number, line, value in this.engine.rows(
            f"SELECT _file, _record, _line, {quoted(name)} FROM {source} WHERE _id = ?", [from_id]
        ):
            cells.append(
                {
                    "file": file, "record": from_id, "number": number, "line": line, "field": name,
                    "header": headers.get(name, name), "value": this.told(value), "merged_in": from_id != record,
                }
            )  # fmt: skip
    return cells


def _merged(this: Tracing, object_name: str, record: str) -> list[dict[str, Any]]:
    survivors = read_parquet(deduped_folder(this.project) / this.deduped.survivors)
    rows = this.engine.rows(
        f"SELECT loser_file, loser_id, loser_line, rule FROM {survivors} WHERE object = ? AND survivor_id = ?"
        " ORDER BY ALL",
        [object_name, record],
    )
    return [dict(zip(("file", "record", "line", "rule"), row, strict=True)) for row in rows]


def _operations(engine: Engine, journal: Journal, row: UUID) -> list[dict[str, Any]]:
    operators = {run.number: run.operator for run in runs(journal)}
    rows = engine.rows(
        "SELECT operation, status, run, strftime(make_timestamp(at_ms * 1000), '%Y-%m-%dT%H:%M:%SZ') FROM journal_rows "
        'WHERE "row" = ? ORDER BY batch',
        [str(row)],
    )
    return [
        {
            "operation": Operation(operation).name.lower(), "outcome": Status(status).name.lower(), "run": run,
            "at": at, "operator": operators.get(run, ""),
        }
        for operation, status, run, at in rows
    ]  # fmt: skip


async def _live(this: Tracing, table: str, row: UUID, column: str) -> dict[str, Any]:
    """What the destination holds now."""
    destination = open_destination(this.project)
    try:
        described = await destination.table(table)
        found = described.columns.get(column) if described else None
        if described is None or found is None:
            return {"known": False, "exists": False, "value": None}
        columns = [column] if found.readable else []
        async for batch in destination.rows(described, columns, ids=[row]):
            for one in batch.to_pylist():
                value = one.get(column)
                if isinstance(value, bytes):
                    return {"known": True, "exists": True, "value": str(UUID(bytes=value))}
                return {"known": True, "exists": True, "value": this.told(value)}
        return {"known": True, "exists": False, "value": None}
    finally:
        await destination.close()
