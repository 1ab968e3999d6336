"""The documented limits as a model, and requests sent to it in virtual time under the real pace.

No formula: every request is admitted by `pacing.Pace`, travels, is let in or refused by the model, executes, ends and
is learned from, as it would be. What the service does not document (how long a row takes) is the caller's assumption.
"""

import heapq
import math
import random
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Protocol

from flitstack.destinations.pacing import CONCURRENCY_CODE, REQUESTS_CODE, TIME_CODE, Pace, choose
from flitstack.limits import (
    CONCURRENT_REQUESTS,
    EXECUTION_S_PER_WINDOW,
    REQUESTS_PER_WINDOW,
    WINDOW_S,
    SlidingWindow,
)

_ARRIVES, _ENDS, _ANSWERS = range(3)
_CONCURRENCY_WAIT_S = 1.0
_SHORTEST_S = 1e-6


@dataclass(frozen=True, slots=True)
class Assumed:
    """What a request costs. Execution: `request_s` + rows x `row_s`, times a log-normal factor of mean 1; `latency_s` is
    the network's part, both ways together. `penalty_s` is added to a pause by each request that arrives during it."""

    row_s: float = 0.002
    request_s: float = 0.04
    latency_s: float = 0.1
    sigma: float = 0.3
    penalty_s: float = 0.0
    servers: int = 1
    tells_what_is_left: bool = True
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Request:
    """One request: its kind, how many rows it holds."""

    kind: Hashable
    rows: int


class Work(Protocol):
    """What there is to send."""

    def next(self) -> Request | None:
        """The next request, or None while there is nothing to send (until an answer comes, or ever)."""

    def answered(self, request: Request, seconds: float) -> None:
        """It was done, so many seconds after it was ready to go."""

    @property
    def most_running(self) -> int:
        """How many may be under way."""


@dataclass(slots=True)
class Server:
    """One user's windows on one web server. Execution is charged when a request ends, as the pages say."""

    used: SlidingWindow = field(default_factory=SlidingWindow)
    running: int = 0
    paused_until: float = 0.0
    facet: str = ""

    def refusal(self, now: float, factor: float, penalty_s: float) -> tuple[float, str] | None:
        """Retry-After in whole seconds and the code, or None: the request is let in."""
        self.used.forget(now)
        if now < self.paused_until:
            self.paused_until += penalty_s
            return self._wait(now), self.facet
        limits = REQUESTS_PER_WINDOW * factor, EXECUTION_S_PER_WINDOW * factor
        if self.used.executed_s >= limits[1]:
            self.facet = TIME_CODE
        elif len(self.used) + self.running >= limits[0]:
            self.facet = REQUESTS_CODE
        elif self.running >= CONCURRENT_REQUESTS:
            return _CONCURRENCY_WAIT_S, CONCURRENCY_CODE
        else:
            return None
        self.paused_until = now + max(1.0, self.used.below_in_s(now, limits[0] - self.running, limits[1]))
        return self._wait(now), self.facet

    def _wait(self, now: float) -> float:
        return float(max(1, math.ceil(self.paused_until - now)))


@dataclass(slots=True)
class Played:
    """What happened. Counts of the first window stand apart, since a pace has to learn."""

    seconds: float = 0.0
    rows: int = 0
    requests: int = 0
    refused: int = 0
    refused_later: int = 0
    requests_later: int = 0
    rows_later: int = 0
    execution_s: float = 0.0
    pauses: int = 0
    paused_s: float = 0.0
    in_pauses: int = 0  # requests begun after a 429 was read and before its pause ended


@dataclass(slots=True)
class _Flight:
    request: Request
    user: int
    server: int
    expected: float
    ready: float
    sent: float
    refusal: tuple[float, str] | None = None
    takes_s: float = 0.0
    left: tuple[float, float] = (0.0, 0.0)


