"""The schema difference: what is missing becomes operations, what clashes is told."""

from dataclasses import replace

import pytest

from flitstack.catalogue.read import load_table
from flitstack.catalogue.types import Column, Option, Table
from flitstack.errors import UsageError
from flitstack.mapping.document import MappedColumn, MappedRoute, MappingDocument
from flitstack.planning.live import without_operations
from flitstack.planning.schema import schema_operations


def mapping(table: str, *columns: MappedColumn, create_table: dict[str, object] | None = None) -> MappingDocument:
    route = MappedRoute("Contact", "r", table, "p", True, "", 1, columns, False, False, False, False, (), create_table)
    return MappingDocument((route,), {}, {}, {}, {}, "")


TAGS = MappedColumn("flit_tags", "value", "String", "Tags", "", {"type": "String", "length": 400, "label": "Tags"})
STAGE = MappedColumn(
    "flit_stage",
    "value",
    "Picklist",
    "Stage",
    "",
    {"type": "Picklist", "label": "Stage", "options": [[1, "New"], [2, "Won"]]},
)


def with_column(table: Table, column: Column) -> Table:
    return replace(table, columns={**table.columns, column.name: column})


def test_a_bare_table_gets_its_column_the_source_key_and_the_alternate_key() -> None:
    operations = schema_operations(mapping("contact", TAGS), {"contact": load_table("contact")}, "flit")
    assert [(o.kind, o.name) for o in operations] == [
        ("add_column", "flit_tags"),
        ("add_column", "flit_sourcekey"),
        ("add_column", "flit_sourceid"),
        ("add_key", "flit_sourcekey_key"),
        ("publish", "all"),
    ]


def test_what_exists_already_needs_no_operation_and_only_missing_options_are_added() -> None:
    live = with_column(
        load_table("contact"), Column("flit_stage", "flit_stage", "Picklist", options=(Option(1, "New"),))
    )
    operations = schema_operations(mapping("contact", STAGE), {"contact": live}, "flit")
    assert [(o.kind, o.details.get("value")) for o in operations if "stage" in o.name] == [("add_option", 2)]


def test_a_column_of_another_type_and_a_table_that_takes_none_are_told_in_one_go() -> None:
    live = with_column(load_table("contact"), Column("flit_tags", "flit_tags", "Integer"))
    both = MappingDocument((*mapping("contact", TAGS).routes, *mapping("annotation", STAGE).routes), {}, {}, {}, {}, "")
    with pytest.raises(UsageError) as error:
        schema_operations(both, {"contact": live, "annotation": load_table("annotation")}, "flit")
    assert [problem.code for problem in error.value.problems] == ["column-type-clash", "table-takes-no-columns"]


def test_a_table_nobody_defines_is_refused() -> None:
    with pytest.raises(UsageError, match="no table flit_thing"):
        schema_operations(mapping("flit_thing"), {"flit_thing": None}, "flit")


def test_a_plan_made_again_after_its_schema_was_made_is_the_same() -> None:
    """Once our columns are there, the live table less what we made is the table before."""
    before = load_table("contact")
    operations = schema_operations(mapping("contact", TAGS), {"contact": before}, "flit")
    made = before
    for operation in operations:
        if operation.kind == "add_column":
            made = with_column(made, Column(operation.name, operation.name, "String"))
    seen = without_operations({"contact": made}, [operation.to_dict() for operation in operations])
    assert schema_operations(mapping("contact", TAGS), seen, "flit") == operations
