"""Paging cookies of FetchXML: the first and the last row of a page, by the columns it is sorted by.

Source: Microsoft Learn, "Page results using FetchXml": `<cookie page="1"><fullname last="B" first="A" /><contactid
last="{GUID}" first="{GUID}" /></cookie>`, URL-encoded twice. What stands for a null (`lastnull`) is as published by
users of the platform.
"""

import re
from collections.abc import Sequence
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from flitstack.emulator.messages import Refusal
from flitstack.emulator.query.fetchxml import faults
from flitstack.emulator.query.fetchxml.keys import Key
from flitstack.emulator.query.fetchxml.xml_text import parse_xml
from flitstack.emulator.query.terms import TEXTS, Parameter
from flitstack.emulator.schema import UNBOUND_LOOKUPS
from flitstack.emulator.values import fold, guid_blob, guid_text

_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_GUIDS = UNBOUND_LOOKUPS | {"Uniqueidentifier"}


def write_cookie(page: int, keys: Sequence[Key], first: Sequence[object], last: Sequence[object]) -> str | None:
    """The annotation of a page; None when a value cannot stand in XML."""
    parts = []
    for key, start, end in zip(keys, first, last, strict=True):
        texts = [_attribute("last", key, end), _attribute("first", key, start)]
        parts.append(f"<{key.name} {' '.join(texts)} />")
    cookie = f'<cookie page="{page}">{"".join(parts)}</cookie>'
    if _NO_XML.search(cookie):
        return None
    return f'<cookie pagenumber="{page + 1}" pagingcookie="{_quoted(_quoted(cookie))}" istracking="False" />'


def _quoted(text: str) -> str:
    """Percent-encoded as .NET does it, with small hexadecimal digits."""
    return re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), quote(text, safe=""))


def _attribute(name: str, key: Key, value: object) -> str:
    if value is None:
        return f'{name}null="1"'
    if isinstance(value, bytes):
        return f'{name}="{{{guid_text(value).upper()}}}"'
    text = quoteattr(str(value), {'"': "&quot;", "\r": "&#13;"})
    return f"{name}={text}"


def read_cookie(text: str, keys: Sequence[Key]) -> tuple[int, list[Parameter]]:
    """Page number and sort values of the last row; 400 for a cookie of another query."""
    try:
        cookie = parse_xml(text)
    except Refusal as error:
        raise _malformed() from error
    page = cookie.attributes.get("page", "")
    names = [child.name for child in cookie.children]
    if cookie.name != "cookie" or not re.fullmatch(r"[1-9]\d{0,8}", page) or names != [key.name for key in keys]:
        raise _malformed()
    return int(page), [_value(key, child.attributes) for key, child in zip(keys, cookie.children, strict=True)]


def _value(key: Key, given: dict[str, str]) -> Parameter:
    if "last" not in given:
        if "lastnull" not in given:
            raise _malformed()
        return None
    text, kind = given["last"], key.column.type
    if kind in TEXTS:
        return fold(text)
    if kind in _GUIDS:
        found = guid_blob(text)
        if found is None:
            raise _malformed()
        return found
    if kind in {"DateTime", "MultiSelectPicklist"}:
        return text
    try:
        return int(text) if re.fullmatch(r"-?\d{1,18}", text) else float(text)
    except ValueError as error:
        raise _malformed() from error


def _malformed() -> Refusal:
    return faults.invalid_argument("Malformed XML in the Paging Cookie")
