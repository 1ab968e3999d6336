"""`multipart/mixed` of `$batch`, both directions: bytes to requests, answers to bytes. No meaning here.

Source: Microsoft Learn, "Execute batch operations using the Web API". The service itself wants CRLF; the widely used
npm client sends LF only, so both are read. CRLF is written.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from uuid import uuid4

from flitstack.emulator.messages import Answer, Refusal

_BOUNDARY = re.compile(r'boundary\s*=\s*(?:"([^"]+)"|([^\s;,]+))', re.IGNORECASE)
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Part:
    """One request of a batch as it was written; header names in lower case."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    content_id: str | None = None


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """Requests that belong together."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class PartAnswer:
    """The answer to one part."""

    answer: Answer
    content_id: str | None = None


@dataclass(frozen=True, slots=True)
class ChangeSetAnswer:
    """Answers to the parts of a change set that was carried out."""

    parts: list[PartAnswer] = field(default_factory=list)


def malformed(detail: str) -> Refusal:
    """400 for a body that is no batch."""
    return Refusal(400, "0x80048d19", f"Error identified in Payload provided by the user for Entity :'', {detail}")


def read_batch(content_type: str, body: bytes) -> list[Part | ChangeSet]:
    """The requests of a batch in order. Refusal 0x80048d19 when it cannot be read."""
    items = [_read_item(piece, is_nested=False) for piece in _pieces(content_type, body)]
    if not items:
        raise malformed("the multipart body has no part that begins with its boundary.")
    return items


def _pieces(content_type: str, body: bytes) -> Iterator[bytes]:
    """What stands between the boundaries. A boundary that begins with another one is told apart by its line's end."""
    match = _BOUNDARY.search(content_type)
    if match is None:
        raise malformed("the multipart body has no boundary.")
    opening = b"\n--" + (match[1] or match[2]).encode()
    pending = b""
    for piece in (b"\n" + body).split(opening)[1:]:
        if pending and piece[:1] not in b"\r\n- \t":
            pending += opening + piece
            continue
        if pending:
            yield pending
        if piece.startswith(b"--"):
            return
        pending = piece
    if pending:
        yield pending


def _read_item(piece: bytes, *, is_nested: bool) -> Part | ChangeSet:
    head, content = _halves(piece.lstrip(b" \t\r\n"))
    headers = _read_headers(head.split(b"\n"))
    kind = headers.get("content-type", "")
    if kind.lower().startswith("multipart/mixed"):
        if is_nested:
            raise malformed("a change set must not hold another one.")
        inner = tuple(_read_item(part, is_nested=True) for part in _pieces(kind, content))
        parts = tuple(part for part in inner if isinstance(part, Part))
        named = [part.content_id for part in parts if part.content_id is not None]
        if len(set(named)) < len(named):
            raise malformed("a Content-ID stands twice in one change set.")
        return ChangeSet(parts)
    if not kind.lower().startswith("application/http"):
        raise malformed(f"a part has the content type '{kind}'; application/http is expected.")
    return _read_request(content.lstrip(b"\r\n"), headers.get("content-id"))


def _read_request(content: bytes, content_id: str | None) -> Part:
    head, body = _halves(content)
    lines = head.split(b"\n")
    # URLs may hold raw blanks: the verb ends at the first one, the URL before the protocol.
    verb, _, rest = lines[0].decode("utf-8", "replace").strip().partition(" ")
    url, blank, protocol = rest.rpartition(" ")
    if not blank or not protocol.upper().startswith("HTTP/"):
        raise malformed(f"'{verb} {rest}' is no request line.")
    headers = _read_headers(lines[1:])
    return Part(verb.upper(), url.strip(), headers, body.strip(b"\r\n"), content_id or headers.get("content-id"))


def _halves(text: bytes) -> tuple[bytes, bytes]:
    """What stands before and after the first blank line, whichever line end is used."""
    crlf, lf = text.find(b"\r\n\r\n"), text.find(b"\n\n")
    if lf >= 0 and (crlf < 0 or lf < crlf):
        return text[:lf], text[lf + 2 :]
    return (text, b"") if crlf < 0 else (text[:crlf], text[crlf + 4 :])


def _read_headers(lines: Iterable[bytes]) -> dict[str, str]:
    found = {}
    for line in lines:
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            found[name.strip().lower()] = value.strip()
    return found


def write_batch(answers: Iterable[PartAnswer | ChangeSetAnswer]) -> tuple[str, bytes]:
    """Content type and body of a batch's answer."""
    boundary = f"batchresponse_{uuid4()}"
    pieces: list[bytes] = []
    for answer in answers:
        if isinstance(answer, PartAnswer):
            _write_part(pieces, boundary, answer)
            continue
        inner = f"changesetresponse_{uuid4()}"
        pieces.append(f"--{boundary}\r\nContent-Type: multipart/mixed; boundary={inner}\r\n\r\n".encode())
        for part in answer.parts:
            _write_part(pieces, inner, part)
        pieces.append(f"--{inner}--\r\n".encode())
    pieces.append(f"--{boundary}--\r\n".encode())
    return f"multipart/mixed; boundary={boundary}", b"".join(pieces)


def _write_part(pieces: list[bytes], boundary: str, part: PartAnswer) -> None:
    answer = part.answer
    lines = [f"--{boundary}", "Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    if part.content_id is not None:
        lines.append(f"Content-ID: {part.content_id}")
    lines += ["", f"HTTP/1.1 {answer.status} {_PHRASES.get(answer.status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    pieces += ["\r\n".join(lines).encode(), b"\r\n\r\n", answer.body or b"", b"\r\n"]
