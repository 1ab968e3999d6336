"""Files that stand inside a text: images of a note as `data:` or named by `cid:`, a document as one `data:` address.

Only cells that hold one reach Python: the macros look first. Source: RFC 2397 (data:), RFC 2392 (cid:).
"""

import base64
import binascii
import hashlib
import mimetypes
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote, unquote_to_bytes

import pyarrow as pa

from flitstack.staging.document import INLINE

_IMAGE = re.compile(r"""<img\b[^>]*?\bsrc\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))[^>]*>""", re.IGNORECASE)
_DATA = re.compile(r"\s*data:([\w.+-]+/[\w.+-]+)?((?:;\s*[\w.+-]+=[^;,]*)*)(;base64)?,", re.IGNORECASE)
_CID = re.compile(r"\s*cid:", re.IGNORECASE)
_TYPES = mimetypes.MimeTypes(())  # without the machine's files: the same export gives the same names everywhere

_HAS_IMAGE = r"(?i)<img[^>]+src\s*=\s*[\x22\x27]?\s*(?:data|cid):"
INLINE_MACROS = (
    rf"has_inline(x) AS coalesce(starts_with(ltrim(x), 'data:') OR regexp_matches(x, '{_HAS_IMAGE}'), FALSE)",
    "inline_files(x) AS CASE WHEN has_inline(x) THEN files_inside(x) ELSE CAST([] AS VARCHAR[]) END",
    "inline_marked(x) AS CASE WHEN has_inline(x) THEN text_marked(x) ELSE x END",
)


@dataclass(frozen=True, slots=True)
class InlineFile:
    """A file inside a text. `path`: below INLINE, named by its content, or the name that a `cid:` gives; `content` None:
    it is elsewhere (cid), or cannot be read."""

    start: int
    end: int
    path: str
    content: bytes | None


def find_inline(text: str) -> Iterator[InlineFile]:
    """The files inside a text, in order."""
    if _DATA.match(text):
        yield _of_data(text, 0, len(text))
        return
    for image in _IMAGE.finditer(text):
        address = next(group for group in image.groups() if group is not None)
        if _DATA.match(address):
            yield _of_data(address, image.start(), image.end())
        elif found := _CID.match(address):
            name = unquote(address[found.end() :]).partition("@")[0]
            yield InlineFile(image.start(), image.end(), name.replace("\\", "/").rpartition("/")[2], None)


def files_inside(values: pa.Array) -> pa.Array:
    """Paths of the files inside each text."""
    found = [None if value is None else [one.path for one in find_inline(value)] for value in values.to_pylist()]
    return pa.array(found, type=pa.list_(pa.string()))


def text_marked(values: pa.Array) -> pa.Array:
    """Each text with a mark in the place of every file inside it."""
    return pa.array([None if value is None else _marked(value) for value in values.to_pylist()], type=pa.string())


def _marked(text: str) -> str:
    parts, last = [], 0
    for number, one in enumerate(find_inline(text), start=1):
        parts += [text[last : one.start], f"[image {number}: a file of this record]"]
        last = one.end
    return "".join([*parts, text[last:]])


def _of_data(address: str, start: int, end: int) -> InlineFile:
    said = _DATA.match(address)
    if said is None:
        raise ValueError("no data: address")
    content = _decoded(address[said.end() :], is_base64=bool(said[3]))
    if content is None:
        return InlineFile(start, end, f"{INLINE}/unreadable", None)
    ending = _TYPES.guess_extension((said[1] or "text/plain").lower()) or ""
    return InlineFile(start, end, f"{INLINE}/{hashlib.sha256(content).hexdigest()[:40]}{ending}", content)


def _decoded(text: str, *, is_base64: bool) -> bytes | None:
    if not is_base64:
        return unquote_to_bytes(text)
    plain = re.sub(r"\s+", "", unquote(text))
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error:
        return None
