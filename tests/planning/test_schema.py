"""The schema difference: what is missing becomes operations, what clashes is told."""

from dataclasses import replace

import pytest

from flitstack.catalogue.read import load_table
from flitstack.catalogue.types import Column, Option, Table
from flitstack.destinations.memory.schema import change, new_column
from flitstack.errors import UsageError
from flitstack.mapping.document import MappedColumn, MappedRoute, MappingDocument
from flitstack.planning.live import as_we_called_it, still_made, without_operations
from flitstack.planning.schema import Standing, schema_operations


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


@pytest.mark.parametrize(
    ("there", "wanted", "clashes"),
    [
        ("DateOnly", {}, True),
        ("UserLocal", {"format": "DateOnly"}, True),
        ("DateOnly", {"format": "DateOnly"}, False),
        ("UserLocal", {}, False),
        ("TimeZoneIndependent", {}, False),
        ("UserLocal", {"format": "DateOnly", "behaviour": "UserLocal"}, False),  # shown as days, kept as times
    ],
)
def test_a_column_of_days_does_not_take_times(there: str, wanted: dict[str, str], clashes: bool) -> None:
    definition = {"type": "DateTime", "label": "Met", **wanted}
    column = MappedColumn("flit_met", "value", "DateTime", "Met", "", definition)
    live = with_column(load_table("contact"), Column("flit_met", "flit_met", "DateTime", date_behaviour=there))
    if clashes:
        with pytest.raises(UsageError, match=r"as DateTime \(days.*wants DateTime \(days"):
            schema_operations(mapping("contact", column), {"contact": live}, "flit")
    else:
        assert not [
            o for o in schema_operations(mapping("contact", column), {"contact": live}, "flit") if o.name == "flit_met"
        ]


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


STANDING = {"kind": "add_column", "table": "contact", "name": "flit_stage", "label": "Stage"}


def standing(kind: str, **made: object) -> tuple[dict[str, Table | None], Standing]:
    """Contact without and with a column that we made."""
    operation = {**STANDING, "type": kind, **made}
    there = {"contact": with_column(load_table("contact"), new_column(operation))}
    return without_operations(there, [operation]), Standing(there, (operation,))


def stage(create: dict[str, object]) -> MappedColumn:
    return replace(STAGE, type=str(create["type"]), create={"label": "Stage", **create})


def of_stage(create: dict[str, object], seen: dict[str, Table | None], stands: Standing) -> list[dict[str, object]]:
    found = schema_operations(mapping("contact", stage(create)), seen, "flit", stands)
    return [operation.to_dict() for operation in found if operation.name == "flit_stage"]


def test_a_choice_that_we_made_gets_the_options_it_lacks_and_the_plan_made_again_is_the_same() -> None:
    seen, stands = standing("Picklist", options=[[1, "New"]])
    wanted = {"type": "Picklist", "options": [[1, "New"], [2, "Won"]]}
    more = {"kind": "add_option", "table": "contact", "name": "flit_stage", "value": 2, "label": "Won"}
    first = of_stage(wanted, seen, stands)
    assert first == [stands.made[0], more]
    tables = dict(stands.live)
    change(tables, more, undo=False)
    assert of_stage(wanted, seen, Standing(tables, (*stands.made, more))) == first


def test_a_column_that_we_made_becomes_wider_and_never_narrower() -> None:
    seen, stands = standing("String", length=100)
    assert of_stage({"type": "String", "length": 50}, seen, stands) == [stands.made[0]]
    wider = {"kind": "widen_column", "table": "contact", "name": "flit_stage", "type": "String", "length": 400}
    assert of_stage({"type": "String", "length": 400}, seen, stands) == [stands.made[0], wider]


def test_a_column_that_was_there_before_us_keeps_its_length() -> None:
    live = with_column(load_table("contact"), Column("flit_stage", "flit_stage", "String", max_length=100))
    assert of_stage({"type": "String", "length": 400}, {"contact": live}, Standing({"contact": live})) == []


def test_another_type_than_the_one_that_we_made_is_told() -> None:
    seen, stands = standing("String", length=100)
    with pytest.raises(UsageError, match="exists in the destination as String, the map wants Integer"):
        of_stage({"type": "Integer"}, seen, stands)


@pytest.mark.parametrize(
    ("there", "wanted", "is_clash"),
    [("New", "Won", True), ("Neu", "New", False), ("Neu", "neu", False), ("New", "NEW ", False), ("Neu", "Won", True)],
)
def test_a_number_that_is_known_with_another_label_is_refused_but_a_renamed_option_is_not(
    there: str, wanted: str, is_clash: bool
) -> None:
    """We made it as New; `there` is what it is called by now."""
    seen, stands = standing("Picklist", options=[[1, "New"]])
    table = stands.live["contact"]
    assert table is not None
    renamed = with_column(table, replace(table.columns["flit_stage"], options=(Option(1, there),)))
    stands = replace(stands, live={"contact": renamed})
    wanted_options = {"type": "Picklist", "options": [[1, wanted]]}
    if not is_clash:
        assert of_stage(wanted_options, seen, stands) == [stands.made[0]]
        return
    with pytest.raises(UsageError) as error:
        of_stage(wanted_options, seen, stands)
    assert [problem.code for problem in error.value.problems] == ["option-number-clash"]


def test_what_was_never_made_or_is_gone_since_does_not_count_as_made() -> None:
    _, stands = standing("Picklist", options=[[1, "New"]])
    more = {"kind": "add_option", "table": "contact", "name": "flit_stage", "value": 2, "label": "Won"}
    assert still_made(stands.live, [stands.made[0], more]) == stands.made
    assert still_made({"contact": load_table("contact")}, stands.made) == ()


def test_the_words_of_an_export_are_known_by_the_labels_that_we_gave() -> None:
    _, stands = standing("Picklist", options=[[1, "New"], [2, "Won"]])
    table = stands.live["contact"]
    assert table is not None
    options = (Option(1, "Renamed"), Option(2, "Won"), Option(3, "Made by hand"))
    live = {"contact": with_column(table, replace(table.columns["flit_stage"], options=options))}
    called = as_we_called_it(live, stands.made)["contact"]
    assert called is not None
    assert [option.label for option in called.columns["flit_stage"].options] == ["New", "Won", "Made by hand"]
