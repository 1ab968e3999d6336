"""How single values are stored: GUIDs in SQL Server's order, dates as ISO text, text folded for comparison.

Decimals and money are stored as IEEE doubles, rounded to the column's precision: exact to 15 significant digits.
"""

import unicodedata
from datetime import UTC, date, datetime
from uuid import UUID

FIRST_YEAR = 1753  # SQL Server datetime


def guid_blob(text: str) -> bytes | None:
    """16 bytes that sort as SQL Server sorts a uniqueidentifier; None when the text is no GUID.

    SQL Server compares, of the little-endian layout, bytes 10-15, then 8-9, 6-7, 4-5 and 0-3.
    Source: System.Data.SqlTypes.SqlGuid, comparison order of the bytes.
    """
    if len(text) == 38 and text[0] == "{" and text[-1] == "}":
        text = text[1:-1]
    if len(text) != 36 or not text[8] == text[13] == text[18] == text[23] == "-":
        return None
    try:
        b = bytes.fromhex(text[:8] + text[9:13] + text[14:18] + text[19:23] + text[24:])
    except ValueError:
        return None
    if len(b) != 16:
        return None
    return b[10:] + b[8:10] + b[7:5:-1] + b[5:3:-1] + b[3::-1]


def guid_text(blob: bytes) -> str:
    """The displayed, lower-case form of a stored GUID."""
    h = blob.hex()
    first = h[30:32] + h[28:30] + h[26:28] + h[24:26]
    return f"{first}-{h[22:24]}{h[20:22]}-{h[18:20]}{h[16:18]}-{h[12:16]}-{h[:12]}"


def uuid_blob(value: UUID) -> bytes:
    """Stored form of a UUID."""
    b = value.bytes_le
    return b[10:] + b[8:10] + b[6:8] + b[4:6] + b[:4]


def parse_instant(text: str) -> datetime | None:
    """An ISO 8601 date or date-time as UTC (no offset means UTC); None when it is none or lies before 1753."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    try:
        instant = parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except OverflowError:
        return None
    return instant if instant.year >= FIRST_YEAR else None


def instant_text(instant: datetime) -> str:
    """`2026-01-31T10:00:00Z`: whole seconds, as the Web API answers them."""
    return f"{instant:%Y-%m-%dT%H:%M:%S}Z" if instant.year > 999 else f"{instant.isoformat()[:19]}Z"


def is_stored_instant(text: str) -> bool:
    """Whether a valid date-time already has the form of `instant_text`."""
    return len(text) == 20 and text[10] == "T" and text[13] == text[16] == ":" and text[19] == "Z"


def is_date(text: str) -> bool:
    """Whether the text is `YYYY-MM-DD`, not before 1753."""
    if len(text) != 10:
        return False
    try:
        return date.fromisoformat(text).year >= FIRST_YEAR
    except ValueError:
        return False


def utf16_length(text: str) -> int:
    """Length in UTF-16 code units, as nvarchar counts."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def fold(text: str | None) -> str | None:
    """The form in which two texts are equal for the platform: case, accents and trailing blanks do not count.

    Approximates the collation Latin1_General_CI_AI.
    """
    if text is None:
        return None
    if text.isascii():
        return text.rstrip(" ").lower()
    decomposed = unicodedata.normalize("NFKD", text)
    bare = "".join(c for c in decomposed if not unicodedata.combining(c))
    return bare.rstrip(" ").casefold()
