"""FHIR paths: the part of FHIRPath that SQL on FHIR asks of every reader, as a function of a resource.

    name.where(use = 'official').given.join(' ')
    period.start | performedDateTime
    subject.getReferenceKey()

Source: HL7, "SQL on FHIR v2" (FHIRPath subset); HL7, "FHIRPath". A path over a list goes over its elements.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Step = Callable[[list[Any], "Directory"], list[Any]]

# Few in number and pointed to by identifier: what is known of them fits into memory.
DIRECTORY_TYPES = ("Practitioner", "Organization", "Location")
_TOKEN = re.compile(r"\s*(?:(?P<word>[A-Za-z_]\w*)|(?P<number>\d+)|(?P<text>'(?:[^'\\]|\\.)*')|(?P<mark>[.()\[\]=|]))")


@dataclass
class Directory:
    """Who is who: `identifiers` of directory resources ("Practitioner|system|value" -> id).

    `types`: of each of them; `roles`: the PractitionerRole resources of a practitioner; paths of Practitioner read them as the element `roles`.
    """

    identifiers: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    roles: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Path:
    """A path read; `roots` are the elements it begins with. Called with a resource, it gives the values there."""

    text: str
    roots: frozenset[str]
    find: Callable[[Mapping[str, Any], Directory], list[Any]]


class PathError(ValueError):
    """A path that cannot be read; says where."""


def compile_path(text: str) -> Path:
    """The function of a path. Raises PathError."""
    tokens, roots, chains = _Tokens(text), set(), []
    while True:
        roots.add(tokens.peek())
        chains.append(_chain(tokens))
        if tokens.peek() != "|":
            break
        tokens.take("|")
    tokens.end()

    def find(resource: Mapping[str, Any], directory: Directory) -> list[Any]:
        """`a | b`: what the first of them gives that gives anything."""
        return next((found for chain in chains if (found := chain(resource, directory))), [])

    return Path(text, frozenset(roots), find)


def reference_key(value: Any, directory: Directory) -> str | None:
    """The id a Reference points to, whether it is written as URL, as `urn:uuid:`, as identifier or as a search.

    What cannot be resolved stays as it is written, so that the lookup is reported with it.
    """
    if not isinstance(value, Mapping):
        return None
    written = value.get("reference")
    if isinstance(written, str) and written:
        written = _of_any_version(written)
        kind, is_search, query = written.partition("?identifier=")
        if is_search:
            return directory.identifiers.get(f"{kind}|{query}", written)
        return written.rpartition("/")[2] if "/" in written else written.removeprefix("urn:uuid:").removeprefix("#")
    identifier = value.get("identifier")
    if isinstance(identifier, Mapping) and identifier.get("value"):
        named = f"{identifier.get('system', '')}|{identifier['value']}"
        wanted = str(value.get("type", ""))
        kinds = (wanted,) if wanted else DIRECTORY_TYPES
        return next(
            (directory.identifiers[key] for kind in kinds if (key := f"{kind}|{named}") in directory.identifiers), named
        )
    return None


def _of_any_version(reference: str) -> str:
    """A reference to one version of a resource points to the resource. Source: HL7 FHIR R4, "References"."""
    return reference.partition("/_history/")[0]


def listed(value: Any) -> list[Any]:
    """The values of an element: systems write a lone one without its list."""
    return value if isinstance(value, list) else [] if value is None else [value]


class _Tokens:
    def __init__(self, text: str) -> None:
        self._text, self._place = text, 0

    def peek(self) -> str:
        found = _TOKEN.match(self._text, self._place)
        return found[0].strip() if found else self._text[self._place :].strip()[:1]

    def take(self, *wanted: str) -> str:
        found = _TOKEN.match(self._text, self._place)
        token = found[0].strip() if found else ""
        if not token or (wanted and token not in wanted):
            expected = " or ".join(wanted) if wanted else "a name"
            raise PathError(f"{expected} is missing at character {self._place + 1} of {self._text!r}")
        assert found is not None
        self._place = found.end()
        return token

    def name(self) -> str:
        token = self.take()
        if not token.isidentifier():
            raise PathError(f"{token!r} is no element name in {self._text!r}")
        return token

    def text(self) -> str:
        token = self.take()
        if not token.startswith("'"):
            raise PathError(f"a text in quotes is missing before {token!r} in {self._text!r}")
        return re.sub(r"\\(.)", r"\1", token[1:-1])

    def number(self) -> int:
        token = self.take()
        if not token.isdecimal():
            raise PathError(f"{token!r} is no number in {self._text!r}")
        return int(token)

    def end(self) -> None:
        if self._text[self._place :].strip():
            raise PathError(f"{self._text[self._place :].strip()!r} cannot follow in {self._text!r}")


def _chain(tokens: _Tokens) -> Callable[[Mapping[str, Any], Directory], list[Any]]:
    steps = [_step(tokens)]
    while tokens.peek() in {".", "["}:
        if tokens.take(".", "[") == "[":
            place = tokens.number()
            tokens.take("]")
            steps.append(_at(place))
        else:
            steps.append(_step(tokens))

    def find(resource: Mapping[str, Any], directory: Directory) -> list[Any]:
        values: list[Any] = [resource]
        for step in steps:
            if not values:
                break
            values = step(values, directory)
        return values

    return find


def _step(tokens: _Tokens) -> Step:
    name = tokens.name()
    if tokens.peek() != "(":
        return lambda values, directory: list(_children(values, name))
    maker = _FUNCTIONS.get(name)
    if maker is None:
        raise PathError(f"{name}() is none of {', '.join(sorted(_FUNCTIONS))}")
    tokens.take("(")
    step = maker(tokens)
    tokens.take(")")
    return step


def _children(values: list[Any], name: str) -> Iterator[Any]:
    for value in values:
        found = value.get(name) if isinstance(value, Mapping) else None
        yield from (one for one in listed(found) if one is not None)


def _at(place: int) -> Step:
    return lambda values, directory: values[place : place + 1]


def _where(tokens: _Tokens) -> Step:
    path = _chain(tokens)
    tokens.take("=")
    wanted = tokens.text()
    return lambda values, directory: [
        value for value in values if isinstance(value, Mapping) and wanted in path(value, directory)
    ]


def _join(tokens: _Tokens) -> Step:
    between = tokens.text()
    return lambda values, directory: [between.join(str(value) for value in values)] if values else []


def _resource_key(tokens: _Tokens) -> Step:
    return lambda values, directory: [value["id"] for value in values if isinstance(value, Mapping) and value.get("id")]


def _reference_key(tokens: _Tokens) -> Step:
    """`getReferenceKey()`, or `getReferenceKey(Patient)` for references to one type only."""
    kind = "" if tokens.peek() == ")" else tokens.name()
    return lambda values, directory: [
        key
        for value in values
        if (key := reference_key(value, directory)) and (not kind or _points_to(kind, key, value, directory))
    ]


def _points_to(kind: str, key: str, reference: Mapping[str, Any], directory: Directory) -> bool:
    """Whether a reference is to a resource of a type. A bare `urn:uuid:` does not say: the directory knows its own."""
    said = str(reference.get("type") or "")
    written = _of_any_version(str(reference.get("reference") or ""))
    if not said and ("/" in written or "?" in written):
        said = written.partition("?")[0] if "?" in written else written.split("/")[-2]
    said = said or directory.types.get(key, "")
    return said == kind if said else kind not in DIRECTORY_TYPES


_FUNCTIONS: Mapping[str, Callable[[_Tokens], Step]] = {
    "where": _where,
    "first": lambda tokens: _at(0),
    "join": _join,
    "getResourceKey": _resource_key,
    "getReferenceKey": _reference_key,
}
