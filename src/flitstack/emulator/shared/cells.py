"""Named whole numbers in shared memory: counters that every process adds to."""

import struct

from flitstack.emulator.shared.memory import Memory

MAX_CELLS = 4096
_NAME_BYTES = 120
CELL_BYTES = _NAME_BYTES + 8
_NUMBER = struct.Struct("<q")
_OTHERS = "others"  # takes what comes after the last free cell


class Cells:
    """A table of (name, number) that only grows. Callers hold the lock of the memory."""

    def __init__(self, memory: Memory, start: int) -> None:
        self._buffer = memory.buffer
        self._start = start
        self._known: dict[str, int] = {}

    def add(self, name: str, amount: int = 1) -> int:
        """Add to a number, zero when new; the sum."""
        place = self._known.get(name) or self._find(name)
        total: int = _NUMBER.unpack_from(self._buffer, place)[0] + amount
        _NUMBER.pack_into(self._buffer, place, total)
        return total

    def get(self, name: str) -> int:
        """A number, zero when never set."""
        place = self._known.get(name) or self._find(name)
        number: int = _NUMBER.unpack_from(self._buffer, place)[0]
        return number

    def put(self, name: str, number: int) -> None:
        """Set a number."""
        _NUMBER.pack_into(self._buffer, self._known.get(name) or self._find(name), number)

    def items(self) -> dict[str, int]:
        """All numbers that are not zero, by name, in the order they came."""
        self._learn()
        found = {name: _NUMBER.unpack_from(self._buffer, place)[0] for name, place in self._known.items()}
        return {name: number for name, number in found.items() if number}

    def clear(self, prefix: str) -> None:
        """Set all numbers below a prefix to zero."""
        self._learn()
        for name, place in self._known.items():
            if name.startswith(prefix):
                _NUMBER.pack_into(self._buffer, place, 0)

    def _count(self) -> int:
        count: int = _NUMBER.unpack_from(self._buffer, self._start)[0]
        return count

    def _place(self, index: int) -> int:
        return self._start + 8 + index * CELL_BYTES + _NAME_BYTES

    def _learn(self) -> None:
        """Take over the names other processes added."""
        for index in range(len(self._known), self._count()):
            place = self._place(index)
            raw = self._buffer[place - _NAME_BYTES : place]
            self._known[raw.rstrip(b"\0").decode()] = place

    def _find(self, name: str) -> int:
        self._learn()
        raw = name.encode()
        count = self._count()
        if name not in self._known and (len(raw) > _NAME_BYTES or (count >= MAX_CELLS - 1 and name != _OTHERS)):
            return self._known.get(_OTHERS) or self._find(_OTHERS)
        if name not in self._known:
            place = self._place(count)
            self._buffer[place - _NAME_BYTES : place] = raw.ljust(_NAME_BYTES, b"\0")
            _NUMBER.pack_into(self._buffer, place, 0)
            _NUMBER.pack_into(self._buffer, self._start, count + 1)
            self._known[name] = place
        return self._known[name]


SIZE_BYTES = 8 + MAX_CELLS * CELL_BYTES
