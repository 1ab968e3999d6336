"""Change tracking: delta tokens, and the pages of what changed between two of them.

New and changed rows come first, by version, then what was deleted. A row that was deleted and made again under its id
counts as changed. Sources: Microsoft Learn, "Use change tracking to synchronize data with external systems"; "Web
service error codes" (0x80072491, 0x80044352).
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import quote, unquote

import orjson

from flitstack.emulator.ddl import quoted
from flitstack.emulator.messages import Refusal, not_implemented
from flitstack.emulator.query.options import Options, Order
from flitstack.emulator.query.read import Reader
from flitstack.emulator.query.render import Row, blob
from flitstack.emulator.query.syntax import Path
from flitstack.emulator.query.terms import Fragment
from flitstack.emulator.rows.deletions import deletions, oldest_token
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.store import Store
from flitstack.emulator.values import guid_text, instant_text, parse_instant

UNSUPPORTED = ("$filter", "$orderby", "$expand", "$top")
_TOKEN = re.compile(r"(\d{1,18})!(\d\d/\d\d/\d{4} \d\d:\d\d:\d\d)")
_COOKIE = re.compile(r'<cookie pagenumber="(\d{1,9})" pagingcookie="([^"]*)" istracking="True" />')
_BY_VERSION = (Order(Path(("versionnumber",)), is_descending=False),)


@dataclass(frozen=True, slots=True)
class Walk:
    """A walk over changes: versions above `since` up to `until`, the latter read at the moment `at`.

    `since` 0 is the first walk, over all rows. `inner` is where among the rows it stands, `deleted` (None before) the
    version of the last deletion given.
    """

    since: int
    until: int
    at: str
    page: int = 1
    inner: str | None = None
    deleted: int | None = None

    def token(self) -> str:
        """The `$deltatoken` of the next round: `919042!08/22/2017 08:10:44`."""
        moment = parse_instant(self.at) or datetime.max.replace(tzinfo=UTC)
        return f"{self.until}!{moment:%m/%d/%Y %H:%M:%S}"

    def cookie(self) -> str:
        """The `$skiptoken` of this place of the walk."""
        state = orjson.dumps([self.since, self.until, self.at, self.inner, self.deleted])
        inner = quote(base64.urlsafe_b64encode(state).decode())
        return quote(f'<cookie pagenumber="{self.page}" pagingcookie="{inner}" istracking="True" />')


def is_tracking(skiptoken: str | None) -> bool:
    """Whether a `$skiptoken` belongs to a walk over changes."""
    return skiptoken is not None and 'istracking="True"' in unquote(skiptoken)


def walk_of(store: Store, now: str, query: Mapping[str, str]) -> Walk:
    """The walk a request is on: begun by a header, or continued by a token; 400 for tokens that are none any more."""
    known = int(str(store.counter("version") or 0))
    until = max(store.version, known)
    if is_tracking(query.get("$skiptoken")):
        walk = _read_cookie(query["$skiptoken"])
    elif "$deltatoken" in query:
        match = _TOKEN.fullmatch(query["$deltatoken"])
        if match is None:
            raise Refusal(400, "0x80060888", "The $deltatoken is not valid.")
        try:
            at = instant_text(datetime.strptime(match[2], "%m/%d/%Y %H:%M:%S").replace(tzinfo=UTC))
        except ValueError as error:
            raise Refusal(400, "0x80060888", "The $deltatoken is not valid.") from error
        walk = Walk(int(match[1]), until, at)
    else:
        return Walk(0, until, now)
    if walk.since > until or walk.at < oldest_token(now):
        raise Refusal(
            400,
            "0x80044352",
            "Version stamp associated with the client has expired. Please perform a full sync.",
        )
    # A walk keeps the moment its first page was read; a new one begins with the token's and ends now.
    return walk if walk.page > 1 else replace(walk, at=now)


def _read_cookie(token: str) -> Walk:
    match = _COOKIE.fullmatch(unquote(token))
    try:
        if match is None:
            raise ValueError(token)
        since, until, at, inner, deleted = orjson.loads(base64.urlsafe_b64decode(unquote(match[2])))
        walk = Walk(int(since), int(until), str(at), int(match[1]), inner, deleted)
        if parse_instant(walk.at) is None or not isinstance(inner, str | None) or not isinstance(deleted, int | None):
            raise ValueError(token)
    except (ValueError, TypeError, binascii.Error) as error:
        raise Refusal(400, "0x80060888", "The $skiptoken is not valid.") from error
    return walk


def check_tracked(model: EntityModel) -> None:
    """400 unless the table tracks changes; 501 for tables whose rows have no version."""
    if not model.table.change_tracking:
        raise Refusal(400, "0x80072491", f"Entity {model.name} isn't enabled for change tracking.")
    if "versionnumber" not in model.stored:
        raise not_implemented(f"change tracking of '{model.name}', whose rows have no version")


def changed_page(reader: Reader, model: EntityModel, options: Options, walk: Walk, size: int) -> tuple[list[Row], Walk]:
    """Rows of one page and where it ends: a walk with `inner` or `deleted` set goes on, one without is done."""
    rows: list[Row] = []
    if walk.deleted is None:
        # The first walk goes by id, as rows lie: sorting all of them by version for each page would be quadratic.
        order = _BY_VERSION if walk.since else ()
        found = reader.page(model, replace(options, order=order, skiptoken=walk.inner), size, _between(walk))
        rows = found.rows
        if found.next_token is not None:
            return rows, replace(walk, page=walk.page + 1, inner=found.next_token)
    if walk.since == 0:
        return rows, replace(walk, inner=None, deleted=None)
    room = size - len(rows)
    sql, parameters = _deleted(reader.work.store, model, walk, walk.deleted or walk.since)
    gone = reader.work.store.connection.execute(f"{sql} ORDER BY version LIMIT {room + 1}", parameters).fetchall()
    context = f"{reader.base_url}$metadata#{model.table.entity_set}/$deletedEntity"
    rows += [{"@odata.context": context, "id": guid_text(blob(id_)), "reason": "deleted"} for _, id_ in gone[:room]]
    if len(gone) <= room:
        return rows, replace(walk, inner=None, deleted=None)
    last = gone[room - 1][0] if room else walk.deleted or walk.since
    return rows, replace(walk, page=walk.page + 1, inner=None, deleted=last)


def changed_count(reader: Reader, model: EntityModel, walk: Walk) -> int:
    """How many rows were made, changed or deleted."""
    sql, parameters = _deleted(reader.work.store, model, walk, walk.since)
    gone = reader.work.store.connection.execute(f"SELECT count(*) FROM ({sql})", parameters).fetchone()[0]
    return reader.count(model, Options(), _between(walk)) + int(gone)


def _between(walk: Walk) -> Fragment:
    return Fragment("t.versionnumber > ? AND t.versionnumber <= ?", [walk.since, walk.until])


def _deleted(store: Store, model: EntityModel, walk: Walk, after: int) -> tuple[str, list[str | int]]:
    names = [model.name]
    if model.name == "activitypointer":
        names = [m.name for m in store.schema.tables.values() if m.table.is_activity]
    sql, parameters = deletions(store, names, after, walk.until)
    id_column = quoted(model.table.id_column)
    return f"SELECT * FROM ({sql}) WHERE id NOT IN (SELECT {id_column} FROM {store.ensure(model)} t)", parameters
