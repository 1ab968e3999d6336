"""One destination table: its send tables against what was read back, in both directions."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID

import pyarrow as pa

from flitstack.catalogue.types import Table
from flitstack.destinations.port import Destination
from flitstack.journal.journal import Journal
from flitstack.planning.document import Plan, SendTable
from flitstack.reconciling.comparing import (
    Comparison,
    compare_column,
    compare_content,
    compare_parties,
    compare_state,
)
from flitstack.reconciling.contents import register_digests
from flitstack.reconciling.document import ColumnResult, TableResult
from flitstack.reconciling.readback import CONTENT, as_uuid, read_back
from flitstack.staging.engine.engine import Engine, literal, read_parquet
from flitstack.staging.engine.findings import FindingsWriter

EXAMPLES_PER_COLUMN = 20
_SPECIAL = frozenset({"(state)", "(parties)", "(file)"})


@dataclass(frozen=True, slots=True)
class Landed:
    """What the journal knows. `known`: key map file by table (columns `digest`, `row`) of every row id ever given;
    `rejected`: rows the destination refused, by table."""

    known: Mapping[str, Path] = field(default_factory=dict)
    rejected: Mapping[str, Collection[UUID]] = field(default_factory=dict)

    @classmethod
    def of(cls, journal: Journal) -> "Landed":
        """From an environment's journal."""
        known = {table: path for table in journal.keymap_tables() if (path := journal.keymap_path(table)) is not None}
        rejected: dict[str, set[UUID]] = {}
        for table, row in journal.state.refusals:
            rejected.setdefault(table, set()).add(UUID(bytes=row))
        return cls(known, rejected)


@dataclass(frozen=True, slots=True)
class Place:
    """Where things stand: the plan's folder (send tables), a folder for read-backs, examples wanted a column.

    `kept`: Parquet ("table", row, column) of cells that are known to be Dynamics' own after a delta, "(row)" for rows
    that somebody deleted there: recorded, so no differences.
    """

    plan: Path
    scratch: Path
    examples: int = EXAMPLES_PER_COLUMN
    kept: Path | None = None


async def reconcile_table(
    plan: Plan,
    sends: Sequence[SendTable],
    live: Table,
    destination: Destination,
    engine: Engine,
    findings: FindingsWriter,
    landed: Landed,
    place: Place,
) -> list[TableResult]:
    """Compare all send tables of one destination table; one result a send table (so a phase keeps its own counts).

    Rows that are too many belong to the first result. Examples of differences go to `findings`.
    """
    source_key = f"{plan.prefix}_sourcekey" if live.column(f"{plan.prefix}_sourcekey") else ""
    back = place.scratch / f"{live.name}.parquet"
    files = read_parquet((place.plan / send.parquet for send in sends), "union_by_name = true")
    wanted = f"SELECT _row FROM {files}"
    reads_all = source_key if plan.kind != "sample" else ""
    await read_back(destination, engine, live, columns_to_read(sends, live), wanted, reads_all, back)
    _register_rejected(engine, landed.rejected.get(live.name, ()))
    results = []
    for send in sends:
        is_update = any(step.kind == "update" and step.send == send.name for step in plan.steps)
        results.append(_compare(plan, send, live, back, engine, findings, place, is_update=is_update))
    extra = _extra_rows(engine, live, back, wanted, landed, findings, place) if reads_all else 0
    return [replace(results[0], extra=extra), *results[1:]] if extra else results


def comparisons_of(send: SendTable, live: Table, *, is_update: bool) -> list[Comparison]:
    """What is compared for a send table, columns first."""
    found = []
    for sent in send.columns:
        column = live.column(sent.read_back)
        if sent.verify and column is not None and column.readable:
            found.append(compare_column(live, sent, column, is_update=is_update))
    if send.has_states and live.states:
        found.append(compare_state(live))
    if send.has_parties:
        found.append(compare_parties())
    if send.has_files and live.name in CONTENT:
        found.append(compare_content(CONTENT[live.name]))
    return found


