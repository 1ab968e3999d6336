"""Golden exchanges: one text file each, read by tests of the client (and usable against any server).

    Source: where Microsoft shows this exchange
    > POST /api/data/v9.2/...           request line and the headers that matter, a blank line, the body
    < 200 OK                            status and headers, a blank line, the body

A file may hold several pairs, in order. `{url}` stands for the server's address, `{boundary}` for the batch's boundary.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

EXCHANGES = Path(__file__).with_name("exchanges")


@dataclass(frozen=True)
class Message:
    """First line, headers by lower-case name, body text."""

    line: str
    headers: dict[str, str]
    body: str


@dataclass(frozen=True)
class Exchange:
    """A request and its answer."""

    request: Message
    answer: Message


def read_exchanges(name: str) -> list[Exchange]:
    """The pairs of a file."""
    text = (EXCHANGES / f"{name}.txt").read_text()
    if not text.startswith("Source: "):
        raise ValueError(f"{name}: an exchange names its source")
    parts = re.split(r"^([<>]) ", text, flags=re.MULTILINE)[1:]
    messages = [_message(content) for content in parts[1::2]]
    return [Exchange(messages[at], messages[at + 1]) for at in range(0, len(messages), 2)]


def _message(content: str) -> Message:
    head, _, body = content.partition("\n\n")
    line, *lines = head.splitlines()
    headers = {name.strip().lower(): value.strip() for name, _, value in (text.partition(":") for text in lines)}
    return Message(line, headers, body.strip("\n"))


@dataclass
class Wire:
    """A server on a loopback socket that knows its lines. `url` once it runs; `unexpected` what went otherwise."""

    exchanges: list[Exchange]
    url: str = ""
    asked: int = 0
    unexpected: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await read_request(reader):
            if self.asked == len(self.exchanges):
                self.unexpected.append(f"one request too many: {request.line}")
                break
            exchange = self.exchanges[self.asked]
            self.asked += 1
            self.unexpected += differences(exchange.request, request, self.url)
            writer.write(answer_bytes(exchange.answer, self.url))
            await writer.drain()
        writer.close()


@asynccontextmanager
async def playing(*names: str) -> AsyncIterator[Wire]:
    """A running wire; at the end everything was asked, as written."""
    wire = Wire([exchange for name in names for exchange in read_exchanges(name)])
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    wire.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield wire
    finally:
        server.close()
    assert wire.unexpected == []
    assert wire.asked == len(wire.exchanges)


async def read_request(reader: asyncio.StreamReader) -> Message | None:
    """The next request of a connection, None at its end."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except (asyncio.IncompleteReadError, ConnectionResetError):
        return None
    message = _message(head.replace("\r\n", "\n"))
    body = await reader.readexactly(int(message.headers.get("content-length", "0")))
    return Message(message.line.removesuffix(" HTTP/1.1"), message.headers, body.decode())


def answer_bytes(answer: Message, url: str) -> bytes:
    """CRLF, with a Content-Length."""
    body = answer.body.replace("{url}", url)
    if answer.headers.get("content-type", "").startswith("multipart/"):
        body = body.replace("\n", "\r\n") + "\r\n"
    headers = "".join(f"{name}: {value.replace('{url}', url)}\r\n" for name, value in answer.headers.items())
    return f"HTTP/1.1 {answer.line}\r\n{headers}Content-Length: {len(body.encode())}\r\n\r\n{body}".encode()


def differences(wanted: Message, got: Message, url: str) -> Sequence[str]:
    """What a request says otherwise than the golden one; headers not named there are free."""
    found = []
    boundary = re.search(r'boundary="?([^";]+)', got.headers.get("content-type", ""))

    def plain(text: str) -> str:
        text = text.replace("\r\n", "\n").replace(url, "{url}")
        return text.replace(boundary.group(1), "{boundary}") if boundary else text

    if plain(got.line) != wanted.line:
        found.append(f"asked {plain(got.line)}, expected {wanted.line}")
    for name, value in wanted.headers.items():
        if plain(got.headers.get(name, "")) != value:
            found.append(f"{name}: {plain(got.headers.get(name, ''))}, expected {value}")
    if _body(plain(got.body).strip()) != _body(wanted.body):
        found.append(f"body {plain(got.body)!r}, expected {wanted.body!r}")
    return found


def _body(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
