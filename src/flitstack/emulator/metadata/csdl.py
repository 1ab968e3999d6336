"""`$metadata`: the service's CSDL document (OData 4.0), with `?annotations=true` what is computed and immutable too.

Source: Microsoft Learn, "Web API types and operations", "Web API service documents"; terms: OASIS, Org.OData.Core.V1.
"""

from collections.abc import Iterable, Iterator
from xml.sax.saxutils import quoteattr

from flitstack.catalogue.types import Column
from flitstack.emulator.core import EntityModel
from flitstack.emulator.messages import Answer, Request, not_implemented
from flitstack.emulator.metadata.csdl_operations import OPERATIONS
from flitstack.emulator.metadata.labels import base_text
from flitstack.emulator.metadata.live import Live
from flitstack.emulator.schema import UNBOUND_LOOKUPS

_TYPES = {
    "Picklist": "Int32", "State": "Int32", "Status": "Int32", "Integer": "Int32", "BigInt": "Int64",
    "Boolean": "Boolean", "Decimal": "Decimal", "Money": "Decimal", "Double": "Double", "Uniqueidentifier": "Guid",
    "Lookup": "Guid", "Customer": "Guid", "Owner": "Guid", "Image": "Binary", "File": "Guid",
}  # fmt: skip
_PRINCIPALS = frozenset({"systemuser", "team"})
_HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">'
)
_CORE = (
    '<edmx:Reference Uri="http://vocabularies.odata.org/OData.Core.V1.xml">'
    '<edmx:Include Namespace="Org.OData.Core.V1" Alias="Core" /></edmx:Reference>'
)
_SCHEMA = (
    "<edmx:DataServices>"
    '<Schema Namespace="Microsoft.Dynamics.CRM" Alias="mscrm" xmlns="http://docs.oasis-open.org/odata/ns/edm">'
    '<EntityType Name="crmbaseentity" Abstract="true" />'
    '<EntityType Name="principal" BaseType="mscrm.crmbaseentity" Abstract="true" />'
)
_TAIL = "</Schema></edmx:DataServices></edmx:Edmx>"


def answer(live: Live, request: Request) -> Answer:
    """The whole document."""
    if request.method != "GET":
        raise not_implemented(f"{request.method} $metadata")
    # The client library dynamics-web-api asks by the Prefer header instead.
    wanted = request.query.get("annotations", "").lower() == "true"
    annotated = wanted or request.prefers("odata.include-annotations") == "*"
    text = "".join(document(live, is_annotated=annotated))
    return Answer(200, text.encode(), {"Content-Type": "application/xml", "OData-Version": "4.0"})


def document(live: Live, *, is_annotated: bool = False) -> Iterator[str]:
    """The pieces of the document."""
    models = sorted(live.environment.tables.values(), key=lambda model: model.name)
    yield _HEAD + (_CORE if is_annotated else "") + _SCHEMA
    for model in models:
        yield from _entity_type(live, model, is_annotated=is_annotated)
    yield OPERATIONS.definitions
    yield '<EntityContainer Name="System">'
    for model in models:
        yield from _entity_set(live, model)
    yield OPERATIONS.imports
    yield f"</EntityContainer>{_TAIL}"


def _entity_type(live: Live, model: EntityModel, *, is_annotated: bool) -> Iterator[str]:
    table = model.table
    is_derived = table.is_activity and model.name != "activitypointer"
    base = "activitypointer" if is_derived else "principal" if model.name in _PRINCIPALS else "crmbaseentity"
    yield _open("EntityType", {"Name": model.name, "BaseType": f"mscrm.{base}"})
    if not is_derived:
        yield f'<Key><PropertyRef Name="{table.id_column}" /></Key>'
    pointer = live.environment.tables["activitypointer"].columns if is_derived else {}
    for column in table.columns.values():
        if column.is_web_api and column.readable and column.name not in pointer and column.type != "PartyList":
            notes = "".join(_annotations(live, model, column)) if is_annotated else ""
            yield _property(model, column, notes)
    base_names = live.environment.tables["activitypointer"].lookups.keys() if is_derived else frozenset[str]()
    yield from _navigations(live, model, inherited=frozenset(base_names))
    if is_annotated:
        texts = live.descriptions(live.extra("table", model.name))
        yield _annotation("Description", "String", base_text(texts, live.language, table.label))
    yield "</EntityType>"


