"""Resource paths: `accounts(guid)/primarycontactid/$ref` as segments, key predicates as values."""

import re
from dataclasses import dataclass

from flitstack.emulator.messages import Refusal
from flitstack.emulator.values import guid_blob

_GUID = re.compile(r"\{?[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}?")
Literal = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of a path. `id` is a stored GUID, `key` an alternate-key predicate, `arguments` the raw parentheses."""

    name: str
    id: bytes | None = None
    key: dict[str, Literal] | None = None
    arguments: str | None = None

    @property
    def is_row(self) -> bool:
        """Whether the segment names one row."""
        return self.id is not None or self.key is not None


def split_outside(text: str, separator: str) -> list[str]:
    """Split where the separator stands outside quotes and parentheses (brackets too)."""
    parts, depth, quoted, start = [], 0, False, 0
    for at, char in enumerate(text):
        if char == "'":
            quoted = not quoted
        elif quoted:
            continue
        elif char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
        elif char == separator and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    parts.append(text[start:])
    return parts


def parse_path(path: str) -> list[Segment]:
    """Segments of a decoded path without leading slash."""
    return [parse_segment(part) for part in split_outside(path.strip("/"), "/") if part]


def parse_segment(text: str) -> Segment:
    """`name`, `name(guid)`, `name(k='v',n=1)` or `Function(arguments)`."""
    opening = text.find("(")
    if opening < 0:
        return Segment(text)
    if not text.endswith(")"):
        raise _bad_path(text)
    name, inside = text[:opening], text[opening + 1 : -1].strip()
    if _GUID.fullmatch(inside):
        return Segment(name, id=guid_blob(inside), arguments=inside)
    key: dict[str, Literal] = {}
    for part in split_outside(inside, ","):
        column, equals, value = part.partition("=")
        if not equals or not column.strip().replace("_", "a").isalnum():
            return Segment(name, arguments=inside)
        if value.strip().startswith("@"):
            return Segment(name, arguments=inside)
        key[column.strip()] = parse_literal(value.strip())
    return Segment(name, key=key, arguments=inside)


def parse_literal(text: str) -> Literal:
    """An OData literal: quoted text, number, true, false, null; anything else (GUID, date) stays text."""
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if text in {"true", "false"}:
        return text == "true"
    if text == "null":
        return None
    if re.fullmatch(r"[+-]?\d{1,19}", text):
        return int(text)
    if re.fullmatch(r"[+-]?\d+(\.\d+)?([eE][+-]?\d{1,3})?", text):
        return float(text)
    return text


def _bad_path(text: str) -> Refusal:
    return Refusal(400, "0x0", f"Bad Request - Error in query syntax: '{text}'.")
