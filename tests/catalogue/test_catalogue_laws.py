"""What must hold of the catalogue whatever the facts are: the emulator and the planner rely on it without looking."""

from collections import Counter
from collections.abc import Iterator

import pytest

from flitstack.catalogue.read import load_catalogue, outside_tables, table_names
from flitstack.catalogue.types import Column, OneToMany, Table

CATALOGUE = load_catalogue()
LOOKUP_TYPES = {"Lookup", "Customer", "Owner"}
CHOICE_TYPES = {"Picklist", "MultiSelectPicklist"}

# Writable lookups no source gives a bindable property for; docs/catalogue.md, "Known gaps".
NOT_BINDABLE = {
    ("activitymimeattachment", "activityid"),
    ("campaignactivity", "serviceid"),
    ("campaignresponse", "serviceid"),
    ("connectionroleobjecttypecode", "connectionroleid"),
    ("import", "ownerid"),
    ("importfile", "importid"),
    ("listmember", "entityid"),
    ("listmember", "listid"),
    ("queue", "emailsignature"),
    ("queueitem", "objectid"),
    ("sharepointdocumentlocation", "regardingobjectid"),
    ("usersettings", "preferredsolution"),
}
# Published without options: their values are those of another table's statecode, or of the platform's settings pages.
WITHOUT_OPTIONS = {
    ("invoicedetail", "invoicestatecode"),
    ("opportunityproduct", "opportunitystatecode"),
    ("quotedetail", "quotestatecode"),
    ("salesorderdetail", "salesorderstatecode"),
    ("organization", "dateformatcode"),
    ("organization", "timeformatcode"),
    ("organization", "weekstartdaycode"),
}
# Primary names that only exist in EntityDefinitions, as the shadow of a lookup.
SHADOW_NAMES = {("activityparty", "partyidname"), ("productassociation", "productidname")} | {
    ("productpricelevel", "productidname")
}


def columns() -> Iterator[tuple[Table, Column]]:
    for table in CATALOGUE.tables.values():
        for column in table.columns.values():
            yield table, column


def test_every_table_is_filed_under_its_name() -> None:
    assert tuple(CATALOGUE.tables) == table_names()
    assert all(name == table.name for name, table in CATALOGUE.tables.items())
    assert all(column == found.name for t in CATALOGUE.tables.values() for column, found in t.columns.items())


def test_entity_sets_schema_names_and_type_codes_belong_to_one_table_each() -> None:
    for word in ("entity_set", "schema_name", "object_type_code"):
        times = Counter(getattr(table, word) for table in CATALOGUE.tables.values())
        assert [value for value, count in times.items() if count > 1] == []


def test_every_table_has_its_id_and_name_columns() -> None:
    for table in CATALOGUE.tables.values():
        assert table.columns[table.id_column].type == "Uniqueidentifier"
        assert table.name_column is None or (
            table.name_column in table.columns or (table.name, table.name_column) in SHADOW_NAMES
        )


def test_every_writable_lookup_names_a_property_for_each_target() -> None:
    short = {
        (table.name, column.name)
        for table, column in columns()
        if column.type in LOOKUP_TYPES
        and (column.creatable or column.updatable)
        and not set(column.targets) <= set(column.navigation)
    }
    assert short == NOT_BINDABLE


def test_a_lookup_and_its_relationship_name_the_same_property() -> None:
    for relationship in CATALOGUE.one_to_many:
        column = CATALOGUE.tables[relationship.referencing].columns[relationship.referencing_column]
        if relationship.navigation and relationship.referenced in column.navigation:
            assert column.navigation[relationship.referenced] == relationship.navigation


def test_the_owner_of_a_row_is_a_user_or_a_team() -> None:
    owners = [column for _, column in columns() if column.name == "ownerid"]
    assert {column.type for column in owners} == {"Owner"}
    assert all({"systemuser"} <= set(column.targets) <= {"systemuser", "team"} for column in owners)


def test_every_user_owned_table_has_an_owner() -> None:
    missing = [t.name for t in CATALOGUE.tables.values() if t.ownership == "UserOwned" and "ownerid" not in t.columns]
    assert missing == []


def test_states_have_their_default_status_and_status_columns_the_same_options() -> None:
    for table in CATALOGUE.tables.values():
        for state in table.states:
            known = {status.value for status in state.statuses}
            # invoice 1 "Closed (deprecated)" is published with the default status of Canceled.
            assert state.default_status in known or (table.name, state.value) == ("invoice", 1)
            assert {status.state for status in state.statuses} == {state.value}
        assert bool(table.states) == ("statecode" in table.columns)
        if table.states:
            reasons = [status for state in table.states for status in state.statuses]
            assert list(table.columns["statuscode"].options) == reasons
            assert len({status.value for status in reasons}) == len(reasons)
            assert [option.value for option in table.columns["statecode"].options] == [s.value for s in table.states]


def test_the_first_state_is_the_one_rows_start_in() -> None:
    for table in CATALOGUE.tables.values():
        if table.states:
            assert table.columns["statecode"].default == table.states[0].value
    assert CATALOGUE.tables["product"].states[0].label == "Draft"


def test_choices_have_options_and_their_default_is_one_of_them() -> None:
    for table, column in columns():
        if column.type in CHOICE_TYPES:
            assert column.options or (table.name, column.name) in WITHOUT_OPTIONS
        values = [option.value for option in column.options]
        assert len(set(values)) == len(values)
        if column.options and column.default is not None:
            assert int(column.default) in values
        assert (column.option_set is not None) >= (column.type in CHOICE_TYPES)


