"""What can be said about an image without an imaging library: its type, its size, and rarely its thumbnail.

Sources: Microsoft Learn, "Use image column data" (types, resize rules); the formats' own signatures.
"""

import struct

from flitstack.emulator.files.contents import Content, read
from flitstack.emulator.messages import Refusal, not_implemented
from flitstack.emulator.store import Store

HEAD_BYTES = 64 * 1024
_THUMBNAIL = 144  # pixels a side
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "png", "image/png"),
    (b"GIF87a", "gif", "image/gif"),
    (b"GIF89a", "gif", "image/gif"),
    (b"\xff\xd8\xff", "jpg", "image/jpeg"),
    (b"BM", "bmp", "image/bmp"),
    (b"II*\x00", "tif", "image/tiff"),
    (b"MM\x00*", "tif", "image/tiff"),
)
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def type_of(head: bytes) -> tuple[str, str] | None:
    """Extension and MIME type by the first bytes; None for what is no image an image column takes."""
    return next(((extension, mime) for sign, extension, mime in _SIGNATURES if head.startswith(sign)), None)


def not_an_image(row: str, table: str, column: str) -> Refusal:
    """400 for what is no image."""
    return Refusal(
        400,
        "0x80072553",
        f"Error occured when processing image. Reason: Update image properties failed for objectid: {row}, "
        f"logicalName: {table}, attribute: {column}",
    )


def image_too_big(limit: int, size: int) -> Refusal:
    """400 for an image beyond the limit of its column."""
    megabytes = 1024 * 1024
    return Refusal(
        400,
        "0x80072553",
        f"Error occured when processing image. Reason: File size is too big. MaxSize: {limit // megabytes} MB, "
        f"Uploaded filesize: {size // megabytes} MB.",
    )


def pixels(head: bytes) -> tuple[int, int] | None:
    """Width and height as the first bytes of an image tell; None when they do not."""
    found = type_of(head)
    try:
        if found is None or found[0] == "tif":
            return None
        if found[0] == "png":
            return struct.unpack_from(">II", head, 16)
        if found[0] == "gif":
            return struct.unpack_from("<HH", head, 6)
        if found[0] == "bmp":
            width, height = struct.unpack_from("<ii", head, 18)
            return width, abs(height)
        return _jpeg_pixels(head)
    except struct.error:
        return None


def _jpeg_pixels(head: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        if marker in _FRAME_MARKERS:
            height, width = struct.unpack_from(">HH", head, at + 5)
            return width, height
        at += 2 + int(struct.unpack_from(">H", head, at + 2)[0])
    return None


def thumbnail(store: Store, content: Content) -> bytes:
    """The thumbnail of an image: the image itself where the resize rules change nothing, else 501."""
    size = content.size or 0
    measured = pixels(b"".join(read(store, content.id, 0, min(size, HEAD_BYTES))))
    if measured is None or measured[0] != measured[1] or measured[0] > _THUMBNAIL:
        raise not_implemented(f"the thumbnail of an image that is no square of at most {_THUMBNAIL} pixels")
    return b"".join(read(store, content.id, 0, size))
