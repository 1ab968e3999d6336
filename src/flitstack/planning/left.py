"""The rows that no record makes any more, kept as a plan of their own: rollback takes them back, a later delta may revive them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from flitstack.planning.build import sealed
from flitstack.planning.changes import Side
from flitstack.planning.document import Plan, SendTable
from flitstack.staging.engine.engine import Engine, quoted, read_parquet

_STATES = {
    "_action": "VARCHAR",
    "_state": "BIGINT",
    "_status": "BIGINT",
    "_state_at": "TIMESTAMPTZ",
    "_state_value": "DECIMAL(38, 4)",
}


def write_left_state(engine: Engine, wanted: Side, standing: Sequence[Side], delta: Plan, folder: Path) -> Plan:
    """Write `<wanted>/left/`: rows of `standing` (the state, and what it had left) that `wanted` has not, as they were and
    with the states this delta gives them."""
    tables: list[SendTable] = []
    states = _states(delta, folder)
    earlier = [(side, send) for side in standing for send in side.plan.tables]
    for number, (side, send) in enumerate(earlier):
        source = read_parquet(side.folder / send.parquet)
        now = " UNION ALL ".join(
            f"SELECT _row FROM {read_parquet(wanted.folder / s.parquet)}" for s in wanted.sends(send.table)
        )
        present = {row[0] for row in engine.rows(f"DESCRIBE SELECT * FROM {source}")}
        value = {n: f"e.{n}" if n in present else f"NULL::{k}" for n, k in _STATES.items()}
        chosen = ", ".join(f"CASE WHEN s._row IS NULL THEN {value[n]} ELSE s.{n} END AS {n}" for n in _STATES)
        plain = ", ".join(f"e.{quoted(name)}" for name in present if name not in _STATES)
        name = f"left/{number:02d}_{send.table}.parquet"
        rows = engine.write_parquet(
            f"""SELECT {plain}, {chosen} FROM {source} e {f"ANTI JOIN ({now}) n ON n._row = e._row" if now else ""}
            LEFT JOIN ({states}) s ON s._row = e._row""",
            wanted.folder / name,
        )
        if rows:
            tables.append(
                replace(send, name=f"left_{number:02d}_{send.table}", parquet=name, rows=rows, has_states=True)
            )
    return sealed(replace(wanted.plan, tables=tuple(tables), steps=(), accounts={}))


def _states(delta: Plan, folder: Path) -> str:
    names = ", ".join(_STATES)
    parts = [
        f"SELECT _row, {names} FROM {read_parquet(folder / send.parquet)}"
        for send in delta.tables
        if send.phase == "left" and send.has_states
    ]
    blanks = ", ".join(f"NULL::{kind} AS {name}" for name, kind in _STATES.items())
    return " UNION ALL ".join(parts) or f"SELECT NULL::UUID AS _row, {blanks} WHERE FALSE"
