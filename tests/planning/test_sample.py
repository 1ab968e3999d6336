"""Which rows a sample takes: some of each object, or a total spread over all of them, and the parents they point to."""

from pathlib import Path

import pytest

from flitstack.planning.document import SendTable
from flitstack.planning.sample import choose_sample
from flitstack.staging.engine.engine import Engine


def tables_of(engine: Engine, folder: Path, sizes: dict[str, int]) -> tuple[SendTable, ...]:
    made = []
    for place, (name, size) in enumerate(sizes.items()):
        row = f"CAST(printf('%08d-0000-4000-8000-%012d', {place}, i) AS UUID)"
        engine.write_parquet(
            f"SELECT '{name}' AS _object, {row} AS _row, i AS _ord FROM range({size}) t(i)", folder / f"{name}.parquet"
        )
        made.append(SendTable(name, name, "p", f"{name}.parquet", size, "", (), (name,)))
    return tuple(made)


@pytest.mark.parametrize(
    ("total", "expected"),
    [
        (12, {"account": 2, "contact": 5, "task": 5}),
        (100, {"account": 2, "contact": 20, "task": 78}),
        (5_000, {"account": 2, "contact": 20, "task": 1_000}),
    ],
)
def test_a_total_is_spread_over_the_objects(
    module_engine: Engine, tmp_path: Path, total: int, expected: dict[str, int]
) -> None:
    tables = tables_of(module_engine, tmp_path, {"account": 2, "contact": 20, "task": 1_000})
    assert choose_sample(module_engine, tmp_path, tables, 5, total) == sum(expected.values())
    assert dict(module_engine.rows('SELECT "table", count(*) FROM sample GROUP BY ALL')) == expected


def test_without_a_total_each_object_gives_so_many(module_engine: Engine, tmp_path: Path) -> None:
    tables = tables_of(module_engine, tmp_path, {"account": 2, "contact": 20})
    assert choose_sample(module_engine, tmp_path, tables, 5) == 7
