"""Many GUIDs at once: the same forms as `values.guid_blob` and `guid_text`, a column at a time.

One slice of all rows for each of the 32 digits costs a tenth of one call for each row.
"""

from collections.abc import Sequence
from itertools import chain
from struct import iter_unpack

TEXT_SIZE = 36
_HYPHENS = (8, 13, 18, 23)
# Bytes of the displayed text in stored order (values.guid_blob), and the places of their two digits.
_ORDER = (10, 11, 12, 13, 14, 15, 8, 9, 7, 6, 5, 4, 3, 2, 1, 0)
_PLACES = tuple(
    2 * byte + sum(2 * byte >= digits for digits in (8, 12, 16, 20)) + digit for byte in _ORDER for digit in (0, 1)
)
_TEMPLATE = b'"00000000-0000-0000-0000-000000000000",'


def read_guids(text: bytes, piece_size: int, start: int) -> list[bytes] | None:
    """Stored GUIDs out of a text of equal pieces, each with a GUID at `start`; None when one is none."""
    count = len(text) // piece_size
    if any(text[start + hyphen :: piece_size] != b"-" * count for hyphen in _HYPHENS):
        return None
    digits = bytearray(32 * count)
    for place, source in enumerate(_PLACES):
        digits[place::32] = text[start + source :: piece_size]
    try:
        blobs = bytes.fromhex(digits.decode("ascii"))
    except ValueError:
        return None
    # fromhex skips blanks, so a text with some gives fewer bytes.
    return list(chain.from_iterable(iter_unpack("16s", blobs))) if len(blobs) == 16 * count else None


def guid_list(blobs: Sequence[bytes]) -> bytes:
    """A JSON list of the displayed forms."""
    digits = b"".join(blobs).hex().encode()
    text = bytearray(_TEMPLATE * len(blobs))
    for place, target in enumerate(_PLACES):
        text[target + 1 :: len(_TEMPLATE)] = digits[place::32]
    return b"[" + bytes(text[:-1]) + b"]"
