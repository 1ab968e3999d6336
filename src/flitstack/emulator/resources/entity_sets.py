"""Requests on an entity set: reading pages, counting, creating."""

from dataclasses import replace
from urllib.parse import quote

from flitstack.emulator.messages import Answer, Refusal, Request
from flitstack.emulator.query.options import parse_options
from flitstack.emulator.query.terms import Fragment
from flitstack.emulator.resources.row_answers import created_at, page_answer, reader, row_answer
from flitstack.emulator.rows.payload import read_object
from flitstack.emulator.rows.write import create_rows, location
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.work import Work


def answer(work: Work, request: Request, model: EntityModel) -> Answer:
    """GET a page, POST a row; other methods are 405."""
    if request.method == "GET":
        return page(work, request, model)
    if request.method == "POST":
        return create(work, request, model)
    raise Refusal(405, "0x80060888", f"The requested resource does not support http method '{request.method}'.")


def create(work: Work, request: Request, model: EntityModel) -> Answer:
    """204 with the row's URL, or 201 with the row."""
    options = parse_options(request.query)
    (id_,) = create_rows(work, model, [read_object(request.body)])
    if request.prefers("return") == "representation":
        return row_answer(work, request, model, id_, options, 201)
    return created_at(request, location(model, id_))


def page(work: Work, request: Request, model: EntityModel, restrict: Fragment | None = None) -> Answer:
    """One page; `odata.maxpagesize` gives its size, and then `$top` has no say."""
    options = parse_options(request.query)
    limit = work.store.switches.page_size
    preferred = request.prefers("odata.maxpagesize")
    if preferred is not None:
        if not preferred.isdigit() or int(preferred) == 0:
            raise Refusal(400, "0x80060888", "odata.maxpagesize must be a positive number.")
        size, is_paged = min(int(preferred), limit), True
    else:
        size, is_paged = min(options.top if options.top is not None else limit, limit), options.top is None
    found = reader(work, request).page(model, options, size, restrict)
    next_url = None
    if is_paged and found.next_token is not None:
        next_url = _next_url(request, found.next_token)
    return page_answer(request, model, options, found, next_url)


def count(work: Work, request: Request, model: EntityModel, restrict: Fragment | None = None) -> Answer:
    """`/$count`: the number as plain text."""
    options = replace(parse_options(request.query), select=None, order=(), expand=())
    number = reader(work, request).count(model, options, restrict)
    return Answer(200, str(number).encode(), {"Content-Type": "text/plain"})


def _next_url(request: Request, token: str) -> str:
    kept = [(name, value) for name, value in request.query.items() if name != "$skiptoken"]
    options = [f"{name}={quote(value, safe=chr(39) + '$(),/:@;')}" for name, value in (*kept, ("$skiptoken", token))]
    path = quote(request.path.strip("/"), safe="/()=,'-$")
    return f"{request.base_url}{path}?{'&'.join(options)}"
