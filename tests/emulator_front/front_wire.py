"""An emulator on a thread with its own event loop, and the plain HTTP that tests speak to it."""

import asyncio
import http.client
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from flitstack.emulator.instance import Instance, Options
from flitstack.emulator.server import serve

API = "/api/data/v9.2/"
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json()["error"]["code"])

    @property
    def entity(self) -> str:
        """The URL of what was made, below the service root."""
        return self.headers["odata-entityid"].partition(API)[2]


@dataclass(frozen=True, slots=True)
class Wire:
    """Requests to one emulator, each on a connection of its own."""

    url: str
    instance: Instance

    def send(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Reply:
        """`path` is below the service root unless it starts with a slash; a body that is not bytes is sent as JSON."""
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=20)
        data = body if isinstance(body, bytes) or body is None else orjson.dumps(body)
        full = path if path.startswith("/") else API + path
        try:
            connection.request(method, full.replace(" ", "%20"), data, {**JSON, **(headers or {})})
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, found, answer.read())
        finally:
            connection.close()

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Any:
        reply = self.send("GET", path, headers=headers)
        assert reply.status == 200, reply.body
        return reply.json()

    def post(self, path: str, body: object, headers: Mapping[str, str] | None = None) -> Reply:
        return self.send("POST", path, body, headers)

    def admin(self, path: str, body: object = None) -> Any:
        reply = self.send("GET" if body is None else "POST", f"/flitstack-admin/{path}", body)
        assert reply.status == 200, reply.body
        return reply.json()


@contextmanager
def running(options: Options, tls: ssl.SSLContext | None = None) -> Iterator[Wire]:
    """A served instance; closed at the end."""
    instance = Instance(options)
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    stop = asyncio.Event()
    urls: list[str] = []

    def announce(url: str) -> None:
        urls.append(url)
        ready.set()

    def work() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(serve(instance, "127.0.0.1", 0, announce, stop.wait(), tls))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert ready.wait(20)
        yield Wire(urls[0], instance)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()
        instance.end()
