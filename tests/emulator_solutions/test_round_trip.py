"""What is exported is imported again, equal, into an empty environment."""

from typing import Any

import pytest
from solution_driver import CRM, Maker, differences, documents, label, lookup, many, options

TABLE = "new_thing"


@pytest.fixture
def full(maker: Maker) -> Maker:
    """One solution with every kind of column, relationship, key and choice, labels in three languages."""
    maker.solution()
    choice = {
        "Name": "new_colour", "DisplayName": label("Colour", de="Farbe"), "Description": label("All colours"),
        "IsGlobal": True, "OptionSetType": "Picklist",
        "Options": [
            {"Value": 727000000, "Label": label("Red", de="Rot", ja="赤"), "Color": "#ff0000"},
            {"Value": 5, "Label": label("Blue"), "Description": label("the sky"), "ExternalValue": "B"},
        ],
    }  # fmt: skip
    maker.make("GlobalOptionSetDefinitions", choice, "Sample")
    maker.table(
        "new_Thing", "Sample", DisplayName=label("Thing", de="Ding & <Sache>", fr='L\'"objet"'), HasNotes=True,
        HasActivities=True, ChangeTrackingEnabled=True, Description=label("Every\nthing"),
    )  # fmt: skip
    maker.table("new_Part", "Sample", OwnershipType="OrganizationOwned", EntitySetName="new_partset")
    for kind, name, more in COLUMNS:
        maker.column(TABLE, kind, name, "Sample", **more)
    bound = {"GlobalOptionSet@odata.bind": "/GlobalOptionSetDefinitions(Name='new_colour')"}
    maker.column(TABLE, "Picklist", "new_Colour", "Sample", **bound, DefaultFormValue=5)
    maker.column(TABLE, "MultiSelectPicklist", "new_Colours", "Sample", **bound)
    cascade = {
        "Delete": "Cascade",
        "Assign": "Cascade",
        "Share": "Cascade",
        "Unshare": "Cascade",
        "Reparent": "Cascade",
    }
    maker.make(
        "RelationshipDefinitions", lookup("new_part", TABLE, "new_Whole", CascadeConfiguration=cascade), "Sample"
    )
    maker.make("RelationshipDefinitions", lookup(TABLE, TABLE, "new_Parent", IsHierarchical=True), "Sample")
    maker.make("RelationshipDefinitions", many(TABLE, "contact", "new_Thing_Contact"), "Sample")
    maker.make("RelationshipDefinitions", many("new_part", "new_part", "new_Part_Part"), "Sample")
    for action, name, targets in (
        ("CreateCustomerRelationships", "new_Buyer", ("account", "contact")),
        ("CreatePolymorphicLookupAttribute", "new_Subject", ("lead", "new_part", "account")),
    ):
        ones = [{**lookup(TABLE, target, name), "Lookup": None} for target in targets]
        column = {"@odata.type": f"{CRM}LookupAttributeMetadata", "SchemaName": name, "DisplayName": label(name)}
        maker.make(action, {"OneToManyRelationships": ones, "Lookup": column}, "Sample")
    status = {"EntityLogicalName": TABLE, "AttributeLogicalName": "statuscode", "StateCode": 1}
    maker.make("InsertStatusValue", {**status, "Value": 727000001, "Label": label("Lost", de="Verloren")})
    key = {"SchemaName": "new_Number", "KeyAttributes": ["new_text", "new_whole"], "DisplayName": label("Number")}
    maker.make(f"EntityDefinitions(LogicalName='{TABLE}')/Keys", key, "Sample")
    return maker


