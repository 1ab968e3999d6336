"""What a plan needs of the migration user, held against what the environment says it may do."""

from dataclasses import replace
from uuid import UUID

from flitstack.catalogue.read import load_catalogue
from flitstack.catalogue.types import Table
from flitstack.destinations.port import Facts
from flitstack.planning.access import check_access
from flitstack.planning.document import Plan, SendColumn, SendTable, Step

VERBS = ("Create", "Read", "Write", "Delete", "Append", "AppendTo", "Assign")


def live(name: str) -> Table:
    table = load_catalogue().tables[name]
    return replace(table, privileges={verb: f"prv{verb}{table.schema_name}" for verb in VERBS})


LIVE: dict[str, Table | None] = {name: live(name) for name in ("account", "contact")} | {"flit_course": None}


def column(name: str, kind: str = "String") -> SendColumn:
    return SendColumn(name, kind, name, name, is_lookup=kind in {"Lookup", "Customer", "Owner"})


def plan(*columns: SendColumn, kinds: tuple[str, ...] = ("create",), table: str = "contact") -> Plan:
    send = SendTable("01", table, "contacts", "01.parquet", 1, "", columns, ("Person",))
    steps = [Step(number, kind, "contacts", table, "", "01", 1) for number, kind in enumerate(kinds)]
    operations = ({"kind": "add_column"}, {"kind": "publish"})
    schema = Step(9, "schema", "", "", "", operations=operations)
    return Plan(
        1, "full", "production", "", "x", "flit", "", "", {}, "", (schema, *steps), (send,), ("contacts",), {}, ""
    )


def facts(held: dict[str, str] | None) -> Facts:
    return Facts("u", True, UUID(int=1), "o", UUID(int=2), 1033, "EUR", 1, frozenset(), (), (), 4, held)


def missing(made: Plan, held: dict[str, str]) -> dict[str, bool]:
    return {need.privilege: need.is_vital for need in check_access(made, LIVE, facts(held)).missing}


SCHEMA = {"prvCreateAttribute": "Global", "prvPublishCustomization": "Global"}


def test_creating_needs_create_and_read_and_a_rollback_delete() -> None:
    assert missing(plan(column("lastname")), SCHEMA) == {
        "prvCreateContact": True, "prvReadContact": True, "prvDeleteContact": False,
    }  # fmt: skip


def test_lookups_need_append_and_append_to_where_they_may_lead() -> None:
    found = missing(plan(column("parentcustomerid", "Customer")), SCHEMA)
    assert {name for name in found if "Append" in name} == {
        "prvAppendContact",
        "prvAppendToAccount",
        "prvAppendToContact",
    }


def test_states_second_passes_and_original_times_have_privileges_of_their_own() -> None:
    assert "prvWriteContact" not in missing(plan(column("lastname")), SCHEMA)
    assert missing(plan(column("lastname"), kinds=("create", "state")), SCHEMA)["prvWriteContact"]
    assert missing(plan(column("overriddencreatedon", "DateTime")), SCHEMA)["prvOverrideCreatedOnCreatedBy"]


def test_making_columns_is_named_too() -> None:
    assert {"prvCreateAttribute", "prvPublishCustomization"} <= missing(plan(column("lastname")), {}).keys()


def test_a_privilege_for_own_rows_is_narrow_where_rows_get_other_owners() -> None:
    held = SCHEMA | {f"prv{verb}Contact": "Global" for verb in VERBS} | {"prvCreateContact": "Basic"}
    assert check_access(plan(column("lastname")), LIVE, facts(held)).narrow == ()
    access = check_access(plan(column("ownerid", "Owner")), LIVE, facts(held))
    assert (access.missing, access.narrow) == ((), ("prvCreateContact (Basic)",))


def test_tables_that_are_not_there_yet_are_named_and_secured_columns_too() -> None:
    assert check_access(plan(column("x"), table="flit_course"), LIVE, facts({})).made == ("flit_course",)
    contact = live("contact")
    secured = {"lastname": replace(contact.columns["lastname"], is_secured=True)}
    tables: dict[str, Table | None] = {"contact": replace(contact, columns=contact.columns | secured)}
    assert check_access(plan(column("lastname")), tables, facts({})).secured == ("contact.lastname",)


def test_an_environment_that_does_not_tell_is_no_proof() -> None:
    access = check_access(plan(column("lastname")), LIVE, facts(None))
    assert (access.is_told, access.missing) == (False, ())
    assert access.needed == 5
