"""GET on definitions: tables, their columns, keys and relationships, global choices.

Source: Microsoft Learn, "Query table definitions using the Web API".
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

from flitstack.emulator.answers import json_answer
from flitstack.emulator.core import EntityModel
from flitstack.emulator.messages import Answer, Refusal, Request
from flitstack.emulator.metadata.attributes import CASTS, CHOICES, Json, attribute_json
from flitstack.emulator.metadata.entities import entity_json
from flitstack.emulator.metadata.keys import table_keys
from flitstack.emulator.metadata.live import Live
from flitstack.emulator.metadata.option_sets import CRM, find_global_choice, global_choice, global_choices
from flitstack.emulator.metadata.relations import many_to_many_json, one_to_many_json, relationships
from flitstack.emulator.metadata.selection import Selection, matching, project, read_selection
from flitstack.emulator.paths import Segment
from flitstack.emulator.values import guid_text

Navigation = Mapping[str, Callable[[], object]]
_OPTION_SETS = ("OptionSet", "GlobalOptionSet")


def key_of(segment: Segment) -> dict[str, object]:
    """What a segment's parentheses say: `{"MetadataId": guid}` or the named key."""
    if segment.id is not None:
        return {"MetadataId": guid_text(segment.id)}
    return {name: str(value).lower() if name == "MetadataId" else value for name, value in (segment.key or {}).items()}


def read(live: Live, request: Request, segments: Sequence[Segment]) -> Answer:
    """The answer to a GET below one of the definition roots."""
    first = segments[0]
    if first.name == "RelationshipDefinitions":
        return _read_list(request, segments, lambda: relationships(live))
    if first.name == "GlobalOptionSetDefinitions":
        return _read_choices(live, request, segments)
    if not first.is_row:
        if len(segments) > 1:
            raise _unknown(segments[1])
        documents = (entity_json(live, model) for model in live.environment.tables.values())
        return _many(request, documents, lambda document: _table_navigation(live, document))
    model = live.table(key_of(first))
    if len(segments) == 1:
        document = entity_json(live, model)
        chosen = project(document, read_selection(request.query), _table_navigation(live, document))
        return json_answer({"@odata.context": f"{request.base_url}$metadata#EntityDefinitions/$entity", **chosen})
    member = table_members(live, model).get(segments[1].name)
    if member is None:
        raise _unknown(segments[1])
    return _read_list(request, segments[1:], member)


def table_members(live: Live, model: EntityModel) -> Mapping[str, Callable[[], Iterable[Json]]]:
    """Collections below a table."""
    name, environment = model.name, live.environment

    def ones(column: str) -> Iterator[Json]:
        for one in environment.one_to_many.values():
            if getattr(one, column) == name and {one.referenced, one.referencing} <= environment.tables.keys():
                yield one_to_many_json(live, one)

    return {
        "Attributes": lambda: (attribute_json(live, model, column) for column in model.columns.values()),
        "Keys": lambda: table_keys(live, model),
        "OneToManyRelationships": partial(ones, "referenced"),
        "ManyToOneRelationships": partial(ones, "referencing"),
        "ManyToManyRelationships": lambda: (
            many_to_many_json(live, r) for r in environment.many_to_many.values() if name in (r.table1, r.table2)
        ),
    }


def _table_navigation(live: Live, document: Json) -> Navigation:
    model = live.environment.tables[str(document["LogicalName"])]
    members = table_members(live, model)
    return {name: partial(_listed, member) for name, member in members.items()}


def _listed(member: Callable[[], Iterable[Json]]) -> list[Json]:
    return [{k: v for k, v in document.items() if k not in _OPTION_SETS} for document in member()]


def _read_list(request: Request, segments: Sequence[Segment], member: Callable[[], Iterable[Json]]) -> Answer:
    """A collection, one of its members, either cast to a type, or an option set below a column."""
    head, rest = segments[0], list(segments[1:])
    documents = member()
    wanted = key_of(head) if head.is_row else None
    if wanted is not None:
        documents = [_one(documents, head.name, wanted)]
    if rest and rest[0].name.startswith("Microsoft.Dynamics.CRM."):
        cast = _cast(rest.pop(0))
        documents = [d for d in documents if d.get("@odata.type") == cast]
        if wanted is not None and not documents:
            raise Refusal(404, "0x80060888", f"The definition is no {cast.removeprefix(CRM)}.")
    if wanted is None:
        if rest:
            raise _unknown(rest[0])
        return _many(request, documents, _own_navigation)
    document = next(iter(documents))
    if rest:
        if rest[0].name not in _OPTION_SETS or len(rest) > 1 or rest[0].name not in document:
            raise _unknown(rest[0])
        below = document[rest[0].name]
        return json_answer(below) if below is not None else Answer(204)
    chosen = project(document, read_selection(request.query), _own_navigation(document))
    return json_answer({"@odata.context": f"{request.base_url}$metadata#{head.name}/$entity", **chosen})


def _one(documents: Iterable[Json], name: str, wanted: Mapping[str, object]) -> Json:
    for document in documents:
        if wanted and all(document.get(key) == value for key, value in wanted.items()):
            return document
    key = ", ".join(f"{name}={value}" for name, value in wanted.items())
    # Client libraries take 404 as "is not there"; the code is the one of MetadataNotFound.
    raise Refusal(404, "0x8004024A", f"Could not find {name} with {key or 'this key'}.")


def _cast(segment: Segment) -> str:
    name = segment.name.removeprefix("Microsoft.Dynamics.CRM.")
    known = {f"{cast}AttributeMetadata" for cast, _ in CASTS.values()}
    known |= {"OneToManyRelationshipMetadata", "ManyToManyRelationshipMetadata", "OptionSetMetadata"}
    if name not in known:
        raise Refusal(400, "0x80060888", f"'{name}' is no concrete metadata type.")
    return f"{CRM}{name}"


def _own_navigation(document: Json) -> Navigation:
    """The option sets of a choice column."""
    kind = str(document.get("@odata.type", "")).removeprefix(CRM).removesuffix("AttributeMetadata")
    return {name: partial(document.get, name) for name in _OPTION_SETS} if kind in CHOICES else {}


def _many(request: Request, documents: Iterable[Json], navigation: Callable[[Json], Navigation]) -> Answer:
    selection: Selection = read_selection(request.query)
    root = request.path.partition("(")[0].partition("/")[0]
    found = matching(documents, selection)
    body: dict[str, object] = {"@odata.context": f"{request.base_url}$metadata#{root}"}
    if selection.count:
        body["@odata.count"] = len(found)
    body["value"] = [project(document, selection, navigation(document)) for document in found]
    return json_answer(body)


def _read_choices(live: Live, request: Request, segments: Sequence[Segment]) -> Answer:
    known = global_choices(live)
    head = segments[0]
    if not head.is_row:
        documents = (global_choice(live, name, *known[name]) for name in known)
        return _many(request, documents, lambda document: {})
    name = find_global_choice(live, next(iter(key_of(head).values()), None))
    document = global_choice(live, name, *known[name])
    chosen = project(document, read_selection(request.query), {})
    return json_answer({"@odata.context": f"{request.base_url}$metadata#GlobalOptionSetDefinitions/$entity", **chosen})


def _unknown(segment: Segment) -> Refusal:
    return Refusal(404, "0x8006088a", f"Resource not found for the segment '{segment.name}'.")
