"""Which cells of rows are, in the destination, as a plan or an earlier load meant them: the comparing of reconciliation,
handed on as data for a delta's three-way compare."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flitstack.catalogue.types import Table
from flitstack.planning.document import SendTable
from flitstack.reconciling.readback import as_uuid
from flitstack.reconciling.tables import columns_to_read, comparisons_of
from flitstack.staging.engine.engine import Engine, literal, quoted, read_parquet

# What reconciliation calls by a name in brackets is called the same here; files are compared by their path only.
_FILE = "(file)"


@dataclass(frozen=True, slots=True)
class Meant:
    """Send tables of one destination table and the folder they lie in."""

    sends: Sequence[SendTable]
    folder: Path


def columns_of(sides: Sequence[Meant], live: Table) -> list[str]:
    """Columns to read back so that every side can be compared; never the contents of files."""
    names: dict[str, None] = {}
    for side in sides:
        bare = [send for send in side.sends if not send.has_files]
        names |= dict.fromkeys(columns_to_read(bare, live))
        with_files = [send for send in side.sends if send.has_files]
        names |= dict.fromkeys(n for n in columns_to_read(with_files, live) if n not in {"documentbody", "body"})
    return list(names)


def write_sameness(
    engine: Engine, side: Meant, live: Table, back: Path, rows: str, target: Path, *, is_update: bool
) -> int:
    """Write `target` (row UUID, compared LIST(VARCHAR), same LIST(VARCHAR)) for rows of the SELECT `rows` (_row) that exist.

    `back`: the rows as read back. `is_update`: an empty cell must be empty; otherwise what the platform fills in counts too.
    """
    parts = []
    for send in side.sends:
        source = _padded(engine, side.folder / send.parquet, send)
        found = [c for c in comparisons_of(send, live, is_update=is_update) if c.name != _FILE]
        names = ", ".join(literal(c.name) for c in found)
        cases = ", ".join(f"CASE WHEN {c.same} THEN {literal(c.name)} END" for c in found)
        parts.append(
            f"""SELECT e._row AS "row", [{names}]::VARCHAR[] AS compared,
                list_filter([{cases}]::VARCHAR[], lambda x: x IS NOT NULL) AS same
            FROM {source} e JOIN {read_parquet(back)} a ON {as_uuid("a._row")} = e._row
            SEMI JOIN ({rows}) wanted ON wanted._row = e._row"""
        )
    nothing = 'SELECT NULL::UUID AS "row", NULL::VARCHAR[] AS compared, NULL::VARCHAR[] AS same WHERE FALSE'
    return engine.write_parquet(" UNION ALL ".join(parts) or nothing, target)


def _padded(engine: Engine, path: Path, send: SendTable) -> str:
    """The send table's rows; a column that the file has not (it came with a later export) is empty."""
    source = read_parquet(path)
    present = {row[0] for row in engine.rows(f"DESCRIBE SELECT * FROM {source}")}
    wanted: dict[str, str] = {}
    for column in send.columns:
        wanted[column.name] = "UUID" if column.is_lookup else "TIMESTAMPTZ" if column.type == "DateTime" else "VARCHAR"
        if column.is_lookup:
            wanted[f"{column.name}__table"] = "VARCHAR"
    if send.has_states:
        wanted |= {"_action": "VARCHAR", "_state": "BIGINT", "_status": "BIGINT"}
    if send.has_parties:
        wanted["_parties"] = 'STRUCT(mask INTEGER, "table" VARCHAR, id UUID, address VARCHAR)[]'
    blanks = "".join(f", NULL::{kind} AS {quoted(name)}" for name, kind in wanted.items() if name not in present)
    return f"(SELECT *{blanks} FROM {source})"
