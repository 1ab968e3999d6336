"""Elements with text, and labels in several languages, both ways."""

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any

from flitstack.emulator.solutions.faults import invalid

Json = dict[str, Any]


def add(parent: ET.Element, tag: str, text: object = None, **attributes: str) -> ET.Element:
    """A new element below `parent`; booleans are written as 0 and 1."""
    element = ET.SubElement(parent, tag, attributes)
    if text is not None:
        element.text = str(int(text)) if isinstance(text, bool) else str(text)
    return element


def text_of(element: ET.Element, path: str, default: str = "") -> str:
    """The text below a path, without blanks around it."""
    found = element.findtext(path)
    return default if found is None else found.strip()


def flag_of(element: ET.Element, path: str) -> bool:
    """`1` or `True` below a path."""
    return text_of(element, path).lower() in {"1", "true"}


def required_text(element: ET.Element, path: str) -> str:
    """The text below a path; Refusal 400 when it is missing."""
    found = text_of(element, path)
    if not found:
        name = element.get("Name") or element.get("PhysicalName") or ""
        raise invalid(f"The element '{element.tag}' {name} has incomplete content: '{path}' is expected.")
    return found


def whole_number(text: str, what: str) -> int:
    """A whole number; Refusal 400 otherwise."""
    try:
        return int(text)
    except ValueError as error:
        raise invalid(f"The value '{text}' of '{what}' is no integer.") from error


def add_labels(parent: ET.Element, group: str, item: str, label: Mapping[str, Any] | None) -> None:
    """`<group><item description= languagecode=/>...</group>`."""
    element = add(parent, group)
    for localized in (label or {}).get("LocalizedLabels") or []:
        code = str(localized["LanguageCode"])
        add(element, item, None, description=str(localized["Label"]), languagecode=code)


def read_labels(parent: ET.Element, path: str, *, keeps_empty: bool = True) -> Json:
    """A Label as the metadata API takes it. Empty descriptions stand for none."""
    found = []
    for element in parent.findall(path):
        text = element.get("description")
        if text is None:
            raise invalid(f"The attribute 'description' of '{element.tag}' is missing.")
        code = whole_number(element.get("languagecode", ""), "languagecode")
        if text or keeps_empty:
            found.append({"Label": text, "LanguageCode": code})
    return {"LocalizedLabels": found}
