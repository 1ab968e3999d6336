"""What travels through the emulator: one request, one answer, one refusal.

No HTTP library here: the front (server.py, batch.py) turns sockets into `Request` and `Answer` into bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO
from uuid import UUID


class Refusal(Exception):
    """Every error the emulator answers on purpose: HTTP status, Dataverse code (`0x...`), message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code} {message}")
        self.status = status
        self.code = code
        self.message = message


def not_implemented(what: str) -> Refusal:
    """The 501 for everything the emulator does not know; it never guesses."""
    return Refusal(501, "0x80040000", f"flitstack emulator: {what} is not implemented")


@dataclass(frozen=True, slots=True)
class Switches:
    """Behaviour that is disputed or costly, chosen when the environment is opened.

    `sync_full`: an answered write survives a power cut, not only a killed process (SQLite synchronous=FULL).
    `refuse_disabled_owner`: new assignment to a disabled user answers 0x8004022B. `drop_disabled_owner`: it is passed over
    without a word instead, so that a new row belongs to the caller and an old one keeps its owner.
    `nested_parties_in_bulk`: CreateMultiple accepts `<table>_activity_parties` inside its targets.
    `without_bulk`: tables whose *Multiple messages are off.
    `base_currency`: ISO code of the currency an empty environment is seeded with. `page_size`: rows a page at most.
    `duplicate_status`: HTTP status of 0x80040333; sources say 500 (2020) and 412 (the list of statuses).
    `check_privileges`: callers without the role System Administrator may do what their roles say.
    `require_roles`: a caller without any role is refused (0x80042F09); otherwise it may do everything.
    `price_calculation`: lines and documents are priced by the system (the organization's column can turn it off too).
    """

    sync_full: bool = False
    refuse_disabled_owner: bool = True
    drop_disabled_owner: bool = False
    nested_parties_in_bulk: bool = False
    without_bulk: frozenset[str] = frozenset()
    base_currency: str = "USD"
    page_size: int = 5000
    price_calculation: bool = True
    duplicate_status: int = 412
    check_privileges: bool = True
    require_roles: bool = False


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `on_behalf_of` is the real caller when `user_id` is impersonated."""

    user_id: UUID
    headers: Mapping[str, str] = field(default_factory=dict)  # lower-case names
    suppress_duplicates: bool = True
    on_behalf_of: UUID | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One data request. `path` is what follows `/api/data/vX.Y/`, percent-decoded, without query.

    `query` holds decoded options (`$select`, `@p1` ...), `headers` lower-case names. `base_url` ends with a slash and
    is the root of absolute URLs in answers. `content_ids` maps ids of earlier parts of a change set to their entity
    URL ("1" -> "accounts(guid)"). `upload` holds the body of a file upload instead of `body`.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    base_url: str = "http://localhost/api/data/v9.2/"
    content_ids: Mapping[str, str] = field(default_factory=dict)
    upload: IO[bytes] | None = None

    def prefers(self, name: str) -> str | None:
        """The value of one item of the Prefer header ("" for an item without value), None when it is absent."""
        for item in _split_prefer(self.headers.get("prefer", "")):
            key, _, value = item.partition("=")
            if key.strip().lower() == name:
                return value.strip().strip('"')
        return None


@dataclass(slots=True)
class Answer:
    """Status, encoded body (JSON unless a content-type header says otherwise), headers as they go out.

    `stream`: a body too large for memory, at its beginning; the front closes it.
    """

    status: int
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    stream: IO[bytes] | None = None


def _split_prefer(text: str) -> list[str]:
    """Items of a Prefer header; commas inside double quotes do not separate."""
    items, current, quoted = [], "", False
    for char in text:
        if char == '"':
            quoted = not quoted
        if char == "," and not quoted:
            items.append(current)
            current = ""
        else:
            current += char
    return [item for item in (*items, current) if item.strip()]
