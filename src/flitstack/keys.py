"""The ids that travel: who a record is in the source, which row it becomes, and in which request it went."""

import hashlib
from dataclasses import dataclass
from typing import NewType
from uuid import UUID

RowId = NewType("RowId", UUID)
BatchId = NewType("BatchId", int)


@dataclass(frozen=True, slots=True)
class SourceKey:
    """A record's identity in the source system; `key` is the source's own id as text."""

    system: str
    object: str
    key: str

    def plain(self) -> str:
        """The readable form stored beside the digest, at most 400 characters."""
        return f"{self.system}/{self.object}/{self.key}"[:400]

    def digest(self) -> str:
        """Lower-case hex digest that an alternate key can hold.

        Dataverse's alternate keys ignore case and accents, hold 900 bytes and break on `/ & ? +`, so ids are not used as they are.
        The engine computes the same with `md5(system || '/' || object || '/' || key)`.
        """
        return hashlib.md5(f"{self.system}/{self.object}/{self.key}".encode(), usedforsecurity=False).hexdigest()


def sql_server_order(row_id: UUID) -> bytes:
    """The 16 bytes whose order is SQL Server's uniqueidentifier order.

    SQL Server compares bytes 10-15 first, then 8-9, 7-6, 5-4 and 3-0 of the displayed GUID.
    Source: Microsoft, "Comparing GUID and uniqueidentifier values".
    """
    b = row_id.bytes
    return b[10:16] + b[8:10] + b[7:5:-1] + b[5:3:-1] + b[3::-1]


def row_id_at(base: bytes, ordinal: int) -> RowId:
    """The `ordinal`-th id of an allocation: ascending in SQL Server's order.

    `base` is 8 random bytes of the allocation and fills the displayed bytes 0-7 (least significant in SQL Server's
    order); the ordinal fills bytes 8-15 with the variant bits set and the node part counting up, so ids made one after
    the other stay neighbours in the destination's index. Version nibble 8 (RFC 9562: free form).
    """
    if not 0 <= ordinal < 1 << 48:
        raise ValueError(f"ordinal {ordinal} does not fit 48 bits")
    low = bytes([base[0], base[1], base[2], base[3], base[4], base[5], 0x80 | base[6] & 0x0F, base[7]])
    return RowId(UUID(bytes=low + b"\x80\x00" + ordinal.to_bytes(6, "big")))
