"""One HTTP session to one environment as one user: requests go out, answers or faults come back.

The table of faults (docs/destination.md):

    could not connect, DNS, connect timeout     Unavailable (a name that never resolved, a bad certificate: Fatal)
    cut, timed out or truncated after sending   Unanswered
    429                                         Throttled
    503                                         Unavailable: refused before execution
    other 5xx                                   Unanswered, 501 Refused
    401                                         token renewed once, then Fatal
    other 4xx                                   Refused with Dataverse's code
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType, SimpleNamespace
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import aiohttp
import orjson
from yarl import URL

from flitstack.destinations.dataverse.pieces import Pieces
from flitstack.destinations.dataverse.tokens import NoTokens, Tokens
from flitstack.destinations.faults import Fatal, Fault, Refusal, Refused, Throttled, Unanswered, Unavailable
from flitstack.destinations.port import Body

API = "/api/data/v9.2/"
_ALWAYS = {
    "Accept": "application/json",
    "OData-MaxVersion": "4.0",
    "OData-Version": "4.0",
    "User-Agent": "flitstack",
}
_NONE: Mapping[str, str] = MappingProxyType({})
# Source: Microsoft Learn, "Service protection API limits" (response headers of the Web API); the second in milliseconds.
_REQUESTS_LEFT = "x-ms-ratelimit-burst-remaining-xrm-requests"
_MILLISECONDS_LEFT = "x-ms-ratelimit-time-remaining-xrm-requests"
# Used when a 429 carries no Retry-After, which the documentation does not foresee.
_PAUSE_WITHOUT_HINT_S = 10.0
# A read has no effect, so it is simply asked again; the waits between the tries. Somebody who has had no answer at all has
# probably named a wrong address and is told soon; later a plan's hundreds of reads outlast a minute without service.
_FIRST_WAITS_S = (0.5, 2.0, 8.0)
_READ_WAITS_S = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
# Of one read; each time the answer says how long to wait.
_MOST_THROTTLES = 200


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `answer_s` is longer than the service's own limit of two minutes a request."""

    connect_s: float = 30.0
    answer_s: float = 240.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer with a status that is no fault."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The JSON object of the body; Fatal when it is none."""
        try:
            found = orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise Fatal(f"the destination answered {self.status} with something that is not JSON") from error
        if not isinstance(found, dict):
            raise Fatal(f"the destination answered {self.status} with JSON that is no object")
        return found


class Pacer(Protocol):
    """Who wants to know what answers say about the limits."""

    def paused(self, retry_after_s: float, code: str) -> None:
        """A 429 was read."""

    def told(self, requests_left: float, execution_left_s: float) -> None:
        """So much is left of this user's window on the web server that answered."""

    def connected(self, seconds: float) -> None:
        """A connection was made in this time: the network's share of an answer's."""


