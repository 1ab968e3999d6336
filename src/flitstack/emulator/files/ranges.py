"""`Range` and `Content-Range`, in bytes.

Sources: Microsoft Learn, "Use file column data" and "File columns" (which also writes `bytes=0-1023/8192`); RFC 9110,
14.1 and 15.5.17, where those say nothing.
"""

import re
from dataclasses import dataclass

from flitstack.emulator.messages import Refusal, not_implemented

_RANGE = re.compile(r"\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*(?:/\s*\d+\s*)?", re.IGNORECASE)
_CONTENT_RANGE = re.compile(r"\s*bytes\s+(\d{1,18})-(\d{1,18})/(\d{1,18})\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes from `start` to before `end`."""

    start: int
    end: int

    @property
    def size(self) -> int:
        """Bytes in it."""
        return self.end - self.start


class OutOfRange(Exception):
    """A range that begins behind the last byte."""


def wanted_span(text: str | None, size: int) -> Span | None:
    """What a Range header asks of so many bytes; None for all of it (no header, or one that is no byte range).

    A range may end behind the last byte; it ends with it then. Raises OutOfRange, Refusal 501 for several ranges.
    """
    if text is None:
        return None
    if "," in text:
        raise not_implemented("a Range of several parts")
    found = _RANGE.fullmatch(text)
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        start, end = max(size - int(found[2]), 0), size
    else:
        start, end = int(found[1]), min(int(found[2]) + 1, size) if found[2] else size
        if found[2] and int(found[2]) < start:
            return None
    if start >= end:
        raise OutOfRange
    return Span(start, end)


def sent_span(text: str, length: int) -> tuple[Span, int]:
    """The place of an uploaded chunk of `length` bytes, and the size of the whole file. Refusal 400 for nonsense."""
    found = _CONTENT_RANGE.fullmatch(text)
    if found is None:
        raise _bad(f"'{text}' is not of the form 'bytes first-last/size'.")
    first, last, size = (int(number) for number in found.groups())
    if not first <= last < size:
        raise _bad(f"'{text}' is no range of a file of {size} bytes.")
    if last + 1 - first != length:
        raise _bad(f"'{text}' names {last + 1 - first} bytes, the request has {length}.")
    return Span(first, last + 1), size


def covers(spans: list[tuple[int, int]], size: int) -> bool:
    """Whether spans in order leave no gap from the first byte to the last."""
    at = 0
    for start, end in spans:
        if start > at:
            return False
        at = max(at, end)
    return at >= size


def _bad(why: str) -> Refusal:
    return Refusal(400, "0x80040203", f"Content-Range: {why}")
