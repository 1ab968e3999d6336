"""The emulator over HTTP: sockets to requests, answers to sockets, and the mishaps between.

All work on the environment happens on the event loop's thread, one request at a time.
"""

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO
from urllib.parse import parse_qsl
from uuid import uuid4

from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage

from flitstack.emulator.admin import PREFIX, answer_admin
from flitstack.emulator.answers import json_answer, refused
from flitstack.emulator.auth import TokenRefused
from flitstack.emulator.counters import kind_of
from flitstack.emulator.dispatch import count_targets
from flitstack.emulator.faults import Mishap, Rule
from flitstack.emulator.files.spool import open_spool
from flitstack.emulator.instance import Instance
from flitstack.emulator.jobs.runner import run_jobs
from flitstack.emulator.limits import MAX_SERVERS, Throttle
from flitstack.emulator.messages import Answer, Caller, Refusal, Request, not_implemented
from flitstack.emulator.mishaps import LOSING, REFUSING, cut, lose, planned_answer, respond
from flitstack.emulator.urls import MAX_URL, Resource, read_resource, url_too_long

MAX_BODY_BYTES = 128 * 1024 * 1024
_TOKEN = re.compile(r"/([^/]+)/oauth2/(?:v2\.0/)?token")
_AFFINITY = re.compile(r"(?:^|;)\s*ARRAffinity=([0-9a-f]{64})(?=\s*(?:;|$))")


# A server is known by its cookie, as behind Azure's Application Request Routing.
_COOKIES = [sha256(f"flitstack web server {number}".encode()).hexdigest() for number in range(MAX_SERVERS)]
_SERVERS = {cookie: number for number, cookie in enumerate(_COOKIES)}


@dataclass(slots=True)
class Visit:
    """One request on its way: `user` (empty: nobody is signed in), the web server it came to, what it meets there."""

    user: str
    server: int
    ordinal: int
    mishap: Mishap
    is_new: bool = False  # the client brought no cookie
    remaining: tuple[int, int] | None = None

    @property
    def account(self) -> str:
        """Under which the limits are kept."""
        return f"{self.user}@{self.server}"


