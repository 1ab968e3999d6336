"""Reads JSON: an array, JSON lines, or an object that wraps lists; nested objects become dotted columns. XML likewise.

JSON lines are streamed; an array or an XML document is held in memory as a whole.
"""

import json
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from flitstack.staging.encodings import UNREADABLE, Lines, read_text, sample_text
from flitstack.staging.source import Record, Reject, Remarks, unique_names
from flitstack.staging.xml_trees import parse_xml

Tree = tuple[int | None, str, Any]  # physical line, raw text, value
# Deeper than any export; what is deeper could not be written out again.
MAX_DEPTH = 200
_UNREAD = object()
_SURROGATES = re.compile("[\ud800-\udfff]")
# Between the names of nested objects until the columns get theirs: no readable name holds it, unlike the dot.
_INSIDE = "\ud800"


class TreeSource:
    """Records of a JSON file, or of one list in it. The header is the union of all keys, in the order first met."""

    def __init__(self, path: Path, encoding: str, elements: list[Any] | None = None, kind: str = "JSON") -> None:
        """`elements`: the list's elements, where the file was read as a whole; None for JSON lines."""
        self._path, self._encoding, self._elements, self._kind = path, encoding, elements, kind
        self.remarks = Remarks()
        names: dict[str, None] = {}
        for _, _, value in self.trees():
            if isinstance(value, dict):
                names.update(dict.fromkeys(flatten(value)))
        self._keys = list(names)
        self.header = unique_names([key.replace(_INSIDE, ".") for key in self._keys], self.remarks)

    def records(self) -> Iterator[Record | Reject]:
        """Every element; what is no object is a reject."""
        for number, (line, raw, value) in enumerate(self.trees(), start=1):
            if isinstance(value, dict):
                flat = flatten(value)
                yield Record(number, line, [flat.get(key) for key in self._keys])
            else:
                plain = "not a JSON object" if self._kind == "JSON" else "an XML element without parts"
                reason = f"not readable as {self._kind}" if value is _UNREAD else plain
                yield Reject(number, line, "bad_row", reason, raw or _json_text(value))

    def trees(self) -> Iterator[Tree]:
        """Each element."""
        return line_trees(self._path, self._encoding) if self._elements is None else element_trees(self._elements)


def line_trees(path: Path, encoding: str) -> Iterator[Tree]:
    """The value of each line that is not blank."""
    with Lines(path, encoding) as lines:
        for text in lines:
            if text.strip():
                yield lines.number, text.rstrip("\r\n"), parsed(text)


def element_trees(elements: Iterable[Any]) -> Iterator[Tree]:
    """Each element of a list that was read as a whole; raw text has only what is broken."""
    for element in elements:
        yield (None, "", element) if _is_sound(element) else (None, _escaped(element), _UNREAD)


def read_trees(path: Path, encoding: str, each: str = "") -> Iterator[tuple[str, TreeSource]]:
    """The lists of a JSON or XML file: (name of the list or "", source).

    An object with several lists of objects gives one source each, named by its key. `each`: a list inside the records,
    of which every element is a record (`stages` of a pipeline: `name` and `stages.name`).
    """
    is_xml = sample_text(path, encoding).lstrip().startswith("<")
    if not is_xml and _is_lines(path, encoding):
        yield "", TreeSource(path, encoding)
        return
    text = read_text(path, encoding)
    data = parse_xml(text) if is_xml else document(text)
    kind = "XML" if is_xml else "JSON"
    if data is _UNREAD or (is_xml and data is None):
        yield "", TreeSource(path, encoding, None, kind)
        return
    lists = {"": [data]} if each and isinstance(data, dict) and each in data else _lists_of(data)
    for name, elements in lists.items():
        source = TreeSource(path, encoding, _elements(elements, each) if each else elements, kind)
        beside = [key for key in data if key not in lists] if isinstance(data, dict) and name else []
        if beside:
            keys = _SURROGATES.sub("\ufffd", ", ".join(beside))
            source.remarks.add("beside_the_list", f"only the lists are read, not what stands beside: {keys}")
        yield _SURROGATES.sub("\ufffd", name) if len(lists) > 1 else "", source


