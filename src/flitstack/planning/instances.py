"""Instances of business process flows: which of them a plan may make, and how one moves.

An instance moves to the next or the previous stage only; one that is to be further away goes there stage by stage.
Source: Microsoft Learn, "Work with business process flows using code", "Stage navigation".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from flitstack.planning.changes import Side, standing_rows
from flitstack.planning.delta import sealed_table
from flitstack.planning.document import SendTable
from flitstack.staging.engine.engine import Engine, read_parquet

STAGE, WALKED = "activestageid", "traversedpath"
_ABORTED = 3  # status reason of every table of instances


@dataclass(frozen=True, slots=True)
class Instances:
    """A table of instances: `record` is its lookup to rows of `about`."""

    table: str
    record: str
    about: str


def settle_instances(
    engine: Engine,
    tables: Sequence[SendTable],
    known: Sequence[Instances],
    matched: Mapping[str, Path],
    standing: Sequence[Side],
    folder: Path,
) -> tuple[list[SendTable], list[str]]:
    """The send tables without instances that are not ours to make, and what a person reads of it.

    A record that was in the environment before keeps the process it stands in there. One that was lost in a later round is
    aborted where it stands: that the source does not tell the stage is no reason to move it to the first.
    """
    by_table = {one.table: one for one in known}
    found, notes = [], []
    for send in tables:
        one = by_table.get(send.table)
        if one is None:
            found.append(send)
            continue
        path = folder / send.parquet
        there = matched.get(one.about)
        unless = f'WHERE {one.record} NOT IN (SELECT "row" FROM {read_parquet(there)})' if there else ""
        joined, moved = "", ""
        if standing:
            stays = f"o._row IS NOT NULL AND e._status = {_ABORTED} AND NOT contains(e.{WALKED}, ',')"
            joined = f"LEFT JOIN ({standing_rows(engine, standing, send.table, [STAGE, WALKED])}) o ON o._row = e._row"
            moved = "REPLACE (" + ", ".join(
                f"CASE WHEN {stays} THEN coalesce(o.{name}, e.{name}) ELSE e.{name} END AS {name}" for name in (STAGE, WALKED)
            ) + ")"  # fmt: skip
        rows = engine.write_parquet(
            f"SELECT e.* {moved} FROM {read_parquet(path)} e {joined} {unless} ORDER BY e._ord", path
        )
        if rows < send.rows:
            notes.append(
                f"{send.table}: {send.rows - rows:,} records were in the environment before and keep the process they stand in there"
            )
        if rows:
            found.append(sealed_table(engine, replace(send, rows=rows), folder))
    return found, notes


def stage_by_stage(engine: Engine, send: SendTable, standing: Sequence[Side], folder: Path) -> list[SendTable]:
    """The updates of `send` as one send table for each stage on the way. `standing`: where the rows are now."""
    names = {column.name for column in send.columns}
    if not {STAGE, WALKED} <= names:
        return [send]
    now = standing_rows(engine, standing, send.table, [WALKED])
    path = folder / send.parquet
    steps = engine.scratch / f"steps-{send.name}.parquet"
    # Paths through one process are beginnings of each other; where they are not, the process was changed: one step.
    new, old = f"string_split(e.{WALKED}, ',')", f"string_split(n.{WALKED}, ',')"
    engine.write_parquet(
        f"""SELECT *, CASE WHEN is_way THEN greatest(1, abs(len(_new) - len(_old))) ELSE 1 END AS _steps FROM (
            SELECT e.*, {new} AS _new, {old} AS _old,
                list_contains(e._changed, '{STAGE}') AND coalesce(
                    list_slice({new}, 1, least(len({new}), len({old}))) = list_slice({old}, 1, least(len({new}), len({old}))), FALSE)
                AS is_way
            FROM {read_parquet(path)} e LEFT JOIN ({now}) n ON n._row = e._row)""",
        steps,
    )
    most = int(engine.one(f"SELECT max(_steps) FROM {read_parquet(steps)}")[0])
    made = []
    for step in range(1, most + 1):
        reached = f"CASE WHEN _steps = {step} THEN len(_new) ELSE len(_old) + sign(len(_new) - len(_old)) * {step} END"
        walked = f"list_slice(CASE WHEN len(_new) > len(_old) THEN _new ELSE _old END, 1, CAST({reached} AS BIGINT))"
        is_last = f"_steps = {step}"
        name = send.name if step == 1 else f"{send.name}_{step}"
        target = send.parquet if step == 1 else f"{send.parquet.removesuffix('.parquet')}_{step}.parquet"
        rows = engine.write_parquet(
            f"""SELECT * EXCLUDE (_new, _old, is_way, _steps) REPLACE (
                CASE WHEN {is_last} THEN {STAGE} ELSE CAST({walked}[-1] AS UUID) END AS {STAGE},
                CASE WHEN {is_last} THEN {WALKED} ELSE array_to_string({walked}, ',') END AS {WALKED},
                CASE WHEN {is_last} THEN _changed ELSE ['{STAGE}', '{WALKED}'] END AS _changed)
            FROM {read_parquet(steps)} WHERE _steps >= {step} ORDER BY _ord""",
            folder / target,
        )
        made.append(replace(send, name=name, parquet=target, rows=rows))
    return made