class Front:
    """The aiohttp handlers of one instance."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    async def handle(self, http: web.BaseRequest) -> web.StreamResponse:
        """The answer to any request; the service reads raw URLs, not a router's idea of them."""
        path = http.raw_path.partition("?")[0]
        upload = None
        try:
            upload = await _spool(http, self._instance.options.data) if _is_upload(http) else None
            body = b"" if upload is not None else await http.read()
        except web.HTTPRequestEntityTooLarge:
            # Status of the documentation's class of errors, the code is the emulator's choice.
            return respond(refused(Refusal(413, "0x0", f"A request has at most {MAX_BODY_BYTES:,} bytes.")))
        if len(http.raw_path) > MAX_URL:
            return respond(refused(url_too_long(http.raw_path, MAX_URL)))
        if f"{path}/".startswith(PREFIX):
            return respond(answer_admin(self._instance, http.method, path[len(PREFIX) :], body))
        token = _TOKEN.fullmatch(path)
        if token is not None:
            return respond(self._token(http.method, token[1], body))
        resource = read_resource(http.raw_path) if path.startswith("/api/data/") else None
        if path.startswith("/api/search/"):
            return respond(refused(not_implemented("Dataverse search")))
        if resource is None:
            return respond(
                refused(Refusal(404, "", f"No HTTP resource was found that matches the request URI '{path}'."))
            )
        return await self._answer_data(http, resource, body, upload)

    def _token(self, method: str, tenant: str, body: bytes) -> Answer:
        if method != "POST":
            wrong = TokenRefused(405, "invalid_request", 900561, "The endpoint only accepts POST requests.")
            return json_answer(wrong.document(self._instance.clock.now()), wrong.status)
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        try:
            return json_answer(self._instance.doorkeeper.issue(form, tenant))
        except TokenRefused as refusal:
            return json_answer(refusal.document(self._instance.clock.now()), refusal.status)

    async def _answer_data(
        self, http: web.BaseRequest, resource: Resource, body: bytes, upload: IO[bytes] | None
    ) -> web.StreamResponse:
        instance = self._instance
        instance.refresh()
        request = _to_request(http, resource, body, upload)
        caller = self._caller(request)
        visit = self._visit(request, caller)
        if visit.mishap.kind == "cut_before":
            return cut(http)
        if visit.mishap.delay_s:
            await instance.clock.spend(visit.mishap.delay_s)
        if isinstance(caller, Refusal):
            return self._finish(_challenged(caller, request.base_url), visit)
        rule = visit.mishap.rule
        if rule is not None and rule.kind in REFUSING:
            return self._finish(self._refuse(rule, visit), visit)
        if rule is not None and rule.kind == "cut_midway":
            if request.path == "$batch":
                instance.dispatcher.begin_batch(request, caller)
            return cut(http)
        answer = await self._limited(request, caller, visit)
        if rule is not None and rule.kind in LOSING:
            return await lose(http, rule, self._complete(answer, visit), instance.clock)
        return self._finish(answer, visit)

    def _caller(self, request: Request) -> Caller | Refusal:
        try:
            return self._instance.doorkeeper.caller(request.headers)
        except Refusal as refusal:
            return refusal

    def _visit(self, request: Request, caller: Caller | Refusal) -> Visit:
        """Count a request: who came to which server, and what it meets."""
        state, settings = self._instance.state, self._instance.settings
        user = "" if isinstance(caller, Refusal) else str(caller.on_behalf_of or caller.user_id)
        kind = kind_of(request.method, request.path)
        cookie = _AFFINITY.search(request.headers.get("cookie", ""))
        server = _SERVERS.get(cookie[1]) if cookie else None
        with state.memory.lock():
            self._instance.counters.count_request(request.method, kind, user)
            mishap = settings.faults.draw(state.cells, request.method, request.path, kind)
            ordinal = state.cells.add("ordinal")
            if server is None or server >= settings.profile.servers:
                server = (state.cells.add("visitor") - 1) % settings.profile.servers
                return Visit(user, server, ordinal, mishap, is_new=True)
        return Visit(user, server, ordinal, mishap)

    def _refuse(self, rule: Rule, visit: Visit) -> Answer:
        answer = planned_answer(rule)
        if answer.status == 429:
            self._note_pause(visit)
            self._instance.limiter.pause(
                visit.account, self._instance.clock.seconds() + int(answer.headers["Retry-After"])
            )
        return answer

    def _note_pause(self, visit: Visit) -> None:
        """Counts a request of somebody who was told to wait and did not."""
        if self._instance.limiter.is_paused(visit.account, self._instance.clock.seconds()):
            with self._instance.state.memory.lock():
                self._instance.counters.count_during_pause(visit.user)

    async def _limited(self, request: Request, caller: Caller, visit: Visit) -> Answer:
        """The answer, unless the limits say no; takes as long as the profile says it does."""
        instance = self._instance
        limiter, clock = instance.limiter, instance.clock
        self._note_pause(visit)
        try:
            with instance.state.memory.lock():
                used_up = instance.entitlement.refusal(visit.user, instance.settings.allowance, clock.now())
            if used_up is not None:
                raise used_up
            limiter.enter(visit.account, clock.seconds())
        except Throttle as throttle:
            answer = refused(throttle)
            answer.headers["Retry-After"] = str(throttle.retry_after_s)
            return answer
        cost_ms = 0.0
        try:
            rows = _count_rows(request) if limiter.profile.ms_per_row else 0
            cost_ms = limiter.profile.cost_ms(rows, visit.ordinal)
            answer = instance.dispatcher.answer(request, caller)
            units, written = instance.dispatcher.units, instance.dispatcher.written
            with instance.state.memory.lock():
                instance.counters.count_rows(visit.user, written)
                instance.entitlement.count(visit.user, units, clock.now())
            if cost_ms:
                await clock.spend(cost_ms / 1000)
        finally:
            visit.remaining = limiter.leave(visit.account, clock.seconds(), cost_ms)
        return answer

    def _finish(self, answer: Answer, visit: Visit) -> web.Response:
        return respond(self._complete(answer, visit))

    def _complete(self, answer: Answer, visit: Visit) -> Answer:
        """An answer with the headers that every one has."""
        instance = self._instance
        with instance.state.memory.lock():
            instance.counters.count_answer(answer.status)
        remaining = visit.remaining or instance.limiter.remaining(visit.account, instance.clock.seconds())
        answer.headers |= {
            "x-ms-service-request-id": str(uuid4()),
            "REQ_ID": str(uuid4()),
            "x-ms-ratelimit-burst-remaining-xrm-requests": str(remaining[0]),
            "x-ms-ratelimit-time-remaining-xrm-requests": str(remaining[1]),
            "x-ms-dop-hint": str(instance.settings.profile.parallelism_hint),
        }
        if visit.is_new:
            answer.headers["Set-Cookie"] = f"ARRAffinity={_COOKIES[visit.server]};Path=/;HttpOnly"
        answer.headers.setdefault("OData-Version", "4.0")
        return answer


