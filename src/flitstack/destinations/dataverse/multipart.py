"""`$batch` bodies: written as the service wants them (CRLF), read as services send them (CRLF or LF, any header case).

Source: Microsoft Learn, "Execute batch operations using the Web API".
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flitstack.destinations.faults import Unanswered

_BOUNDARY = re.compile(r'boundary="?([^";,\s]+)"?', re.IGNORECASE)
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
_BLANK = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class Part:
    """One request of a batch. `path` is absolute on the server (`/api/data/v9.2/contacts`)."""

    method: str
    path: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class PartAnswer:
    """One answer of a batch; `body` without the line ends around it."""

    status: int
    body: bytes


def write_batch(parts: Sequence[Part], boundary: str) -> bytes:
    """The multipart body. `boundary` must not occur in any part: callers take a random one."""
    pieces: list[bytes] = []
    opening = f"--{boundary}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    for part in parts:
        lines = [f"{opening}{part.method} {part.path} HTTP/1.1"]
        if part.body:
            lines.append("Content-Type: application/json; type=entry")
        lines += [f"{name}: {value}" for name, value in part.headers]
        pieces += ["\r\n".join(lines).encode(), b"\r\n\r\n", part.body, b"\r\n"]
    pieces.append(f"--{boundary}--\r\n".encode())
    return b"".join(pieces)


def read_batch(content_type: str, body: bytes) -> tuple[list[PartAnswer], bool]:
    """The answers in order, and whether the closing boundary was seen (False: the body was cut).

    Unanswered when this is no multipart body at all: the requests were executed, their outcomes are lost.
    """
    match = _BOUNDARY.search(content_type)
    if match is None:
        raise Unanswered(f"the answer to a batch is {content_type or 'without a type'}, not multipart")
    marker = b"--" + match.group(1).encode()
    pieces = body.split(marker)
    is_closed = len(pieces) > 1 and pieces[-1].startswith(b"--")
    # The last piece is what follows the closing boundary, or one that may be cut anywhere: it never counts.
    return [answer for piece in pieces[1:-1] for answer in _read_part(piece)], is_closed


def _read_part(piece: bytes) -> Iterator[PartAnswer]:
    head, _, rest = _halves(piece)
    if b"multipart/mixed" in head.lower():
        nested, _closed = read_batch(head.decode("latin-1"), rest)
        yield from nested
        return
    status = _STATUS.search(rest)
    if status is None:
        raise Unanswered("a part of the answer to a batch has no status line")
    _headers, _, body = _halves(rest[status.start() :])
    yield PartAnswer(int(status.group(1)), body.strip())


def _halves(text: bytes) -> tuple[bytes, bytes, bytes]:
    """What stands before and after the first blank line."""
    match = _BLANK.search(text)
    return (text, b"", b"") if match is None else (text[: match.start()], match.group(), text[match.end() :])
