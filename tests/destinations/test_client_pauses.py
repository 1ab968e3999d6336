"""After a 429 was read nothing of that user begins before its pause ends, whoever asks for it: seen by a real server."""

import asyncio
import time

from aiohttp import web

from flitstack.destinations.dataverse.client import Client
from flitstack.destinations.faults import Throttled

PAUSE_S = 1.0


async def _play() -> tuple[list[float], list[tuple[str, float]]]:
    """When 429s were answered; what the pacer was told."""
    arrived: list[float] = []
    told: list[tuple[str, float]] = []

    class Ear:
        def paused(self, retry_after_s: float, code: str) -> None:
            told.append((code, retry_after_s))

        def told(self, requests_left: float, execution_left_s: float) -> None:
            told.append(("left", requests_left))

        def connected(self, seconds: float) -> None:
            told.append(("connected", seconds))

    async def answer(_: web.Request) -> web.Response:
        arrived.append(time.monotonic())
        if len(arrived) == 1:
            body = {"error": {"code": "0x80072322", "message": "Number of requests exceeded the limit of 6000."}}
            return web.json_response(body, status=429, headers={"Retry-After": str(int(PAUSE_S))})
        left = {
            "x-ms-ratelimit-burst-remaining-xrm-requests": "5990",
            "x-ms-ratelimit-time-remaining-xrm-requests": "1199000",
        }
        return web.json_response({"value": []}, headers=left)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    client = Client(f"http://{host}:{port}")
    client.pacer = Ear()
    try:
        try:
            await client.post("accounts", {})
        except Throttled:
            arrived.append(time.monotonic())
        await asyncio.gather(client.get("contacts"), client.get("leads"), client.post("accounts", {}))
    finally:
        await client.close()
        await runner.cleanup()
    return arrived, told


def test_reads_and_writes_alike_wait_until_the_pause_is_over() -> None:
    arrived, told = asyncio.run(_play())
    _, read_at, *later = arrived
    assert len(later) == 3
    assert min(later) - read_at >= PAUSE_S - 0.02
    assert ("0x80072322", 1.0) in told
    assert ("left", 5990) in told