def parsed(text: str) -> Any:
    """The value of a JSON text, numbers as they stand (`Decimal`); `_UNREAD` for what is none, in any part of it."""
    value = document(text)
    return value if _is_sound(value) else _UNREAD


def document(text: str) -> Any:
    """As `parsed`, but an element that cannot be read stands in the value, where `TreeSource` finds it."""
    try:
        # NaN is no JSON: it becomes what bytes become that cannot be read.
        return json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=lambda name: UNREADABLE)
    except (ValueError, RecursionError, ArithmeticError):
        return _UNREAD


def flatten(record: dict[str, Any], before: str = "") -> dict[str, str | None]:
    """Names, joined by `_INSIDE`, to text: numbers as they stand, true/false, lists as JSON text, empty text and null None."""
    flat: dict[str, str | None] = {}
    for key, value in record.items():
        name = f"{before}{key}"
        if isinstance(value, dict) and value:
            flat |= flatten(value, f"{name}{_INSIDE}")
        else:
            flat[name] = as_text(value)
    return flat


def as_text(value: Any) -> str | None:
    """A value as a cell: numbers as they stand, true/false, lists and objects as JSON text, empty text and null None."""
    match value:
        case None | "":
            return None
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case Decimal():
            return plain_number(value)
        case _:
            return _json_text(value)


def plain_number(number: Decimal) -> str:
    """Plain decimal text: 1E+2 is 100; digits stay as many as they are (ids of any length, 1.10)."""
    return format(number, "f") if abs(number.adjusted()) < 40 else str(number)


def _json_text(value: Any) -> str:
    match value:
        case dict():
            return (
                "{" + ", ".join(f"{json.dumps(k, ensure_ascii=False)}: {_json_text(v)}" for k, v in value.items()) + "}"
            )
        case list():
            return "[" + ", ".join(map(_json_text, value)) + "]"
        case Decimal():
            return plain_number(value)
    return json.dumps(value, ensure_ascii=False)


def _is_sound(value: Any, room: int = MAX_DEPTH) -> bool:
    """Whether a value can be written as text: no half of a character (or UNREADABLE) in it, and not nested too deep."""
    if isinstance(value, str):
        return value.isascii() or not _SURROGATES.search(value)
    if isinstance(value, dict):
        return room > 0 and all(_is_sound(key) and _is_sound(inner, room - 1) for key, inner in value.items())
    return not isinstance(value, list) or (room > 0 and all(_is_sound(inner, room - 1) for inner in value))


def _escaped(value: Any) -> str:
    """The JSON text of what is not sound."""
    try:
        return json.dumps(value, default=str)
    except RecursionError:
        return "nested too deep to be shown"


def _is_lines(path: Path, encoding: str) -> bool:
    """JSON lines: the name says so, or the first lines are whole objects by themselves."""
    if path.suffix.lower() in {".jsonl", ".ndjson"}:
        return True
    with Lines(path, encoding) as lines:
        first = [parsed(text) for text, _ in zip((line for line in lines if line.strip()), range(3), strict=False)]
    return len(first) > 1 and sum(isinstance(value, dict) for value in first) > 1


def _lists_of(data: Any) -> dict[str, list[Any]]:
    """Key -> its list of objects; the key "" stands for the document itself, where that is the list or a lone record."""
    if isinstance(data, list):
        return {"": data}
    if isinstance(data, dict):
        lists = {key: value for key, value in data.items() if _holds_objects(value)}
        if lists:
            return lists
    return {"": [data]}


def _elements(records: list[Any], each: str) -> list[Any]:
    """A record for every element of the list `each`, what stands around it beside; a record without the list stays."""
    found: list[Any] = []
    for record in records:
        inner = record.get(each) if isinstance(record, dict) else None
        if isinstance(inner, list) and inner:
            found += [{**record, each: element} for element in inner]
        else:
            found.append(record)
    return found


def _holds_objects(value: Any) -> bool:
    """Whether a list is one of records: half of its elements or more are objects, the others are broken."""
    return isinstance(value, list) and 0 < len(value) <= sum(isinstance(element, dict) for element in value) * 2
