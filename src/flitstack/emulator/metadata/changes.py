"""RetrieveMetadataChanges: tables, columns, relationships and keys chosen by conditions, in one answer.

Source: Microsoft Learn, "Query schema definitions" and "RetrieveMetadataChanges Function". The other half of the
function, what changed since a version stamp, is refused: the emulator keeps no stamps of definitions.
"""

import json
from collections.abc import Callable, Iterable, Mapping

from flitstack.emulator.answers import json_answer
from flitstack.emulator.messages import Answer, Refusal, Request, not_implemented
from flitstack.emulator.metadata.attributes import Json
from flitstack.emulator.metadata.entities import entity_json
from flitstack.emulator.metadata.live import Live
from flitstack.emulator.metadata.option_sets import CRM
from flitstack.emulator.metadata.reading import table_members
from flitstack.emulator.paths import Segment, split_outside

_STAMP = "1!flitstack"
_BELOW = {
    "Attributes": "AttributeQuery",
    "Keys": "KeyQuery",
    "OneToManyRelationships": "RelationshipQuery",
    "ManyToOneRelationships": "RelationshipQuery",
    "ManyToManyRelationships": "RelationshipQuery",
}
_PARTS = frozenset({"Criteria", "Properties", "LabelQuery", "MetadataId", "@odata.type", *_BELOW.values()})
_ALWAYS = ("@odata.type", "MetadataId", "HasChanged", "LogicalName")


def retrieve_metadata_changes(live: Live, request: Request, segment: Segment) -> Answer:
    """The function's answer; Refusal 400 for a query that cannot be read, 501 for a version stamp."""
    query = _parameter(request, segment)
    unknown = query.keys() - _PARTS
    if unknown:
        raise _invalid(f"'{min(unknown)}' is no part of an EntityQueryExpression")
    wanted, holds = _properties(query), _criteria(query)
    languages = _languages(query)
    found = []
    for model in live.environment.tables.values():
        table = entity_json(live, model)
        if not holds(table):
            continue
        chosen = _chosen(table, wanted, languages)
        for name, members in table_members(live, model).items():
            if wanted is None or name in wanted:
                chosen[name] = _members(query, _BELOW[name], members(), languages)
        found.append(chosen)
    body = {
        "@odata.context": f"{request.base_url}$metadata#Microsoft.Dynamics.CRM.RetrieveMetadataChangesResponse",
        "ServerVersionStamp": _STAMP,
        "DeletedMetadata": None,
        "EntityMetadata": found,
    }
    return json_answer(body)


def _parameter(request: Request, segment: Segment) -> Json:
    given = {}
    for item in split_outside(segment.arguments or "", ","):
        name, _, value = item.strip().partition("=")
        given[name] = request.query.get(value, "") if value.startswith("@") else value
    for name, value in given.items():
        if name != "Query" and value not in {"", "null"}:
            raise not_implemented(f"RetrieveMetadataChanges with {name}")
    try:
        query = json.loads(given.get("Query") or "{}")
    except json.JSONDecodeError as error:
        raise _invalid(f"the parameter Query is no JSON: {error}") from error
    if not isinstance(query, dict):
        raise _invalid("the parameter Query is no object")
    return query


def _members(query: Json, part: str, documents: Iterable[Json], languages: frozenset[int]) -> list[Json]:
    inner = query.get(part) or {}
    if not isinstance(inner, dict):
        raise _invalid(f"'{part}' is no object")
    wanted, holds = _properties(inner), _criteria(inner)
    return [_complex(_chosen(document, wanted, languages)) for document in documents if holds(document)]


def _complex(document: Json) -> Json:
    """The function answers with complex types, `ComplexStringAttributeMetadata` for `StringAttributeMetadata`."""
    kind = document.get("@odata.type")
    return document if kind is None else {**document, "@odata.type": f"{CRM}Complex{str(kind).removeprefix(CRM)}"}


