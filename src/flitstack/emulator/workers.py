"""Several processes that serve one data directory: the parent accepts connections and hands them round.

Handed over one after another, the connections of one client spread evenly; a shared listening socket would give most of
them to whichever process woke first. POSIX only.
"""

import asyncio
import contextlib
import os
import selectors
import signal
import socket
import ssl
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from types import FrameType

from aiohttp import web

_CONNECTION, _READY = b"c", b"r"
# Serves what comes through the channel until it ends; gets the number of the worker too.
Work = Callable[[int, socket.socket], None]


@dataclass(frozen=True, slots=True)
class _Worker:
    pid: int
    channel: socket.socket


def supervise(count: int, listener: socket.socket, work: Work, on_ready: Callable[[], None]) -> int:
    """Run so many workers until SIGTERM or SIGINT. Exit code 1 when one of them ended by itself."""
    woken, wakes = socket.socketpair()
    wakes.setblocking(False)
    signal.set_wakeup_fd(wakes.fileno())
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, _noted)
    workers: list[_Worker] = []
    try:
        for number in range(count):
            workers.append(_start(number, listener, work, [worker.channel for worker in workers]))
            if workers[-1].channel.recv(1) != _READY:  # the first makes what the others share
                return _failed()
        on_ready()
        return _hand_round(listener, woken, workers)
    finally:
        listener.close()
        for worker in workers:
            worker.channel.close()  # its end tells the worker to stop
        for worker in workers:
            os.waitpid(worker.pid, 0)


def _noted(number: int, frame: FrameType | None) -> None:
    """The wakeup descriptor tells the loop."""


def _failed() -> int:
    print("error: a worker process ended by itself", file=sys.stderr)
    return 1


def _start(number: int, listener: socket.socket, work: Work, others: list[socket.socket]) -> _Worker:
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid:
        theirs.close()
        return _Worker(pid, ours)
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the parent decides; a terminal sends SIGINT to all
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for kept in (listener, ours, *others):
            kept.close()
        work(number, theirs)
        status = 0
    finally:
        if sys.exc_info()[0] is not None:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _hand_round(listener: socket.socket, woken: socket.socket, workers: list[_Worker]) -> int:
    listener.setblocking(False)
    turns = cycle(workers)
    with selectors.DefaultSelector() as selector:
        for watched in (listener, woken, *(worker.channel for worker in workers)):
            selector.register(watched, selectors.EVENT_READ)
        while True:
            ready = [key.fileobj for key, _ in selector.select()]
            if woken in ready:
                return 0
            if any(worker.channel in ready for worker in workers):
                return _failed()
            with contextlib.suppress(BlockingIOError, ConnectionError):
                connection, _ = listener.accept()
                with connection:
                    socket.send_fds(next(turns).channel, [_CONNECTION], [connection.fileno()])


async def serve_handed(
    make: Callable[[], web.ServerRunner], channel: socket.socket, tls: ssl.SSLContext | None
) -> None:
    """Serve the connections that come through the channel until the parent ends it. `make` runs in the loop."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    under_way: set[asyncio.Task[None]] = set()
    runner = make()
    await runner.setup()
    server = runner.server
    assert server is not None

    def take() -> None:
        told, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
        if not told:
            stop.set()
            return
        task = loop.create_task(_adopt(server, socket.socket(fileno=descriptors[0]), tls))
        under_way.add(task)
        task.add_done_callback(under_way.discard)

    channel.send(_READY)
    loop.add_reader(channel, take)
    try:
        await stop.wait()
    finally:
        loop.remove_reader(channel)
        await runner.cleanup()


async def _adopt(server: web.Server, connection: socket.socket, tls: ssl.SSLContext | None) -> None:
    connection.setblocking(False)
    with contextlib.suppress(OSError):  # the client is gone again, or shook hands wrongly
        await asyncio.get_running_loop().connect_accepted_socket(server, connection, ssl=tls)
