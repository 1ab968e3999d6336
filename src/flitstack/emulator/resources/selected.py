"""`?sql=` on an entity set: a SELECT answered page by page.

Source: Microsoft Learn, "Query data using SQL (preview)". Pages follow each other by `@odata.nextLink`, whose token holds
a paging cookie as FetchXML's does.
"""

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import quote, unquote

from flitstack.emulator.messages import Answer, Refusal, Request, not_implemented
from flitstack.emulator.query.fetchxml.cookies import read_cookie, write_cookie
from flitstack.emulator.query.fetchxml.run import Query
from flitstack.emulator.query.fetchxml.xml_text import parse_xml
from flitstack.emulator.query.read import Page
from flitstack.emulator.query.render import Annotations
from flitstack.emulator.query.sql.translate import translate
from flitstack.emulator.query.terms import Parameter
from flitstack.emulator.resources.fetched import described_outputs
from flitstack.emulator.resources.row_answers import collection_answer
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.work import Work


def selected_page(work: Work, request: Request, model: EntityModel, text: str) -> Answer:
    """One page of a SELECT."""
    for name in request.query:
        if name.startswith("$") and name != "$skiptoken":
            raise not_implemented(f"the query option {name} together with sql")
    statement = translate(text, model.table.id_column)
    fetch = statement.fetch
    if fetch.root.name != model.name:
        raise Refusal(
            400, "0x80040203", f"Invalid SQL: FROM names '{fetch.root.name}', the set holds rows of '{model.name}'."
        )
    # TOP and FETCH hold for the whole result, pages for one answer.
    query = Query(work, model, replace(fetch, top=None))
    size = _page_size(work, request)
    number, last = _start(request, query)
    taken = (number - 1) * size
    wanted = size if fetch.top is None else max(min(size, fetch.top - taken), 0)
    offset = statement.offset if number == 1 or last is None else 0
    if last is None:
        offset += taken
    found = query.page(Annotations.of(request), wanted, last, offset)
    more = found.has_more and wanted == size and (fetch.top is None or fetch.top > taken + size)
    link = _next_link(request, query, number, found.first, found.last) if more else None
    return collection_answer(request, described_outputs(model, query.outputs), Page(found.rows), link)


def _page_size(work: Work, request: Request) -> int:
    given, limit = request.prefers("odata.maxpagesize") or "", work.store.switches.page_size
    return min(int(given), limit) if given.isdecimal() and int(given) else limit


def _start(request: Request, query: Query) -> tuple[int, list[Parameter] | None]:
    """Number of the page, and the sort values it begins behind (none: it is counted from the first row)."""
    token = request.query.get("$skiptoken")
    if token is None:
        return 1, None
    cookie = parse_xml(token)
    number = cookie.attributes.get("pagenumber", "")
    if cookie.name != "cookie" or not number.isdecimal() or int(number) < 2:
        raise Refusal(400, "0x80040203", "The skip token is not one of this service.")
    inner = unquote(unquote(cookie.attributes.get("pagingcookie", "")))
    return int(number), read_cookie(inner, query.keys)[1] if inner else None


def _next_link(request: Request, query: Query, number: int, first: Sequence[object], last: Sequence[object]) -> str:
    cookie = None
    if query.keys and not query.has_linked_order:
        cookie = write_cookie(number, query.keys, first, last)
    token = cookie or f'<cookie pagenumber="{number + 1}" istracking="False" />'
    path = f"{request.base_url}{request.path.strip('/')}"
    return f"{path}?sql={quote(request.query['sql'], safe='')}&$skiptoken={quote(token, safe='')}"
