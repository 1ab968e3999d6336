"""YAML as plain data with the line of every key, read by libyaml: a hundred times faster than the reader that keeps comments.

What a text means is decided by ruamel.yaml's rules of YAML 1.2 (only true and false are booleans, `no` is a text, `12:30`
is a text, a key stands once). The two parsers agree on everyday YAML and differ at the edges, so whatever is out of the
ordinary (tags, merge keys, directives, a mistake) is not decided here: `plain_tree` then answers None, and the caller
asks ruamel.yaml, whose answer and whose error message count (tests/test_plain_yaml.py holds the two against each other).
"""

import re
from typing import Any

import yaml
from ruamel.yaml.constructor import RoundTripConstructor
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.resolver import Resolver

Lines = dict[tuple[str, ...], int]  # path of keys -> 1-based line
Marks = dict[int, dict[Any, int]]  # id of a mapping or list -> key or index -> 1-based line

# Absent where PyYAML was built without libyaml; then every text is read by ruamel.yaml.
_Parser: Any = getattr(yaml, "CSafeLoader", None)
# Where the parsers differ: tabs, byte order marks and line ends of other alphabets; ends of documents; block texts whose
# first line is nothing but spaces.
_ODD_TEXT = re.compile("[\t\x07\x85\u2028\u2029\ufeff]|^\\.\\.\\.|[|>][-+0-9]* *(?:#.*)?\n+ +$", re.MULTILINE)
_RULES: dict[str, list[tuple[str, re.Pattern[str]]]] = Resolver.yaml_implicit_resolvers
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_FRACTION = re.compile(r"[-+]?[0-9]*\.[0-9]*")
_ROUND_TRIP = RoundTripConstructor()


class _OutOfTheOrdinaryError(Exception):
    """The text holds something that the other reader has to decide."""


def plain_tree(text: str) -> tuple[dict[str, Any], Lines] | None:
    """The mapping that a YAML text holds, and its lines; None when ruamel.yaml has to say what it is.

    An element that is an alias has the line of its anchor.
    """
    if _Parser is None or _ODD_TEXT.search(text):
        return None
    lines: Lines = {}
    try:
        reading = _Reading(_Parser(text))
        data = reading.document()
        _collect(data, (), reading.marks, lines)
    except (yaml.YAMLError, _OutOfTheOrdinaryError, RecursionError):
        return None
    return data, lines


def _collect(node: Any, path: tuple[str, ...], marks: Marks, lines: Lines) -> None:
    if isinstance(node, dict):
        entries: Any = node.items()
    elif isinstance(node, list):
        entries = enumerate(node)
    else:
        return
    known = marks.get(id(node), {})
    for key, value in entries:
        place = (*path, str(key))
        if key in known:
            lines[place] = known[key]
        if isinstance(value, dict | list):
            _collect(value, place, marks, lines)


class _Reading:
    """One text under reading: the parser's events become data, the marks of its mappings and lists stay beside it."""

    def __init__(self, parser: Any) -> None:
        self.marks: Marks = {}
        self._next = parser.get_event
        self._anchors: dict[str, tuple[Any, int]] = {}

    def document(self) -> dict[str, Any]:
        """The only document of the text, a mapping."""
        self._next()  # the start of the stream
        start = self._next()
        if isinstance(start, yaml.StreamEndEvent) or start.version or start.tags:
            raise _OutOfTheOrdinaryError
        data, _ = self._node(self._next())
        if not isinstance(data, dict):
            raise _OutOfTheOrdinaryError
        self._next()  # the end of the document
        if not isinstance(self._next(), yaml.StreamEndEvent):
            raise _OutOfTheOrdinaryError
        return data

    def _node(self, event: Any) -> tuple[Any, int]:
        """The value that starts with this event, and its line."""
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise _OutOfTheOrdinaryError  # unknown, or an anchor that holds itself
            return self._anchors[event.anchor]
        if event.tag is not None:
            raise _OutOfTheOrdinaryError
        line: int = event.start_mark.line + 1
        if isinstance(event, yaml.ScalarEvent):
            value: Any = _meaning(event.value) if event.implicit[0] else event.value
        elif isinstance(event, yaml.MappingStartEvent):
            value = self._mapping()
        else:
            value = self._sequence()
        if event.anchor is not None:
            if event.anchor in self._anchors or isinstance(value, bool):
                raise _OutOfTheOrdinaryError
            self._anchors[event.anchor] = value, line
        return value, line

    def _mapping(self) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        lines: dict[Any, int] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise _OutOfTheOrdinaryError
            key, lines_key = self._node(event)
            if key in found:
                raise _OutOfTheOrdinaryError
            found[key], _ = self._node(self._next())
            lines[key] = lines_key
        self.marks[id(found)] = lines
        return found

    def _sequence(self) -> list[Any]:
        found: list[Any] = []
        lines: dict[Any, int] = {}
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            value, lines[len(found)] = self._node(event)
            found.append(value)
        self.marks[id(found)] = lines
        return found


def _meaning(text: str) -> Any:
    """What a scalar without quotes stands for."""
    for tag, pattern in _RULES.get(text[:1], ()):
        if pattern.match(text):
            return _value(tag.removeprefix("tag:yaml.org,2002:"), text)
    return text


def _value(kind: str, text: str) -> Any:
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "int" and _DECIMAL.fullmatch(text):
        return int(text)
    if kind == "float" and _FRACTION.fullmatch(text):
        return float(text)
    if kind == "timestamp":
        try:
            return _ROUND_TRIP.construct_yaml_timestamp(ScalarNode(kind, text))
        except ValueError as error:
            raise _OutOfTheOrdinaryError from error
    raise _OutOfTheOrdinaryError
