"""The one clock of an emulator: real, shifted, faster, or standing still until it is moved.

Limits, tokens, keys that wait and the dates of rows all read it, so that a day of load can be told in seconds.
"""

import asyncio
import struct
import time
from datetime import UTC, datetime

from flitstack.emulator.shared.memory import Memory

# Emulated seconds since 1970 and the monotonic clock at one moment, emulated seconds a real one.
_ANCHOR = struct.Struct("<ddd")
SIZE_BYTES = _ANCHOR.size
MAX_RATE = 1e6
_LATEST = datetime(9000, 1, 1, tzinfo=UTC).timestamp()


def check_clock(seconds: float, rate: float) -> None:
    """Raise ValueError for what no clock shows."""
    if not 0 <= seconds <= _LATEST or not 0 <= rate <= MAX_RATE:
        raise ValueError(f"a clock shows 1970 to 9000 and runs at 0 to {MAX_RATE:,.0f} times real time")


class Clock:
    """A clock in shared memory. `rate` 1 is real time; 0 stands still: only `move` and modelled work move it."""

    def __init__(self, memory: Memory, start: int) -> None:
        self._memory = memory
        self._buffer = memory.buffer
        self._start = start

    def begin(self) -> None:
        """Real time."""
        _ANCHOR.pack_into(self._buffer, self._start, time.time(), time.monotonic(), 1.0)

    @property
    def rate(self) -> float:
        """Emulated seconds a real second."""
        rate: float = _ANCHOR.unpack_from(self._buffer, self._start)[2]
        return rate

    def seconds(self) -> float:
        """Emulated seconds since 1970."""
        emulated, real, rate = _ANCHOR.unpack_from(self._buffer, self._start)
        now: float = emulated + (time.monotonic() - real) * rate if rate else emulated
        return now

    def now(self) -> datetime:
        """The emulated moment, in UTC."""
        return datetime.fromtimestamp(self.seconds(), UTC)

    def move(self, *, to_s: float | None = None, by_s: float = 0.0, rate: float | None = None) -> None:
        """Set the clock, move it on, change its rate. Raises ValueError for what no clock shows."""
        with self._memory.lock():
            target = (self.seconds() if to_s is None else to_s) + by_s
            new_rate = self.rate if rate is None else rate
            check_clock(target, new_rate)
            _ANCHOR.pack_into(self._buffer, self._start, target, time.monotonic(), new_rate)

    async def spend(self, seconds: float) -> None:
        """Let emulated time pass: waiting for it, or, where the clock stands, moving it to when it would be over.

        Requests that stand beside each other in a standing clock spend the same time, not one after another.
        """
        rate, begun = self.rate, self.seconds()
        if rate:
            await asyncio.sleep(seconds / rate)
            return
        await asyncio.sleep(0)
        with self._memory.lock():
            if self.rate == 0 and self.seconds() < begun + seconds:
                _ANCHOR.pack_into(self._buffer, self._start, begun + seconds, time.monotonic(), 0.0)
