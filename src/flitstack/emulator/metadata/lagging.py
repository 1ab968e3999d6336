"""Definitions as a cache of some age shows them: what changed a moment ago is not there yet.

Source: Microsoft Learn, "Compose HTTP requests and handle errors" (`Consistency: Strong` reads the newest metadata,
otherwise caches may lag). Here the whole of it is read anew when it is older than the lag, neither sooner nor in parts.
"""

from collections.abc import Callable

from flitstack.emulator.core import Environment
from flitstack.emulator.messages import Answer, Caller, Request
from flitstack.emulator.metadata.router import Metadata


class LaggingMetadata:
    """A second view of the environment, inside a read transaction that is as old as the cache.

    While it is open SQLite's write-ahead log only grows; a fault plan without `metadata_lag_s` closes it.
    """

    def __init__(
        self,
        open_: Callable[[], Environment],
        read: Callable[[Environment], Metadata],
        clock_s: Callable[[], float],
        lag_s: Callable[[], float],
    ) -> None:
        self._open = open_
        self._read = read
        self._clock_s = clock_s
        self._lag_s = lag_s
        self._environment: Environment | None = None
        self._taken_s = 0.0

    def answer(self, request: Request, caller: Caller) -> Answer | None:
        """The answer to a GET as of at most the lag ago, None where the newest is wanted. Raises Refusal.

        Before a change the cache is filled, so that it does not show it.
        """
        lag_s = self._lag_s()
        if not lag_s:
            self.close()
            return None
        if request.method != "GET":
            self._fill(lag_s)
            return None
        if request.headers.get("consistency", "").strip().lower() == "strong":
            return None
        return self._read(self._fill(lag_s)).answer(request, caller)

    def _fill(self, lag_s: float) -> Environment:
        now_s = self._clock_s()
        environment = self._environment
        if environment is not None and 0 <= now_s - self._taken_s < lag_s:
            return environment
        if environment is None:
            environment = self._environment = self._open()
        else:
            environment.connection.execute("ROLLBACK")
        environment.connection.execute("BEGIN")
        environment.reload()
        self._taken_s = now_s
        return environment

    def close(self) -> None:
        """Empty the cache; the next request fills it."""
        if self._environment is not None:
            self._environment.close()
            self._environment = None
