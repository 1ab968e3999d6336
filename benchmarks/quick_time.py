"""Waits shortened evenly: an event loop whose seconds are shorter than real ones, and a client that is watched.

The client's clock and the emulator's (`clock`, `rate`) run at the same speed, so a pause of a second is as long for one as for
the other; it only takes 1 / RATE s of anybody's time.
"""

import asyncio
import selectors
import time
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace

import aiohttp

from flitstack.app import project, running, subjects, wiring
from flitstack.app.emulators import call
from flitstack.destinations.dataverse.client import Client
from flitstack.destinations.throttled import ThrottledDestination
from flitstack.documents import file_sha256
from flitstack.mapping.maps import MapFile, read_maps
from flitstack.packs.read import load_pack

RATE = 50.0


def quick_clock() -> float:
    """Monotonic seconds, RATE of them in a real one."""
    return time.monotonic() * RATE


class _QuickSelector(selectors.DefaultSelector):
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(timeout / RATE if timeout is not None and timeout > 0 else timeout)


class QuickLoop(asyncio.SelectorEventLoop):
    """Sleeps, timeouts and `time` in quick seconds."""

    def __init__(self) -> None:
        super().__init__(_QuickSelector())

    def time(self) -> float:
        """See quick_clock."""
        return quick_clock()


class Watch:
    """Requests of all clients since the last `take`, and those that began after this process had read a 429 and before its
    pause ended."""

    def __init__(self) -> None:
        self.requests = self.in_pauses = 0
        self.pause_ends = 0.0

    def take(self) -> tuple[int, int]:
        """(requests, of them in pauses); counting begins anew. A pause ends with the process that read of it."""
        taken = (self.requests, self.in_pauses)
        self.requests = self.in_pauses = 0
        self.pause_ends = 0.0
        return taken


WATCH = Watch()


class WatchedClient(Client):
    """Counts by the HTTP library's own hooks."""

    def _connection_trace(self) -> aiohttp.TraceConfig:
        trace = super()._connection_trace()

        async def start(_: object, __: SimpleNamespace, ___: object) -> None:
            WATCH.requests += 1
            WATCH.in_pauses += asyncio.get_running_loop().time() < WATCH.pause_ends - 0.001

        async def end(_: object, __: SimpleNamespace, done: aiohttp.TraceRequestEndParams) -> None:
            if done.response.status == 429:
                wait_s = float(done.response.headers["Retry-After"])
                WATCH.pause_ends = max(WATCH.pause_ends, asyncio.get_running_loop().time() + wait_s)

        trace.on_request_start.append(start)
        trace.on_request_end.append(end)
        return trace


def hurry(url: str) -> None:
    """From now on commands of this process, and the emulator, live in quick seconds, and clients are watched."""
    running._loop_factory = lambda: QuickLoop  # type: ignore[attr-defined]
    wiring.Client = WatchedClient  # type: ignore[attr-defined]
    wiring.ThrottledDestination = partial(ThrottledDestination, clock=quick_clock)  # type: ignore[attr-defined, assignment]
    call(url, "clock", {"rate": RATE})
    # Parsing the pack's and the map's YAML would take longer than a small load.
    project.load_pack = cache(load_pack)
    subjects.read_maps = _read_once  # type: ignore[attr-defined]


_MAPS: dict[tuple[str, ...], dict[str, MapFile]] = {}


def _read_once(folder: Path) -> dict[str, MapFile]:
    """Maps by the content of their files."""
    key = (str(folder), *(file_sha256(path) for path in sorted(folder.glob("*.yaml"))))
    if key not in _MAPS:
        _MAPS[key] = read_maps(folder)
    return _MAPS[key]
