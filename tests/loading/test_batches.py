"""Cutting a stream of rows into requests: every row once, in order, never too large."""

import tempfile
from itertools import cycle
from pathlib import Path

import xxhash
from hypothesis import given
from hypothesis import strategies as st
from loading.loading_case import ROWS, make_case, row, shared_engine

from flitstack.loading.batch_size import BatchSize
from flitstack.loading.rows import RowBatch, Wanted, cut, read_rows


def packed(texts: list[str], first: int) -> RowBatch:
    """Rows with the ids first, first + 1 ...; every third is marked."""
    parts = [f"{text},".encode() for text in texts]
    offsets = [0]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    ids = b"".join((first + n).to_bytes(16, "big") for n in range(len(texts)))
    hashes = b"".join(xxhash.xxh3_64_digest(part) for part in parts)
    marks = bytes((first + n) % 3 == 0 for n in range(len(texts)))
    return RowBatch(ids, hashes, memoryview(b"".join(parts)), tuple(offsets), marks)


@given(
    batches=st.lists(st.lists(st.text(max_size=12), min_size=1, max_size=9), max_size=8),
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=30),
    most_bytes=st.integers(1, 60),
)
def test_every_row_is_sent_once_in_order_and_no_request_is_too_large(
    batches: list[list[str]], sizes: list[int], most_bytes: int
) -> None:
    place, made = 0, []
    for texts in batches:
        made.append(packed(texts, place))
        place += len(texts)
    asked = cycle(sizes)
    pieces = list(cut(made, lambda: next(asked), most_bytes))
    texts = [text for batch in batches for text in batch]
    assert [piece.text(n).decode() for piece in pieces for n in range(len(piece))] == texts
    assert [row.int for piece in pieces for row in piece.row_ids()] == list(range(len(texts)))
    assert b"".join(piece.hashes for piece in pieces) == b"".join(batch.hashes for batch in made)
    assert [row.int for piece in pieces for row in sorted(piece.marked())] == list(range(0, len(texts), 3))
    for piece in pieces:
        assert len(piece) <= max(sizes)
        assert len(piece) == 1 or piece.offsets[-1] - piece.offsets[0] <= most_bytes
        whole = b"".join(piece.body(b"[", b"]")).decode()
        assert whole == "[" + ",".join(piece.text(n).decode() for n in range(len(piece))) + "]"


def test_requests_are_full_although_the_engine_hands_out_smaller_batches() -> None:
    made = [packed(["x"] * 300, 300 * n) for n in range(10)]
    assert [len(piece) for piece in cut(made, lambda: 1_000, 1 << 20)] == [1_000, 1_000, 1_000]


def test_rows_come_with_their_ids_and_the_hash_of_their_text() -> None:
    with tempfile.TemporaryDirectory() as name:
        case = make_case(Path(name))
        shared_engine().run('CREATE OR REPLACE TEMP VIEW nothing AS SELECT NULL::UUID AS "row" WHERE FALSE')
        wanted = Wanted(where="_ord >= 10", without="FROM nothing")
        batches = list(
            read_rows(shared_engine(), case.folder, case.plan.send_table("contact"), "to_json(lastname) || ','", wanted)
        )
    assert sum(len(batch) for batch in batches) == ROWS["contact"] - 10
    assert batches[0].text(0) == b'"contact 10"'
    assert batches[0].hashes[:8] == xxhash.xxh3_64_digest(b'"contact 10",')


def test_marked_rows_are_those_of_the_query_and_a_mark_changes_no_hash() -> None:
    with tempfile.TemporaryDirectory() as name:
        case = make_case(Path(name))
        source = f"read_parquet('{case.folder / 'contact.parquet'}')"
        same = f'SELECT _row AS "row", NULL::BLOB AS hash FROM {source} WHERE _ord < 7'
        marked = f'SELECT _row AS "row" FROM {source} WHERE _ord IN (3, 9)'
        contact, text = case.plan.send_table("contact"), "to_json(lastname) || ','"
        for wanted in (Wanted(marked=f"{marked} UNION ALL {marked}"), Wanted(marked=marked, same=same)):
            batches = list(read_rows(shared_engine(), case.folder, contact, text, wanted))
            assert {row for batch in batches for row in batch.marked()} == {row("contact", 3), row("contact", 9)}
            found = {batch.text(n): batch.hashes[8 * n : 8 * n + 8] for batch in batches for n in range(len(batch))}
            assert found == {text: xxhash.xxh3_64_digest(text + b",") for text in found}
            assert len(found) == ROWS["contact"]


def test_a_lost_answer_halves_the_size_once_and_quick_answers_let_it_grow_again() -> None:
    size = BatchSize(400)
    for _ in range(4):  # four requests of 400 rows were under way
        size.lost(400)
    assert size.rows == 200
    size.answered(400, 0.1)
    assert size.rows == 225
    size.answered(225, 30.0)
    size.answered(10, 0.1)
    assert size.rows == 225
    for _ in range(100):
        size.answered(size.rows, 0.1)
    assert size.rows == 1_000
    for _ in range(20):
        size.lost(size.rows)
    assert size.rows == 1
