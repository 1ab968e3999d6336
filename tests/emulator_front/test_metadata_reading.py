"""Definitions as clients ask for them. Request shapes: Microsoft Learn "Query table definitions" and both known clients."""

import xml.etree.ElementTree as ElementTree

import pytest
from front_wire import Wire

CRM = "Microsoft.Dynamics.CRM."
EDM = "{http://docs.oasis-open.org/odata/ns/edm}"


def test_a_table_is_found_by_filter_or_the_list_is_empty(shared_wire: Wire) -> None:
    query = "EntityDefinitions?$select=LogicalName,EntitySetName,PrimaryIdAttribute&$filter=LogicalName eq '{}'"
    (account,) = shared_wire.get(query.format("account"))["value"]
    assert account.keys() == {"MetadataId", "LogicalName", "EntitySetName", "PrimaryIdAttribute"}
    assert account["EntitySetName"] == "accounts"
    assert shared_wire.get(query.format("nosuch"))["value"] == []


def test_a_table_is_named_by_logical_name_or_id(shared_wire: Wire) -> None:
    by_name = shared_wire.get("EntityDefinitions(LogicalName='contact')")
    by_id = shared_wire.get(f"EntityDefinitions({by_name['MetadataId']})?$select=LogicalName")
    assert by_id["LogicalName"] == "contact"
    assert by_name["CanCreateAttributes"]["Value"] is True
    assert by_name["DisplayName"]["UserLocalizedLabel"]["Label"] == "Contact"
    assert "Attributes" not in by_name


def test_an_unknown_table_column_or_relationship_is_404(shared_wire: Wire) -> None:
    for path in (
        "EntityDefinitions(LogicalName='nosuch')",
        "EntityDefinitions(LogicalName='account')/Attributes(LogicalName='nosuch')",
        "RelationshipDefinitions(SchemaName='nosuch')",
        "GlobalOptionSetDefinitions(Name='nosuch')",
    ):
        assert shared_wire.send("GET", path).status == 404, path


def test_the_choices_of_a_table_come_with_their_options(shared_wire: Wire) -> None:
    path = f"EntityDefinitions(LogicalName='lead')/Attributes/{CRM}PicklistAttributeMetadata"
    found = shared_wire.get(f"{path}?$select=LogicalName&$expand=OptionSet($select=Options)")["value"]
    rating = next(item for item in found if item["LogicalName"] == "leadqualitycode")
    options = {o["Value"]: o["Label"]["LocalizedLabels"][0]["Label"] for o in rating["OptionSet"]["Options"]}
    assert options == {1: "Hot", 2: "Warm", 3: "Cold"}
    assert rating.keys() == {"@odata.type", "MetadataId", "LogicalName", "OptionSet"}


def test_states_know_their_default_status_and_statuses_their_state(shared_wire: Wire) -> None:
    base = "EntityDefinitions(LogicalName='quote')/Attributes"
    state = shared_wire.get(f"{base}(LogicalName='statecode')/{CRM}StateAttributeMetadata?$expand=OptionSet")
    assert {o["Value"]: o["DefaultStatus"] for o in state["OptionSet"]["Options"]} == {0: 1, 1: 2, 2: 4, 3: 7}
    status = shared_wire.get(f"{base}(LogicalName='statuscode')/{CRM}StatusAttributeMetadata?$expand=OptionSet")
    assert {o["Value"]: o["State"] for o in status["OptionSet"]["Options"]}[5] == 3


@pytest.mark.parametrize(
    ("cast", "column", "member", "value"),
    [
        ("String", "name", "MaxLength", 160),
        ("Memo", "description", "MaxLength", 2000),
        ("Money", "revenue", "PrecisionSource", 2),
        ("Integer", "numberofemployees", "MinValue", 0),
        ("Boolean", "donotemail", "DefaultValue", False),
        ("DateTime", "createdon", "DateTimeBehavior", {"Value": "UserLocal"}),
        ("Lookup", "primarycontactid", "Targets", ["contact"]),
        ("Double", "address1_latitude", "MaxValue", 90),
    ],
)
def test_each_type_has_its_cast(shared_wire: Wire, cast: str, column: str, member: str, value: object) -> None:
    base = f"EntityDefinitions(LogicalName='account')/Attributes(LogicalName='{column}')"
    assert shared_wire.get(f"{base}/{CRM}{cast}AttributeMetadata")[member] == value


def test_a_cast_to_another_type_is_404(shared_wire: Wire) -> None:
    path = f"EntityDefinitions(LogicalName='account')/Attributes(LogicalName='name')/{CRM}MoneyAttributeMetadata"
    assert shared_wire.send("GET", path).status == 404


