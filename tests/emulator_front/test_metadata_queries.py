"""RetrieveMetadataChanges as a query: conditions, chosen properties, languages.

Source: Microsoft Learn, "Query schema definitions", tab Web API.
"""

from typing import Any

import orjson
import pytest
from front_wire import Reply, Wire


def ask(wire: Wire, query: object, more: str = "") -> Reply:
    text = orjson.dumps(query).decode().replace('"', "%22").replace(" ", "%20")
    return wire.send("GET", f"RetrieveMetadataChanges(Query=@p1{more})?@p1={text}")


def tables(wire: Wire, query: object) -> list[Any]:
    reply = ask(wire, query)
    assert reply.status == 200, reply.body
    return list(reply.json()["EntityMetadata"])


def where(name: str, operator: str, value: object, kind: str = "System.String") -> dict[str, object]:
    return {"PropertyName": name, "ConditionOperator": operator, "Value": {"Type": kind, "Value": value}}


ACCOUNT = {"Conditions": [where("LogicalName", "Equals", "account")]}


def test_only_what_was_asked_for_comes(shared_wire: Wire) -> None:
    (account,) = tables(
        shared_wire,
        {
            "Criteria": ACCOUNT,
            "Properties": {"PropertyNames": ["EntitySetName", "Attributes"]},
            "AttributeQuery": {
                "Criteria": {"Conditions": [where("LogicalName", "In", "['name','revenue']", "System.String[]")]},
                "Properties": {"PropertyNames": ["MaxLength", "Precision"]},
            },
        },
    )
    assert set(account) == {"MetadataId", "HasChanged", "LogicalName", "EntitySetName", "Attributes"}
    assert account["EntitySetName"] == "accounts"
    columns = {each["LogicalName"]: each for each in account["Attributes"]}
    assert columns["name"]["@odata.type"] == "#Microsoft.Dynamics.CRM.ComplexStringAttributeMetadata"
    assert columns["name"]["MaxLength"] == 160
    assert "MaxLength" not in columns["revenue"]
    assert "DisplayName" not in columns["name"]


def test_conditions_are_combined(shared_wire: Wire) -> None:
    activity = where("IsActivity", "Equals", True, "System.Boolean")
    named = where("LogicalName", "In", ["account", "task", "email"], "System.String[]")
    both = {"Criteria": {"FilterOperator": "And", "Conditions": [activity, named]}, "Properties": {"PropertyNames": []}}
    assert {each["LogicalName"] for each in tables(shared_wire, both)} == {"task", "email"}
    either = {
        "Criteria": {"FilterOperator": "Or", "Filters": [ACCOUNT, {"Conditions": [activity, named]}]},
        "Properties": {"PropertyNames": []},
    }
    assert {each["LogicalName"] for each in tables(shared_wire, either)} == {"account", "task", "email"}
    few = {
        "Criteria": {
            "Conditions": [
                where("ObjectTypeCode", "LessThan", 3, "System.Int32"),
                where("IsActivity", "NotEquals", True),
            ]
        },
        "Properties": {"PropertyNames": []},
    }
    assert {each["LogicalName"] for each in tables(shared_wire, few)} == {"account", "contact"}


def test_keys_relationships_and_languages(shared_wire: Wire) -> None:
    (account,) = tables(
        shared_wire,
        {
            "Criteria": ACCOUNT,
            "Properties": {"PropertyNames": ["DisplayName", "OneToManyRelationships"]},
            "RelationshipQuery": {
                "Criteria": {"Conditions": [where("SchemaName", "Equals", "contact_customer_accounts")]},
                "Properties": {"AllProperties": True},
            },
            "LabelQuery": {"FilterLanguages": [1031]},
        },
    )
    (relationship,) = account["OneToManyRelationships"]
    assert relationship["ReferencingAttribute"] == "parentcustomerid"
    assert account["DisplayName"]["LocalizedLabels"] == []


@pytest.mark.parametrize(
    "query",
    [
        {"Criteria": {"Conditions": [where("NoSuchProperty", "Equals", "x")]}},
        {"Criteria": {"Conditions": [where("LogicalName", "Resembles", "x")]}},
        {"Criteria": {"Conditions": [{"ConditionOperator": "Equals"}]}},
        {"Criteria": []},
        {"Attributes": {}},
        [],
    ],
)
def test_a_query_that_says_nothing_known_is_refused(shared_wire: Wire, query: object) -> None:
    reply = ask(shared_wire, query)
    assert (reply.status, reply.code) == (400, "0x80040203")


def test_a_version_stamp_is_refused_by_name(shared_wire: Wire) -> None:
    reply = ask(shared_wire, {"Criteria": ACCOUNT}, ",ClientVersionStamp='1!2'")
    assert reply.status == 501
    assert "ClientVersionStamp" in reply.json()["error"]["message"]
