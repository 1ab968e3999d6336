"""Making, changing and removing definitions; rows use them at once."""

from typing import Any

import pytest
from front_wire import Reply, Wire

CRM = "Microsoft.Dynamics.CRM."
THING = "EntityDefinitions(LogicalName='new_thing')"


def label(text: str, language: int = 1033) -> dict[str, Any]:
    return {"LocalizedLabels": [{"Label": text, "LanguageCode": language}]}


def make_table(wire: Wire, name: str = "new_Thing", **more: object) -> Reply:
    primary = {
        "@odata.type": f"{CRM}StringAttributeMetadata",
        "SchemaName": "new_Name",
        "DisplayName": label("Name"),
        "MaxLength": 200,
        "IsPrimaryName": True,
    }
    body = {
        "@odata.type": f"{CRM}EntityMetadata",
        "SchemaName": name,
        "DisplayName": label("Thing"),
        "DisplayCollectionName": label("Things"),
        "OwnershipType": "UserOwned",
        "HasNotes": False,
        "HasActivities": False,
        "Attributes": [primary],
    }
    return wire.post("EntityDefinitions", {**body, **more})


def make_column(wire: Wire, kind: str, name: str, table: str = "new_thing", **more: object) -> Reply:
    body = {"@odata.type": f"{CRM}{kind}AttributeMetadata", "SchemaName": name, "DisplayName": label(name), **more}
    return wire.post(f"EntityDefinitions(LogicalName='{table}')/Attributes", body)


def options(*pairs: tuple[int | None, str]) -> dict[str, Any]:
    found = [{"Label": label(text), **({} if value is None else {"Value": value})} for value, text in pairs]
    return {"OptionSet": {"IsGlobal": False, "OptionSetType": "Picklist", "Options": found}}


def one_to_many(child: str, parent: str, lookup: str, **more: object) -> dict[str, Any]:
    return {
        "@odata.type": f"{CRM}OneToManyRelationshipMetadata",
        "SchemaName": f"new_{parent}_{child}_{lookup}",
        "ReferencedEntity": parent,
        "ReferencedAttribute": f"{parent}id",
        "ReferencingEntity": child,
        "CascadeConfiguration": {"Delete": "RemoveLink", "Assign": "NoCascade"},
        "Lookup": {"@odata.type": f"{CRM}LookupAttributeMetadata", "SchemaName": lookup, "DisplayName": label("L")},
        **more,
    }


def many_to_many(first: str, second: str, name: str) -> dict[str, Any]:
    return {
        "@odata.type": f"{CRM}ManyToManyRelationshipMetadata",
        "SchemaName": name,
        "Entity1LogicalName": first,
        "Entity2LogicalName": second,
        "IntersectEntityName": name.lower(),
    }


def test_a_new_table_takes_rows_at_once(wire: Wire) -> None:
    made = make_table(wire)
    assert made.status == 204
    assert made.entity.startswith("EntityDefinitions(")
    assert wire.get(f"{made.entity}?$select=EntitySetName")["EntitySetName"] == "new_things"
    row = wire.post("new_things", {"new_name": "first", "statecode": 1, "statuscode": 2})
    assert row.status == 204, row.body
    found = wire.get(f"{row.entity}?$select=new_name,statecode,createdon,_ownerid_value")
    assert (found["new_name"], found["statecode"]) == ("first", 1)
    assert found["_ownerid_value"]
    assert found["createdon"]


def test_the_name_of_a_table_is_taken_once(wire: Wire) -> None:
    make_table(wire)
    again = make_table(wire)
    assert (again.status, again.code) == (400, "0x8004700B")


@pytest.mark.parametrize(
    ("name", "code"), [("thing", "0x80040203"), ("mscrm_thing", "0x80040203"), ("new_" + "x" * 47, "0x80044367")]
)
def test_a_name_needs_a_prefix_and_a_limit(wire: Wire, name: str, code: str) -> None:
    assert make_table(wire, name).code == code