class VirtualService:
    """Users, their web servers and a clock that jumps from event to event."""

    def __init__(self, users: int, assumed: Assumed, factor_at: Callable[[float], float] = lambda _: 1.0) -> None:
        self.assumed, self.factor_at = assumed, factor_at
        self.paces = [Pace(latency_s=assumed.latency_s) for _ in range(users)]
        self.servers = [[Server() for _ in range(assumed.servers)] for _ in range(users)]
        self.now, self.played = 0.0, Played()
        self._told_until = [0.0] * users
        self._events: list[tuple[float, int, int, _Flight]] = []
        self._count = 0
        self._chance = random.Random(assumed.seed)

    def play(self, work: Work, until: float = float("inf")) -> None:
        """Send all of the work, or what fits before `until`."""
        queue: deque[tuple[Request, float]] = deque()
        unanswered = 0
        while self.now < until:
            if not queue and unanswered < work.most_running and (request := work.next()) is not None:
                queue.append((request, self.now))
                unanswered += 1
            wait_s, user = choose(self.paces, self.now) if queue else (float("inf"), 0)
            if wait_s <= 0:
                self._send(*queue.popleft(), user)
                continue
            after = self.now + max(wait_s, _SHORTEST_S)
            if self._events and self._events[0][0] <= after:
                self.now, _, event, flight = heapq.heappop(self._events)
                if event == _ARRIVES:
                    self._arrive(flight)
                elif event == _ENDS:
                    self._end(flight)
                elif flight.refusal is None:
                    self._answered(flight, work)
                    unanswered -= 1
                else:
                    self._read_refusal(flight)
                    queue.appendleft((flight.request, flight.ready))
            elif after == float("inf"):
                break
            else:
                self.now = after
        self.played.seconds = self.now
        self.played.pauses = sum(pace.pauses for pace in self.paces)

    def _push(self, at: float, event: int, flight: _Flight) -> None:
        self._count += 1
        heapq.heappush(self._events, (at, self._count, event, flight))

    def _send(self, request: Request, ready: float, user: int) -> None:
        played = self.played
        played.requests += 1
        played.requests_later += self.now > WINDOW_S
        played.in_pauses += self.now < self._told_until[user]
        expected = self.paces[user].begin(self.now, request.kind, request.rows)
        server = self._chance.randrange(self.assumed.servers) if self.assumed.servers > 1 else 0
        flight = _Flight(request, user, server, expected, ready, self.now)
        self._push(self.now + self.assumed.latency_s / 2, _ARRIVES, flight)

    def _arrive(self, flight: _Flight) -> None:
        server, assumed = self.servers[flight.user][flight.server], self.assumed
        flight.refusal = server.refusal(self.now, self.factor_at(self.now), assumed.penalty_s)
        if flight.refusal is not None:
            self._push(self.now + assumed.latency_s / 2, _ANSWERS, flight)
            return
        server.running += 1
        mean_s = assumed.request_s + flight.request.rows * assumed.row_s
        flight.takes_s = mean_s * self._chance.lognormvariate(-(assumed.sigma**2) / 2, assumed.sigma)
        self._push(self.now + flight.takes_s, _ENDS, flight)

    def _end(self, flight: _Flight) -> None:
        server = self.servers[flight.user][flight.server]
        server.running -= 1
        server.used.forget(self.now)
        server.used.add(self.now, flight.takes_s)
        factor = self.factor_at(self.now)
        flight.left = (
            max(0.0, REQUESTS_PER_WINDOW * factor - len(server.used) - server.running),
            max(0.0, EXECUTION_S_PER_WINDOW * factor - server.used.executed_s),
        )
        self._push(self.now + self.assumed.latency_s / 2, _ANSWERS, flight)

    def _answered(self, flight: _Flight, work: Work) -> None:
        pace, request, played = self.paces[flight.user], flight.request, self.played
        pace.end(self.now, flight.expected, request.kind, request.rows, self.now - flight.sent)
        if self.assumed.tells_what_is_left:
            pace.told(self.now, *flight.left)
        played.rows += request.rows
        played.rows_later += request.rows if self.now > WINDOW_S else 0
        played.execution_s += flight.takes_s
        work.answered(request, self.now - flight.ready)

    def _read_refusal(self, flight: _Flight) -> None:
        assert flight.refusal is not None
        wait_s, code = flight.refusal
        self.played.refused += 1
        self.played.refused_later += self.now > WINDOW_S
        pace, user = self.paces[flight.user], flight.user
        pace.refuse(self.now, flight.expected, wait_s, code)
        self.played.paused_s += max(0.0, self.now + wait_s - max(self._told_until[user], self.now))
        self._told_until[user] = max(self._told_until[user], self.now + wait_s)