def test_texts_have_a_length_and_numbers_a_range() -> None:
    for table, column in columns():
        if column.type in {"String", "Memo"}:
            assert column.max_length, f"{table.name}.{column.name}"
        if column.type in {"Integer", "BigInt", "Decimal", "Double", "Money"}:
            if (table.name, column.name) == ("attachment", "versionnumber"):
                continue  # a column of the platform's own, published without a range
            assert column.min_value is not None, f"{table.name}.{column.name}"
            assert column.max_value is not None
            assert column.min_value <= column.max_value


def test_dates_say_how_they_behave() -> None:
    for table, column in columns():
        if column.type == "DateTime":
            assert column.date_behaviour in {"UserLocal", "DateOnly", "TimeZoneIndependent"}, table.name
            assert column.format in {"DateOnly", "DateAndTime"}


def test_vocabulary_is_closed() -> None:
    assert {t.ownership for t in CATALOGUE.tables.values()} <= {
        "UserOwned",
        "OrganizationOwned",
        "BusinessOwned",
        "TeamOwned",
        "None",
    }
    assert {c.required for _, c in columns()} <= {"None", "Recommended", "ApplicationRequired", "SystemRequired"}
    assert {kind for r in CATALOGUE.one_to_many for kind in r.cascade.values()} <= {
        "NoCascade",
        "Cascade",
        "Active",
        "UserOwned",
        "RemoveLink",
        "Restrict",
    }
    assert {d for _, c in columns() for d in c.doubts} <= {"ops", "required", "default", "presence"}


def test_every_relationship_ends_in_known_tables() -> None:
    for relationship in CATALOGUE.one_to_many:
        assert relationship.referencing_column in CATALOGUE.tables[relationship.referencing].columns
        assert set(relationship.cascade) == {"assign", "delete", "merge", "reparent", "share", "unshare"}
        if relationship.referenced in CATALOGUE.tables:
            assert relationship.referenced_column in CATALOGUE.tables[relationship.referenced].columns
        else:
            assert relationship.referenced in outside_tables()
    for link in CATALOGUE.many_to_many:
        ends = {link.table1, link.table2}
        assert ends & set(CATALOGUE.tables)
        assert ends <= set(CATALOGUE.tables) | outside_tables()


def test_every_lookup_leads_to_a_known_table() -> None:
    for table, column in columns():
        # System jobs may regard any table of the environment; the published list has hundreds.
        if (table.name, column.name) != ("asyncoperation", "regardingobjectid"):
            assert set(column.targets) <= set(CATALOGUE.tables) | outside_tables(), f"{table.name}.{column.name}"


def test_outside_tables_are_used_and_not_catalogued() -> None:
    targets = {target for _, column in columns() for target in column.targets}
    targets |= {relationship.referenced for relationship in CATALOGUE.one_to_many}
    targets |= {end for link in CATALOGUE.many_to_many for end in (link.table1, link.table2)}
    assert outside_tables() <= targets | {"webresource"}
    assert not outside_tables() & set(CATALOGUE.tables)


def test_relationship_names_and_collections_are_unique() -> None:
    names = Counter([r.name for r in CATALOGUE.one_to_many] + [r.name for r in CATALOGUE.many_to_many])
    assert [name for name, times in names.items() if times > 1] == []
    collections = Counter((r.referenced, r.collection) for r in CATALOGUE.one_to_many if r.collection)
    assert [end for end, times in collections.items() if times > 1] == []


def test_bulk_messages_come_in_a_set_and_never_to_tables_without_create() -> None:
    bulk = {"CreateMultiple", "UpdateMultiple", "UpsertMultiple"}
    for table in CATALOGUE.tables.values():
        assert table.messages & bulk in (set(), bulk), table.name
        if table.messages & bulk:
            assert {"Create", "Update", "Upsert"} <= table.messages


def test_activities_share_the_id_and_the_state_of_their_base() -> None:
    for table in CATALOGUE.tables.values():
        if table.is_activity:
            assert table.id_column == "activityid"
            assert table.states
            assert any(column.is_inherited for column in table.columns.values())


@pytest.mark.parametrize("table", ["annotation", "activitymimeattachment", "activityparty", "activitypointer"])
def test_tables_that_refuse_custom_columns_say_so(table: str) -> None:
    assert not CATALOGUE.tables[table].is_customizable


@pytest.mark.parametrize(
    "table", ["account", "contact", "task", "customeraddress", "transactioncurrency", "connection"]
)
def test_tables_that_take_custom_columns_say_so(table: str) -> None:
    assert CATALOGUE.tables[table].is_customizable


def test_other_apps_columns_are_left_out() -> None:
    assert "msdyn_taxexempt" not in CATALOGUE.tables["account"].columns
    assert "msdyn_ordertype" not in CATALOGUE.tables["quote"].columns


def test_queries_walk_the_graph_both_ways() -> None:
    from_contact = {r.name for r in CATALOGUE.lookups_from("contact")}
    to_account = {r.name for r in CATALOGUE.referencing("account")}
    assert from_contact & to_account >= {"contact_customer_accounts"}
    relationship: OneToMany = next(r for r in CATALOGUE.one_to_many if r.name == "contact_customer_accounts")
    assert (relationship.navigation, relationship.cascade["delete"]) == ("parentcustomerid_account", "Cascade")
    assert CATALOGUE.by_entity_set()["opportunities"].name == "opportunity"
    assert {link.name for link in CATALOGUE.links_of("systemuser")} >= {"teammembership_association"}
