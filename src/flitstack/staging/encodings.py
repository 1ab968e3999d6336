"""Which encoding a text file has: decided once a file, said in the staging document."""

import codecs
import re
from collections import Counter
from pathlib import Path

from charset_normalizer import from_bytes

SAMPLE_BYTES = 1 << 20
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CODE_PAGES = ("cp1251", "cp1252", "cp1254")
# The six bytes in which Turkish differs from Western European, and vowels of the languages that use those six there.
_TURKISH_BYTES = b"\xd0\xdd\xde\xf0\xfd\xfe"
_NORTHERN_BYTES = b"\xe1\xe9\xed\xf3\xfa\xe6\xc1\xc9\xcd\xd3\xda\xc6"

# Stands for bytes the encoding cannot read; no decoder gives a lone surrogate, so it cannot come from the file itself.
UNREADABLE = "\udcff"
_ON_ERROR = "flitstack-unreadable"
codecs.register_error(_ON_ERROR, lambda error: (UNREADABLE, error.end))  # type: ignore[attr-defined]


def is_text(path: Path) -> bool:
    """False for bytes no text encoding explains: a NUL outside UTF-16, or many control characters."""
    head = _head(path, 1 << 16)
    if any(head.startswith(mark) for mark, _ in _BOMS) or _bare_utf16(head):
        return True
    if b"\0" in head:
        return False
    control = sum(byte < 9 or 13 < byte < 32 for byte in head)
    return control * 50 <= len(head)


def find_encoding(path: Path) -> str:
    """The codec of the whole file: a mark decides, then UTF-8 if (nearly) all lines fit, else a Windows code page.

    A file of UTF-8 with a few broken lines is UTF-8: those lines become rejects.
    """
    head = _head(path, 1 << 12)
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding
    if encoding := _bare_utf16(head):
        return encoding
    if _is_utf8(path):
        return "utf-8"
    lines = _lines_with_high_bytes(path)
    broken = sum(not _decodes(line) for line in lines)
    return "utf-8" if broken * 5 <= len(lines) else _code_page(b"".join(lines))


def read_text(path: Path, encoding: str, size: int = -1) -> str:
    """The text of a file, or of its first `size` bytes; bytes that cannot be read are UNREADABLE. Line ends stay."""
    with path.open("rb") as file:
        raw = file.read(size)
    return codecs.decode(raw, encoding, _ON_ERROR).removeprefix("\ufeff")


def sample_text(path: Path, encoding: str) -> str:
    """The beginning of the file, cut at a whole line."""
    text = read_text(path, encoding, SAMPLE_BYTES)
    end = max(text.rfind("\n"), text.rfind("\r")) + 1
    return text[:end] if path.stat().st_size > SAMPLE_BYTES and end else text


class Lines:
    """Physical lines of a text file with their ends, one at a time; a byte order mark is no part of the first.

    `number` is the 1-based number of the line given last. Lines can be given back.
    """

    def __init__(self, path: Path, encoding: str) -> None:
        self._file = path.open(encoding=encoding, errors=_ON_ERROR, newline="")
        self._back: list[str] = []
        self.number = 0

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        line = self._back.pop() if self._back else next(self._file)
        self.number += 1
        return line.removeprefix("\ufeff") if self.number == 1 else line

    def give_back(self, lines: list[str]) -> None:
        """The last lines taken will be given once more."""
        self._back.extend(reversed(lines))
        self.number -= len(lines)


def _head(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size)


def _bare_utf16(head: bytes) -> str:
    """UTF-16 without its mark: text of the Latin alphabet has a NUL in every other place only."""
    even, odd = head[0:512:2], head[1:512:2]
    if len(even) < 8:
        return ""
    if odd.count(0) > len(odd) * 0.7 and not even.count(0):
        return "utf-16-le"
    return "utf-16-be" if even.count(0) > len(even) * 0.7 and not odd.count(0) else ""


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


def _decodes(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _lines_with_high_bytes(path: Path) -> list[bytes]:
    """Up to a sample's worth of the lines that hold bytes outside ASCII: only they tell encodings apart."""
    kept: list[bytes] = []
    size = 0
    with path.open("rb") as file:
        while size < SAMPLE_BYTES // 4 and (line := file.readline(SAMPLE_BYTES)):
            if not line.isascii():
                kept.append(line)
                size += len(line)
    return kept


def _code_page(sample: bytes) -> str:
    """Cyrillic words are made of high bytes alone, Western ones hold single high bytes among ASCII letters."""
    words = re.findall(r"[^\W\d_]{2,}", sample.decode("cp1251", errors="replace"))
    kinds = Counter("high" if not any(c.isascii() for c in word) else "mixed" for word in words if not word.isascii())
    if kinds["high"] > kinds["mixed"]:
        return "cp1251"
    turkish, northern = (sum(sample.count(byte) for byte in group) for group in (_TURKISH_BYTES, _NORTHERN_BYTES))
    if turkish > northern:
        return "cp1254"
    if not kinds or kinds["high"] < kinds["mixed"]:
        return "cp1252"
    best = from_bytes(sample, cp_isolation=list(_CODE_PAGES)).best()
    return best.encoding if best and best.encoding in _CODE_PAGES else "cp1252"
