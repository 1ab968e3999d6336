"""What each user has used of each web server, in shared memory: a ring of ended requests and a few numbers."""

import struct

from flitstack.emulator.shared.memory import Memory

MAX_WORKERS = 32
_NAME_BYTES = 80
_RUNNING = struct.Struct(f"<{MAX_WORKERS}i")
_ONE_RUNNING = struct.Struct("<i")
# first and end of the ring (ever rising), execution ms inside it, end of the pause, facet of the pause, refusals in a row
_STATE = struct.Struct("<QQddii")
_ENTRY = struct.Struct("<dd")  # when the request ended, its execution ms
_HEADER = struct.Struct("<QQQ")  # slots ever taken, entries a ring holds, how often all was forgotten
_STATE_AT = _NAME_BYTES + _RUNNING.size
_RING_AT = _STATE_AT + _STATE.size


class Usage:
    """One user on one web server, read into Python; `store` writes it back. Only under the lock."""

    __slots__ = (
        "_buffer", "_capacity", "_place", "end", "execution_ms", "facet", "first", "paused_until", "pressed", "running",
    )  # fmt: skip

    def __init__(self, buffer: memoryview, place: int, capacity: int) -> None:
        self._buffer = buffer
        self._place = place
        self._capacity = capacity
        self.running: int = sum(_RUNNING.unpack_from(buffer, place + _NAME_BYTES))
        state = _STATE.unpack_from(buffer, place + _STATE_AT)
        self.first: int = state[0]
        self.end: int = state[1]
        self.execution_ms: float = state[2]
        self.paused_until: float = state[3]
        self.facet: int = state[4]
        self.pressed: int = state[5]

    def store(self) -> None:
        """Write everything but `running` back."""
        _STATE.pack_into(
            self._buffer, self._place + _STATE_AT, self.first, self.end, self.execution_ms, self.paused_until,
            self.facet, self.pressed,
        )  # fmt: skip

    def run(self, worker: int, amount: int) -> None:
        """One request of this process begins (1) or ends (-1)."""
        at = self._place + _NAME_BYTES + worker * _ONE_RUNNING.size
        _ONE_RUNNING.pack_into(self._buffer, at, _ONE_RUNNING.unpack_from(self._buffer, at)[0] + amount)
        self.running += amount

    def entry(self, number: int) -> tuple[float, float]:
        """When an ended request of the ring ended, and its execution ms."""
        ended, spent = _ENTRY.unpack_from(self._buffer, self._entry_at(number))
        return ended, spent

    def append(self, now: float, spent_ms: float) -> None:
        """A request has ended. The oldest gives way in a full ring."""
        if self.end - self.first >= self._capacity:
            self.execution_ms -= self.entry(self.first)[1]
            self.first += 1
        _ENTRY.pack_into(self._buffer, self._entry_at(self.end), now, spent_ms)
        self.end += 1
        self.execution_ms += spent_ms

    def forget(self, until: float) -> None:
        """Drop what ended at this moment or before."""
        while self.first < self.end:
            ended, spent = self.entry(self.first)
            if ended > until:
                return
            self.first += 1
            self.execution_ms -= spent
        self.execution_ms = 0.0

    def _entry_at(self, number: int) -> int:
        return self._place + _RING_AT + number % self._capacity * _ENTRY.size


class Usages:
    """All users of all web servers. `begin` decides how many requests a window can hold."""

    def __init__(self, memory: Memory, start: int, end: int) -> None:
        self._buffer = memoryview(memory.buffer)
        self._start = start
        self._size = end - start - _HEADER.size
        self._known: dict[str, int] = {}
        self._seen = (0, 0, 0)
        self._capacity = 0

    def begin(self, capacity: int) -> None:
        """Forget everybody; rings of this many entries from now on."""
        most = self._size - _RING_AT
        if not 0 < capacity * _ENTRY.size <= most:
            raise ValueError(f"a window holds 1 to {most // _ENTRY.size:,} requests")
        epoch = _HEADER.unpack_from(self._buffer, self._start)[2]
        _HEADER.pack_into(self._buffer, self._start, 0, capacity, epoch + 1)
        self._refresh()

    def of(self, user: str) -> Usage:
        """The usage of a user on a server (one name for both)."""
        if _HEADER.unpack_from(self._buffer, self._start) != self._seen:
            self._refresh()
        place = self._known.get(user)
        return Usage(self._buffer, self._take(user) if place is None else place, self._capacity)

    def forget_worker(self, worker: int) -> None:
        """Nothing of this process is under way any more: it was killed and begins anew."""
        self._refresh()
        for place in self._known.values():
            _ONE_RUNNING.pack_into(self._buffer, place + _NAME_BYTES + worker * _ONE_RUNNING.size, 0)

    def close(self) -> None:
        """Let go of the memory."""
        self._buffer.release()

    def _slots(self) -> int:
        return self._size // (_RING_AT + self._capacity * _ENTRY.size)

    def _place(self, slot: int) -> int:
        return self._start + _HEADER.size + slot * (_RING_AT + self._capacity * _ENTRY.size)

    def _refresh(self) -> None:
        self._seen = _HEADER.unpack_from(self._buffer, self._start)
        self._capacity = self._seen[1]
        self._known = {}
        for slot in range(min(self._seen[0], self._slots()) if self._capacity else 0):
            place = self._place(slot)
            self._known[bytes(self._buffer[place : place + _NAME_BYTES]).rstrip(b"\0").decode()] = place

    def _take(self, user: str) -> int:
        """The next place; when all are taken, that of the user known longest."""
        taken, capacity, epoch = self._seen
        place = self._place(taken % self._slots())
        self._buffer[place : place + _RING_AT] = user.encode()[:_NAME_BYTES].ljust(_RING_AT, b"\0")
        _HEADER.pack_into(self._buffer, self._start, taken + 1, capacity, epoch)
        self._refresh()
        return place