def test_columns_are_filtered_by_type_in_both_spellings(shared_wire: Wire) -> None:
    base = "EntityDefinitions(LogicalName='account')/Attributes?$select=LogicalName&$filter=AttributeType eq "
    plain = shared_wire.get(f"{base}'Money'")["value"]
    spelled = shared_wire.get(f"{base}{CRM}AttributeTypeCode'Money'")["value"]
    assert plain == spelled
    assert "revenue" in {item["LogicalName"] for item in plain}


def test_columns_and_relationships_can_be_expanded(shared_wire: Wire) -> None:
    query = (
        "EntityDefinitions(LogicalName='task')?$select=LogicalName&$expand=Attributes($select=LogicalName;"
        "$filter=IsPrimaryName eq true),ManyToOneRelationships($select=SchemaName;$filter=SchemaName eq 'Account_Tasks')"
    )
    found = shared_wire.get(query)
    assert [item["LogicalName"] for item in found["Attributes"]] == ["subject"]
    assert [item["SchemaName"] for item in found["ManyToOneRelationships"]] == ["Account_Tasks"]


def test_relationships_name_their_navigation_properties(shared_wire: Wire) -> None:
    found = shared_wire.get("RelationshipDefinitions(SchemaName='Account_Tasks')")
    assert found["ReferencingEntityNavigationPropertyName"] == "regardingobjectid_account_task"
    assert found["CascadeConfiguration"]["Delete"] == "Cascade"
    listed = shared_wire.get("RelationshipDefinitions?$filter=SchemaName eq 'Account_Tasks'")["value"]
    assert listed[0]["@odata.type"] == "#Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata"
    assert listed[0]["ReferencedEntity"] == "account"


def test_an_unknown_property_is_refused_by_name(shared_wire: Wire) -> None:
    reply = shared_wire.send("GET", "EntityDefinitions?$select=Nonsense")
    assert (reply.status, reply.code) == (400, "0x0")
    assert "'Nonsense'" in reply.json()["error"]["message"]


def test_query_options_that_metadata_does_not_offer_are_refused(shared_wire: Wire) -> None:
    assert shared_wire.send("GET", "EntityDefinitions?$orderby=LogicalName").status == 501


def test_bulk_messages_are_told_by_the_message_filters(shared_wire: Wire) -> None:
    query = (
        "sdkmessagefilters?$select=sdkmessagefilterid&$filter=sdkmessageid/name eq @m and "
        "primaryobjecttypecode eq @t&@m='CreateMultiple'&@t='{}'"
    )
    assert len(shared_wire.get(query.format("account"))["value"]) == 1
    assert shared_wire.get(query.format("activitymimeattachment"))["value"] == []
    expanded = shared_wire.get(
        "sdkmessagefilters?$select=sdkmessagefilterid&$expand=sdkmessageid($select=name)"
        "&$filter=sdkmessageid/name eq 'UpdateMultiple' and primaryobjecttypecode eq 'contact'"
    )
    assert expanded["value"][0]["sdkmessageid"]["name"] == "UpdateMultiple"


def test_the_service_document_lists_the_entity_sets(shared_wire: Wire) -> None:
    names = {item["name"] for item in shared_wire.get("")["value"]}
    assert {"accounts", "contacts", "opportunities"} <= names


def test_the_csdl_document_describes_every_table(shared_wire: Wire) -> None:
    reply = shared_wire.send("GET", "$metadata", headers={"Accept": "application/xml"})
    assert reply.headers["content-type"].startswith("application/xml")
    root = ElementTree.fromstring(reply.body)
    types = {item.get("Name"): item for item in root.iter(f"{EDM}EntityType")}
    assert shared_wire.instance.environment.tables.keys() <= types.keys()
    contact = {item.get("Name"): item.get("Type") for item in types["contact"].iter(f"{EDM}Property")}
    assert contact["_parentcustomerid_value"] == "Edm.Guid"
    assert contact["birthdate"] == "Edm.Date"
    names = {item.get("Name") for item in types["contact"].iter(f"{EDM}NavigationProperty")}
    assert {"parentcustomerid_account", "parentcustomerid_contact"} <= names
    sets = {item.get("Name") for item in root.iter(f"{EDM}EntitySet")}
    assert "opportunities" in sets


def test_every_type_in_the_csdl_document_is_defined(shared_wire: Wire) -> None:
    root = ElementTree.fromstring(shared_wire.send("GET", "$metadata").body)
    defined = {item.get("Name") for tag in ("EntityType", "ComplexType") for item in root.iter(f"{EDM}{tag}")}
    for tag in ("NavigationProperty", "Parameter", "ReturnType"):
        for item in root.iter(f"{EDM}{tag}"):
            kind = str(item.get("Type")).removeprefix("Collection(").removesuffix(")")
            assert kind.startswith("Edm.") or kind.removeprefix("mscrm.") in defined, kind
