"""Reads XML into the same trees as JSON: an element with parts is an object, an element that repeats a list.

`<Set title="T"><Answer name="A"><Text>x</Text></Answer></Set>` is `{"title": "T", "Answer": {"name": "A", "Text": "x"}}`.
"""

from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, ParseError

from flitstack.staging.encodings import UNREADABLE

# A noncharacter: stands for what cannot be read while the parser looks at the text, which takes no half of a character.
_MARK = "\ufdd0"


def parse_xml(text: str) -> Any:
    """The tree of a document; None for what is no XML, or defines entities of its own (they may expand without end)."""
    if "<!ENTITY" in text:
        return None
    try:
        root = ElementTree.fromstring(text.replace(UNREADABLE, _MARK))
        return tree if isinstance(tree := _value(root), dict) else {_name(root): tree}
    except (ParseError, RecursionError, ValueError):
        return None


def _value(element: Element) -> Any:
    """An object of attributes and parts, or the element's text when it has neither; text among the parts is `text`."""
    parts: dict[str, list[Any]] = {}
    for name, value in element.attrib.items():
        parts.setdefault(name.rpartition("}")[2], []).append(value.replace(_MARK, UNREADABLE))
    for child in element:
        parts.setdefault(_name(child), []).append(_value(child))
    texts = (element.text, *(child.tail for child in element))
    text = " ".join(stripped for one in texts if (stripped := (one or "").strip()))
    text = text.replace(_MARK, UNREADABLE)
    if not parts:
        return text
    if text:
        parts.setdefault("text", []).append(text)
    return {name: values[0] if len(values) == 1 else values for name, values in parts.items()}


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]
