"""States, status reasons and failed keys: the messages that change them."""

from typing import Any

from solution_driver import Maker, label

THING = {"EntityLogicalName": "new_thing"}


def option_labels(maker: Maker, name: str) -> dict[int, dict[int, str]]:
    """Labels by value and language."""
    columns = maker.definition("new_thing")["Attributes"]
    (found,) = [c for c in columns if c["LogicalName"] == name and "OptionSet" in c]
    options = found["OptionSet"].get("Options") or [found["OptionSet"][n] for n in ("FalseOption", "TrueOption")]
    return {
        o["Value"]: {text["LanguageCode"]: text["Label"] for text in o["Label"]["LocalizedLabels"]} for o in options
    }


def test_states_are_renamed_and_get_another_default(maker: Maker) -> None:
    maker.table("new_Thing")
    status = {**THING, "AttributeLogicalName": "statuscode"}
    maker.make("InsertStatusValue", {**status, "StateCode": 0, "Value": 5, "Label": label("Waiting")})
    state: dict[str, Any] = {**THING, "AttributeLogicalName": "statecode", "Value": 0, "MergeLabels": True}
    german = {"LocalizedLabels": [{"Label": "Offen", "LanguageCode": 1031}]}
    assert maker.post("UpdateStateValue", {**state, "Label": german, "DefaultStatusCode": 5}).status == 204
    assert option_labels(maker, "statecode")[0] == {1033: "Active", 1031: "Offen"}
    row = maker.make("new_things", {"new_name": "x"})
    assert maker.get(row)["statuscode"] == 5
    assert maker.post("UpdateStateValue", {**state, "DefaultStatusCode": 2}).status == 400
    assert maker.post("UpdateStateValue", {**state, "Value": 9}).status == 400


def test_status_reasons_are_renamed_ordered_and_deleted(maker: Maker) -> None:
    maker.table("new_Thing")
    status = {**THING, "AttributeLogicalName": "statuscode"}
    maker.make("InsertStatusValue", {**status, "StateCode": 0, "Value": 5, "Label": label("Waiting")})
    assert maker.post("UpdateOptionValue", {**status, "Value": 5, "Label": label("Held")}).status == 204
    assert maker.post("OrderOption", {**status, "Values": [5, 2, 1]}).status == 204
    assert next(iter(option_labels(maker, "statuscode").items())) == (5, {1033: "Held"})
    assert maker.refusal(maker.post("DeleteOptionValue", {**status, "Value": 1})) == (400, "0x8004F01F")
    assert maker.post("DeleteOptionValue", {**status, "Value": 5}).status == 204
    assert maker.post("new_things", {"new_name": "x", "statuscode": 5}).status == 400
    assert maker.post("InsertOptionValue", {**status, "Value": 6, "Label": label("X")}).status == 400


def test_yes_and_no_are_renamed_but_get_no_third(maker: Maker) -> None:
    maker.table("new_Thing")
    maker.column("new_thing", "Boolean", "new_Flag")
    flag = {**THING, "AttributeLogicalName": "new_flag"}
    assert maker.post("UpdateOptionValue", {**flag, "Value": 1, "Label": label("Indeed")}).status == 204
    assert option_labels(maker, "new_flag") == {0: {1033: "No"}, 1: {1033: "Indeed"}}
    assert maker.post("InsertOptionValue", {**flag, "Value": 2, "Label": label("Perhaps")}).status == 400


def test_a_body_names_the_solution_of_an_option(maker: Maker) -> None:
    maker.solution(option_prefix=33333)
    maker.make("GlobalOptionSetDefinitions", {"Name": "new_x", "Options": [{"Value": 1, "Label": label("A")}]})
    body = {"OptionSetName": "new_x", "Label": label("B"), "SolutionUniqueName": "Sample"}
    assert maker.make("InsertOptionValue", body)["NewOptionValue"] == 333_330_000
    assert [row["componenttype"] for row in maker.get("solutioncomponents")["value"]] == [9]


def test_a_failed_key_is_tried_again(maker: Maker) -> None:
    maker.table("new_Thing")
    rows = [maker.make("new_things", {"new_name": "same"}) for _ in range(2)]
    keys = "EntityDefinitions(LogicalName='new_thing')/Keys"
    maker.make(keys, {"SchemaName": "new_Key", "KeyAttributes": ["new_name"], "DisplayName": label("Key")})
    again = {**THING, "EntityKeyLogicalName": "new_key"}
    assert maker.post("ReactivateEntityKey", again).status == 204
    assert [key["EntityKeyIndexStatus"] for key in maker.get(keys)["value"]] == ["Failed"]
    assert maker.send("PATCH", rows[0], {"new_name": "other"}).status == 204
    assert maker.post("ReactivateEntityKey", again).status == 204
    assert [key["EntityKeyIndexStatus"] for key in maker.get(keys)["value"]] == ["Active"]
    assert maker.post("ReactivateEntityKey", {**again, "EntityKeyLogicalName": "nothing"}).status == 404


def test_a_column_dropped_after_a_change_of_its_table_is_gone(maker: Maker) -> None:
    """The definition of the table must not bring back what was removed from it."""
    maker.table("new_Thing")
    maker.column("new_thing", "String", "new_Text")
    path = "EntityDefinitions(LogicalName='new_thing')"
    assert maker.send("PUT", path, {"DisplayName": label("Other")}).status == 204
    assert maker.send("DELETE", f"{path}/Attributes(LogicalName='new_text')").status == 204
    assert "new_text" not in maker.instance.environment.tables["new_thing"].columns
    assert maker.refusal(maker.send("DELETE", f"{path}/Attributes(LogicalName='createdon')")) == (400, "0x8004F01F")
