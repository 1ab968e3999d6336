"""Unbound actions on metadata."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from flitstack.emulator.answers import json_answer, no_content
from flitstack.emulator.messages import Answer, Request, not_implemented
from flitstack.emulator.metadata import choices
from flitstack.emulator.metadata.bodies import read_body, wrong
from flitstack.emulator.metadata.identity import metadata_id
from flitstack.emulator.metadata.keys import reactivate_key
from flitstack.emulator.metadata.live import Live
from flitstack.emulator.metadata.relationship_parse import create_polymorphic
from flitstack.emulator.metadata.tables import create_table
from flitstack.emulator.solutions import actions as solution_actions
from flitstack.emulator.solutions.components import record
from flitstack.emulator.solutions.manifest import CHOICE, COLUMN, RELATIONSHIP, TABLE

Action = Callable[[Live, Request], Answer]


def _publish(live: Live, request: Request) -> Answer:
    """New definitions work unpublished; forms and views, which would need it, the emulator has none of."""
    return no_content()


def _unknown(live: Live, request: Request) -> Answer:
    raise not_implemented(request.path)


def _insert(insert: Callable[[Live, dict[str, object]], int]) -> Action:
    def act(live: Live, request: Request) -> Answer:
        body = read_body(request)
        value = insert(live, body)
        _record_options(live, body)
        context = f"{request.base_url}$metadata#Microsoft.Dynamics.CRM.{request.path}Response"
        return json_answer({"@odata.context": context, "NewOptionValue": value})

    return act


def _silent(change: Callable[[Live, dict[str, object]], None]) -> Action:
    def act(live: Live, request: Request) -> Answer:
        body = read_body(request)
        change(live, body)
        if change is not reactivate_key:
            _record_options(live, body)
        return no_content()

    return act


def _record_options(live: Live, body: dict[str, Any]) -> None:
    """The choice or column whose options changed, under the solution that body or request names."""
    _take_solution(live, body)
    if body.get("OptionSetName"):
        record(live, CHOICE, str(body["OptionSetName"]))
    else:
        record(live, COLUMN, f"{body['EntityLogicalName']}.{body['AttributeLogicalName']}")


def _take_solution(live: Live, body: dict[str, Any]) -> None:
    if not live.occasion.solution:
        live.occasion = replace(live.occasion, solution=str(body.get("SolutionUniqueName") or ""))


def _create_lookup(kind: str) -> Action:
    def act(live: Live, request: Request) -> Answer:
        body = read_body(request)
        _take_solution(live, body)
        names, column = create_polymorphic(live, body.get("OneToManyRelationships"), body.get("Lookup"), kind)
        for name in names:
            record(live, RELATIONSHIP, name)
        context = f"{request.base_url}$metadata#Microsoft.Dynamics.CRM.{request.path}Response"
        ids = [metadata_id("relationship", name) for name in names]
        return json_answer({"@odata.context": context, "RelationshipIds": ids, "AttributeId": column})

    return act


def _create_entities(live: Live, request: Request) -> Answer:
    """CreateEntities, which Microsoft's Python SDK sends since 1.0; it reads no body of the answer."""
    bodies = read_body(request).get("Entities")
    if not isinstance(bodies, list) or not all(isinstance(body, dict) for body in bodies):
        raise wrong("Entities is a list.")
    for body in bodies:
        record(live, TABLE, create_table(live, body))
    return no_content()


ACTIONS: Mapping[str, Action] = {
    "PublishXml": _publish,
    "PublishAllXml": _publish,
    "InsertOptionValue": _insert(choices.insert_option),
    "InsertStatusValue": _insert(choices.insert_status),
    "UpdateOptionValue": _silent(choices.update_option),
    "DeleteOptionValue": _silent(choices.delete_option),
    "OrderOption": _silent(choices.order_options),
    "UpdateStateValue": _silent(choices.update_state),
    "CreateCustomerRelationships": _create_lookup("Customer"),
    "CreatePolymorphicLookupAttribute": _create_lookup("Lookup"),
    "CreateEntities": _create_entities,
    "ReactivateEntityKey": _silent(reactivate_key),
    **solution_actions.ACTIONS,
    **dict.fromkeys(solution_actions.NOT_THERE, _unknown),
}
