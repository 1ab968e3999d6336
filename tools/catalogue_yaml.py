"""How a catalogue file is written: one column or relationship a line, defaults left out.

Kept apart from the compiler so that the spelling of the files has one home; `flitstack.catalogue.parse` is its inverse.
"""

import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal

# Plain (unquoted) text is limited to what no YAML 1.1 reader can take for anything but a string.
_PLAIN = re.compile(r"[A-Za-z*][A-Za-z0-9_./()+&*-]*(?: [A-Za-z0-9_./()+&*-]+)*")
_NOT_TEXT = re.compile(r"(?i:yes|no|on|off|true|false|null|none|y|n)")
HEADER = """\
# The Dataverse table "{name}". Facts and their sources: docs/catalogue.md. Written by tools/compile_catalogue.py;
# corrections belong into its rules, or into a table's own file if it has no compiled source.
"""


def scalar(value: object) -> str:
    """One YAML scalar, quoted only where a reader would otherwise see another type. Text has to be printable."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")
    text = str(value)
    is_plain = _PLAIN.fullmatch(text) and not _NOT_TEXT.fullmatch(text) and not text.startswith("*")
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def flow(value: object) -> str:
    """A value in flow style, on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    return scalar(value)


def document(name: str, sections: Iterable[tuple[str, object]]) -> str:
    """A whole file: top-level sections in order; a mapping of mappings takes one line an entry, empty ones vanish."""
    lines = [HEADER.format(name=name)]
    for section, content in sections:
        if content is None or content == {} or content == []:
            continue
        if isinstance(content, Mapping) and all(isinstance(item, (Mapping, list)) for item in content.values()):
            lines.append(f"{section}:\n")
            lines.extend(f"  {scalar(key)}: {flow(item)}\n" for key, item in content.items())
        else:
            lines.append(f"{section}: {flow(content)}\n")
    return "".join(lines)