def _properties(query: Json) -> frozenset[str] | None:
    """The names asked for; None for all of them."""
    given = query.get("Properties") or {}
    if not isinstance(given, dict):
        raise _invalid("'Properties' is no object")
    names = given.get("PropertyNames") or []
    if not isinstance(names, list):
        raise _invalid("'PropertyNames' is no list")
    return None if given.get("AllProperties") is True else frozenset(map(str, names))


def _chosen(document: Json, wanted: frozenset[str] | None, languages: frozenset[int]) -> Json:
    kept = {name: value for name, value in document.items() if wanted is None or name in wanted or name in _ALWAYS}
    return {name: _in_languages(value, languages) for name, value in kept.items()} if languages else kept


def _languages(query: Json) -> frozenset[int]:
    given = query.get("LabelQuery") or {}
    codes = given.get("FilterLanguages") or [] if isinstance(given, dict) else None
    if not isinstance(codes, list) or not all(isinstance(code, int) for code in codes):
        raise _invalid("'LabelQuery' names no languages")
    return frozenset(codes)


def _in_languages(value: object, languages: frozenset[int]) -> object:
    if not isinstance(value, dict) or not isinstance(value.get("LocalizedLabels"), list):
        return value
    labels = [label for label in value["LocalizedLabels"] if label.get("LanguageCode") in languages]
    return {**value, "LocalizedLabels": labels}


def _criteria(query: Json) -> Callable[[Json], bool]:
    given = query.get("Criteria")
    if given is None:
        return lambda document: True
    if not isinstance(given, dict):
        raise _invalid("'Criteria' is no object")
    tests = [_condition(condition) for condition in given.get("Conditions") or []]
    tests += [_criteria({"Criteria": inner}) for inner in given.get("Filters") or []]
    together = any if given.get("FilterOperator", "And") == "Or" else all
    return lambda document: together(test(document) for test in tests) if tests else True


def _condition(given: object) -> Callable[[Json], bool]:
    if not isinstance(given, dict) or not isinstance(given.get("PropertyName"), str):
        raise _invalid("a condition names no property")
    name, operator = given["PropertyName"], str(given.get("ConditionOperator", "Equals"))
    compare = _OPERATORS.get(operator)
    if compare is None:
        raise _invalid(f"'{operator}' is no condition operator")
    value = _value(given.get("Value"))

    def holds(document: Json) -> bool:
        if name not in document:
            raise Refusal(400, "0x80040203", f"'{name}' is no property that a metadata query can compare.")
        return compare(_plain(document[name]), value)

    return holds


def _value(given: object) -> object:
    """`{"Type": "System.String", "Value": "x"}`; lists come as text in JSON, with either kind of quotes."""
    if not isinstance(given, dict):
        return _plain(given)
    value, kind = given.get("Value"), str(given.get("Type", ""))
    if kind.endswith("[]") and isinstance(value, str):
        try:
            value = json.loads(value.replace("'", '"'))
        except json.JSONDecodeError as error:
            raise _invalid(f"'{value}' is no list") from error
    return [_plain(item) for item in value] if isinstance(value, list) else _plain(value)


def _plain(value: object) -> object:
    """What is compared: managed properties by their value, everything as text without regard to case."""
    if isinstance(value, dict) and "Value" in value:
        value = value["Value"]
    return value if value is None else str(value).lower()


def _among(value: object, listed: object) -> bool:
    return isinstance(listed, list) and value in listed


def _greater(left: object, right: object) -> bool:
    try:
        return float(str(left)) > float(str(right))
    except ValueError as error:
        raise _invalid(f"'{right}' is no number") from error


_OPERATORS: Mapping[str, Callable[[object, object], bool]] = {
    "Equals": lambda left, right: left == right,
    "NotEquals": lambda left, right: left != right,
    "In": _among,
    "NotIn": lambda left, right: not _among(left, right),
    "GreaterThan": lambda left, right: left is not None and _greater(left, right),
    "LessThan": lambda left, right: left is not None and _greater(right, left),
}


def _invalid(what: str) -> Refusal:
    return Refusal(400, "0x80040203", f"Invalid metadata query: {what}.")
