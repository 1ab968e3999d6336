"""A request body that goes out in pieces, whatever its length."""

from collections.abc import Iterator
from typing import Any

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from flitstack.destinations.port import Body

# Half a megabyte at once is copied whole into OpenSSL's buffer and out of it again, through memory that the system has to
# map and clear each time; pieces that stay below malloc's mapping threshold (128 KiB) reuse theirs. A third of the CPU of posting.
PIECE_BYTES = 64 << 10


class Pieces(aiohttp.Payload):
    """A body, sent with its length known, no more of it ahead of the socket than the transport wants."""

    _autoclose = True

    def __init__(self, body: bytes | Body, **headers: Any) -> None:
        parts = body if isinstance(body, tuple) else (body,)
        super().__init__(parts, **headers)
        self._size = sum(map(len, parts))

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The body as text."""
        return str(b"".join(self._value), encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send all of it."""
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Send all of it, or its first bytes."""
        start = 0
        for piece in pieces(self._value, PIECE_BYTES):
            await writer.write(piece if content_length is None else piece[: max(0, content_length - start)])
            start += len(piece)


def pieces(parts: Body, size: int) -> Iterator[bytes | memoryview]:
    """The bytes of `parts` in pieces of `size`, the last one smaller; only a piece that holds several parts is a copy."""
    held: list[bytes | memoryview] = []
    room = size
    for part in parts:
        view, start = memoryview(part), 0
        while len(view) - start >= room:
            yield _one([*held, view[start : start + room]])
            held, start, room = [], start + room, size
        if start < len(view):
            held.append(view[start:])
            room -= len(view) - start
    if held:
        yield _one(held)


def _one(parts: list[bytes | memoryview]) -> bytes | memoryview:
    return parts[0] if len(parts) == 1 else b"".join(parts)
