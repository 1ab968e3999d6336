"""Answers of change tracking: the first walk over a table, and later the changes since a delta link.

Source: Microsoft Learn, "Use change tracking to synchronize data with external systems".
"""

from urllib.parse import quote

from flitstack.emulator.answers import json_answer
from flitstack.emulator.messages import Answer, Refusal, Request, not_implemented
from flitstack.emulator.query.changes import (
    UNSUPPORTED,
    changed_count,
    changed_page,
    check_tracked,
    is_tracking,
    walk_of,
)
from flitstack.emulator.query.options import Options, parse_options
from flitstack.emulator.resources.row_answers import applied, context, described, reader
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.work import Work

_HEADER = "odata.track-changes"


def is_tracked(request: Request) -> bool:
    """Whether a GET of a collection asks for change tracking, or goes on with it."""
    tokens = "$deltatoken" in request.query or is_tracking(request.query.get("$skiptoken"))
    return tokens or request.prefers(_HEADER) is not None


def tracked_page(work: Work, request: Request, model: EntityModel, size: int) -> Answer:
    """One page of rows, or of changes when the walk began with a delta token; its last page has the next delta link."""
    check_tracked(model)
    options = _options(request)
    walk = walk_of(work.store, work.now, request.query)
    rows, end = changed_page(reader(work, request), model, options, walk, size)
    suffix = described(model, options) + ("/$delta" if walk.since else "")
    body: dict[str, object] = {"@odata.context": context(request, suffix)}
    if end.inner is not None or end.deleted is not None:
        body["@odata.nextLink"] = _link(request, "$skiptoken", end.cookie())
    else:
        body["@odata.deltaLink"] = _link(request, "$deltatoken", end.token())
    body["value"] = rows
    return json_answer(body, 200, applied(request, _HEADER, "odata.maxpagesize"))


def tracked_count(work: Work, request: Request, model: EntityModel) -> Answer:
    """`/$count?$deltatoken=`: the number of changes as plain text."""
    check_tracked(model)
    _options(request)
    number = changed_count(reader(work, request), model, walk_of(work.store, work.now, request.query))
    return Answer(200, str(number).encode(), {"Content-Type": "text/plain"})


def _options(request: Request) -> Options:
    for name in UNSUPPORTED:
        if name in request.query:
            message = f'The "{name}" query parameter isn\'t supported when Change Tracking is enabled.'
            raise Refusal(400, "0x80060888", message)
    for name in ("$apply", "$count"):
        if name in request.query:
            raise not_implemented(f"the query option {name} together with change tracking")
    return parse_options({n: v for n, v in request.query.items() if n not in {"$deltatoken", "$skiptoken"}})


def _link(request: Request, name: str, token: str) -> str:
    kept = [(n, v) for n, v in request.query.items() if n not in {"$deltatoken", "$skiptoken"}]
    options = [f"{n}={quote(v, safe='$(),/:@;')}" for n, v in kept]
    path = quote(request.path.strip("/"), safe="/()=,'-$")
    options.append(f"{name}={quote(token, safe='')}")
    return f"{request.base_url}{path}?{'&'.join(options)}"
