"""The queries of a BulkDelete: QueryExpression as JSON becomes a condition.

Sources: Microsoft Learn, "Delete data in bulk", "QueryExpression ComplexType", "ConditionOperator EnumType".
"""

from collections.abc import Callable, Mapping

from flitstack.emulator.messages import Refusal, not_implemented
from flitstack.emulator.query.compile import compile_condition
from flitstack.emulator.query.functions import FUNCTIONS
from flitstack.emulator.query.syntax import (
    MAX_CONDITIONS,
    MAX_DEPTH,
    Call,
    Compare,
    Listing,
    Literal,
    Logic,
    Node,
    Path,
)
from flitstack.emulator.query.terms import Fragment, Scope
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.work import Work

Body = Mapping[str, object]
_CRM = "Microsoft.Dynamics.CRM."
_COMPARISONS = {
    "Equal": "eq",
    "NotEqual": "ne",
    "GreaterThan": "gt",
    "GreaterEqual": "ge",
    "LessThan": "lt",
    "LessEqual": "le",
}
_TEXT_FUNCTIONS = {"BeginsWith": "startswith", "EndsWith": "endswith"}
_NEGATED_TEXT = {"DoesNotBeginWith": "startswith", "DoesNotEndWith": "endswith"}
_NULLS = {"Null": "eq", "NotNull": "ne"}
# Parts of a QueryExpression that change which rows it means, and the values with which they change nothing.
_REFUSED: dict[str, tuple[object, ...]] = {
    "LinkEntities": (None, []),
    "TopCount": (None,),
    "DataSource": (None, ""),
    "SubQueryExpression": (None,),
}


def chosen_rows(work: Work, query: object) -> tuple[EntityModel, str, list[object]]:
    """Table, SQL and parameters that select the ids of the rows one query of the set means. Refusal for what is not."""
    if not isinstance(query, dict):
        raise Refusal(400, "0x80048d19", "Error identified in Payload provided by the user: QuerySet holds queries.")
    kind = str(query.get("@odata.type") or f"{_CRM}QueryExpression").lstrip("#").removeprefix(_CRM)
    read = READERS.get(kind)
    if read is None:
        raise not_implemented(f"a {kind} in the QuerySet of BulkDelete")
    scope, condition = read(work, query)
    own = f"{scope.alias}.{scope.model.table.id_column}"
    sql = f"SELECT {own} FROM {scope.source()} WHERE {condition.sql} ORDER BY {own}"
    return scope.model, sql, list(condition.parameters)


def _query_expression(work: Work, query: Body) -> tuple[Scope, Fragment]:
    model = work.store.schema.tables.get(str(query.get("EntityName")))
    if model is None:
        raise Refusal(404, "0x8004024A", f"Could not find an entity with name {query.get('EntityName')}.")
    for name, harmless in _REFUSED.items():
        if query.get(name) not in harmless:
            raise not_implemented(f"{name} in a query of BulkDelete")
    scope = Scope(work, model)
    criteria = query.get("Criteria")
    counted = [0]
    node = None if criteria is None else _filter(model, criteria, counted, 0)
    return scope, Fragment("1") if node is None else compile_condition(scope, node)


def _filter(model: EntityModel, criteria: object, counted: list[int], depth: int) -> Node | None:
    """A FilterExpression; None when it says nothing."""
    if not isinstance(criteria, dict) or depth > MAX_DEPTH:
        raise _malformed("Criteria")
    glue = str(criteria.get("FilterOperator", "And")).lower()
    if glue not in {"and", "or"}:
        raise _malformed("FilterOperator")
    nodes = [_condition(model, item) for item in _items(criteria, "Conditions")]
    inner = [_filter(model, item, counted, depth + 1) for item in _items(criteria, "Filters")]
    nodes += [node for node in inner if node is not None]
    counted[0] += len(nodes)
    if counted[0] > MAX_CONDITIONS:
        raise Refusal(400, "0x8004430D", "Number of conditions in query exceeded maximum limit.")
    if len(nodes) < 2:
        return nodes[0] if nodes else None
    return Logic(glue, tuple(nodes))


def _items(holder: Body, name: str) -> list[object]:
    found = holder.get(name)
    if found is None:
        return []
    if not isinstance(found, list):
        raise _malformed(name)
    return found


def _condition(model: EntityModel, item: object) -> Node:
    if not isinstance(item, dict) or not isinstance(item.get("AttributeName"), str):
        raise _malformed("Conditions")
    if item.get("EntityName") not in {None, "", model.name} or item.get("CompareColumns"):
        raise not_implemented("a condition of BulkDelete on another table or column")
    name, operator = item["AttributeName"], str(item.get("Operator"))
    shown = f"_{name}_value" if f"_{name}_value" in model.value_properties else name
    values = tuple(_literal(value) for value in _items(item, "Values"))
    path = Path((shown,))
    if operator in _NULLS:
        return Compare(_NULLS[operator], path, Literal("null", None))
    if operator in _COMPARISONS:
        return Compare(_COMPARISONS[operator], path, _single(values, operator))
    if operator in _TEXT_FUNCTIONS:
        return Call(_TEXT_FUNCTIONS[operator], (path, _single(values, operator)))
    if operator in _NEGATED_TEXT:
        return Logic("not", (Call(_NEGATED_TEXT[operator], (path, _single(values, operator))),))
    if operator not in FUNCTIONS or operator == "Contains":
        raise not_implemented(f"the operator '{operator}' in a query of BulkDelete")
    named: tuple[tuple[str, Node], ...] = (("PropertyName", Literal("text", name)), ("PropertyValues", Listing(values)))
    return Call(_CRM + operator, (), named)


def _single(values: tuple[Literal, ...], operator: str) -> Literal:
    if len(values) != 1:
        raise Refusal(400, "0x80040203", f"The operator {operator} takes one value.")
    return values[0]


def _literal(value: object) -> Literal:
    """`{"Value": ..., "Type": "System.Guid"}`, or the bare value."""
    kind = ""
    if isinstance(value, dict):
        kind, value = str(value.get("Type") or ""), value.get("Value")
    if isinstance(value, bool):
        return Literal("boolean", value)
    if isinstance(value, (int, float)):
        return Literal("number", value)
    if not isinstance(value, str):
        raise _malformed("Values")
    return Literal({"System.Guid": "guid", "System.DateTime": "instant"}.get(kind, "text"), value)


def _malformed(name: str) -> Refusal:
    return Refusal(400, "0x80048d19", f"Error identified in Payload provided by the user: '{name}' of a query.")


# By the @odata.type of a query; FetchExpression may be added here.
READERS: dict[str, Callable[[Work, Body], tuple[Scope, Fragment]]] = {"QueryExpression": _query_expression}
