"""A body of several parts leaves as one text, whatever the sizes."""

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flitstack.destinations.dataverse.pieces import PIECE_BYTES, Pieces, pieces


@given(st.lists(st.binary(max_size=40)), st.integers(1, 17))
def test_pieces_are_the_parts_cut_anew(parts: list[bytes], size: int) -> None:
    found = list(pieces(tuple(memoryview(part) for part in parts), size))
    assert b"".join(found) == b"".join(parts)
    assert all(len(piece) == size for piece in found[:-1])
    assert all(0 < len(piece) <= size for piece in found)


class Wire:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    async def write(self, chunk: Any) -> None:
        self.written.append(bytes(chunk))


@given(st.one_of(st.none(), st.integers(0, 3 * PIECE_BYTES)))
def test_a_payload_sends_its_first_bytes_or_all(length: int | None) -> None:
    rows = bytes(range(256)) * 600
    payload, wire = Pieces((b"[", memoryview(rows), b"]")), Wire()
    asyncio.run(payload.write_with_length(wire, length))  # type: ignore[arg-type]
    assert payload.size == len(rows) + 2
    assert b"".join(wire.written) == (b"[" + rows + b"]")[:length]
