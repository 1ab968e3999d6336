"""Requests that bring their query along: `?fetchXml=` on an entity set.

Source: Microsoft Learn, "Use FetchXml to retrieve data", "Page results using FetchXml", "Count rows using FetchXml".
"""

from collections.abc import Sequence

from flitstack.emulator.messages import Answer, Refusal, Request, not_implemented
from flitstack.emulator.query.fetchxml import faults
from flitstack.emulator.query.fetchxml.cookies import read_cookie, write_cookie
from flitstack.emulator.query.fetchxml.outputs import Output
from flitstack.emulator.query.fetchxml.parse import parse_fetch
from flitstack.emulator.query.fetchxml.run import Found, Query
from flitstack.emulator.query.fetchxml.tree import Fetch
from flitstack.emulator.query.read import COUNT_LIMIT, Page
from flitstack.emulator.query.render import Annotations
from flitstack.emulator.query.terms import Parameter
from flitstack.emulator.resources.row_answers import collection_answer
from flitstack.emulator.schema import UNBOUND_LOOKUPS, EntityModel
from flitstack.emulator.work import Work

SIMPLE_PAGING_LIMIT = 50_000
_COOKIE = "Microsoft.Dynamics.CRM.fetchxmlpagingcookie"
_MORE = "Microsoft.Dynamics.CRM.morerecords"


def text_of(request: Request) -> str | None:
    """The FetchXML of a request; the option is written `fetchXml` and, by many, `fetchxml`."""
    return next((value for name, value in request.query.items() if name.lower() == "fetchxml"), None)


def fetched_page(work: Work, request: Request, model: EntityModel, text: str) -> Answer:
    """One page of a FetchXML query."""
    for name in request.query:
        if name.startswith("$") and name != "$count":
            raise not_implemented(f"the query option {name} together with fetchXml")
    fetch = parse_fetch(text)
    if fetch.root.name != model.name:
        raise Refusal(
            400, "0x80041128", f"The entity '{fetch.root.name}' of the query is not that of '{model.table.entity_set}'."
        )
    query = Query(work, model, fetch)
    limit = work.store.switches.page_size
    size = min(fetch.top or fetch.count or limit, limit)
    last, offset = _start(fetch, query, size)
    found = query.page(Annotations.of(request), size, last, offset)
    page = Page(found.rows)
    if fetch.wants_total or request.query.get("$count", "").lower() == "true":
        total = query.total()
        page.count, page.exceeds = min(total, COUNT_LIMIT), total > COUNT_LIMIT
    suffix = described_outputs(model, query.outputs)
    return collection_answer(request, suffix, page, notes=_notes(request, fetch, query, found))


def _start(fetch: Fetch, query: Query, size: int) -> tuple[list[Parameter] | None, int]:
    """Where a page begins: behind the row of a cookie, or so many rows from the first one."""
    if fetch.cookie is not None:
        number, last = read_cookie(fetch.cookie, query.keys)
        if fetch.page > number:
            return last, (fetch.page - number - 1) * size
    if fetch.page * size > SIMPLE_PAGING_LIMIT:
        raise faults.invalid_argument(
            f"Paging cookie is required when trying to retrieve more than {SIMPLE_PAGING_LIMIT} records."
        )
    return None, (fetch.page - 1) * size


def _notes(request: Request, fetch: Fetch, query: Query, found: Found) -> dict[str, object]:
    """The annotations of a page that others follow; the last one has none."""
    if not found.has_more or fetch.top is not None:
        return {}
    annotations, notes = Annotations.of(request), dict[str, object]()
    if annotations.wants(_COOKIE) and not query.has_linked_order:
        cookie = write_cookie(fetch.page, query.keys, found.first, found.last)
        if cookie is not None:
            notes[f"@{_COOKIE}"] = cookie
    if annotations.wants(_MORE):
        notes[f"@{_MORE}"] = True
    return notes


def described_outputs(model: EntityModel, outputs: Sequence[Output]) -> str:
    """Entity set and columns as contexts name them; a lookup comes with its navigation property."""
    names: list[str] = []
    lookups: list[str] = []
    for output in outputs:
        if output.attribute is not None:
            continue
        names.append(output.name)
        if output.column.type in UNBOUND_LOOKUPS:
            names.append(output.column.name)
            lookups.append(f"{output.column.name}()")
    return f"{model.table.entity_set}({','.join([*names, *lookups])})" if names else model.table.entity_set