COLUMNS: list[tuple[str, str, dict[str, Any]]] = [
    *(("String", f"new_{name}", {"FormatName": {"Value": name}, "MaxLength": 37})
      for name in ("Email", "Phone", "Url", "TextArea", "TickerSymbol", "RichText", "Json")),
    ("String", "new_Text", {"Description": label("a text"), "RequiredLevel": {"Value": "ApplicationRequired"}}),
    ("String", "new_Auto", {"AutoNumberFormat": "T-{SEQNUM:5}-{RANDSTRING:4}"}),
    ("Memo", "new_Long", {"MaxLength": 1_048_576, "RequiredLevel": {"Value": "Recommended"}}),
    ("Integer", "new_Whole", {"MinValue": -7, "MaxValue": 10}),
    ("Integer", "new_Duration", {"Format": "Duration"}),
    ("BigInt", "new_Big", {}),
    ("Decimal", "new_Share", {"Precision": 10, "MinValue": -0.125, "MaxValue": 99_999_999_999.5}),
    ("Double", "new_Ratio", {"Precision": 5, "MinValue": 0}),
    ("Money", "new_Fee", {"Precision": 3, "PrecisionSource": 0, "MaxValue": 1e9}),
    ("Money", "new_Rate", {"PrecisionSource": 2}),
    ("DateTime", "new_Day", {"Format": "DateOnly", "DateTimeBehavior": {"Value": "DateOnly"}}),
    ("DateTime", "new_LocalDay", {"Format": "DateOnly", "DateTimeBehavior": {"Value": "UserLocal"}}),
    ("DateTime", "new_Moment", {"Format": "DateAndTime", "DateTimeBehavior": {"Value": "UserLocal"}}),
    ("DateTime", "new_Fixed", {"Format": "DateAndTime", "DateTimeBehavior": {"Value": "TimeZoneIndependent"}}),
    ("Boolean", "new_Flag", {"DefaultValue": True, "OptionSet": {
        "TrueOption": {"Value": 1, "Label": label("Indeed", de="Ja")}, "FalseOption": {"Value": 0, "Label": label("No")},
    }}),
    ("Picklist", "new_Pick", {**options((3, "Three"), (1, "One")), "DefaultFormValue": 1}),
    ("MultiSelectPicklist", "new_Many", options((10, "Ten"), (11, "Eleven"))),
    ("File", "new_Paper", {"MaxSizeInKB": 4096}),
    ("Image", "new_Picture", {"CanStoreFullImage": True}),
    ("Image", "new_Another", {"MaxSizeInKB": 100}),
]  # fmt: skip


def test_an_exported_solution_imports_equal_into_an_empty_environment(full: Maker, target: Maker) -> None:
    first = full.export()
    answer = target.load(first)
    assert answer.status == 204, answer.body
    for table in (TABLE, "new_part"):
        assert differences(target.definition(table), full.definition(table)) == []
    assert target.choice("new_colour") == full.choice("new_colour")
    assert documents(target.export()) == documents(first)


def test_importing_the_same_again_changes_nothing(full: Maker) -> None:
    before = [full.definition(TABLE), full.definition("new_part"), full.choice("new_colour")]
    data = full.export()
    answer = full.load(data)
    assert answer.status == 204, answer.body
    assert differences([full.definition(TABLE), full.definition("new_part"), full.choice("new_colour")], before) == []
    assert full.export() == data


def test_rows_use_an_imported_table_at_once(full: Maker, target: Maker) -> None:
    assert target.load(full.export()).status == 204
    part = target.make("new_partset", {"new_name": "a part"})
    row = {
        "new_name": "x", "new_text": "t", "new_whole": 3, "new_fee": 1.5, "new_flag": False, "new_colour": 727000000,
        "new_colours": "5,727000000", "new_day": "2026-02-03", "statecode": 1, "statuscode": 727000001,
        "new_Subject_new_part@odata.bind": f"/{part}",
    }  # fmt: skip
    url = target.make("new_things", row)
    found = target.get(url)
    assert found["new_auto"].startswith("T-")
    assert {name: found[name] for name in row if "@" not in name} == {n: v for n, v in row.items() if "@" not in n}
    assert part.endswith(f"({found['_new_subject_value']})")
    assert found["new_fee_base"] == 1.5
    assert target.get("new_things(new_text='t',new_whole=3)")["new_name"] == "x"
