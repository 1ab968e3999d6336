"""Row ids ascend as SQL Server compares them; source keys have one digest everywhere."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from flitstack.keys import SourceKey, row_id_at, sql_server_order
from flitstack.staging.engine.engine import Engine


@given(st.binary(min_size=8, max_size=8), st.lists(st.integers(0, (1 << 48) - 1), min_size=2, max_size=20, unique=True))
def test_ids_ascend_in_sql_server_order_as_their_ordinals_do(base: bytes, ordinals: list[int]) -> None:
    ids = [row_id_at(base, ordinal) for ordinal in sorted(ordinals)]
    assert [sql_server_order(row) for row in ids] == sorted(sql_server_order(row) for row in ids)
    assert len(set(ids)) == len(ids)


def test_sql_server_reads_the_last_six_bytes_first() -> None:
    smaller = UUID("ffffffff-ffff-ffff-ffff-000000000001")
    larger = UUID("00000000-0000-0000-0000-000000000002")
    assert sql_server_order(smaller) < sql_server_order(larger)


@given(key=st.text(min_size=1, max_size=50).filter(lambda text: "\0" not in text))
def test_the_engine_gives_the_same_digest(module_engine: Engine, key: str) -> None:
    found = module_engine.one("SELECT source_digest('klipy', 'Contact', ?)", [key])[0]
    assert found == SourceKey("klipy", "Contact", key).digest()