def test_columns_of_every_type_hold_their_values(wire: Wire) -> None:
    make_table(wire)
    made = [
        make_column(wire, "String", "new_Text", MaxLength=50, FormatName={"Value": "Email"}),
        make_column(wire, "Memo", "new_Long", MaxLength=5000),
        make_column(wire, "Integer", "new_Whole", MinValue=0, MaxValue=10),
        make_column(wire, "BigInt", "new_Big"),
        make_column(wire, "Decimal", "new_Share", Precision=4),
        make_column(wire, "Double", "new_Ratio", Precision=5),
        make_column(wire, "Money", "new_Fee", Precision=2, PrecisionSource=0),
        make_column(wire, "DateTime", "new_Day", Format="DateOnly", DateTimeBehavior={"Value": "DateOnly"}),
        make_column(wire, "DateTime", "new_Moment", Format="DateAndTime"),
        make_column(wire, "Boolean", "new_Flag", DefaultValue=True),
        make_column(wire, "Picklist", "new_Pick", **options((1, "One"), (2, "Two"))),
        make_column(wire, "MultiSelectPicklist", "new_Many", **options((1, "One"), (2, "Two"))),
    ]
    assert [reply.status for reply in made] == [204] * len(made), [reply.body for reply in made]
    row = {
        "new_text": "a@b.example", "new_long": "x" * 4000, "new_whole": 7, "new_big": 2**40, "new_share": 0.1234,
        "new_ratio": 1.5, "new_fee": 12.5, "new_day": "2026-01-31", "new_moment": "2026-01-31T10:00:00Z",
        "new_pick": 2, "new_many": "1,2",
    }  # fmt: skip
    reply = wire.post("new_things", row)
    assert reply.status == 204, reply.body
    found = wire.get(reply.entity)
    assert {name: found[name] for name in row} == row
    assert found["new_flag"] is True
    assert found["new_fee_base"] == 12.5
    assert found["_transactioncurrencyid_value"]
    assert wire.post("new_things", {"new_whole": 11}).code == "0x8004432F"
    assert wire.post("new_things", {"new_text": "x" * 51}).code == "0x80044331"
    assert wire.post("new_things", {"new_pick": 9}).code == "0x8004431A"


def test_a_column_is_read_back_as_it_was_made(wire: Wire) -> None:
    made = make_column(wire, "Decimal", "new_Share", "account", Precision=4, MinValue=-1, MaxValue=1)
    found = wire.get(made.entity)
    assert (found["LogicalName"], found["SchemaName"]) == ("new_share", "new_Share")
    assert (found["Precision"], found["MinValue"], found["MaxValue"]) == (4, -1, 1)
    assert found["IsCustomAttribute"] is True
    assert make_column(wire, "Decimal", "new_SHARE", "account").code == "0x80047013"


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("String", {"MaxLength": 4001}),
        ("Memo", {"MaxLength": 1_048_577}),
        ("Decimal", {"Precision": 11}),
        ("Money", {"Precision": 5}),
        ("Integer", {"MinValue": 5, "MaxValue": 4}),
    ],
)
def test_limits_of_columns_are_held(wire: Wire, kind: str, more: dict[str, Any]) -> None:
    assert make_column(wire, kind, "new_X", "account", **more).status == 400


def test_types_that_come_otherwise_are_refused(wire: Wire) -> None:
    for kind in ("Lookup", "UniqueIdentifier", "State"):
        reply = make_column(wire, kind, "new_X", "account")
        assert reply.status == 400
        assert "cannot be created through the SDK" in reply.json()["error"]["message"]


def test_a_table_that_takes_no_columns_says_so(wire: Wire) -> None:
    reply = make_column(wire, "String", "new_X", "annotation")
    assert (reply.status, reply.code) == (400, "0x8004F026")
    assert "CanCreateAttributes" in reply.json()["error"]["message"]


