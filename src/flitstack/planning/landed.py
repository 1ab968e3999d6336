"""What a delta leaves where not all of it landed: a cell whose step was refused or never sent is what it was before.

Needs the temporary view `journal_rows`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from flitstack.journal.frames import Status
from flitstack.planning.changes import FILE, GROUPS, Side, columns_of, standing_rows
from flitstack.planning.document import Plan, SendTable, Step
from flitstack.staging.engine.engine import Engine, literal, quoted, read_parquet

_STATE = "(state)"
_MADE, _TAKEN = "+(links)", "-(links)"  # links that were to be made, and to be taken away
_CELL_OF = {"state": _STATE, "parties": "(parties)", "files": FILE, "associate": _MADE, "disassociate": _TAKEN}
_LINKS = 'STRUCT(relationship VARCHAR, "table" VARCHAR, id UUID)[]'


@dataclass(frozen=True, slots=True)
class Delta:
    """A delta with the folder of its send tables, and the journal's runs that carried it out."""

    plan: Plan
    folder: Path
    runs: Sequence[int]

    def steps(self, table: str) -> list[tuple[Step, SendTable]]:
        """Its steps that change rows of a table, in order; not those about rows that no record makes any more."""
        found = [(step, self.plan.send_table(step.send)) for step in self.plan.steps if step.send]
        return [
            (step, send) for step, send in found if send.table == table and send.is_change and send.phase == "changes"
        ]

    def landed(self, step: Step, send: SendTable) -> str:
        """Query ("row"): rows that a step landed."""
        return (
            f'SELECT "row" FROM journal_rows WHERE "table" = {literal(send.table)} AND step = {step.index} '
            f"AND status = {Status.LANDED} AND run IN ({', '.join(map(str, self.runs)) or '-1'})"
        )

    def rows(self, send: SendTable) -> str:
        """The rows of a send table."""
        return read_parquet(self.folder / send.parquet)


def find_undone(engine: Engine, delta: Delta, table: str) -> int:
    """Make the temporary table `undone_cells` (_row, cells): columns and groups of a table's rows of which a step did not land;
    returns the number of rows. A row goes through several states: the last one counts."""
    parts = []
    for step, send in delta.steps(table):
        cells = f"[{literal(_CELL_OF[step.kind])}]" if step.kind in _CELL_OF else "_changed"
        parts.append(
            f"""SELECT _row, unnest({cells}) AS cell, {step.index} AS step, j."row" IS NOT NULL AS has_landed
            FROM {delta.rows(send)} e LEFT JOIN (SELECT DISTINCT * FROM ({delta.landed(step, send)})) j ON j."row" = e._row"""
        )
    listed = (
        " UNION ALL ".join(parts) or "SELECT NULL::UUID AS _row, '' AS cell, 0 AS step, TRUE AS has_landed WHERE FALSE"
    )
    engine.run(
        f"""CREATE OR REPLACE TEMP TABLE undone_cells AS SELECT _row, list(cell ORDER BY cell) AS cells FROM (
            SELECT _row, cell FROM ({listed}) GROUP BY _row, cell HAVING NOT arg_max(has_landed, step)) GROUP BY _row"""
    )
    return int(engine.one("SELECT count(*) FROM undone_cells")[0])


