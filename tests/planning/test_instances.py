"""An instance of a business process flow goes to the next or the previous stage only, and gets where it is to be."""

from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flitstack.planning.changes import Side
from flitstack.planning.document import Plan, SendColumn, SendTable
from flitstack.planning.instances import stage_by_stage
from flitstack.staging.engine.engine import Engine, literal

TABLE = "opportunitysalesprocess"
IDS = [str(UUID(int=n + 1)) for n in range(6)]
COLUMNS = (
    SendColumn("activestageid", "Lookup", "Stage", "activestageid", is_lookup=True),
    SendColumn("traversedpath", "String", "Stage", "traversedpath"),
)
Moves = list[tuple[int, int]]


def send(engine: Engine, path: Path, lengths: list[int]) -> SendTable:
    """A send table whose rows stand at these stages (from 1)."""
    rows = " UNION ALL ".join(
        f"SELECT {n}::BIGINT AS _ord, CAST({literal(str(UUID(int=100 + n)))} AS UUID) AS _row, "
        f"CAST({literal(IDS[length - 1])} AS UUID) AS activestageid, {literal(','.join(IDS[:length]))} AS traversedpath, "
        "['activestageid', 'traversedpath', 'name'] AS _changed"
        for n, length in enumerate(lengths)
    )
    engine.write_parquet(rows, path)
    return SendTable(path.stem, TABLE, "changes", path.name, len(lengths), "", COLUMNS, (), is_change=True)


def plan(table: SendTable) -> Plan:
    return Plan(1, "delta", "", "", "", "", "", "", {}, "", (), (table,), (), {}, "")


@settings(max_examples=25, deadline=None)
@given(moves=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=5))
def test_every_step_is_to_a_neighbour_and_the_last_one_is_where_it_was_to_go(
    moves: Moves, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("instances")
    with Engine(folder / "scratch", memory_mb=64) as engine:
        standing = Side(plan(send(engine, folder / "was.parquet", [old for old, _ in moves])), folder)
        wanted = send(engine, folder / "now.parquet", [new for _, new in moves])
        walked = [[old] for old, _ in moves]
        whole = dict.fromkeys(range(len(moves)), 0)
        for part in stage_by_stage(engine, wanted, [standing], folder):
            source = f"read_parquet({literal(str(folder / part.parquet))})"
            rows = engine.rows(f"SELECT _ord, CAST(activestageid AS VARCHAR), traversedpath, _changed FROM {source}")
            assert len(rows) == part.rows
            for number, stage, path, changed in rows:
                assert path.split(",")[-1] == stage
                assert path.split(",") == IDS[: len(path.split(","))]
                walked[number].append(len(path.split(",")))
                whole[number] += "name" in changed
    for (_, new), way in zip(moves, walked, strict=True):
        assert way[-1] == new
        assert all(abs(one - other) <= 1 for one, other in pairwise(way))
    assert set(whole.values()) == {1}, "what changes besides is sent once"