def test_a_lookup_is_bound_by_its_schema_name(wire: Wire) -> None:
    make_table(wire)
    made = wire.post("RelationshipDefinitions", one_to_many("new_thing", "account", "new_AccountId"))
    assert made.status == 204, made.body
    account = wire.post("accounts", {"name": "A"}).entity
    row = wire.post("new_things", {"new_name": "n", "new_AccountId@odata.bind": f"/{account}"})
    assert row.status == 204, row.body
    found = wire.get(f"{row.entity}?$expand=new_AccountId($select=name)")
    assert found["new_AccountId"]["name"] == "A"
    members = wire.get(f"{account}/new_account_new_thing_new_AccountId?$select=new_name")
    assert members["value"][0]["new_name"] == "n"
    assert wire.post("new_things", {"new_accountid@odata.bind": f"/{account}"}).status == 400


def test_removing_a_relationship_removes_its_lookup(wire: Wire) -> None:
    make_table(wire)
    made = wire.post("RelationshipDefinitions", one_to_many("new_thing", "account", "new_AccountId"))
    assert wire.send("DELETE", made.entity).status == 204
    column = f"{THING}/Attributes(LogicalName='new_accountid')"
    assert wire.send("GET", column).status == 404
    assert wire.send("DELETE", made.entity).status == 404