class Client:
    """Sends requests; raises nothing but faults. Opens its session at the first request, on the running loop."""

    def __init__(
        self,
        url: str,
        tokens: Tokens | None = None,
        timeouts: Timeouts | None = None,
        write_headers: Mapping[str, str] = _NONE,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise Fatal(f"{url!r} is not the address of an environment; it looks like https://name.crm4.dynamics.com")
        # A host has no case, and the service writes its own in lower case: next links are compared with it.
        self.url = f"{parts.scheme}://{parts.netloc.lower()}"
        self.write_headers = dict(write_headers)
        self._tokens = tokens or NoTokens()
        self._timeouts = timeouts or Timeouts()
        self._sleep = sleep
        self._session: aiohttp.ClientSession | None = None
        self._has_connected = False
        # Who paces this user listens here; nothing is sent before `open_at` (seconds of the running loop's clock).
        self.pacer: Pacer | None = None
        self._open_at = float("-inf")

    async def get(self, path: str, headers: Mapping[str, str] = _NONE) -> Answer:
        """A read, asked again after a fault that passes.

        `path` is relative to the API (encoded by `query_url`) or an absolute next link.
        """
        tries = throttles = 0
        while True:
            try:
                return await self.send("GET", path, headers=headers)
            except (Unavailable, Unanswered):
                waits_s = _READ_WAITS_S if self._has_connected else _FIRST_WAITS_S
                if tries == len(waits_s):
                    raise
                await self._sleep(waits_s[tries])
                tries += 1
            except Throttled:
                if throttles == _MOST_THROTTLES:
                    raise
                throttles += 1  # the next try waits until the pause is over

    async def find(self, path: str, headers: Mapping[str, str] = _NONE) -> dict[str, Any] | None:
        """The JSON object at `path`, or None when the destination says it does not exist."""
        try:
            return (await self.get(path, headers)).json()
        except Refused as fault:
            if fault.refusal.status == 404:
                return None
            raise

    async def post(self, path: str, body: object, headers: Mapping[str, str] = _NONE) -> Answer:
        """A write with a JSON body, sent once: the text (bytes, or a tuple of its parts), or an object to be written as one."""
        data = body if isinstance(body, bytes | tuple) else orjson.dumps(body)
        return await self.send("POST", path, data, {"Content-Type": "application/json", **headers})

    async def send(
        self,
        method: str,
        path: str,
        body: bytes | Body | None = None,
        headers: Mapping[str, str] = _NONE,
        accept: frozenset[int] = frozenset(),
    ) -> Answer:
        """One request, sent once; twice only when the first was refused for its token (nothing was executed).

        `accept`: statuses from 400 on that are no fault here.
        """
        answer = await self._exchange(method, path, body, headers)
        if answer.status == 401:
            self._tokens.forget()
            answer = await self._exchange(method, path, body, headers)
            if answer.status == 401:
                raise Fatal(
                    f"{self.url} refuses these credentials (401) {refusal_of(401, answer.body).message}".strip()
                )
        if 300 <= answer.status < 400:
            raise Fatal(f"{self.url} redirects to {answer.headers.get('Location', 'nowhere')}; use that address")
        if answer.status < 400 or answer.status in accept:
            return answer
        raise fault_of(answer)

    async def _exchange(self, method: str, path: str, body: bytes | Body | None, headers: Mapping[str, str]) -> Answer:
        session = self._opened()
        while (pause_s := self._open_at - asyncio.get_running_loop().time()) > 0:
            await self._sleep(pause_s)
        token = await self._tokens.bearer(session)
        sent = {**headers, "Authorization": f"Bearer {token}"} if token else dict(headers)
        address = path if path.startswith(("http://", "https://")) else f"{self.url}{API}{path}"
        if not address.startswith(f"{self.url}/"):
            raise Fatal("the destination's next link leads to another host")  # the token must not go there
        try:
            data = Pieces(body) if body else body
            request = session.request(
                method, URL(address, encoded=True), data=data, headers=sent, allow_redirects=False
            )
            async with request as response:
                self._has_connected = True
                if response.status == 429:
                    self._pause(response.headers)
                answer = Answer(response.status, response.headers, await response.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._fault_on_the_way(error) from error
        self._tell(answer)
        return answer

    def _pause(self, headers: Mapping[str, str]) -> None:
        """From the moment its status is read, a 429 holds back whatever this user would send, reads too."""
        until = asyncio.get_running_loop().time() + _retry_after_s(headers)
        self._open_at = max(self._open_at, until)

    def _tell(self, answer: Answer) -> None:
        if self.pacer is None:
            return
        if answer.status == 429:
            self.pacer.paused(_retry_after_s(answer.headers), refusal_of(429, answer.body).code)
            return
        left = answer.headers.get(_REQUESTS_LEFT, ""), answer.headers.get(_MILLISECONDS_LEFT, "")
        if left[0].isdigit() and left[1].isdigit():
            self.pacer.told(int(left[0]), int(left[1]) / 1000)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(
                total=None,
                connect=None,
                sock_connect=self._timeouts.connect_s,
                sock_read=self._timeouts.answer_s,
            )
            # The affinity cookie would pin all requests to one web server, whose limits are counted apart.
            # Source: Microsoft Learn, "Send parallel requests" ("Server affinity").
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=_ALWAYS,
                timeout=timeout,
                auto_decompress=True,
                trace_configs=[self._connection_trace()],
            )
        return self._session

    def _connection_trace(self) -> aiohttp.TraceConfig:
        """Times the making of connections. TCP takes one round trip, TLS 1.3 another one, so a half is a round trip."""
        trace = aiohttp.TraceConfig()
        round_trips = 2 if self.url.startswith("https") else 1

        async def start(_: object, context: SimpleNamespace, __: object) -> None:
            context.started = asyncio.get_running_loop().time()

        async def end(_: object, context: SimpleNamespace, __: object) -> None:
            if self.pacer is not None:
                self.pacer.connected((asyncio.get_running_loop().time() - context.started) / round_trips)

        trace.on_connection_create_start.append(start)
        trace.on_connection_create_end.append(end)
        return trace

    def _fault_on_the_way(self, error: Exception) -> Fault:
        """A transport error as a fault: before the request left nothing is done, after it nobody knows."""
        name = type(error).__name__
        if isinstance(error, aiohttp.ClientConnectorDNSError):
            cause = error.os_error
            unknown = isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME
            if unknown and not self._has_connected:
                return Fatal(f"the host of {self.url} does not exist; check the environment's url")
            return Unavailable(f"the host name of {self.url} could not be resolved")
        if isinstance(error, (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError)):
            return Fatal(f"no trusted TLS connection to {self.url}: {error}")
        if isinstance(error, (aiohttp.InvalidURL, aiohttp.TooManyRedirects)):
            return Fatal(f"{self.url} is not usable: {name}")
        if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)):
            return Unavailable(f"no connection to {self.url} ({name})")
        return Unanswered(f"the request left, no complete answer came ({name})")

    async def close(self) -> None:
        """Close the session; a later request opens a new one."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()


def query_url(path: str, **options: str) -> str:
    """`path?$select=...`: option names get their dollar sign, values are percent-encoded but for `QUERY_SAFE`.

    >>> query_url("accounts", select="name,revenue", filter="name eq 'R&D'")
    "accounts?$select=name,revenue&$filter=name%20eq%20'R%26D'"
    """
    pairs = "&".join(f"${name}={_encoded(value)}" for name, value in options.items() if value)
    return f"{path}?{pairs}" if pairs else path


QUERY_SAFE = "$,()'/;=@*:"
_UNSAFE = re.compile(rf"[^A-Za-z0-9_.\-~{re.escape(QUERY_SAFE)}]+")


def _encoded(value: str) -> str:
    """`quote(value, safe=QUERY_SAFE)`, which looks at every byte of a list of ids, five times as fast."""
    return _UNSAFE.sub(lambda found: quote(found[0], safe=""), value)


def fault_of(answer: Answer) -> Fault:
    """The fault that an answer with a status from 400 on stands for (table above)."""
    refusal = refusal_of(answer.status, answer.body)
    if answer.status == 429:
        return Throttled(_retry_after_s(answer.headers), f"{refusal.code} {refusal.message}".strip())
    if answer.status == 503:
        return Unavailable(f"the destination is not available (503) {refusal.message}".strip())
    if answer.status >= 500 and answer.status != 501:
        return Unanswered(f"the destination failed while executing ({answer.status}) {refusal.code} {refusal.message}")
    return Refused(refusal)


def _retry_after_s(headers: Mapping[str, str]) -> float:
    try:
        return max(0.0, float(headers.get("Retry-After", "")))
    except ValueError:
        return _PAUSE_WITHOUT_HINT_S


def refusal_of(status: int, body: bytes) -> Refusal:
    """The refusal a Web API error body tells; without one, the status alone."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Refusal("", status, body[:200].decode("utf-8", "replace").strip())
    error = found.get("error") if isinstance(found, dict) else None
    if not isinstance(error, dict):
        return Refusal("", status, "")
    return Refusal(str(error.get("code", "")), status, str(error.get("message", "")))
