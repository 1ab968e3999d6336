"""Rows of ours of which a later step of their load never landed: its lookups held back, its state, its links.

What stands says that they have them. A delta looks at such rows as they were left, too: what they lack is sent, and is nobody's edit.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from flitstack.journal.frames import Operation, Status
from flitstack.journal.journal import Journal
from flitstack.loading.rows import done_sql, landed_sql
from flitstack.planning.changes import GROUPS, Side
from flitstack.planning.document import SendTable
from flitstack.staging.engine.engine import Engine, literal, quoted, read_parquet


def unfinished_side(engine: Engine, journal: Journal, standing: Sequence[Side], folder: Path) -> Side:
    """Rows of `standing` without what never landed, written to `folder`. Needs the temporary view `journal_rows`."""
    tables: list[SendTable] = []
    for number, side in enumerate(standing):
        for send in side.plan.tables:
            lacking = _lacking(send)
            if not lacking:
                continue
            path = f"{number:02d}_{send.name}.parquet"
            blanks = ", ".join(
                f"CASE WHEN {alias}._row IS NOT NULL THEN NULL ELSE e.{quoted(name)} END AS {quoted(name)}"
                for alias, (names, _, _) in lacking.items()
                for name in names
            )
            source = read_parquet(side.folder / send.parquet)
            joins = " ".join(
                f'LEFT JOIN (SELECT x._row FROM {source} x ANTI JOIN ({done}) d ON d."row" = x._row WHERE {where}) {alias} '
                f"ON {alias}._row = e._row"
                for alias, (_, where, done) in lacking.items()
            )
            some = " OR ".join(f"{alias}._row IS NOT NULL" for alias in lacking)
            rows = engine.write_parquet(
                f"""SELECT e.* REPLACE ({blanks}) FROM {source} e SEMI JOIN ({_complete(journal, send.table)}) t ON t."row" = e._row
                {joins} WHERE {some}""",
                folder / path,
            )
            if rows:
                tables.append(replace(send, name=f"{number}_{send.name}", parquet=path, rows=rows))
    return Side(replace(standing[0].plan, tables=tuple(tables), steps=()), folder)


def _lacking(send: SendTable) -> dict[str, tuple[Sequence[str], str, str]]:
    """By alias: columns that a step of their own fills, SQL whether a row has anything for it, query ("row") of rows that have it."""
    if send.was_there:
        return {}
    found: dict[str, tuple[Sequence[str], str, str]] = {}
    held_back = [column.name for column in send.columns if column.second_pass]
    if held_back:
        names = [name for column in held_back for name in (column, f"{column}__table")]
        some = " OR ".join(f"x.{quoted(name)} IS NOT NULL" for name in held_back)
        # A delta sends a lookup like any other column.
        done = f'SELECT "row" FROM ({done_sql(send.table, Operation.LOOKUPS)}) UNION SELECT "row" FROM ({done_sql(send.table, Operation.UPDATE)})'
        found["l"] = (names, f"({some})", done)
    if send.has_states:
        found["s"] = (GROUPS["(state)"], "x._action IS NOT NULL", done_sql(send.table, Operation.STATE))
    if send.has_links:
        found["k"] = (GROUPS["(links)"], "len(x._links) > 0", done_sql(send.table, Operation.LINK))
    return found


def _complete(journal: Journal, table: str) -> str:
    """SELECT "row": rows that are there, of which the journal knows all that was done since they were made."""
    recovered = [str(note["run"]) for note in journal.notes("run") if note["command"] == "journal recover"]
    unless = f"""EXCEPT SELECT "row" FROM journal_rows WHERE "table" = {literal(table)} AND operation = {Operation.CREATE}
        AND status = {Status.LANDED} AND run IN ({", ".join(recovered) or "-1"})"""
    return f"{landed_sql(table)} {unless}"
