"""Query options of a URL, and those inside an expand, as one structure."""

from collections.abc import Mapping
from dataclasses import dataclass

from flitstack.emulator.messages import Refusal, not_implemented
from flitstack.emulator.paths import split_outside
from flitstack.emulator.query.syntax import Node, Path, parse_filter, syntax_error

MAX_EXPANDS = 15
MAX_TOP = 5000
_KNOWN = frozenset({"$select", "$filter", "$orderby", "$top", "$count", "$expand", "$skiptoken"})
_UNSUPPORTED = frozenset(
    {"$apply", "$deltatoken", "$search", "$compute", "fetchXml", "fetchxml", "sql", "savedQuery", "userQuery"}
)


@dataclass(frozen=True, slots=True)
class Order:
    """One item of `$orderby`."""

    path: Path
    is_descending: bool


@dataclass(frozen=True, slots=True)
class Expand:
    """One navigation to bring along; `links_only` for `nav/$ref`, `text` holds the options as they were written."""

    name: str
    options: "Options"
    links_only: bool = False
    text: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Options:
    """What to read: `select` None means every column."""

    select: tuple[str, ...] | None = None
    filter: Node | None = None
    order: tuple[Order, ...] = ()
    top: int | None = None
    count: bool = False
    expand: tuple[Expand, ...] = ()
    skiptoken: str | None = None


def parse_options(query: Mapping[str, str]) -> Options:
    """Options of a request's query; what Dataverse knows and the emulator does not is refused with 501."""
    aliases = {name: value for name, value in query.items() if name.startswith("@")}
    given = {}
    for name, value in query.items():
        if name in _UNSUPPORTED:
            raise not_implemented(f"the query option {name}")
        if name.startswith("$") and name not in _KNOWN:
            raise Refusal(400, "0x80060888", f"The query parameter {name} is not supported.")
        if name in _KNOWN:
            given[name] = value
    options = _options(given, aliases)
    if _count_expands(options) > MAX_EXPANDS:
        raise Refusal(400, "0x80060888", f"The number of expands exceeds the maximum of {MAX_EXPANDS}.")
    return options


def _count_expands(options: Options) -> int:
    return sum(1 + _count_expands(expand.options) for expand in options.expand)


def _options(given: Mapping[str, str], aliases: Mapping[str, str]) -> Options:
    select = given.get("$select")
    names = tuple(dict.fromkeys(name.strip() for name in select.split(",") if name.strip())) if select else None
    text = given.get("$filter")
    return Options(
        select=None if names is None or names == ("*",) else names,
        filter=parse_filter(text, aliases) if text and text.strip() else None,
        order=tuple(_order(item) for item in given.get("$orderby", "").split(",") if item.strip()),
        top=_top(given.get("$top")),
        count=given.get("$count", "").lower() == "true",
        expand=tuple(_expand(item.strip(), aliases) for item in _items(given.get("$expand", ""), ",")),
        skiptoken=given.get("$skiptoken"),
    )


def _items(text: str, separator: str) -> list[str]:
    return [item for item in split_outside(text, separator) if item.strip()]


def _order(text: str) -> Order:
    path, _, direction = text.strip().partition(" ")
    if direction.strip() not in {"", "asc", "desc"}:
        raise syntax_error(text)
    return Order(Path(tuple(path.split("/"))), direction.strip() == "desc")


def _top(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdigit():
        raise Refusal(400, "0x80060888", f"Invalid value '{text}' for $top query option found.")
    return min(int(text), MAX_TOP)


def _expand(text: str, aliases: Mapping[str, str]) -> Expand:
    name, opening, rest = text.partition("(")
    if name.endswith("/$ref"):
        return Expand(name.removesuffix("/$ref"), Options(), links_only=True)
    if "/" in name:
        raise not_implemented("a path in $expand")
    if not opening:
        return Expand(name, Options())
    if not rest.endswith(")"):
        raise syntax_error(text)
    given = {}
    for item in _items(rest[:-1], ";"):
        option, equals, value = item.strip().partition("=")
        if option in {"$skip", "$count", "$search", "$levels"}:
            raise Refusal(400, "0x80060888", f"The query option {option} is not supported inside $expand.")
        if not equals or option not in {"$select", "$filter", "$orderby", "$top", "$expand"}:
            raise syntax_error(text)
        given[option] = value
    return Expand(name, _options(given, aliases), text=tuple(given.items()))
