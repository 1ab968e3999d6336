"""The emulator over HTTP: sockets to requests, answers to sockets, and the mishaps between.

All work on the environment happens on the event loop's thread, one request at a time.
"""

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl
from uuid import uuid4

from aiohttp import web

from flitstack.emulator.admin import PREFIX, answer_admin
from flitstack.emulator.answers import json_answer, refused
from flitstack.emulator.auth import TokenRefused
from flitstack.emulator.counters import kind_of
from flitstack.emulator.faults import Rule
from flitstack.emulator.instance import Instance
from flitstack.emulator.limits import Throttle
from flitstack.emulator.messages import Answer, Caller, Refusal, Request
from flitstack.emulator.urls import Resource, read_resource

MAX_BODY_BYTES = 128 * 1024 * 1024
_TOKEN = re.compile(r"/([^/]+)/oauth2/(?:v2\.0/)?token")
_TARGET = re.compile(rb'"@odata\.type"')
# Answered although nothing was done (429, 503, 401 ...) or done and then lost.
_REFUSING: dict[str, tuple[int, str, str]] = {
    "throttle429": (
        429,
        "0x80072322",
        "Number of requests exceeded the limit of 6000 over time window of 300 seconds.",
    ),
    "unavailable503": (503, "0x80072324", "The service is temporarily unavailable."),
    "expired_token": (401, "0x80072560", "The bearer token is missing, invalid or expired."),
    "precondition412": (412, "0x80060882", "The version of the existing record doesn't match the version provided."),
}


class Front:
    """The aiohttp handlers of one instance."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def application(self) -> web.Application:
        """Everything under one catch-all route: the service reads raw URLs, not a router's idea of them."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_route("*", "/{anything:.*}", self._handle)
        return app

    async def _handle(self, http: web.Request) -> web.StreamResponse:
        path = http.raw_path.partition("?")[0]
        try:
            body = await http.read()
        except web.HTTPRequestEntityTooLarge:
            return _respond(refused(Refusal(413, "0x80072323", "The request is too large.")))
        if f"{path}/".startswith(PREFIX):
            return _respond(answer_admin(self._instance, http.method, path[len(PREFIX) :], body))
        token = _TOKEN.fullmatch(path)
        if token is not None:
            return _respond(self._token(http.method, body))
        resource = read_resource(http.raw_path) if path.startswith("/api/data/") else None
        if resource is None:
            return _respond(
                refused(Refusal(404, "", f"No HTTP resource was found that matches the request URI '{path}'."))
            )
        return await self._answer_data(http, resource, body)

    def _token(self, method: str, body: bytes) -> Answer:
        if method != "POST":
            return json_answer({"error": "invalid_request", "error_description": "POST is expected."}, 405)
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        try:
            return json_answer(self._instance.doorkeeper.issue(form))
        except TokenRefused as refusal:
            return json_answer({"error": refusal.error, "error_description": refusal.description}, refusal.status)

    async def _answer_data(self, http: web.Request, resource: Resource, body: bytes) -> web.StreamResponse:
        instance = self._instance
        request = _to_request(http, resource, body)
        fault = self._count(request)
        if fault is not None and fault.kind == "cut_before":
            return _cut(http)
        if fault is not None and fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        try:
            caller = instance.doorkeeper.caller(request.headers)
        except Refusal as refusal:
            return self._finish(http, _challenged(refusal, request.base_url), "")
        user = str(caller.on_behalf_of or caller.user_id)
        if fault is not None and fault.kind in _REFUSING:
            return self._finish(http, self._refuse(fault, user), user)
        if fault is not None and fault.kind == "cut_midway":
            if request.path == "$batch":
                instance.dispatcher.begin_batch(request, caller)
            return _cut(http)
        answer = await self._limited(request, caller, user)
        if fault is not None and fault.kind in {"cut_after", "timeout", "truncated_body"}:
            return await _lose(http, fault, answer)
        return self._finish(http, answer, user)

    def _count(self, request: Request) -> Rule | None:
        """Counts a request; the fault it meets, if any."""
        instance = self._instance
        kind = kind_of(request.method, request.path)
        instance.counters.methods[request.method] += 1
        instance.counters.requests[kind] += 1
        fault = instance.faults.draw(request.method, request.path, kind)
        if fault is not None:
            instance.counters.faults[fault.kind] += 1
        return fault

    def _refuse(self, fault: Rule, user: str) -> Answer:
        status, code, message = _REFUSING[fault.kind]
        answer = refused(Refusal(status, code, message))
        wait_s = max(round(fault.seconds), 1)
        if status in {429, 503}:
            answer.headers["Retry-After"] = str(wait_s)
        if status == 429:
            self._note_pause(user)
            self._instance.limiter.pause(user, self._instance.monotonic() + wait_s)
        if status == 401:
            answer.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
        return answer

    def _note_pause(self, user: str) -> None:
        """Counts a request of somebody who was told to wait and did not."""
        if self._instance.limiter.is_paused(user, self._instance.monotonic()):
            self._instance.counters.during_pause += 1

    async def _limited(self, request: Request, caller: Caller, user: str) -> Answer:
        """The answer, unless the service protection limits say no; takes as long as the profile says it does."""
        instance = self._instance
        limiter = instance.limiter
        self._note_pause(user)
        try:
            limiter.enter(user, instance.monotonic())
        except Throttle as throttle:
            answer = refused(throttle)
            answer.headers["Retry-After"] = str(throttle.retry_after_s)
            return answer
        cost_ms = limiter.cost_ms(_count_rows(request)) if limiter.profile.is_on else 0.0
        try:
            answer = instance.dispatcher.answer(request, caller)
            if cost_ms:
                await asyncio.sleep(cost_ms / 1000)
        finally:
            limiter.leave(user, instance.monotonic(), cost_ms)
        return answer

    def _finish(self, http: web.Request, answer: Answer, user: str) -> web.Response:
        instance = self._instance
        instance.counters.statuses[str(answer.status)] += 1
        requests, milliseconds = instance.limiter.remaining(user, instance.monotonic())
        answer.headers |= {
            "x-ms-service-request-id": str(uuid4()),
            "REQ_ID": str(uuid4()),
            "x-ms-ratelimit-burst-remaining-xrm-requests": str(requests),
            "x-ms-ratelimit-time-remaining-xrm-requests": str(milliseconds),
            "x-ms-dop-hint": str(instance.limiter.profile.parallelism_hint),
        }
        answer.headers.setdefault("OData-Version", "4.0")
        return _respond(answer)