def columns_to_read(sends: Sequence[SendTable], live: Table) -> list[str]:
    """Columns that the comparisons of these send tables look at."""
    names: dict[str, None] = {}
    for send in sends:
        for sent in send.columns:
            column = live.column(sent.read_back)
            if sent.verify and column is not None and column.readable:
                names[sent.read_back] = None
        if send.has_states and live.states:
            names |= {"statecode": None, "statuscode": None}
        if send.has_parties:
            names["_parties"] = None
        if send.has_files and live.name in CONTENT:
            names[CONTENT[live.name]] = None
    return list(names)


def _register_rejected(engine: Engine, rejected: Collection[UUID]) -> None:
    ids = pa.table({"id": pa.array([str(row) for row in rejected], pa.string())})
    engine.connection.register("rejected_ids", ids)
    engine.run("CREATE OR REPLACE TEMP TABLE rejected_rows AS SELECT CAST(id AS UUID) AS _row FROM rejected_ids")
    engine.connection.unregister("rejected_ids")


def _compare(
    plan: Plan,
    send: SendTable,
    live: Table,
    back: Path,
    engine: Engine,
    findings: FindingsWriter,
    place: Place,
    *,
    is_update: bool,
) -> TableResult:
    comparisons = comparisons_of(send, live, is_update=is_update)
    source = meant_rows(plan, send, live, engine, place, read_parquet(place.plan / send.parquet))
    flags = "".join(
        f", {c.same} OR list_contains(coalesce(e._kept, []), {literal(c.name)}) AS same_{n}"
        f", {is_meant(send, c.name)}{_unless_refused(send)} AS meant_{n}"
        for n, c in enumerate(comparisons)
    )
    both = f"""(SELECT * FROM {source} WHERE NOT list_contains(coalesce(_kept, []), '(row)')) e
        LEFT JOIN {read_parquet(back)} a ON {as_uuid("a._row")} = e._row
        LEFT JOIN rejected_rows r ON r._row = e._row"""
    engine.run(
        f"""
        CREATE OR REPLACE TEMP TABLE compared AS
        SELECT e._row, a._row IS NOT NULL AS is_there, r._row IS NOT NULL AS is_rejected {flags} FROM {both}
        """
    )
    counts = "".join(
        f", count(*) FILTER (WHERE is_there AND meant_{n}), count(*) FILTER (WHERE is_there AND meant_{n} AND NOT same_{n})"
        for n in range(len(comparisons))
    )
    planned, there, rejected, *cells = engine.one(
        f"""SELECT count(*), count(*) FILTER (WHERE is_there),
                   count(*) FILTER (WHERE is_rejected AND NOT is_there) {counts} FROM compared"""
    )
    compared_cells, different = cells[::2], cells[1::2]
    missing = planned - there - rejected
    if missing:
        _list_missing(findings, live, both, place)
    for n, comparison in enumerate(comparisons):
        if different[n]:
            _list_differences(findings, live, comparison, both, f"c.meant_{n} AND NOT c.same_{n}", place)
    engine.run("DROP TABLE compared")
    columns = tuple(ColumnResult(c.name, c.field, compared_cells[n], different[n]) for n, c in enumerate(comparisons))
    compared = {comparison.name for comparison in comparisons}
    unreadable = tuple(sent.name for sent in send.columns if sent.name not in compared)
    return TableResult(live.name, send.phase, send.objects, planned, there, rejected, missing, 0, columns, unreadable)


def meant_rows(plan: Plan, send: SendTable, live: Table, engine: Engine, place: Place, rows: str) -> str:
    """The relation `rows` of a send table with what comparisons need besides: `_sha256` of files, `_kept` columns."""
    if send.has_files and live.name in CONTENT:
        register_digests(engine, Path(plan.export), plan.kept, rows)
        rows = f"(SELECT s.*, d.sha256 AS _sha256 FROM {rows} s LEFT JOIN content_digests d ON d.path = s._content)"
    return f"(SELECT s.*, k._kept FROM {rows} s LEFT JOIN ({_kept(place, live)}) k ON k._kept_row = s._row)"


