"""Which encoding and which delimiter a text file has: decided once a file, said in the staging document."""

import codecs
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from charset_normalizer import from_bytes

SAMPLE_BYTES = 1 << 20
DELIMITERS = (",", ";", "\t", "|")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CODE_PAGES = ("cp1251", "cp1252", "cp1254")
# The six bytes in which Turkish differs from Western European.
_TURKISH_BYTES = frozenset(b"\xd0\xdd\xde\xf0\xfd\xfe")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How to read a delimited file. `encoding` is a Python codec name."""

    encoding: str
    delimiter: str


def is_text(path: Path) -> bool:
    """False for bytes no text encoding explains: a NUL without a UTF-16 mark, or mostly control characters."""
    head = _head(path, 1 << 16)
    if any(head.startswith(mark) for mark, _ in _BOMS):
        return True
    if b"\0" in head:
        return False
    control = sum(byte < 9 or 13 < byte < 32 for byte in head)
    return control * 50 <= len(head)


def find_encoding(path: Path) -> str:
    """The codec that reads the whole file: a mark decides, then UTF-8 if every byte fits, else a Windows code page."""
    head = _head(path, 4)
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding
    if _is_utf8(path):
        return "utf-8"
    return _code_page(_sample_with_high_bytes(path))


def find_delimiter(text: str) -> str:
    """The delimiter that cuts the first lines most evenly; a comma when nothing does."""
    lines = [line for line in _outside_quotes(text).splitlines() if line.strip()][:50]
    best, score = ",", 0.0
    for delimiter in DELIMITERS:
        counts = [line.count(delimiter) for line in lines]
        usual, often = Counter(counts).most_common(1)[0] if counts else (0, 0)
        if usual and often / len(counts) * (1 + usual / 1000) > score:
            best, score = delimiter, often / len(counts) * (1 + usual / 1000)
    return best


def sample_text(path: Path, encoding: str) -> str:
    """The beginning of the file as text, cut at a whole line."""
    raw = _head(path, SAMPLE_BYTES)
    text = raw.decode(encoding, errors="ignore")
    return text[: text.rfind("\n") + 1] if len(raw) == SAMPLE_BYTES and "\n" in text else text


def _head(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size)


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while block := file.read(SAMPLE_BYTES):
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _sample_with_high_bytes(path: Path) -> bytes:
    """Up to a sample's worth of the lines that hold bytes outside ASCII: only they tell code pages apart."""
    kept, size = [], 0
    with path.open("rb") as file:
        for line in file:
            if not line.isascii():
                kept.append(line)
                size += len(line)
                if size > SAMPLE_BYTES // 4:
                    break
    return b"".join(kept)


def _code_page(sample: bytes) -> str:
    high = [byte for byte in sample if byte > 127]
    # Cyrillic text is made of high bytes in runs; Western text has single ones among ASCII letters.
    runs = sum(a > 191 and b > 191 for a, b in pairwise(sample))
    if high and runs > len(high) * 0.5:
        return "cp1251"
    turkish = sum(byte in _TURKISH_BYTES for byte in high)
    if high and turkish:
        return "cp1254"
    best = from_bytes(sample, cp_isolation=list(_CODE_PAGES)).best()
    return best.encoding if best and best.encoding in _CODE_PAGES else "cp1252"


def _outside_quotes(text: str) -> str:
    """The text without quoted parts, so that delimiters and newlines inside quotes do not count."""
    return "".join(part for place, part in enumerate(text.split('"')) if place % 2 == 0)
