"""POST, PUT and DELETE on definitions.

Source: Microsoft Learn, "Create and update table definitions", "... column definitions", "... relationships",
"Create and update choices", "Define alternate keys" (all "using the Web API").
"""

from collections.abc import Sequence

from flitstack.catalogue.types import Column
from flitstack.emulator.answers import created, no_content
from flitstack.emulator.core import EntityModel
from flitstack.emulator.messages import Answer, Refusal, Request, not_implemented
from flitstack.emulator.metadata.bodies import read_body
from flitstack.emulator.metadata.choices import change_global_choice, create_global_choice, drop_global_choice
from flitstack.emulator.metadata.columns import change_column, create_column, drop_column
from flitstack.emulator.metadata.identity import metadata_id
from flitstack.emulator.metadata.keys import create_key, drop_key
from flitstack.emulator.metadata.live import Live
from flitstack.emulator.metadata.option_sets import find_global_choice
from flitstack.emulator.metadata.reading import key_of
from flitstack.emulator.metadata.relationship_parse import change_relationship, create_relationship, drop_relationship
from flitstack.emulator.metadata.tables import change_table, create_table, drop_table
from flitstack.emulator.paths import Segment
from flitstack.emulator.solutions.components import record
from flitstack.emulator.solutions.manifest import CHOICE, COLUMN, KEY, RELATIONSHIP, TABLE


def write(live: Live, request: Request, segments: Sequence[Segment]) -> Answer:
    """The answer to a write below one of the definition roots."""
    if request.method == "PATCH":
        raise Refusal(405, "0x80060888", "The requested resource does not support http method 'PATCH'.")
    if request.method not in {"POST", "PUT", "DELETE"}:
        raise not_implemented(f"{request.method} on definitions")
    root = segments[0]
    if root.name == "RelationshipDefinitions":
        return _write_relationship(live, request, root)
    if root.name == "GlobalOptionSetDefinitions":
        return _write_choice(live, request, root)
    if not root.is_row:
        _require(request, "POST")
        name = create_table(live, read_body(request))
        return _made(live, request, f"EntityDefinitions({metadata_id('table', name)})", TABLE, name)
    model = live.table(key_of(root))
    if len(segments) == 1:
        return _write_table(live, request, model)
    member = segments[1]
    base = f"EntityDefinitions({metadata_id('table', model.name)})"
    if member.name == "Attributes":
        return _write_column(live, request, model, member, base)
    if member.name == "Keys":
        if member.is_row:
            _require(request, "DELETE")
            wanted = key_of(member)
            drop_key(live.environment, model, lambda key: all(key.get(k) == v for k, v in wanted.items()), live)
            return no_content()
        _require(request, "POST")
        body = read_body(request)
        id_ = create_key(live, model, body, live.occasion.now, live.occasion.key_delay)
        name = f"{model.name}.{str(body['SchemaName']).lower()}"
        # The table as the client named it: Microsoft's Python SDK takes the first GUID of this URL for the key's id.
        return _made(live, request, f"{request.path.strip('/')}({id_})", KEY, name)
    raise Refusal(404, "0x8006088a", f"Resource not found for the segment '{member.name}'.")


def _write_table(live: Live, request: Request, model: EntityModel) -> Answer:
    if request.method == "DELETE":
        drop_table(live, model)
    else:
        _require(request, "PUT")
        change_table(live, model, read_body(request), merges=_merges(request))
        record(live, TABLE, model.name)
    return no_content()


def _write_column(live: Live, request: Request, model: EntityModel, member: Segment, base: str) -> Answer:
    if not member.is_row:
        _require(request, "POST")
        name = create_column(live, model, read_body(request))
        id_ = metadata_id("column", f"{model.name}.{name}")
        return _made(live, request, f"{base}/Attributes({id_})", COLUMN, f"{model.name}.{name}")
    column = _find_column(model, key_of(member))
    if request.method == "DELETE":
        drop_column(live, model, column)
    else:
        _require(request, "PUT")
        change_column(live, model, column, read_body(request), merges=_merges(request))
        record(live, COLUMN, f"{model.name}.{column.name}")
    return no_content()


def _find_column(model: EntityModel, wanted: dict[str, object]) -> Column:
    for column in model.columns.values():
        if wanted in (
            {"LogicalName": column.name},
            {"MetadataId": metadata_id("column", f"{model.name}.{column.name}")},
        ):
            return column
    raise Refusal(404, "0x8004024A", f"Could not find the column {wanted} of {model.name}.")


def _write_relationship(live: Live, request: Request, root: Segment) -> Answer:
    if not root.is_row:
        _require(request, "POST")
        name = create_relationship(live, read_body(request))
        url = f"RelationshipDefinitions({metadata_id('relationship', name)})"
        return _made(live, request, url, RELATIONSHIP, name)
    wanted = key_of(root)
    names = (*live.environment.one_to_many, *live.environment.many_to_many)
    for name in names:
        if wanted in ({"SchemaName": name}, {"MetadataId": metadata_id("relationship", name)}):
            break
    else:
        raise Refusal(404, "0x80047009", f"Could not find the relationship {wanted}.")
    if request.method == "DELETE":
        drop_relationship(live, name)
    else:
        _require(request, "PUT")
        change_relationship(live, name, read_body(request))
        record(live, RELATIONSHIP, name)
    return no_content()


def _write_choice(live: Live, request: Request, root: Segment) -> Answer:
    if not root.is_row:
        _require(request, "POST")
        name = create_global_choice(live, read_body(request))
        url = f"GlobalOptionSetDefinitions({metadata_id('choice', name)})"
        return _made(live, request, url, CHOICE, name)
    name = find_global_choice(live, next(iter(key_of(root).values()), None))
    if request.method == "DELETE":
        drop_global_choice(live, name)
    else:
        _require(request, "PUT")
        change_global_choice(live, name, read_body(request), merges=_merges(request))
        record(live, CHOICE, name)
    return no_content()


def _made(live: Live, request: Request, url: str, kind: int, name: str) -> Answer:
    record(live, kind, name)
    return created(request.base_url + url)


def _merges(request: Request) -> bool:
    return request.headers.get("mscrm.mergelabels", "").lower() == "true"


def _require(request: Request, method: str) -> None:
    if request.method != method:
        raise Refusal(405, "0x80060888", f"The requested resource does not support http method '{request.method}'.")
