"""The bytes of the journal: framed records, sealed group by group.

A frame is `length u32, crc32 u32, kind u8, payload`; crc32 covers kind and payload. A group of frames ends with a seal that
holds the time of the commit and the SHA-256 over the seal before and the group's bytes: what lies behind the last whole seal
was never promised to anybody and is cut when the journal is opened.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import orjson

from flitstack.errors import Problem, StepFailed

HEADER = struct.Struct("<IIB")
_INTENT = struct.Struct("<QHBBIqI")  # batch, step, operation, table name length, rows, image offset, image bytes
_OUTCOME = struct.Struct("<QIB")  # batch, rows, 0 = all landed | 1 = a status a row
_SEAL = struct.Struct("<Q32s")  # milliseconds since 1970, chain

ID_BYTES, HASH_BYTES = 16, 8
SEAL_BYTES = _SEAL.size
NO_IMAGE = -1


class Kind(IntEnum):
    """What a frame holds."""

    NOTE = 1  # JSON: run, allocation, keys
    INTENT = 2
    OUTCOME = 3
    SEAL = 4


_KINDS = frozenset(int(kind) for kind in Kind)


class Operation(IntEnum):
    """What is done to rows."""

    CREATE = 1
    UPDATE = 2
    DELETE = 3
    STATE = 4
    LINK = 5
    SCHEMA = 6
    LOOKUPS = 7
    FILE = 8
    PARTIES = 9
    UNLINK = 10


class Status(IntEnum):
    """What became of a row in a batch. REFUSED: nothing was done. ABSENT: asked for and known not to have been done, or not
    asked for. PARTLY: refused, and something of it was done or may have been: one of several links was made."""

    LANDED = 0
    REFUSED = 1
    ABSENT = 2
    UNSETTLED = 3
    PARTLY = 4


@dataclass(frozen=True, slots=True)
class Intent:
    """A request about to be sent: packed 16-byte ids and 8-byte payload hashes, one each a row."""

    batch: int
    step: int
    operation: Operation
    table: str
    ids: bytes
    hashes: bytes
    image_offset: int = NO_IMAGE
    image_bytes: int = 0

    @property
    def rows(self) -> int:
        """How many rows it is about."""
        return len(self.ids) // ID_BYTES


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch: b"" = every row landed, else one status byte a row; refusals by place (code, message)."""

    batch: int
    rows: int
    statuses: bytes = b""
    refusals: tuple[tuple[int, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Seal:
    """End of a durable group."""

    at_ms: int
    chain: bytes


def frame(kind: Kind, payload: bytes) -> bytes:
    """One framed record."""
    return HEADER.pack(len(payload), zlib.crc32(payload, zlib.crc32(bytes([kind]))), kind) + payload


def note_frame(note: dict[str, object]) -> bytes:
    """A JSON note."""
    return frame(Kind.NOTE, orjson.dumps(note))


def intent_frame(intent: Intent) -> bytes:
    """An intent."""
    name = intent.table.encode()
    head = _INTENT.pack(
        intent.batch, intent.step, intent.operation, len(name), intent.rows, intent.image_offset, intent.image_bytes
    )
    return frame(Kind.INTENT, b"".join((head, name, intent.ids, intent.hashes)))


def outcome_frame(outcome: Outcome) -> bytes:
    """An outcome."""
    if not outcome.statuses:
        return frame(Kind.OUTCOME, _OUTCOME.pack(outcome.batch, outcome.rows, 0))
    refusals = orjson.dumps(outcome.refusals)
    return frame(Kind.OUTCOME, _OUTCOME.pack(outcome.batch, outcome.rows, 1) + outcome.statuses + refusals)


def seal_frame(chain: bytes, group: bytes, at_ms: int) -> tuple[bytes, bytes]:
    """The seal of a group and the new chain value."""
    after = hashlib.sha256(chain + at_ms.to_bytes(8, "little") + group).digest()
    return frame(Kind.SEAL, _SEAL.pack(at_ms, after)), after


def read_frames(data: memoryview) -> Iterator[tuple[int, Kind, memoryview]]:
    """(end offset, kind, payload) of every whole frame; stops at the first that is torn or damaged."""
    place = 0
    while place + HEADER.size <= len(data):
        length, crc, kind = HEADER.unpack_from(data, place)
        end = place + HEADER.size + length
        if end > len(data):
            return
        payload = data[place + HEADER.size : end]
        if kind not in _KINDS or zlib.crc32(payload, zlib.crc32(bytes([kind]))) != crc:
            return
        yield end, Kind(kind), payload
        place = end


def read_intent(payload: memoryview) -> Intent:
    """Decode an intent. Raises StepFailed when its lengths do not agree: ids without hashes would be rows made up."""
    _expect(len(payload) >= _INTENT.size, "an intent is too short")
    batch, step, operation, name_length, rows, offset, size = _INTENT.unpack_from(payload)
    at = _INTENT.size
    _expect(len(payload) == at + name_length + rows * (ID_BYTES + HASH_BYTES), f"intent {batch} has a wrong length")
    name = bytes(payload[at : at + name_length]).decode()
    at += name_length
    ids = bytes(payload[at : at + rows * ID_BYTES])
    at += rows * ID_BYTES
    return Intent(
        batch, step, Operation(operation), name, ids, bytes(payload[at : at + rows * HASH_BYTES]), offset, size
    )


def read_outcome(payload: memoryview) -> Outcome:
    """Decode an outcome. Raises StepFailed when it has no status for each row."""
    _expect(len(payload) >= _OUTCOME.size, "an outcome is too short")
    batch, rows, mixed = _OUTCOME.unpack_from(payload)
    if not mixed:
        return Outcome(batch, rows)
    at = _OUTCOME.size
    _expect(len(payload) > at + rows, f"the outcome of batch {batch} has a wrong length")
    refusals = tuple((int(p), str(c), str(m)) for p, c, m in orjson.loads(payload[at + rows :]))
    return Outcome(batch, rows, bytes(payload[at : at + rows]), refusals)


def read_seal(payload: memoryview) -> Seal:
    """Decode a seal."""
    _expect(len(payload) == SEAL_BYTES, "a seal has a wrong length")
    at_ms, chain = _SEAL.unpack(payload)
    return Seal(at_ms, chain)


def _expect(holds: bool, what: str) -> None:
    """A frame whose checksum holds but whose lengths do not agree was not written by this program."""
    if not holds:
        raise StepFailed(Problem("journal-damaged", what, do="restore the journal's folder from a backup"))