def _to_request(http: web.BaseRequest, resource: Resource, body: bytes, upload: IO[bytes] | None) -> Request:
    headers: dict[str, str] = {}
    for name, value in http.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]},{value}" if key in headers else value
    version = http.raw_path.split("/", 4)[3].partition("?")[0]
    base_url = f"{http.scheme}://{http.host}/api/data/{version}/"
    return Request(http.method, resource.path, resource.query, headers, body, base_url, upload=upload)


def _is_upload(http: web.BaseRequest) -> bool:
    """Whether the body is a file: such a body need not fit into memory."""
    is_named = "x-ms-file-name" in http.headers
    return http.method == "PATCH" and (is_named or http.content_type == "application/octet-stream")


async def _spool(http: web.BaseRequest, directory: Path) -> IO[bytes]:
    """The body in a temporary file. Raises HTTPRequestEntityTooLarge."""
    file, size = open_spool(directory), 0
    async for piece in http.content.iter_any():
        size += len(piece)
        if size > MAX_BODY_BYTES:
            raise web.HTTPRequestEntityTooLarge(MAX_BODY_BYTES, size)
        file.write(piece)
    file.seek(0)
    return file


def _count_rows(request: Request) -> int:
    parts = request.body.count(b"application/http") if request.path == "$batch" else 0
    return parts + count_targets(request.body)


def _challenged(refusal: Refusal, base_url: str) -> Answer:
    answer = refused(refusal)
    if refusal.status == 401:
        origin = base_url.partition("/api/")[0]
        answer.headers["WWW-Authenticate"] = (
            f"Bearer authorization_uri={origin}/common/oauth2/authorize, resource_id={origin}/"
        )
    return answer


class _Connection(web.RequestHandler):
    """A connection that answers what is no HTTP, too, with the error body of the service."""

    __slots__ = ()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """400 for bytes that are no request. What nobody foresaw goes its usual way."""
        if status != 400:
            return super().handle_error(request, status, exc, message)
        response = respond(refused(Refusal(400, "0x0", "Bad Request - the request is no valid HTTP.")))
        response.force_close()
        return response


class _Server(web.Server):
    """Hands out our connections instead of aiohttp's."""

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


def _make_request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: web.RequestHandler,
    writer: AbstractStreamWriter,
    task: "asyncio.Task[None]",
) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MAX_BODY_BYTES)


def make_runner(instance: Instance) -> web.ServerRunner:
    """What answers connections for an instance, ready to be served."""
    server = _Server(
        Front(instance).handle,
        request_factory=_make_request,
        access_log=None,
        max_line_size=4 * MAX_URL,  # longer than any URL that is taken: the refusal is then the emulator's own
    )
    return web.ServerRunner(server, handle_signals=False, shutdown_timeout=2)


async def serve(
    instance: Instance,
    host: str,
    port: int,
    on_ready: Callable[[str], None],
    stop: Awaitable[object],
    tls: ssl.SSLContext | None = None,
) -> None:
    """Serve until `stop` is done. `on_ready` gets the URL once connections are accepted; port 0 takes a free one."""
    runner = make_runner(instance)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, backlog=1024, ssl_context=tls)
        await site.start()
        address = runner.addresses[0]
        jobs = asyncio.create_task(run_jobs(instance))
        on_ready(f"{'https' if tls else 'http'}://{address[0]}:{address[1]}")
        await stop
        jobs.cancel()
    finally:
        await runner.cleanup()
