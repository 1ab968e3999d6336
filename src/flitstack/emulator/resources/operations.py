"""Which request does what: the table of routes of the data API."""

from flitstack.emulator.messages import Answer, Caller, Refusal, Request, not_implemented
from flitstack.emulator.paths import Segment, parse_path
from flitstack.emulator.privileges import rights_of
from flitstack.emulator.resources import (
    actions,
    bulk,
    duplicate_search,
    entity_sets,
    properties,
    roles,
    seeds,
    single,
    unbound,
)
from flitstack.emulator.rows.guards import guard_read, guard_request
from flitstack.emulator.store import Store
from flitstack.emulator.work import Work

_PREFIX = "Microsoft.Dynamics.CRM."
_FUNCTIONS = unbound.FUNCTIONS | seeds.FUNCTIONS | roles.FUNCTIONS | duplicate_search.FUNCTIONS
_UNBOUND = _FUNCTIONS | actions.ACTIONS | seeds.ACTIONS


def answer(store: Store, request: Request, caller: Caller) -> Answer:
    """Answer one request inside a transaction when it may write."""
    work = Work(store, caller, request.content_ids)
    work.rights = rights_of(store, caller)
    segments = parse_path(_resolve_content_id(request))
    if not segments:
        raise Refusal(404, "", f"No HTTP resource was found that matches the request URI '{request.base_url}'.")
    if work.rights is not None:
        guard_request(work.rights, request, segments[0].name)
    if request.method == "GET":
        return _route(work, request, segments)
    if request.method == "POST" and len(segments) == 2 and segments[0].arguments is None:
        bulk.prepare(work, request, segments[0].name, segments[1].name.removeprefix(_PREFIX))
    with store.transaction():
        return _route(work, request, segments)


def _resolve_content_id(request: Request) -> str:
    """`$1/name` becomes `accounts(guid)/name`."""
    path = request.path.strip("/")
    if not path.startswith("$") or path.startswith(("$metadata", "$batch")):
        return path
    name, slash, rest = path[1:].partition("/")
    known = request.content_ids.get(name)
    if known is None:
        raise Refusal(400, "0x0", f"Content-ID Reference: '${name}' does not exist in the batch context.")
    return known.strip("/") + slash + rest


def _route(work: Work, request: Request, segments: list[Segment]) -> Answer:
    first = segments[0]
    handler = _UNBOUND.get(first.name)
    if handler is not None and first.name not in work.store.schema.entity_sets:
        if first.name not in _FUNCTIONS:
            _require_post(request)
        elif request.method != "GET":
            raise _no_such_resource(request)
        return handler(work, request, first)
    sets = work.store.schema.entity_sets
    if first.name not in sets and first.name[:1].isupper() and first.name.lower() not in sets:
        raise _unknown_operation(first.name)  # entity sets begin with a lower-case letter, messages do not
    model = work.store.schema.by_entity_set(first.name)
    if first.arguments is not None and not first.is_row:
        raise Refusal(400, "0x80060888", f"'{first.arguments}' is no key of '{first.name}'.")
    rest = segments[1:]
    if first.is_row and work.rights is not None and request.method == "GET":
        guard_read(work, work.rights, model, single.existing(work, model, first))
    if first.is_row:
        if not rest:
            return single.answer(work, request, model, first)
        if rest[0].name.startswith(_PREFIX):
            named = (model.name, rest[0].name.removeprefix(_PREFIX))
            on_row = actions.ROW_ACTIONS.get(named) or actions.ROW_FUNCTIONS.get(named)
            if on_row is None or len(rest) > 1:
                raise _unknown_operation(rest[0].name)
            if named not in actions.ROW_FUNCTIONS:
                _require_post(request)
            elif request.method != "GET":
                raise _no_such_resource(request)
            return on_row(work, request, model, single.existing(work, model, first))
        return properties.answer(work, request, model, first, rest)
    if not rest:
        return entity_sets.answer(work, request, model)
    if len(rest) == 1 and rest[0].name == "$count":
        return entity_sets.count(work, request, model)
    if len(rest) == 1 and rest[0].name.startswith(_PREFIX):
        name = rest[0].name.removeprefix(_PREFIX)
        of_collection = actions.COLLECTION_ACTIONS.get((model.name, name))
        if of_collection is not None:
            _require_post(request)
            return of_collection(work, request, rest[0])
        if name == "DeleteMultiple":
            # The platform's own words; only elastic tables have it, and there are none here.
            raise Refusal(501, "0x80040000", "DeleteMultiple has not yet been implemented.")
        operation = bulk.OPERATIONS.get(name)
        if operation is None:
            raise _unknown_operation(rest[0].name)
        _require_post(request)
        return operation(work, request, model)
    raise Refusal(404, "0x8006088a", f"Resource not found for the segment '{rest[0].name}'.")


def _require_post(request: Request) -> None:
    if request.method != "POST":
        raise _no_such_resource(request)


def _no_such_resource(request: Request) -> Refusal:
    """404 for a function or an action asked for by the wrong verb."""
    return Refusal(
        404, "", f"No HTTP resource was found that matches the request URI '{request.base_url}{request.path}'."
    )


def _unknown_operation(name: str) -> Refusal:
    return not_implemented(f"the operation {name}")