def write_as_landed(
    engine: Engine, delta: Delta, wanted: Side, send: SendTable, before: Sequence[Side], target: Path
) -> SendTable | None:
    """Write the rows of one of `wanted`'s send tables as they are there now; None when all of them are as wanted.

    `before`: what stood before the delta. Needs the temporary table `undone_cells` (find_undone).
    """
    source = read_parquet(wanted.folder / send.parquet)
    if not engine.one(f"SELECT count(*) FROM {source} SEMI JOIN undone_cells USING (_row)")[0]:
        return None
    known = columns_of([wanted, *before], send.table)
    undone = [str(c) for (c,) in engine.rows("SELECT DISTINCT unnest(cells) AS c FROM undone_cells ORDER BY c")]
    cells = [cell for cell in undone if cell not in {_MADE, _TAKEN}]
    links = _links(delta, send) if len(cells) < len(undone) and send.has_links else None
    present = [str(row[0]) for row in engine.rows(f"DESCRIBE SELECT * FROM {source}")]
    columns = {name: cell for cell in cells for name in _members(cell, cell in known and known[cell].is_lookup)}
    reopened = _reopened(delta, send) if _STATE in cells else ""
    values = {
        name: _value(name, cell, is_new=name not in present, reopened=bool(reopened)) for name, cell in columns.items()
    }
    if links:
        values["_links"] = f"{links[0]} AS _links"
    if send.was_there:
        # What was not written did not become ours.
        ours = "list_filter(n._changed, lambda x: NOT list_contains(coalesce(u.cells, []), x) OR list_contains(o._changed, x))"
        values["_changed"] = f"{ours} AS _changed"
    replaced = ", ".join(value for name, value in values.items() if name in present)
    added = "".join(f", {value}" for name, value in values.items() if name not in present)
    old = standing_rows(engine, before, send.table, [*columns, *(["_changed"] if send.was_there else [])])
    # One that this delta found first, and could not write into, is yet to be found.
    where = "WHERE NOT (u._row IS NOT NULL AND o._row IS NULL)" if send.was_there else ""
    rows = engine.write_parquet(
        f"""SELECT n.* {f"REPLACE ({replaced})" if replaced else ""}{added} FROM {source} n
        LEFT JOIN undone_cells u ON u._row = n._row LEFT JOIN ({old}) o ON o._row = n._row
        {reopened} {links[1] if links else ""} {where} ORDER BY n._ord""",
        target,
    )
    names = {column.name for column in send.columns}
    more = tuple(known[cell] for cell in cells if cell in known and cell not in names)
    return replace(send, rows=rows, columns=(*send.columns, *more))


def _members(cell: str, is_lookup: bool) -> tuple[str, ...]:
    return GROUPS.get(cell, (cell, f"{cell}__table") if is_lookup else (cell,))


def _value(name: str, cell: str, *, is_new: bool, reopened: bool) -> str:
    """SQL: the column as it is there. A row of which nobody knows what it held before keeps what was wanted."""
    column = quoted(name)
    before = f"o.{column}"
    if cell == _STATE and reopened:
        before = f"CASE WHEN r._row IS NOT NULL THEN r.{column} ELSE {before} END"
    wanted = "NULL" if is_new else f"n.{column}"
    is_undone = f"list_contains(coalesce(u.cells, []), {literal(cell)}) AND o._row IS NOT NULL"
    return f"CASE WHEN {is_undone} THEN {before} ELSE {wanted} END AS {column}"


def _reopened(delta: Delta, send: SendTable) -> str:
    """JOIN of the states that rows were brought to on the way to one that was refused; "" when there are none."""
    names = ", ".join(quoted(name) for name in GROUPS[_STATE])
    parts = [
        f'SELECT {step.index} AS step, _row, {names} FROM {delta.rows(one)} e SEMI JOIN ({delta.landed(step, one)}) j ON j."row" = e._row'
        for step, one in delta.steps(send.table)
        if step.kind == "state"
    ]
    if not parts:
        return ""
    listed = f"SELECT * FROM ({' UNION ALL BY NAME '.join(parts)}) QUALIFY row_number() OVER (PARTITION BY _row ORDER BY step DESC) = 1"
    return f"LEFT JOIN ({listed}) r ON r._row = n._row"


def _links(delta: Delta, send: SendTable) -> tuple[str, str]:
    """SQL of a row's links as they are there, and the JOINs it needs."""
    joins = ""
    for cell, alias in ((_MADE, "a"), (_TAKEN, "d")):
        parts = [
            f"SELECT _row, _links FROM {delta.rows(one)}"
            for step, one in delta.steps(send.table)
            if _CELL_OF.get(step.kind) == cell
        ]
        listed = " UNION ALL ".join([f"SELECT NULL::UUID AS _row, NULL::{_LINKS} AS _links WHERE FALSE", *parts])
        joins += (
            f" LEFT JOIN (SELECT x._row, flatten(list(x._links)) AS _links FROM ({listed}) x JOIN undone_cells y ON y._row = x._row "
            f"AND list_contains(y.cells, {literal(cell)}) GROUP BY x._row) {alias} ON {alias}._row = n._row"
        )
    made = "list_filter(coalesce(n._links, []), lambda l: NOT list_contains(coalesce(a._links, []), l))"
    return f"list_concat({made}, coalesce(d._links, []))", joins
