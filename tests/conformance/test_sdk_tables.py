"""Microsoft's SDK: tables, columns, relationships, alternate keys and files.

Source: Microsoft Learn, "Dataverse SDK for Python: Customize tables and columns", "Manage table relationships".
"""

from enum import IntEnum
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from PowerPlatform.Dataverse.common.constants import CASCADE_BEHAVIOR_CASCADE
from PowerPlatform.Dataverse.core.errors import HttpError, MetadataError
from PowerPlatform.Dataverse.models import (
    CascadeConfiguration,
    Label,
    LocalizedLabel,
    LookupAttributeMetadata,
    ManyToManyRelationshipMetadata,
    OneToManyRelationshipMetadata,
)


class Priority(IntEnum):
    LOW = 1
    HIGH = 2


def new_name() -> str:
    return f"new_T{uuid4().hex[:10]}"


def label(text: str) -> Label:
    return Label(localized_labels=[LocalizedLabel(label=text, language_code=1033)])


def test_a_table_with_every_type_of_column(sdk: Any) -> None:
    table = new_name()
    made = sdk.tables.create(
        table,
        {
            "new_Code": "string",
            "new_Text": "text",
            "new_Note": "memo",
            "new_Count": "int",
            "new_Price": "decimal",
            "new_Budget": "money",
            "new_Ratio": "float",
            "new_Day": "datetime",
            "new_Active": "bool",
            "new_Priority": Priority,
            "new_Document": "file",
        },
        primary_column="new_Title",
        display_name="Thing",
    )
    assert made["table_schema_name"] == table
    assert made["table_logical_name"] == table.lower()
    assert sdk.tables.get(table)["entity_set_name"] == made["entity_set_name"]
    values = {
        "new_Title": "first",
        "new_Code": "K1",
        "new_Text": "t",
        "new_Note": "n\nn",
        "new_Count": 3,
        "new_Price": 1.5,
        "new_Budget": 2.25,
        "new_Ratio": 0.125,
        "new_Day": "2026-01-31",
        "new_Active": True,
        "new_Priority": "High",
    }
    row = sdk.records.retrieve(table, sdk.records.create(table, values))
    expected = {name.lower(): value for name, value in values.items()} | {
        "new_priority": 2,
        "new_day": "2026-01-31T00:00:00Z",
    }
    assert {name: row[name] for name in expected} == expected
    assert table.lower() in {each["LogicalName"] for each in sdk.tables.list(filter="startswith(SchemaName, 'new_')")}
    sdk.tables.delete(table)
    assert sdk.tables.get(table) is None


def test_a_table_that_is_there_is_not_made_again(sdk: Any) -> None:
    table = new_name()
    sdk.tables.create(table, {})
    with pytest.raises(MetadataError):
        sdk.tables.create(table, {})


def test_columns_are_added_removed_and_discovered(sdk: Any) -> None:
    table = new_name()
    sdk.tables.create(table, {})
    assert sdk.tables.add_columns(table, {"new_Category": "string", "new_InStock": "bool"}) == [
        "new_Category",
        "new_InStock",
    ]
    assert sdk.tables.remove_columns(table, ["new_Category"]) == ["new_Category"]
    found = {each["LogicalName"] for each in sdk.tables.list_columns(table, select=["LogicalName"])}
    assert "new_instock" in found
    assert "new_category" not in found
    with pytest.raises(MetadataError):
        sdk.tables.remove_columns(table, "new_Category")
    assert sdk.tables.get_column(table, "new_Category") is None


def test_limits_of_columns_are_set_changed_read_and_enforced(sdk: Any) -> None:
    table = new_name()
    sdk.tables.create(
        table,
        {
            "new_Rating": {"type": "int", "min_value": 1, "max_value": 5},
            "new_Comment": {"type": "memo", "max_length": 2000, "display_name": "Comment"},
        },
    )
    with pytest.raises(HttpError):
        sdk.records.create(table, {"new_Rating": 6})
    sdk.tables.update_column(table, "new_Comment", {"max_length": 4000, "display_name": "Customer Comment"})
    sdk.tables.update_columns(table, {"new_Rating": {"max_value": 10}})
    sdk.records.create(table, {"new_Rating": 6, "new_Comment": "c" * 4000})
    comment = sdk.tables.get_column(table, "new_Comment", typed=True)
    assert comment["MaxLength"] == 4000
    assert comment["DisplayName"]["UserLocalizedLabel"]["Label"] == "Customer Comment"
    typed = {each["LogicalName"]: each for each in sdk.tables.list_columns(table, typed=True)}
    assert (typed["new_rating"]["MinValue"], typed["new_rating"]["MaxValue"]) == (1, 10)


