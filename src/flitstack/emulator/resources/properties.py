"""Requests below one row: single properties, navigation, links (`$ref`), the parties of an activity."""

from flitstack.emulator.answers import json_answer, no_content
from flitstack.emulator.ddl import is_polymorphic, type_column
from flitstack.emulator.messages import Answer, Refusal, Request, not_implemented
from flitstack.emulator.paths import Segment
from flitstack.emulator.query.options import parse_options
from flitstack.emulator.query.read import Reader
from flitstack.emulator.query.render import Annotations, project, property_name, render_rows
from flitstack.emulator.resources import entity_sets, file_columns
from flitstack.emulator.resources.row_answers import context, row_answer
from flitstack.emulator.resources.single import existing
from flitstack.emulator.rows import parties
from flitstack.emulator.rows.payload import Draft, read_object
from flitstack.emulator.rows.references import Target, parse_target, require
from flitstack.emulator.rows.write import connect, location, unlink, update_draft, update_row
from flitstack.emulator.schema import CollectionNav, EntityModel, LookupNav
from flitstack.emulator.work import Change, Work


def answer(work: Work, request: Request, model: EntityModel, owner: Segment, rest: list[Segment]) -> Answer:
    """Route by what the segment behind the row is."""
    id_ = existing(work, model, owner)
    name = rest[0].name
    tail = rest[1].name if len(rest) > 1 else None
    if len(rest) > 2:
        raise not_implemented("a path of more than three segments")
    if name in model.collections:
        return _collection(work, request, model, id_, rest[0], tail)
    file_column = file_columns.column_of(model, name)
    if file_column is not None:
        return file_columns.answer(work, request, model, id_, file_column, tail)
    column = model.stored.get(model.value_properties.get(name, name))
    if column is not None and property_name(column) == name:
        return _property(work, request, model, id_, name, tail)
    if name in model.lookups:
        return _lookup(work, request, model, id_, model.lookups[name], tail)
    known = model.columns.get(name)
    if known is not None and known.is_web_api:
        raise not_implemented(f"a column of type {known.type} as a resource")
    raise Refusal(404, "0x8006088a", f"Resource not found for the segment '{name}'.")


def _property(work: Work, request: Request, model: EntityModel, id_: bytes, name: str, tail: str | None) -> Answer:
    if request.method == "PUT" and tail is None:
        body = read_object(request.body)
        if "value" not in body:
            raise Refusal(400, "0x80048d19", "Error identified in Payload provided by the user: 'value' is missing.")
        update_row(work, model, id_, {name: body["value"]})
        return no_content()
    if request.method == "DELETE" and tail is None:
        update_row(work, model, id_, {name: None})
        return no_content()
    if request.method != "GET" or tail not in {None, "$value"}:
        raise Refusal(405, "0x80060888", f"The requested resource does not support http method '{request.method}'.")
    raw = work.read(model, id_)
    value = render_rows(work, project(model, [name]), [raw], Annotations())[0].get(name)
    if value is None:
        return no_content()
    if tail == "$value":
        return Answer(200, str(value).encode(), {"Content-Type": "text/plain"})
    return json_answer({"@odata.context": context(request, f"{location(model, id_)}/{name}"), "value": value})


def _lookup(work: Work, request: Request, model: EntityModel, id_: bytes, nav: LookupNav, tail: str | None) -> Answer:
    if request.method == "GET":
        target = _pointed_to(work, model, id_, nav)
        if target is None:
            return no_content()
        if tail == "$ref":
            url = request.base_url + location(target.model, target.id)
            return json_answer({"@odata.context": context(request, "$ref"), "@odata.id": url})
        return row_answer(work, request, target.model, target.id, parse_options(request.query))
    if tail != "$ref" or request.method not in {"PUT", "DELETE"}:
        raise Refusal(405, "0x80060888", f"The requested resource does not support http method '{request.method}'.")
    draft = Draft()
    if request.method == "PUT":
        target = _referenced(work, request)
        if target.model.name not in nav.targets:
            raise Refusal(400, "0x80048d19", f"'{nav.name}' does not take a row of '{target.model.table.entity_set}'.")
        draft.targets.append(target)
        draft.point(model, nav.column, target)
    else:
        draft.point(model, nav.column, None)
    update_draft(work, model, id_, draft)
    return no_content()


def _pointed_to(work: Work, model: EntityModel, id_: bytes, nav: LookupNav) -> Target | None:
    raw = work.read(model, id_)
    value = raw[nav.column]
    column = model.columns[nav.column]
    kind = raw[type_column(nav.column)] if is_polymorphic(column) else column.targets[0]
    if not isinstance(value, bytes) or kind not in nav.targets:
        return None
    return Target(work.store.schema.tables[str(kind)], value)


def _referenced(work: Work, request: Request) -> Target:
    reference = read_object(request.body).get("@odata.id")
    target = parse_target(work.store, reference, request.content_ids)
    require(work.store, [target])
    return target


def _collection(
    work: Work, request: Request, model: EntityModel, id_: bytes, segment: Segment, tail: str | None
) -> Answer:
    nav = model.collections[segment.name]
    if request.method == "GET" and not segment.is_row:
        return _members(work, request, model, id_, nav, tail)
    if request.method == "PUT" and nav.table == "activityparty" and nav.column == "activityid" and tail is None:
        value = read_object(request.body).get("value")
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise Refusal(400, "0x80048d19", "Error identified in Payload provided by the user: 'value' is a list.")
        parties.replace_parties(Change(work, model, id_, {}, work.read(model, id_)), value)
        return no_content()
    if tail == "$ref" and request.method == "POST":
        connect(Change(work, model, id_, {}, {}), nav, [_referenced(work, request)])
        return no_content()
    if tail == "$ref" and request.method == "DELETE":
        return _disconnect(work, request, model, id_, nav, segment)
    raise not_implemented(f"{request.method} on the collection '{nav.name}'")


def _members(
    work: Work, request: Request, model: EntityModel, id_: bytes, nav: CollectionNav, tail: str | None
) -> Answer:
    target = work.store.schema.tables[nav.table]
    restrict = Reader(work, Annotations(), request.base_url).members(model, nav.name, id_)
    if tail == "$count":
        return entity_sets.count(work, request, target, restrict)
    if tail == "$ref":
        raise not_implemented(f"GET of {nav.name}/$ref")
    return entity_sets.page(work, request, target, restrict)


def _disconnect(
    work: Work, request: Request, model: EntityModel, id_: bytes, nav: CollectionNav, segment: Segment
) -> Answer:
    child = work.store.schema.tables[nav.table]
    other = existing(work, child, segment) if segment.is_row else _identified(work, request)
    if nav.pairs is not None:
        unlink(work, nav, id_, other)
        return no_content()
    draft = Draft()
    draft.point(child, nav.column or "", None)
    update_draft(work, child, other, draft)
    return no_content()


def _identified(work: Work, request: Request) -> bytes:
    """The row that `?$id=` names."""
    return parse_target(work.store, request.query.get("$id"), request.content_ids).id
