"""Options of new choices: values, labels, what is kept beside them."""

from collections.abc import Iterable
from typing import Any

from flitstack.catalogue.types import Option
from flitstack.emulator.core import Document
from flitstack.emulator.messages import Refusal
from flitstack.emulator.metadata.bodies import wrong
from flitstack.emulator.metadata.labels import base_text, read_label
from flitstack.emulator.metadata.live import Live

# First option of a publisher without its own option value prefix: 10,000 x 10,000.
_DEFAULT_PREFIX = 10_000
_MAX_VALUE = 2_147_483_647


def read_options(live: Live, items: object) -> tuple[tuple[Option, ...], Document]:
    """Options of an OptionSetMetadata body and the `options` part of what is kept. Refusal 400 for repeated values."""
    if not isinstance(items, list):
        raise wrong("Options is a list.")
    options: list[Option] = []
    kept: Document = {}
    for item in items:
        value = item.get("Value")
        option = new_option(live, options, value, item.get("Label"))
        options.append(option)
        kept[str(option.value)] = option_texts(live, item)
    return tuple(options), kept


def new_option(live: Live, known: Iterable[Option], value: Any, label: object) -> Option:
    """An option to add to others; without a value it takes the next one of the publisher's range."""
    taken = {option.value for option in known}
    if value is None:
        first = option_prefix(live) * 10_000
        value = max((v + 1 for v in taken if first <= v < first + 10_000), default=first)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_VALUE:
        raise wrong(f"'{value}' is no option value.")
    if value in taken:
        raise Refusal(400, "0x80040203", f"An option with the value {value} already exists.")
    texts = read_label(label, live.language)
    if not texts:
        raise wrong(f"the option {value} has no label.")
    return Option(value, base_text(texts, live.language))


def option_texts(live: Live, item: dict[str, Any]) -> Document:
    """Labels, description and colour of an option as they are kept."""
    found: Document = {"labels": read_label(item.get("Label"), live.language)}
    descriptions = read_label(item.get("Description"), live.language)
    if descriptions:
        found["descriptions"] = descriptions
    for member, kept in (("Color", "color"), ("ExternalValue", "external_value")):
        if item.get(member):
            found[kept] = item[member]
    return found


def option_prefix(live: Live) -> int:
    """The option value prefix of the request's solution's publisher, of the first publisher, or the default."""
    connection = live.environment.connection
    made = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'view'")}
    row = None
    if live.occasion.solution and {"solution", "publisher"} <= made:
        row = connection.execute(
            "SELECT customizationoptionvalueprefix FROM publisher JOIN solution USING (publisherid) "
            "WHERE fold(solution.uniquename) = fold(?)",
            (live.occasion.solution,),
        ).fetchone()
    if row is None and "publisher" in made:
        row = connection.execute(
            "SELECT customizationoptionvalueprefix FROM publisher ORDER BY createdon, publisherid LIMIT 1"
        ).fetchone()
    return int(row[0]) if row and row[0] else _DEFAULT_PREFIX
