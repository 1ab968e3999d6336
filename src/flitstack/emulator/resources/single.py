"""Requests on one row: read, update, upsert, delete, with their conditions."""

from urllib.parse import quote

from flitstack.emulator.messages import Answer, Refusal, Request
from flitstack.emulator.paths import Segment
from flitstack.emulator.query.options import parse_options
from flitstack.emulator.query.render import etag_of
from flitstack.emulator.resources.row_answers import created_at, row_answer
from flitstack.emulator.rows.alternate_keys import find_key, find_row, missing_key
from flitstack.emulator.rows.cascades import delete_rows
from flitstack.emulator.rows.payload import read_object
from flitstack.emulator.rows.references import missing_row, row_exists
from flitstack.emulator.rows.write import create_rows, location, update_row
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.work import Work


def answer(work: Work, request: Request, model: EntityModel, segment: Segment) -> Answer:
    """GET, PATCH or DELETE of `set(key)`."""
    if request.method == "GET":
        return row_answer(work, request, model, existing(work, model, segment), parse_options(request.query))
    if request.method == "PATCH":
        return _patch(work, request, model, segment)
    if request.method == "DELETE":
        id_ = existing(work, model, segment)
        check_match(work, request, model, id_)
        delete_rows(work, model, [id_])
        return Answer(204)
    raise Refusal(405, "0x80060888", f"The requested resource does not support http method '{request.method}'.")


def locate(work: Work, model: EntityModel, segment: Segment) -> bytes | None:
    """Id of the row a segment names, None when there is no such row."""
    if segment.id is not None:
        return segment.id if row_exists(work.store, model, segment.id) else None
    return find_row(work.store, model, segment.key or {})


def existing(work: Work, model: EntityModel, segment: Segment) -> bytes:
    """Id of the row a segment names; 404 when there is no such row."""
    found = locate(work, model, segment)
    if found is not None:
        return found
    raise missing_row(model, segment.id) if segment.id is not None else missing_key(model)


def _patch(work: Work, request: Request, model: EntityModel, segment: Segment) -> Answer:
    options = parse_options(request.query)
    body = read_object(request.body)
    found = locate(work, model, segment)
    condition = request.headers.get("if-match")
    if found is None and condition is not None:
        raise missing_row(model, segment.id) if segment.id is not None else missing_key(model)
    if found is not None:
        if request.headers.get("if-none-match") == "*":
            raise Refusal(412, "0x80040237", "A record with matching key values already exists.")
        check_match(work, request, model, found)
    id_, is_new = upsert(work, model, segment, found, body)
    if request.prefers("return") == "representation":
        return row_answer(work, request, model, id_, options, 201 if is_new else 200)
    named = f"{segment.name}({segment.arguments})"
    where = location(model, id_) if segment.id is not None else quote(named, safe="()=',$-")
    return created_at(request, where)


def upsert(
    work: Work, model: EntityModel, segment: Segment, found: bytes | None, body: dict[str, object]
) -> tuple[bytes, bool]:
    """Update the found row or create it; id and whether it is new.

    Existing row: key values in the body are dropped. New row: they win over the URL's, otherwise the URL's are taken.
    """
    if found is not None:
        keys = set(segment.key or ())
        update_row(work, model, found, {name: value for name, value in body.items() if name not in keys})
        return found, False
    if segment.id is not None:
        body = body | {model.table.id_column: location(model, segment.id).partition("(")[2][:-1]}
    else:
        given = segment.key or {}
        find_key(model, given)
        body = _bound_keys(work, model, dict(given)) | body
    return create_rows(work, model, [body])[0], True


def _bound_keys(work: Work, model: EntityModel, given: dict[str, object]) -> dict[str, object]:
    """Key values as body properties: a lookup of the key becomes a binding."""
    body: dict[str, object] = {}
    for name, value in given.items():
        column = model.value_properties.get(name)
        if column is None:
            body[name] = value
            continue
        target, nav = next(iter(model.columns[column].navigation.items()))
        body[f"{nav}@odata.bind"] = f"/{work.store.schema.tables[target].table.entity_set}({value})"
    return body


def check_match(work: Work, request: Request, model: EntityModel, id_: bytes) -> None:
    """412 when `If-Match` names another version of the row."""
    condition = request.headers.get("if-match")
    if condition is None or condition.strip() == "*":
        return
    if condition.strip() != etag_of(work.read(model, id_)):
        raise Refusal(
            412, "0x80060882", "The version of the existing record doesn't match the RowVersion property provided."
        )
