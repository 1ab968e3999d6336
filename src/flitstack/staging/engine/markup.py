"""Value functions for HTML: the few that need a library, as functions over Arrow arrays.

Only cells that hold a tag reach Python: the macros look first. `<` counts as a tag only before a name HTML knows, so that
"if a<b" and "Ana <ana@example.com>" stay text.
"""

import html
import re

import nh3
import pyarrow as pa
from striprtf.striprtf import rtf_to_text

_TAG_NAMES = (
    "a abbr acronym address applet area article aside audio b base basefont bdi bdo big blockquote body br button canvas caption "
    "center cite code col colgroup data datalist dd del details dfn dialog dir div dl dt em embed fieldset figcaption figure font "
    "footer form frame frameset h[1-6] head header hgroup hr html i iframe img input ins kbd label legend li link main map mark math "
    "menu meta meter nav noframes noscript object ol optgroup option output p param picture pre progress q rp rt ruby s samp script "
    "search section select slot small source span strike strong style sub summary sup svg table tbody td template textarea tfoot th "
    "thead time title tr track tt u ul var video wbr o:p"
)
_NAME = f"(?:{_TAG_NAMES.replace(' ', '|')})"
TAG = rf"(?i)</?{_NAME}(?:[\s/][^<>]*)?>|<!--|<!doctype"
ENTITY = r"&(?:[A-Za-z][A-Za-z0-9]*|#[0-9]+|#[xX][0-9a-fA-F]+);"
# A script tag counts even when it does not close; so does a handler or a link that runs something.
UNSAFE = (
    r"(?i)<\s*(?:script|iframe|object|embed|form|meta|link|style)\b|<[^>]+[\s/]on[a-z]+\s*=|"
    r"(?:href|src|action)\s*=\s*[\x22\x27]?\s*(?:javascript|vbscript|data:text/html)"
)

MARKUP_MACROS = (
    f"has_tag(x) AS regexp_matches(x, '{TAG}')",
    f"is_unsafe_html(x) AS coalesce(regexp_matches(x, '{UNSAFE}'), FALSE)",
    "safe_html(x) AS CASE WHEN has_tag(x) OR is_unsafe_html(x) THEN sanitised_markup(x) ELSE x END",
    r"rtf_text(x) AS CASE WHEN starts_with(ltrim(x), '{\rtf') THEN text_of_rtf(x) ELSE x END",
    f"html_text(x) AS CASE WHEN has_tag(x) OR is_unsafe_html(x) OR regexp_matches(x, '{ENTITY}') THEN text_of_markup(x) ELSE x END",
)

_BREAKS = re.compile(r"<\s*(?:br|/p|/div|/li|/tr|/h[1-6])(?:\s[^<>]*)?/?>", re.IGNORECASE)
_ITEMS = re.compile(r"<\s*li(?:\s[^<>]*)?>", re.IGNORECASE)
_BLANK_LINES = re.compile(r"\n\s*\n+")
# `<` that begins nothing HTML knows: the parser would swallow what follows.
_STRAY = re.compile(rf"<(?!/?{_NAME}[\s/>]|!--|!doctype)", re.IGNORECASE)


def sanitised_markup(values: pa.Array) -> pa.Array:
    """Safe HTML: scripts, frames, handlers and styles gone, everything else kept."""
    return pa.array([None if v is None else _sanitised(v) for v in values.to_pylist()], type=pa.string())


def text_of_markup(values: pa.Array) -> pa.Array:
    """Plain text: block ends become line breaks, list items get a dash, entities their characters."""
    return pa.array([None if v is None else _text(v) for v in values.to_pylist()], type=pa.string())


def text_of_rtf(values: pa.Array) -> pa.Array:
    """Plain text of Rich Text Format; what stands behind the closing brace is kept."""
    return pa.array([None if v is None else _rtf(v) for v in values.to_pylist()], type=pa.string())


def _rtf(value: str) -> str:
    start, end = value.find("{"), value.rfind("}") + 1
    return f"{rtf_to_text(value[start:end], errors='ignore').strip()} {value[end:].strip()}".strip()


def _sanitised(value: str) -> str:
    return nh3.clean(_STRAY.sub("&lt;", value))


def _text(value: str) -> str:
    marked = _ITEMS.sub("- ", _BREAKS.sub("\n", value))
    plain = html.unescape(nh3.clean(_STRAY.sub("&lt;", marked), tags=set()))
    return _BLANK_LINES.sub("\n", plain).strip()
