"""Answers about rows: one row, a page of rows, where a new one is."""

from collections.abc import Mapping
from types import MappingProxyType

from flitstack.emulator.answers import created, json_answer
from flitstack.emulator.messages import Answer, Request
from flitstack.emulator.query.expands import described_expands
from flitstack.emulator.query.options import Options
from flitstack.emulator.query.read import Page, Reader
from flitstack.emulator.query.render import Annotations, Row, etag_of
from flitstack.emulator.rows.references import missing_row
from flitstack.emulator.rows.write import location
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.work import Work

_COUNT = "Microsoft.Dynamics.CRM.totalrecordcount"


def context(request: Request, suffix: str) -> str:
    """The `@odata.context` of an answer."""
    return f"{request.base_url}$metadata#{suffix}"


def described(model: EntityModel, options: Options) -> str:
    """Entity set with its selected properties, as contexts name it."""
    names = [*(options.select or ()), *described_expands(options)]
    return f"{model.table.entity_set}({','.join(names)})" if names else model.table.entity_set


def reader(work: Work, request: Request) -> Reader:
    """A reader with the annotations the request prefers."""
    preferred = request.prefers("odata.maxpagesize") or ""
    size = int(preferred) if preferred.isascii() and preferred.isdigit() else None
    return Reader(work, Annotations.of(request), request.base_url, size)


def applied(request: Request, *names: str) -> dict[str, str]:
    """The header that echoes these items of the Prefer header; the dispatcher adds the annotations."""
    found = [(name, request.prefers(name)) for name in names]
    items = [f"{name}={value}" if value else name for name, value in found if value is not None]
    return {"Preference-Applied": ",".join(items)} if items else {}


def row_answer(
    work: Work, request: Request, model: EntityModel, id_: bytes, options: Options, status: int = 200
) -> Answer:
    """One row with its etag; 404 when it does not exist."""
    found = reader(work, request).row(model, id_, options)
    if found is None:
        raise missing_row(model, id_)
    row, raw = found
    headers = {}
    etag = etag_of(raw)
    if etag is not None:
        headers["ETag"] = etag
        if request.method == "GET" and request.headers.get("if-none-match") == etag:
            return Answer(304, None, headers)
    if status == 201:
        headers["OData-EntityId"] = headers["Location"] = request.base_url + location(model, id_)
    if request.method in {"POST", "PATCH"}:
        headers["Preference-Applied"] = "return=representation"
    body: Row = {"@odata.context": context(request, f"{described(model, options)}/$entity")}
    return json_answer(body | row, status, headers)


def page_answer(request: Request, model: EntityModel, options: Options, page: Page, next_url: str | None) -> Answer:
    """A collection."""
    return collection_answer(request, described(model, options), page, next_url)


def collection_answer(
    request: Request,
    suffix: str,
    page: Page,
    next_url: str | None = None,
    notes: Mapping[str, object] = MappingProxyType({}),
) -> Answer:
    """A collection whose context ends with `suffix`; `notes` are further annotations of the whole."""
    body: dict[str, object] = {"@odata.context": context(request, suffix)}
    if page.count is not None:
        body["@odata.count"] = page.count
    annotations = Annotations.of(request)
    if annotations.wants(_COUNT):
        body[f"@{_COUNT}"] = page.count if page.count is not None else -1
    if annotations.wants(f"{_COUNT}limitexceeded"):
        body[f"@{_COUNT}limitexceeded"] = page.exceeds
    body.update(notes)
    body["value"] = page.rows
    if next_url is not None:
        body["@odata.nextLink"] = next_url
    return json_answer(body, 200, applied(request, "odata.maxpagesize"))


def created_at(request: Request, where: str) -> Answer:
    """204 with the URL of the row; `where` is relative."""
    return created(request.base_url + where)