def test_a_customer_column_takes_accounts_and_contacts(wire: Wire) -> None:
    make_table(wire)
    lookup = {"@odata.type": f"{CRM}LookupAttributeMetadata", "SchemaName": "new_Buyer", "DisplayName": label("B")}
    ends = [
        {"SchemaName": f"new_thing_{end}", "ReferencedEntity": end, "ReferencingEntity": "new_thing"}
        for end in ("account", "contact")
    ]
    reply = wire.post("CreateCustomerRelationships", {"OneToManyRelationships": ends, "Lookup": lookup})
    assert reply.status == 200, reply.body
    assert len(reply.json()["RelationshipIds"]) == 2
    contact = wire.post("contacts", {"lastname": "C"}).entity
    row = wire.post("new_things", {"new_Buyer_contact@odata.bind": f"/{contact}"})
    assert row.status == 204, row.body
    annotated = wire.get(row.entity, {"Prefer": 'odata.include-annotations="*"'})
    assert annotated["_new_buyer_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "contact"


def test_many_to_many_rows_are_joined_and_parted(wire: Wire) -> None:
    make_table(wire)
    made = wire.post("RelationshipDefinitions", many_to_many("new_thing", "contact", "new_thing_contact"))
    assert made.status == 204, made.body
    thing = wire.post("new_things", {"new_name": "t"}).entity
    contact = wire.post("contacts", {"lastname": "C"}).entity
    link = {"@odata.id": f"{wire.url}/api/data/v9.2/{contact}"}
    assert wire.post(f"{thing}/new_thing_contact/$ref", link).status == 204
    assert len(wire.get(f"{contact}/new_thing_contact")["value"]) == 1
    assert wire.send("DELETE", made.entity).status == 204
    assert wire.send("GET", f"{contact}/new_thing_contact").status in {400, 404}


def test_keys_are_active_at_once_and_found_by(wire: Wire) -> None:
    make_table(wire)
    make_column(wire, "String", "new_Code", MaxLength=100)
    made = wire.post(f"{THING}/Keys", {"SchemaName": "new_CodeKey", "KeyAttributes": ["new_code"]})
    assert made.status == 204, made.body
    (key,) = wire.get(f"{THING}/Keys")["value"]
    assert (key["SchemaName"], key["EntityKeyIndexStatus"]) == ("new_CodeKey", "Active")
    wire.post("new_things", {"new_code": "K1"})
    assert wire.send("PATCH", "new_things(new_code='K1')", {"new_name": "found"}).status == 204
    assert wire.get("new_things(new_code='k1')")["new_name"] == "found"
    assert wire.post("new_things", {"new_code": "K1"}).code == "0x80060892"
    assert wire.send("DELETE", f"{THING}/Attributes(LogicalName='new_code')").code == "0x8004F01F"
    assert wire.send("DELETE", f"{THING}/Keys({key['MetadataId']})").status == 204
    assert wire.get(f"{THING}/Keys")["value"] == []
    assert wire.post("new_things", {"new_code": "K1"}).status == 204


def test_a_key_over_repeated_values_fails(wire: Wire) -> None:
    make_table(wire)
    make_column(wire, "String", "new_Code", MaxLength=100)
    for _ in range(2):
        wire.post("new_things", {"new_code": "same"})
    assert wire.post(f"{THING}/Keys", {"SchemaName": "new_CodeKey", "KeyAttributes": ["new_code"]}).status == 204
    (key,) = wire.get(f"{THING}/Keys")["value"]
    assert key["EntityKeyIndexStatus"] == "Failed"
    assert wire.send("GET", "new_things(new_code='same')").code == "0x80060890"


@pytest.mark.parametrize(
    ("columns", "code"), [(["new_long"], "0x8006088F"), (["nosuch"], "0x8006088F"), ([], "0x8006088F")]
)
def test_keys_stand_on_short_known_columns(wire: Wire, columns: list[str], code: str) -> None:
    make_table(wire)
    make_column(wire, "String", "new_Long", MaxLength=451)
    reply = wire.post(f"{THING}/Keys", {"SchemaName": "new_Key", "KeyAttributes": columns})
    assert reply.code == code


def test_options_are_added_renamed_ordered_and_removed(wire: Wire) -> None:
    where = {"EntityLogicalName": "lead", "AttributeLogicalName": "leadqualitycode"}
    added = wire.post("InsertOptionValue", {**where, "Label": label("Lukewarm")})
    assert added.status == 200, added.body
    value = added.json()["NewOptionValue"]
    assert value == 100_000_000
    assert wire.post("leads", {"lastname": "L", "leadqualitycode": value}).status == 204
    assert wire.post("InsertOptionValue", {**where, "Value": value, "Label": label("Twice")}).status == 400
    assert wire.post("UpdateOptionValue", {**where, "Value": 1, "Label": label("Hottest")}).status == 204
    assert wire.post("OrderOption", {**where, "Values": [value, 3, 2, 1]}).status == 204
    path = "EntityDefinitions(LogicalName='lead')/Attributes(LogicalName='leadqualitycode')/"
    found = wire.get(f"{path}{CRM}PicklistAttributeMetadata?$expand=OptionSet")["OptionSet"]["Options"]
    assert [o["Value"] for o in found] == [value, 3, 2, 1]
    assert found[3]["Label"]["UserLocalizedLabel"]["Label"] == "Hottest"
    assert wire.post("DeleteOptionValue", {**where, "Value": value}).status == 204
    assert wire.post("leads", {"lastname": "L", "leadqualitycode": value}).code == "0x8004431A"


def test_a_status_reason_joins_its_state(wire: Wire) -> None:
    where = {"EntityLogicalName": "lead", "AttributeLogicalName": "statuscode"}
    added = wire.post("InsertStatusValue", {**where, "Label": label("Nurturing"), "StateCode": 0})
    assert added.status == 200, added.body
    value = added.json()["NewOptionValue"]
    lead = wire.post("leads", {"lastname": "L", "statuscode": value})
    assert lead.status == 204, lead.body
    assert wire.get(f"{lead.entity}?$select=statecode,statuscode")["statuscode"] == value
    assert wire.send("PATCH", lead.entity, {"statecode": 1, "statuscode": value}).code == "0x80048408"


def test_a_global_choice_serves_several_columns(wire: Wire) -> None:
    body = {
        "@odata.type": f"{CRM}OptionSetMetadata",
        "Name": "new_colour",
        "DisplayName": label("Colour"),
        "OptionSetType": "Picklist",
        "IsGlobal": True,
        "Options": [{"Value": 1, "Label": label("Red")}],
    }
    made = wire.post("GlobalOptionSetDefinitions", body)
    assert made.status == 204, made.body
    assert wire.post("GlobalOptionSetDefinitions", body).code == "0x80044345"
    for name in ("new_First", "new_Second"):
        reply = make_column(wire, "Picklist", name, "account", **{"GlobalOptionSet@odata.bind": f"/{made.entity}"})
        assert reply.status == 204, reply.body
    wire.post("InsertOptionValue", {"OptionSetName": "new_colour", "Value": 2, "Label": label("Blue")})
    assert wire.post("accounts", {"name": "A", "new_first": 2, "new_second": 1}).status == 204
    found = wire.get("GlobalOptionSetDefinitions(Name='new_colour')")
    assert [option["Value"] for option in found["Options"]] == [1, 2]
    assert wire.send("DELETE", made.entity).code == "0x8004F01F"
    for name in ("new_first", "new_second"):
        wire.send("DELETE", f"EntityDefinitions(LogicalName='account')/Attributes(LogicalName='{name}')")
    assert wire.send("DELETE", made.entity).status == 204


def test_labels_in_other_languages_are_merged_only_on_request(wire: Wire) -> None:
    make_column(wire, "String", "new_Text", "account")
    path = "EntityDefinitions(LogicalName='account')/Attributes(LogicalName='new_text')"
    german = {"@odata.type": f"{CRM}StringAttributeMetadata", "DisplayName": label("Wert", 1031), "MaxLength": 200}
    assert wire.send("PUT", path, german, {"MSCRM.MergeLabels": "true"}).status == 204
    found = wire.get(path)
    assert {item["LanguageCode"] for item in found["DisplayName"]["LocalizedLabels"]} == {1033, 1031}
    assert found["MaxLength"] == 200
    wire.send("PUT", path, {**german, "DisplayName": label("Value")})
    assert len(wire.get(path)["DisplayName"]["LocalizedLabels"]) == 1
    assert wire.send("PATCH", path, german).status == 405


def test_a_table_goes_with_its_rows_notes_and_relationships(wire: Wire) -> None:
    made = make_table(wire, HasNotes=True, HasActivities=True)
    before = wire.get("EntityDefinitions(LogicalName='annotation')/Attributes(LogicalName='objectid')")
    assert "new_thing" in before["Targets"]
    thing = wire.post("new_things", {"new_name": "t"}).entity
    note = wire.post("annotations", {"subject": "n", "objectid_new_thing@odata.bind": f"/{thing}"})
    assert note.status == 204, note.body
    task = wire.post("tasks", {"subject": "t", "regardingobjectid_new_thing_task@odata.bind": f"/{thing}"})
    assert task.status == 204, task.body
    assert wire.send("DELETE", made.entity).status == 204
    assert wire.send("GET", "new_things").status == 404
    assert wire.send("GET", note.entity).status == 404
    assert wire.get(f"{task.entity}?$select=_regardingobjectid_value")["_regardingobjectid_value"] is None
    assert make_table(wire).status == 204


def test_connections_lead_to_a_table_that_takes_them_and_go_with_it(wire: Wire) -> None:
    managed = {"Value": True, "CanBeChanged": True, "ManagedPropertyLogicalName": "canmodifyconnectionsettings"}
    made = make_table(wire, IsConnectionsEnabled=managed)
    told = wire.get("EntityDefinitions(LogicalName='new_thing')?$select=IsConnectionsEnabled")
    assert told["IsConnectionsEnabled"]["Value"]
    thing, person = (
        wire.post(*row).entity for row in (("new_things", {"new_name": "t"}), ("contacts", {"lastname": "p"}))
    )
    ends = {"record1id_new_thing@odata.bind": f"/{thing}", "record2id_contact@odata.bind": f"/{person}"}
    connection = wire.post("connections", ends)
    assert connection.status == 204, connection.body
    assert wire.send("DELETE", made.entity).status == 204
    assert wire.send("GET", connection.entity).status == 404
    make_table(wire)
    assert wire.post("connections", {**ends, "record1id_new_thing@odata.bind": "/new_things(x)"}).status == 400


def test_a_table_that_others_point_to_stays(wire: Wire) -> None:
    make_table(wire)
    made = wire.post("RelationshipDefinitions", one_to_many("contact", "new_thing", "new_ThingId"))
    assert made.status == 204, made.body
    reply = wire.send("DELETE", THING)
    assert (reply.status, reply.code) == (400, "0x8004F01F")
    assert "contact.new_thingid" in reply.json()["error"]["message"]
    assert wire.send("DELETE", "EntityDefinitions(LogicalName='account')").code == "0x8004F01F"


def test_a_refused_definition_leaves_nothing_behind(wire: Wire) -> None:
    broken = {"@odata.type": f"{CRM}StringAttributeMetadata", "SchemaName": "new_Bad", "MaxLength": 99_999}
    primary = {"@odata.type": f"{CRM}StringAttributeMetadata", "SchemaName": "new_Name", "IsPrimaryName": True}
    assert make_table(wire, Attributes=[primary, broken]).status == 400
    assert wire.send("GET", THING).status == 404
    assert make_table(wire).status == 204


def test_definitions_outlive_a_restart(wire: Wire) -> None:
    make_table(wire)
    make_column(wire, "Picklist", "new_Pick", **options((5, "Five")))
    wire.post("new_things", {"new_pick": 5})
    wire.admin("snapshot", {"name": "now"})
    wire.admin("restore", {"name": "now"})
    assert wire.get("new_things?$select=new_pick")["value"][0]["new_pick"] == 5


def test_components_are_recorded_under_their_solution(wire: Wire) -> None:
    publisher = wire.post(
        "publishers",
        {
            "friendlyname": "P", "uniquename": "p", "customizationprefix": "new",
            "customizationoptionvalueprefix": 72_700,
        },
    )  # fmt: skip
    assert publisher.status == 204, publisher.body
    solution = {
        "friendlyname": "S",
        "uniquename": "s",
        "version": "1.0",
        "publisherid@odata.bind": f"/{publisher.entity}",
    }
    assert wire.post("solutions", solution).status == 204
    headers = {"MSCRM.SolutionUniqueName": "s"}
    column = {"@odata.type": f"{CRM}PicklistAttributeMetadata", "SchemaName": "new_Pick", **options((None, "A"))}
    path = "EntityDefinitions(LogicalName='account')/Attributes"
    assert wire.post(path, column, headers).status == 204
    listed = wire.get("solutioncomponents?$select=componenttype,rootcomponentbehavior,objectid")["value"]
    assert {(row["componenttype"], row["rootcomponentbehavior"]) for row in listed} == {(1, 2), (2, None)}
    attribute = wire.get(f"{path}(LogicalName='new_pick')?$select=LogicalName")["MetadataId"]
    assert attribute in {row["objectid"] for row in listed}
    cast = f"{path}(LogicalName='new_pick')/{CRM}PicklistAttributeMetadata?$expand=OptionSet"
    assert wire.get(cast)["OptionSet"]["Options"][0]["Value"] == 727_000_000
    refused = wire.post(path, {**column, "SchemaName": "new_Other"}, {"MSCRM.SolutionUniqueName": "nosuch"})
    assert refused.status == 400


def test_publishing_answers_and_changes_nothing(wire: Wire) -> None:
    assert wire.post("PublishAllXml", {}).status == 204
    assert wire.post("PublishXml", {"ParameterXml": "<importexportxml/>"}).status == 204


def test_what_metadata_does_not_do_is_refused_by_name(wire: Wire) -> None:
    for path in ("CloneAsPatch", "DeleteAndPromote", "GetValidManyToMany", "CanBeReferenced"):
        reply = wire.post(path, {})
        assert reply.status == 501
        assert path in reply.json()["error"]["message"]