def is_meant(send: SendTable, name: str) -> str:
    """SQL: whether a cell is to be as the record has it; of a row that was there before only what we were to write."""
    return f"list_contains(e._changed, {literal(name)})" if send.was_there else "TRUE"


def _unless_refused(send: SendTable) -> str:
    # A row that was there before us stands there without what was refused: it is told as rejected, not as different.
    return " AND r._row IS NULL" if send.was_there else ""


def _kept(place: Place, live: Table) -> str:
    """SELECT _kept_row, _kept: the columns of each row that are known to be Dynamics' own."""
    if place.kept is None:
        return "SELECT NULL::UUID AS _kept_row, NULL::VARCHAR[] AS _kept WHERE FALSE"
    return f"""SELECT "row" AS _kept_row, list("column") AS _kept FROM {read_parquet(place.kept)}
        WHERE "table" = {literal(live.name)} GROUP BY "row" """


_WHERE_FROM = "e._object AS object, e._file AS file, e._record AS record, e._line AS line"


def _list_missing(findings: FindingsWriter, live: Table, both: str, place: Place) -> None:
    findings.add_sql(
        f"""SELECT 'row_missing' AS code, {_WHERE_FROM}, '' AS field, 'listed' AS outcome, '' AS shape,
                   {literal(f"its row of {live.name} is not in the destination: ")} || e._row AS what,
                   'look in Dynamics who deleted it, or run `flitstack retry`' AS "do"
            FROM {both} WHERE a._row IS NULL AND r._row IS NULL ORDER BY e._file, e._line LIMIT {place.examples}"""
    )


def _list_differences(
    findings: FindingsWriter, live: Table, comparison: Comparison, both: str, differs: str, place: Place
) -> None:
    """Examples of one column, values as shapes."""
    column = comparison.name if comparison.name in _SPECIAL else f"{live.name}.{comparison.name}"
    actual, expected = (
        f"coalesce(shape(left(CAST({text} AS VARCHAR), 200)), '(empty)')"
        for text in (comparison.actual, comparison.expected)
    )
    findings.add_sql(
        f"""SELECT 'cell_differs' AS code, {_WHERE_FROM}, {literal(comparison.field or comparison.name)} AS field,
                   'listed' AS outcome, {actual} AS shape,
                   {literal(f"{column} of row ")} || e._row || ' is ' || {actual}
                       || ', expected ' || {expected} AS what,
                   'somebody may have edited the row in Dynamics: look there, then decide which value is right' AS "do"
            FROM {both} JOIN compared c ON c._row = e._row
            WHERE c.is_there AND {differs} ORDER BY e._file, e._line LIMIT {place.examples}"""
    )


def _extra_rows(
    engine: Engine, live: Table, back: Path, wanted: str, landed: Landed, findings: FindingsWriter, place: Place
) -> int:
    """Rows with our source key that neither this plan nor any earlier one made."""
    known = landed.known.get(live.name)
    also = f' UNION ALL SELECT "row" FROM {read_parquet(known)}' if known is not None else ""
    engine.run(
        f"""CREATE OR REPLACE TEMP TABLE extra_rows AS
            SELECT {as_uuid("a._row")} AS _row FROM {read_parquet(back)} a
            WHERE {as_uuid("a._row")} NOT IN (SELECT _row FROM ({wanted}{also}) WHERE _row IS NOT NULL)"""
    )
    count = int(engine.one("SELECT count(*) FROM extra_rows")[0])
    if count:
        findings.add_sql(
            f"""SELECT 'row_extra' AS code, '' AS object, '' AS file, CAST(_row AS VARCHAR) AS record, NULL AS line,
                       '' AS field, 'listed' AS outcome, '' AS shape,
                       {literal(f"a row of {live.name} carries our source key, but no record became it")} AS what,
                       'look in Dynamics where it comes from; delete it there if it is a leftover' AS "do"
                FROM extra_rows ORDER BY _row LIMIT {place.examples}"""
        )
    engine.run("DROP TABLE extra_rows")
    return count
