"""Request URLs as clients write them: absolute or relative, percent-encoded or with raw blanks."""

import re
from dataclasses import dataclass
from urllib.parse import unquote, unquote_plus

from flitstack.emulator.messages import Refusal

_API = re.compile(r"/api/data/v9\.[012](?=[/?]|$)")
# Source: Microsoft Learn, "Compose HTTP requests and handle errors", "Execute batch operations using the Web API".
MAX_URL = 32_768
MAX_URL_IN_BATCH = 65_536
_ORIGIN = re.compile(r"https?://[^/?]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Resource:
    """What a URL asks for: `path` below the service root, decoded, without leading slash; decoded query options."""

    path: str
    query: dict[str, str]


def read_resource(url: str) -> Resource | None:
    """The resource of a URL; None when it names a path outside the service (`/somewhere/else`).

    Also takes URLs relative to the service root, as parts of a batch may be (`accounts(...)`, `$1/name`).
    """
    located = _ORIGIN.sub("", url, count=1)
    path, _, query = located.partition("?")
    root = _API.match(path)
    if root is not None:
        path = path[root.end() :]
    elif path.startswith("/"):
        # Microsoft's samples write "/api/data/v9.2/..." or a bare relative URL, never "/accounts".
        return None
    return Resource(unquote(path).strip("/"), _read_query(query))


def _read_query(text: str) -> dict[str, str]:
    if not text:
        return {}
    found = {}
    for item in text.split("&"):
        name, _, value = item.partition("=")
        if name:
            found[unquote_plus(name)] = unquote_plus(value)
    return found


def url_too_long(url: str, most: int) -> Refusal:
    """400 for a URL the service does not take; its code is the emulator's choice."""
    return Refusal(400, "0x0", f"The request URL has {len(url):,} characters; at most {most:,} are allowed.")
