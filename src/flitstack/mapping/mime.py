"""What kind of file something is, where the export does not say: by its name's ending, else by its first bytes."""

import mimetypes
from pathlib import Path, PurePosixPath

HEAD_BYTES = 64
_OPENXML = "application/vnd.openxmlformats-officedocument"
_OFFICE = {
    ".docx": f"{_OPENXML}.wordprocessingml.document",
    ".xlsx": f"{_OPENXML}.spreadsheetml.sheet",
    ".pptx": f"{_OPENXML}.presentationml.presentation",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
    ".msg": "application/vnd.ms-outlook",
    ".rtf": "application/rtf",
    ".7z": "application/x-7z-compressed",
    ".heic": "image/heic",
    ".ics": "text/calendar",
    ".md": "text/markdown",
    ".m4a": "audio/mp4",
    ".ogg": "audio/ogg",
}
# Python's own table without the machine's files: the same export gives the same types everywhere.
TYPES = {ending.lower(): kind for ending, kind in {**mimetypes.MimeTypes(()).types_map[True], **_OFFICE}.items()}
# Source: en.wikipedia.org/wiki/List_of_file_signatures
_SIGNATURES = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"PK\x03\x04", "application/zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"{\\rtf", "application/rtf"),
    (b"<?xml", "text/xml"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/x-wav", b"AVI ": "video/x-msvideo"}


def type_of_file(export: Path, inside: str) -> str | None:
    """The type of an export's file; None when neither its name nor its bytes tell, or when it cannot be read."""
    known = TYPES.get(PurePosixPath(inside).suffix.lower())
    if known is not None:
        return known
    path = export / inside
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return type_of_bytes(file.read(HEAD_BYTES))


def type_of_bytes(head: bytes) -> str | None:
    """The type that a file's first bytes tell; text is UTF-8 without control characters."""
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if head[:4] == b"RIFF" and head[8:12] in _RIFF:
        return _RIFF[head[8:12]]
    if head[4:8] == b"ftyp":
        return "video/mp4"
    try:
        # The cut may have gone through the last character.
        text = head.decode("utf-8", "strict") if len(head) < HEAD_BYTES else head.decode("utf-8", "ignore")
    except UnicodeDecodeError:
        return None
    is_whole = len(text.encode()) > len(head) - 4
    return "text/plain" if text and is_whole and all(c.isprintable() or c in "\t\r\n\ufeff" for c in text) else None
