"""Temporary files for what is too large for memory; they have no name and vanish with the process."""

import base64
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

_UNIT = 3 * 1024 * 1024  # a multiple of three: pieces of base64 text join without padding between them


def open_spool(directory: Path) -> IO[bytes]:
    """An empty temporary file on the disk of the data directory (the system's own may be in memory)."""
    return tempfile.TemporaryFile(dir=directory, prefix="flitstack-")


def spooled(directory: Path, pieces: Iterable[bytes]) -> IO[bytes]:
    """All pieces in a temporary file, at its beginning."""
    file = open_spool(directory)
    for piece in pieces:
        file.write(piece)
    file.seek(0)
    return file


def base64_pieces(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The base64 text of joined pieces, in pieces."""
    rest = b""
    for piece in pieces:
        rest += piece
        whole = len(rest) // _UNIT * _UNIT
        if whole:
            yield base64.b64encode(rest[:whole])
            rest = rest[whole:]
    yield base64.b64encode(rest)