def _annotations(live: Live, model: EntityModel, column: Column) -> Iterator[str]:
    """The column's description, else its label; Computed for what no client sets, Immutable for what is set once."""
    texts = live.descriptions(live.extra("column", f"{model.name}.{column.name}"))
    text = base_text(texts, live.language, column.label)
    if text:
        yield _annotation("Description", "String", text)
    # `_x_value` is never written; the navigation property is.
    if column.type in UNBOUND_LOOKUPS or not (column.creatable or column.updatable):
        yield _annotation("Computed", "Bool", "true")
    elif not column.updatable:
        yield _annotation("Immutable", "Bool", "true")


def _annotation(term: str, kind: str, value: str) -> str:
    return _open("Annotation", {"Term": f"Org.OData.Core.V1.{term}", kind: value}, is_empty=True)


def _property(model: EntityModel, column: Column, notes: str) -> str:
    name = f"_{column.name}_value" if column.type in UNBOUND_LOOKUPS else column.name
    kind = _TYPES.get(column.type, "String")
    if column.type == "DateTime":
        kind = "Date" if column.date_behaviour == "DateOnly" else "DateTimeOffset"
    facts = {"Name": name, "Type": f"Edm.{kind}"}
    if column.name == model.table.id_column:
        facts["Nullable"] = "false"
    if kind == "Decimal":
        facts["Scale"] = "Variable"
    return f"{_open('Property', facts)}{notes}</Property>" if notes else _open("Property", facts, is_empty=True)


def _navigations(live: Live, model: EntityModel, inherited: frozenset[str]) -> Iterator[str]:
    tables = live.environment.tables
    for lookup in model.lookups.values():
        there = [target for target in lookup.targets if target in tables]
        if not there or lookup.name in inherited:
            continue
        target = there[0] if len(there) == 1 else "principal"
        yield _open("NavigationProperty", {"Name": lookup.name, "Type": f"mscrm.{target}"})
        if len(there) == 1:
            facts = {"Property": f"_{lookup.column}_value", "ReferencedProperty": tables[target].table.id_column}
            yield _open("ReferentialConstraint", facts, is_empty=True)
        yield "</NavigationProperty>"
    for collection in model.collections.values():
        facts = {"Name": collection.name, "Type": f"Collection(mscrm.{collection.table})"}
        yield _open("NavigationProperty", facts, is_empty=True)


def _entity_set(live: Live, model: EntityModel) -> Iterator[str]:
    tables = live.environment.tables
    yield _open("EntitySet", {"Name": model.table.entity_set, "EntityType": f"Microsoft.Dynamics.CRM.{model.name}"})
    for path, target in _bindings(model):
        if target in tables:
            facts = {"Path": path, "Target": tables[target].table.entity_set}
            yield _open("NavigationPropertyBinding", facts, is_empty=True)
    yield "</EntitySet>"


def _bindings(model: EntityModel) -> Iterable[tuple[str, str]]:
    for lookup in model.lookups.values():
        if len(lookup.targets) == 1:
            yield lookup.name, lookup.targets[0]
    for collection in model.collections.values():
        yield collection.name, collection.table


def _open(tag: str, facts: dict[str, str], *, is_empty: bool = False) -> str:
    attributes = "".join(f" {name}={quoteattr(value)}" for name, value in facts.items())
    return f"<{tag}{attributes}{' />' if is_empty else '>'}"