def _to_request(http: web.Request, resource: Resource, body: bytes) -> Request:
    headers: dict[str, str] = {}
    for name, value in http.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]},{value}" if key in headers else value
    version = http.raw_path.split("/", 4)[3].partition("?")[0]
    base_url = f"{http.scheme}://{http.host}/api/data/{version}/"
    return Request(http.method, resource.path, resource.query, headers, body, base_url)


def _count_rows(request: Request) -> int:
    if request.path == "$batch":
        return max(request.body.count(b"application/http"), 1)
    return max(len(_TARGET.findall(request.body)), 1)


def _challenged(refusal: Refusal, base_url: str) -> Answer:
    answer = refused(refusal)
    if refusal.status == 401:
        origin = base_url.partition("/api/")[0]
        answer.headers["WWW-Authenticate"] = (
            f"Bearer authorization_uri={origin}/common/oauth2/authorize, resource_id={origin}/"
        )
    return answer


def _respond(answer: Answer) -> web.Response:
    return web.Response(status=answer.status, body=answer.body, headers=answer.headers)


def _cut(http: web.Request) -> web.Response:
    """Reset the connection; the response object only ends the handler."""
    if http.transport is not None:
        http.transport.abort()
    return web.Response(status=503)


async def _lose(http: web.Request, fault: Rule, answer: Answer) -> web.StreamResponse:
    """What was done is committed, but its answer does not arrive, or not whole."""
    if fault.kind == "timeout":
        await asyncio.sleep(fault.seconds)
    if fault.kind != "truncated_body" or not answer.body:
        return _cut(http)
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_length = len(answer.body)
    await response.prepare(http)
    await response.write(answer.body[: len(answer.body) // 2])
    return _cut(http)


async def serve(
    instance: Instance,
    host: str,
    port: int,
    on_ready: Callable[[str], None],
    stop: Awaitable[object],
    tls: ssl.SSLContext | None = None,
) -> None:
    """Serve until `stop` is done. `on_ready` gets the URL once connections are accepted; port 0 takes a free one."""
    # A URL may have 32,768 characters (Microsoft Learn, "Compose HTTP requests"); aiohttp alone stops at 8,190.
    runner = web.AppRunner(
        Front(instance).application(),
        access_log=None,
        handle_signals=False,
        shutdown_timeout=2,
        max_line_size=33_000,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, backlog=1024, ssl_context=tls)
        await site.start()
        address = runner.addresses[0]
        on_ready(f"{'https' if tls else 'http'}://{address[0]}:{address[1]}")
        await stop
    finally:
        await runner.cleanup()
