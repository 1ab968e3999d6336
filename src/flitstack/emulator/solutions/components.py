"""Which definitions belong to which unmanaged solution: recorded as they are made, added, removed, read.

Source: Microsoft Learn, "SolutionComponent table", "AddSolutionComponent Action", "RemoveSolutionComponent Action".
"""

from dataclasses import dataclass

from flitstack.emulator.answers import json_answer
from flitstack.emulator.messages import Answer, Refusal, Request, not_implemented
from flitstack.emulator.metadata.attributes import Json
from flitstack.emulator.metadata.identity import metadata_id
from flitstack.emulator.metadata.live import Live
from flitstack.emulator.metadata.selection import matching, project, read_selection
from flitstack.emulator.paths import Segment
from flitstack.emulator.solutions.manifest import CHOICE, COLUMN, KEY, RELATIONSHIP, SHELL, TABLE, Component
from flitstack.emulator.solutions.rows import find_solution, solution_names
from flitstack.emulator.values import guid_text

_DOCUMENTS = "solution_component"
# Every table, column ... is part of these anyway.
_BUILT_IN = frozenset({"default", "active"})
_KINDS = {TABLE: "table", COLUMN: "column", CHOICE: "choice", RELATIONSHIP: "relationship", KEY: "key"}


@dataclass(frozen=True, slots=True)
class Listed:
    """A component in a solution, under the id of its own row."""

    id: str
    solution: str
    component: Component

    @property
    def object_id(self) -> str:
        """The MetadataId of the definition."""
        return object_id(self.component)


def object_id(component: Component) -> str:
    """The MetadataId of what a component stands for."""
    return metadata_id(_KINDS[component.kind], component.name)


def record(live: Live, kind: int, name: str) -> None:
    """Take a new or changed definition into the solution the request names; its table too, as a shell."""
    solution = live.occasion.solution
    if not solution or solution.lower() in _BUILT_IN:
        return
    found = find_solution(live, solution)
    if found.is_managed:
        raise Refusal(400, "0x8004F024", f"The managed solution {solution} cannot be changed.")
    if kind in {COLUMN, KEY}:
        _put_shell(live, found.unique_name, name.partition(".")[0])
    one = live.environment.one_to_many.get(name) if kind == RELATIONSHIP else None
    if one is not None:
        _put_shell(live, found.unique_name, one.referencing)
        put_component(live, found.unique_name, Component(COLUMN, f"{one.referencing}.{one.referencing_column}"))
    put_component(live, found.unique_name, Component(kind, name))


def _put_shell(live: Live, solution: str, table: str) -> None:
    if not any(item.component.kind == TABLE and item.component.name == table for item in listed(live, solution)):
        put_component(live, solution, Component(TABLE, table, SHELL))


def put_component(live: Live, solution: str, component: Component) -> str:
    """Add or change one component. The id of its row."""
    name = f"{solution.lower()}/{component.kind}/{component.name}"
    document: Json = {"solution": solution, "kind": component.kind, "name": component.name}
    live.environment.put_document(_DOCUMENTS, name, document | {"behaviour": component.behaviour})
    live.forget()
    return metadata_id("solution component", name)


def drop_component(live: Live, listed_one: Listed) -> None:
    """Remove one component from its solution; the definition stays."""
    one = listed_one.component
    live.environment.drop_document(_DOCUMENTS, f"{listed_one.solution.lower()}/{one.kind}/{one.name}")
    live.forget()


def listed(live: Live, solution: str = "") -> list[Listed]:
    """The components of one solution or of all."""
    found = []
    for name, document in live.documents(_DOCUMENTS).items():
        home, kind = str(document["solution"]), document["kind"]
        behaviour = document["behaviour"]
        if isinstance(kind, int) and isinstance(behaviour, int) and solution.lower() in ("", home.lower()):
            component = Component(kind, str(document["name"]), behaviour)
            found.append(Listed(metadata_id("solution component", name), home, component))
    return found


def find_definition(live: Live, kind: int, id_: str) -> str:
    """The name of the definition with a MetadataId. Refusal 404; 501 for kinds the emulator has none of."""
    environment = live.environment
    if kind not in _KINDS:
        raise not_implemented(f"solution components of type {kind}")
    if kind == TABLE:
        return live.table({"MetadataId": id_}).name
    names: list[str]
    if kind == CHOICE:
        names = list(live.documents("global_choice"))
    elif kind == RELATIONSHIP:
        names = [*environment.one_to_many, *environment.many_to_many]
    else:
        tables = environment.tables.values()
        names = [f"{m.name}.{c}" for m in tables for c in (m.columns if kind == COLUMN else [k.name for k in m.keys])]
    for name in names:
        if metadata_id(_KINDS[kind], name) == id_.lower():
            return name
    raise Refusal(404, "0x80040217", f"Could not find a component of type {kind} with id {id_}.")


def read_components(live: Live, request: Request, segment: Segment) -> Answer:
    """GET on `solutioncomponents`."""
    ids = solution_names(live)
    documents = [_document(live, item, ids) for item in listed(live) if item.solution.lower() in ids]
    selection = read_selection(request.query)
    if segment.is_row:
        wanted = guid_text(segment.id) if segment.id else ""
        documents = [document for document in documents if document["solutioncomponentid"] == wanted]
        if not documents:
            raise Refusal(404, "0x80040217", f"solutioncomponent With Id = {wanted} Does Not Exist")
        context = f"{request.base_url}$metadata#solutioncomponents/$entity"
        return json_answer({"@odata.context": context, **project(documents[0], selection, {})})
    found = matching(documents, selection)
    body: Json = {"@odata.context": f"{request.base_url}$metadata#solutioncomponents"}
    if selection.count:
        body["@odata.count"] = len(found)
    always = "solutioncomponentid"
    body["value"] = [{always: document[always], **project(document, selection, {})} for document in found]
    return json_answer(body)


def _document(live: Live, item: Listed, ids: dict[str, str]) -> Json:
    component = item.component
    table = component.name.partition(".")[0]
    is_part = component.kind in {COLUMN, KEY}
    root = f"{item.solution.lower()}/{TABLE}/{table}"
    return {
        "solutioncomponentid": item.id,
        "objectid": item.object_id,
        "componenttype": component.kind,
        "rootcomponentbehavior": component.behaviour if component.kind == TABLE else None,
        "rootsolutioncomponentid": metadata_id("solution component", root) if is_part else None,
        "ismetadata": True,
        "_solutionid_value": ids[item.solution.lower()],
    }
