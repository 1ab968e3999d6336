"""XML from strangers as a tree of elements: no document types, so no entities; bounded in depth and size."""

from dataclasses import dataclass, field
from xml.parsers import expat

from flitstack.emulator.messages import Refusal

MAX_CHARACTERS = 65_536  # the longest URL, inside a batch
MAX_DEPTH = 60


@dataclass(slots=True)
class Element:
    """One element; `text` is what stands directly inside."""

    name: str
    attributes: dict[str, str]
    children: "list[Element]" = field(default_factory=list)
    text: str = ""


def parse_xml(text: str) -> Element:
    """The root element; 400 0x80040201 for text that is no XML or has a document type."""
    if len(text) > MAX_CHARACTERS:
        raise _invalid(f"it has more than {MAX_CHARACTERS:,} characters")
    roots: list[Element] = []
    path: list[Element] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(path) >= MAX_DEPTH:
            raise _invalid(f"elements are nested deeper than {MAX_DEPTH}")
        element = Element(name, attributes)
        (path[-1].children if path else roots).append(element)
        path.append(element)

    def end(name: str) -> None:
        path.pop()

    def characters(data: str) -> None:
        path[-1].text += data

    def doctype(*_: object) -> None:
        raise _invalid("a document type is not allowed")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    parser.StartDoctypeDeclHandler = doctype
    try:
        # As text: a declaration that names another encoding is a note about a file that is gone.
        parser.Parse(_without_declaration(text), True)
    except expat.ExpatError as error:
        raise _invalid(str(error)) from error
    return roots[0]


def _without_declaration(text: str) -> str:
    stripped = text.lstrip("\ufeff \t\r\n")
    return stripped.partition("?>")[2] if stripped.startswith("<?xml") else stripped


def _invalid(why: str) -> Refusal:
    return Refusal(400, "0x80040201", f"Invalid XML. {why}")