def test_a_lookup_field_is_made_used_and_found(sdk: Any) -> None:
    parent, child = new_name(), new_name()
    for table in (parent, child):
        sdk.tables.create(table, {})
    made = sdk.tables.create_lookup_field(child.lower(), "new_ParentId", parent.lower(), display_name="Parent")
    assert made.lookup_schema_name == "new_ParentId"
    parent_id = sdk.records.create(parent, {"new_Name": "p"})
    parents = sdk.tables.get(parent)["entity_set_name"]
    id_ = sdk.records.create(child, {"new_Name": "c", "new_ParentId@odata.bind": f"/{parents}({parent_id})"})
    assert sdk.records.retrieve(child, id_, expand=["new_ParentId"])["new_ParentId"]["new_name"] == "p"
    found = sdk.tables.get_relationship(made.relationship_schema_name)
    assert (found.referenced_entity, found.referencing_entity) == (parent.lower(), child.lower())
    listed = sdk.tables.list_table_relationships(child)
    assert made.relationship_schema_name in {each["SchemaName"] for each in listed}


def test_a_one_to_many_relationship_cascades_as_told(sdk: Any) -> None:
    parent, child = new_name(), new_name()
    for table in (parent, child):
        sdk.tables.create(table, {})
    made = sdk.tables.create_one_to_many_relationship(
        LookupAttributeMetadata(schema_name="new_DepartmentId", display_name=label("Department")),
        OneToManyRelationshipMetadata(
            schema_name=f"{parent}_{child}",
            referenced_entity=parent.lower(),
            referencing_entity=child.lower(),
            referenced_attribute=f"{parent.lower()}id",
            cascade_configuration=CascadeConfiguration(delete=CASCADE_BEHAVIOR_CASCADE),
        ),
    )
    parents = sdk.tables.get(parent)["entity_set_name"]
    above = sdk.records.create(parent, {"new_Name": "p"})
    below = sdk.records.create(child, {"new_Name": "c", "new_DepartmentId@odata.bind": f"/{parents}({above})"})
    sdk.records.delete(parent, above)
    assert sdk.records.retrieve(child, below) is None
    sdk.tables.delete_relationship(made.relationship_id)
    assert sdk.tables.get_relationship(made.relationship_schema_name) is None


def test_a_many_to_many_relationship(sdk: Any) -> None:
    one, other = new_name(), new_name()
    for table in (one, other):
        sdk.tables.create(table, {})
    made = sdk.tables.create_many_to_many_relationship(
        ManyToManyRelationshipMetadata(
            schema_name=f"{one.lower()}_{other.lower()}",
            entity1_logical_name=one.lower(),
            entity2_logical_name=other.lower(),
        )
    )
    found = sdk.tables.get_relationship(made.relationship_schema_name)
    assert {found.entity1_logical_name, found.entity2_logical_name} == {one.lower(), other.lower()}
    sdk.tables.delete_relationship(made.relationship_id)
    assert sdk.tables.get_relationship(made.relationship_schema_name) is None


def test_relationships_are_listed(sdk: Any) -> None:
    kind = "RelationshipType eq Microsoft.Dynamics.CRM.RelationshipType'OneToManyRelationship'"
    found = sdk.tables.list_relationships(filter=kind, select=["SchemaName"])
    assert "contact_customer_accounts" in {each["SchemaName"] for each in found}


def test_alternate_keys_come_and_go(sdk: Any) -> None:
    table = new_name()
    sdk.tables.create(table, {"new_Code": "string"})
    made = sdk.tables.create_alternate_key(table, "new_code_key", ["new_code"], display_name="Code")
    (key,) = sdk.tables.get_alternate_keys(table)
    assert (key.metadata_id, key.key_attributes, key.status) == (made.metadata_id, ["new_code"], "Active")
    sdk.tables.delete_alternate_key(table, key.metadata_id)
    assert sdk.tables.get_alternate_keys(table) == []


@pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")  # the SDK's own way of sending
@pytest.mark.parametrize("mode", ["small", "chunk", "auto"])
def test_a_file_is_uploaded_into_a_column_that_is_made_for_it(sdk: Any, tmp_path: Path, mode: str) -> None:
    account = sdk.records.create("account", {"name": "files"})
    report = tmp_path / "report.pdf"
    report.write_bytes(bytes(range(256)) * (40_000 if mode == "chunk" else 40))
    column = f"new_File{mode}"
    sdk.files.upload("account", account, column, str(report), mode=mode, mime_type="application/pdf")
    row = sdk.records.retrieve("account", account, select=[column.lower(), f"{column.lower()}_name"])
    assert row[f"{column.lower()}_name"] == "report.pdf"
    report.write_bytes(b"new")
    sdk.files.upload("account", account, column, str(report), mode=mode, if_none_match=False)
