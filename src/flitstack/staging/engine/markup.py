"""Value functions for HTML: the few that need a library, as functions over Arrow arrays.

Only cells that hold a tag reach Python: the macros look first.
"""

import html
import re

import nh3
import pyarrow as pa

# A tag, an entity or nothing: text without them is plain and stays as it is.
HAS_MARKUP = r"<[A-Za-z!/]|&(?:[A-Za-z]+|#[0-9]+);"
UNSAFE = r"(?i)<\s*(?:script|iframe|object|embed|form|meta|link|style)\b|<[^>]+\son[a-z]+\s*=|(?:href|src)\s*=\s*[\x22\x27]?\s*(?:javascript|vbscript|data:text/html)"

MARKUP_MACROS = (
    "has_tag(x) AS regexp_matches(x, '<[A-Za-z!/]')",
    f"is_unsafe_html(x) AS coalesce(regexp_matches(x, '{UNSAFE}'), FALSE)",
    "safe_html(x) AS CASE WHEN has_tag(x) THEN sanitised_markup(x) ELSE x END",
    f"html_text(x) AS CASE WHEN regexp_matches(x, '{HAS_MARKUP}') THEN text_of_markup(x) ELSE x END",
)

_BREAKS = re.compile(r"<\s*(?:br|/p|/div|/li|/tr|/h[1-6])\s*/?>", re.IGNORECASE)
_ITEMS = re.compile(r"<\s*li[^>]*>", re.IGNORECASE)
_BLANK_LINES = re.compile(r"\n\s*\n+")


def sanitised_markup(values: pa.Array) -> pa.Array:
    """Safe HTML: scripts, frames, handlers and styles gone, everything else kept."""
    return pa.array([None if v is None else nh3.clean(v) for v in values.to_pylist()], type=pa.string())


def text_of_markup(values: pa.Array) -> pa.Array:
    """Plain text: block ends become line breaks, list items get a dash, entities their characters."""
    return pa.array([None if v is None else _text(v) for v in values.to_pylist()], type=pa.string())


def _text(value: str) -> str:
    marked = _ITEMS.sub("- ", _BREAKS.sub("\n", value))
    plain = html.unescape(nh3.clean(marked, tags=set()))
    return _BLANK_LINES.sub("\n", plain).strip()
