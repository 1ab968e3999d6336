"""What planned faults do to an answer on its way: refused instead, cut, cut short, slowed down."""

import asyncio

from aiohttp import web

from flitstack.emulator.answers import refused
from flitstack.emulator.faults import FACETS, Rule
from flitstack.emulator.limits import CODES
from flitstack.emulator.messages import Answer, Refusal
from flitstack.emulator.shared.clock import Clock

LOSING = frozenset({"cut_after", "timeout", "truncated_body", "trickle"})
_PIECES = 20  # of a trickling answer
_THROTTLED = {
    "requests": "Number of requests exceeded the limit of 6000 over time window of 300 seconds.",
    "time": "Combined execution time of incoming requests exceeded limit of 1,200,000 milliseconds over time window of "
    "300 seconds. Decrease number of concurrent requests or reduce the duration of requests and try again later.",
    "concurrency": "Number of concurrent requests exceeded the limit of 52.",
}
_REFUSALS = {
    "unavailable503": (503, "0x80072324", "The service is temporarily unavailable."),
    "expired_token": (401, "0x80072560", "The bearer token is missing, invalid or expired."),
    "precondition412": (412, "0x80060882", "The version of the existing record doesn't match the version provided."),
}
REFUSING = frozenset({"throttle429", *_REFUSALS})


def planned_refusal(rule: Rule) -> Refusal:
    """The error a rule answers with."""
    if rule.kind == "throttle429":
        return Refusal(429, CODES[FACETS[rule.facet]], _THROTTLED[rule.facet])
    return Refusal(*_REFUSALS[rule.kind])


def planned_answer(rule: Rule) -> Answer:
    """The whole answer of a request that a rule refuses."""
    refusal = planned_refusal(rule)
    answer = refused(refusal)
    if refusal.status in {429, 503}:
        answer.headers["Retry-After"] = str(max(round(rule.seconds), 1))
    if refusal.status == 401:
        answer.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    return answer


def respond(answer: Answer) -> web.Response:
    """An answer as it is."""
    body = answer.body if answer.stream is None else answer.stream
    return web.Response(status=answer.status, body=body, headers=answer.headers)


def cut(http: web.BaseRequest) -> web.Response:
    """Reset the connection; the response object only ends the handler."""
    if http.transport is not None:
        http.transport.abort()
    return web.Response(status=503)


async def lose(http: web.BaseRequest, rule: Rule, answer: Answer, clock: Clock) -> web.StreamResponse:
    """What was done is committed, but its answer does not arrive, or not whole, or late."""
    if rule.kind == "timeout":
        await clock.spend(rule.seconds)
    body = answer.body or b""
    if rule.kind not in {"truncated_body", "trickle"} or not body:
        return respond(answer) if rule.kind == "trickle" else cut(http)
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_length = len(body)
    await response.prepare(http)
    if rule.kind == "truncated_body":
        await response.write(body[: min(int(len(body) * rule.share), len(body) - 1)])
        await asyncio.sleep(0.01)  # what was written goes out before the reset, which would overtake it
        return cut(http)
    size = -(-len(body) // _PIECES)
    for start in range(0, len(body), size):
        await clock.spend(rule.seconds / _PIECES)
        await response.write(body[start : start + size])
    await response.write_eof()
    return response
