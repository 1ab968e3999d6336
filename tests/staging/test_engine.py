"""The engine's own promises: what a stream leaves behind."""

import pytest

from flitstack.staging.engine.engine import Engine

ROWS = "SELECT i, if(i < 50_000, i, CAST(error('row ' || i) AS BIGINT)) AS failing FROM range(100_000) r(i)"


def threads(engine: Engine) -> int:
    return int(engine.one("SELECT current_setting('threads')")[0])


def test_a_stream_on_one_thread_gives_the_others_back(module_engine: Engine) -> None:
    before = threads(module_engine)
    found = [batch.num_rows for batch in module_engine.batches("FROM range(10_000)", 3_000, one_thread=True)]
    assert (sum(found), threads(module_engine)) == (10_000, before)


def test_so_does_one_that_is_left_early(module_engine: Engine) -> None:
    before = threads(module_engine)
    stream = module_engine.batches("SELECT i, repeat('x', 900) FROM range(1_000_000) r(i)", 1_000, one_thread=True)
    next(stream)
    stream.close()
    assert threads(module_engine) == before


def test_so_does_one_that_fails(module_engine: Engine) -> None:
    before = threads(module_engine)
    with pytest.raises(OSError, match="row 50000"):
        for _ in module_engine.batches(ROWS, 1_000, one_thread=True):
            pass
    assert threads(module_engine) == before
