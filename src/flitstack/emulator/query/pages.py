"""Server paging: a cookie holds the sort values and id of the last row, the next page starts after it."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

import orjson

from flitstack.emulator.messages import Refusal
from flitstack.emulator.query.terms import Fragment, Parameter

_COOKIE = re.compile(r'<cookie pagenumber="(\d{1,9})" pagingcookie="([^"]*)" istracking="False" />')


@dataclass(frozen=True, slots=True)
class SortKey:
    """One expression rows are sorted by; the last one is always the id."""

    sql: str
    is_descending: bool = False

    def order(self) -> str:
        """As an item of ORDER BY; nulls come first ascending and last descending, as in SQL Server."""
        return f"{self.sql} DESC" if self.is_descending else self.sql


def after(keys: Sequence[SortKey], last: Sequence[Parameter]) -> Fragment:
    """The condition that holds for rows behind the one with these sort values."""
    tests: list[str] = []
    parameters: list[Parameter] = []
    for at, (key, value) in enumerate(zip(keys, last, strict=True)):
        equal = [f"{earlier.sql} IS ?" for earlier in keys[:at]]
        if value is None:
            beyond = "0" if key.is_descending else f"{key.sql} IS NOT NULL"
            own: list[Parameter] = []
        else:
            beyond = f"({key.sql} < ? OR {key.sql} IS NULL)" if key.is_descending else f"{key.sql} > ?"
            own = [value]
        tests.append("(" + " AND ".join([*equal, beyond]) + ")")
        parameters.extend([*last[:at], *own])
    return Fragment("(" + " OR ".join(tests) + ")", parameters)


def write_cookie(page: int, last: Sequence[Parameter]) -> str:
    """The `$skiptoken` that leads to this page, behind a row with these sort values."""
    coded = [{"b": value.hex()} if isinstance(value, bytes) else value for value in last]
    inner = base64.urlsafe_b64encode(orjson.dumps(coded)).decode()
    return quote(f'<cookie pagenumber="{page}" pagingcookie="{quote(inner)}" istracking="False" />')


def read_cookie(token: str, keys: int) -> tuple[int, list[Parameter]]:
    """Page number and sort values of a `$skiptoken`; 400 for one that this server never gave."""
    match = _COOKIE.fullmatch(unquote(token))
    try:
        if match is None:
            raise ValueError(token)
        coded = orjson.loads(base64.urlsafe_b64decode(unquote(match[2])))
        last = [bytes.fromhex(value["b"]) if isinstance(value, dict) else value for value in coded]
        if len(last) != keys or not all(isinstance(v, str | int | float | bytes | None) for v in last):
            raise ValueError(token)
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise Refusal(400, "0x80060888", "The $skiptoken is not valid.") from error
    return int(match[1]), last
