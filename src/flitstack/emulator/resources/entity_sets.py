"""Requests on an entity set: reading pages, counting, creating."""

from dataclasses import replace
from urllib.parse import quote

from flitstack.emulator.messages import Answer, Refusal, Request, not_implemented
from flitstack.emulator.query.aggregate import aggregated_page
from flitstack.emulator.query.apply import parse_apply
from flitstack.emulator.query.options import Options, parse_options
from flitstack.emulator.query.render import Annotations
from flitstack.emulator.query.terms import Fragment
from flitstack.emulator.resources import fetched, selected
from flitstack.emulator.resources.row_answers import created_at, page_answer, reader, row_answer
from flitstack.emulator.resources.tracked import is_tracked, tracked_count, tracked_page
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
    if is_tracked(request):
        if restrict is not None:
            raise not_implemented("change tracking of a collection below a row")
        return tracked_page(work, request, model, _page_size(work, request, Options())[0])
    fetch = fetched.text_of(request)
    if fetch is not None:
        if restrict is not None:
            raise not_implemented("fetchXml on a collection below a row")
        return fetched.fetched_page(work, request, model, fetch)
    if "sql" in request.query:
        if restrict is not None:
            raise not_implemented("sql on a collection below a row")
        return selected.selected_page(work, request, model, request.query["sql"])
    if "$apply" in request.query:
        return _aggregated(work, request, model, restrict)
    options = parse_options(request.query)
    size, is_paged = _page_size(work, request, options)
    found = reader(work, request).page(model, options, size, restrict)
    return page_answer(request, model, options, found, _next_url(request, found.next_token) if is_paged else None)


def _aggregated(work: Work, request: Request, model: EntityModel, restrict: Fragment | None) -> Answer:
    """The result rows of `$apply`; beside it only `$orderby` and `$top` are documented."""
    for name in request.query:
        if name.startswith("$") and name not in {"$apply", "$orderby", "$top", "$skiptoken"}:
            raise not_implemented(f"the query option {name} together with $apply")
    rest = {name: value for name, value in request.query.items() if name != "$apply"}
    options = parse_options(rest)
    apply = parse_apply(request.query["$apply"], {n: v for n, v in rest.items() if n.startswith("@")})
    size, is_paged = _page_size(work, request, options)
    annotations = Annotations.of(request)
    found = aggregated_page(work, annotations, model, apply, options.order, size, options.skiptoken, restrict)
    return page_answer(request, model, Options(), found, _next_url(request, found.next_token) if is_paged else None)


def _page_size(work: Work, request: Request, options: Options) -> tuple[int, bool]:
    """Rows at most, and whether more of them are offered behind a link."""
    limit = work.store.switches.page_size
    preferred = request.prefers("odata.maxpagesize")
    if preferred is None:
        return min(options.top if options.top is not None else limit, limit), options.top is None
    if not preferred.isascii() or not preferred.isdigit() or int(preferred) == 0:
        raise Refusal(400, "0x80060888", "odata.maxpagesize must be a positive number.")
    return min(int(preferred), limit), True


def count(work: Work, request: Request, model: EntityModel, restrict: Fragment | None = None) -> Answer:
    """`/$count`: the number as plain text."""
    if "$deltatoken" in request.query and restrict is None:
        return tracked_count(work, request, model)
    options = replace(parse_options(request.query), select=None, order=(), expand=())
    number = reader(work, request).count(model, options, restrict)
    return Answer(200, str(number).encode(), {"Content-Type": "text/plain"})


def _next_url(request: Request, token: str | None) -> str | None:
    if token is None:
        return None
    kept = [(name, value) for name, value in request.query.items() if name != "$skiptoken"]
    options = [f"{name}={quote(value, safe=chr(39) + '$(),/:@;')}" for name, value in (*kept, ("$skiptoken", token))]
    path = quote(request.path.strip("/"), safe="/()=,'-$")
    return f"{request.base_url}{path}?{'&'.join(options)}"
