"""What a later snapshot changes: rows of the plan it would make meet, by their ids, the rows we hold to be there.

Rows are told apart by a hash over all their columns; only those that differ are looked at column by column.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flitstack.planning.document import Plan, SendColumn, SendTable
from flitstack.staging.engine.engine import Engine, literal, quoted, read_parquet

FILE = "(file)"
# What is more than a column, as reconciliation calls it, and the columns of a send table behind it.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "(state)": ("_action", "_state", "_status", "_state_at", "_state_value"),
    "(parties)": ("_parties",),
    "(links)": ("_links",),
    FILE: ("_content", "_content_size"),
}
_GROUPED = tuple(name for names in GROUPS.values() for name in names)


@dataclass(frozen=True, slots=True)
class Side:
    """A plan with every row a record makes, and the folder of its send tables."""

    plan: Plan
    folder: Path

    def sends(self, table: str) -> list[SendTable]:
        """Its send tables for one destination table, in load order."""
        return [send for send in self.plan.tables if send.table == table]

    def tables(self) -> list[str]:
        """Destination tables, in load order."""
        return list(dict.fromkeys(send.table for send in self.plan.tables))


def columns_of(sides: Iterable[Side], table: str) -> dict[str, SendColumn]:
    """Columns of a destination table by name, as the first side that has one describes it."""
    found: dict[str, SendColumn] = {}
    for side in sides:
        for send in side.sends(table):
            for column in send.columns:
                found.setdefault(column.name, column)
    return found


def rows_of(engine: Engine, side: Side, table: str, names: Sequence[str]) -> str:
    """SELECT `_row`, `_send` (name of the send table) and these columns of a table's rows; a column no file has is NULL."""
    parts = []
    for send in side.sends(table):
        source = read_parquet(side.folder / send.parquet)
        present = {row[0] for row in engine.rows(f"DESCRIBE SELECT * FROM {source}")}
        values = "".join(f", {quoted(n)}" if n in present else f", NULL AS {quoted(n)}" for n in names)
        parts.append(f"SELECT _row, {literal(send.name)} AS _send{values} FROM {source}")
    blanks = "".join(f", NULL AS {quoted(name)}" for name in names)
    return " UNION ALL BY NAME ".join(parts) or f"SELECT NULL::UUID AS _row, '' AS _send{blanks} WHERE FALSE"


def write_changes(
    engine: Engine, table: str, wanted: Side, standing: Sequence[Side], target: Path, other_contents: str
) -> int:
    """Write `target` ("row" UUID, changed LIST(VARCHAR)): rows on both sides whose columns are not the same any more.

    `standing`: what we hold to be there; a cell counts as changed when any of them that has the row holds something else in it:
    after a load that was stopped nobody knows which of them the destination holds. `other_contents`: query ("row") of rows whose
    file has other bytes (contents.py).
    """
    known = columns_of([wanted, *standing], table)
    names = [*known, *_GROUPED]
    new = rows_of(engine, wanted, table, names)
    old = " UNION ALL BY NAME ".join(rows_of(engine, side, table, names) for side in standing)
    digest = f"hash({', '.join(quoted(name) for name in names)})"
    engine.run(
        f"""CREATE OR REPLACE TEMP TABLE differing AS
        SELECT n._row FROM (SELECT _row, {digest} AS h FROM ({new})) n
        JOIN (SELECT _row, {digest} AS h FROM ({old})) o ON o._row = n._row WHERE n.h <> o.h
        UNION SELECT "row" FROM ({other_contents})"""
    )
    or_other = ' OR q."row" IS NOT NULL'
    cases = [
        *(f"CASE WHEN bool_or({_differ([name])}) THEN {literal(name)} END" for name in known),
        *(
            f"CASE WHEN bool_or({_differ(members)}{or_other if group == FILE else ''}) THEN {literal(group)} END"
            for group, members in GROUPS.items()
        ),
    ]
    count = engine.write_parquet(
        f"""SELECT "row", changed FROM (
            SELECT n._row AS "row", list_filter([{", ".join(cases)}]::VARCHAR[], lambda x: x IS NOT NULL) AS changed
            FROM (SELECT * FROM ({new}) SEMI JOIN differing USING (_row)) n
            JOIN (SELECT * FROM ({old}) SEMI JOIN differing USING (_row)) o ON o._row = n._row
            LEFT JOIN (SELECT DISTINCT "row" FROM ({other_contents})) q ON q."row" = n._row GROUP BY n._row
        ) WHERE len(changed) > 0""",
        target,
    )
    engine.run("DROP TABLE differing")
    return count


def standing_rows(engine: Engine, standing: Sequence[Side], table: str, names: Sequence[str]) -> str:
    """SELECT as `rows_of` over several states: a row as the first state that has it holds it."""
    newest, *others = [rows_of(engine, side, table, names) for side in standing]
    for other in others:
        newest = f"{newest} UNION ALL BY NAME SELECT * FROM ({other}) x ANTI JOIN ({newest}) y ON y._row = x._row"
    return newest


def _differ(names: Sequence[str]) -> str:
    return " OR ".join(f"n.{quoted(name)} IS DISTINCT FROM o.{quoted(name)}" for name in names)
