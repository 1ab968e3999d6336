"""Microsoft's SDK: everything a batch may hold, change sets that hold together, and what happens on a failure."""

from typing import Any
from uuid import uuid4

import pandas as pd
import pytest
from PowerPlatform.Dataverse.models import UpsertItem


def word() -> str:
    return f"W{uuid4().hex[:10]}"


def named(sdk: Any, name: str) -> list[Any]:
    return list(sdk.records.list("account", filter=f"name eq '{name}'", select=["name", "telephone1"]))


def test_operations_on_records_answer_in_order(sdk: Any) -> None:
    name = word()
    first = sdk.records.create("account", {"name": name})
    batch = sdk.batch.new()
    batch.records.create("account", {"name": name})
    batch.records.create("account", [{"name": name}, {"name": name}])
    batch.records.update("account", first, {"telephone1": "1"})
    batch.records.retrieve("account", first, select=["name", "telephone1"])
    batch.records.list("account", filter=f"name eq '{name}'", select=["name"], top=2)
    batch.records.delete("account", first)
    result = batch.execute()
    assert not result.has_errors
    created, many, updated, read, listed, deleted = result.responses
    assert created.entity_id
    assert len(many.data["Ids"]) == 2
    assert (updated.status_code, deleted.status_code) == (204, 204)
    assert read.data["telephone1"] == "1"
    assert len(listed.data["value"]) == 2
    assert len(named(sdk, name)) == 3


def test_a_change_set_refers_to_its_own_rows_and_commits_whole(sdk: Any) -> None:
    batch = sdk.batch.new()
    with batch.changeset() as changes:
        account = changes.records.create("account", {"name": word()})
        person = changes.records.create(
            "contact", {"lastname": "Child", "parentcustomerid_account@odata.bind": account}
        )
        changes.records.update("account", account, {"primarycontactid@odata.bind": person})
    result = batch.execute()
    assert not result.has_errors
    account_id, contact_id = result.responses[0].entity_id, result.responses[1].entity_id
    row = sdk.records.retrieve("account", account_id, expand=["primarycontactid"])
    assert row["primarycontactid"]["contactid"] == contact_id


def test_a_change_set_that_fails_leaves_nothing(sdk: Any) -> None:
    name = word()
    batch = sdk.batch.new()
    with batch.changeset() as changes:
        changes.records.create("account", {"name": name})
        changes.records.create("account", {"name": name, "nosuchcolumn": 1})
    result = batch.execute()
    assert result.has_errors
    assert result.failed[0].error_message
    assert named(sdk, name) == []


@pytest.mark.parametrize(("goes_on", "made"), [(False, 1), (True, 2)])
def test_a_failure_stops_the_batch_unless_it_goes_on(sdk: Any, goes_on: bool, made: int) -> None:
    name = word()
    batch = sdk.batch.new()
    batch.records.create("account", {"name": name})
    batch.records.create("account", {"name": name, "nosuchcolumn": 1})
    batch.records.create("account", {"name": name})
    result = batch.execute(continue_on_error=goes_on)
    assert (len(result.succeeded), len(result.failed)) == (made, 1)
    assert len(named(sdk, name)) == made


def test_upserts_in_a_batch(sdk: Any) -> None:
    sdk.tables.create_alternate_key("account", "new_number_key", ["accountnumber"])
    number = word()
    batch = sdk.batch.new()
    batch.records.upsert("account", [UpsertItem(alternate_key={"accountnumber": number}, record={"name": number})])
    batch.records.upsert(
        "account",
        [
            UpsertItem(alternate_key={"accountnumber": number}, record={"telephone1": "7"}),
            UpsertItem(alternate_key={"accountnumber": word()}, record={"name": number}),
        ],
    )
    assert not batch.execute().has_errors
    assert sorted(row["telephone1"] or "" for row in named(sdk, number)) == ["", "7"]


def test_definitions_in_a_batch(sdk: Any) -> None:
    table = f"new_{word()}"
    batch = sdk.batch.new()
    batch.tables.create(table, {"new_Code": "string"})
    batch.tables.get(table)
    assert not batch.execute().has_errors
    batch = sdk.batch.new()
    batch.tables.add_columns(table, {"new_One": "string", "new_Two": "int"})
    batch.tables.create_lookup_field(table.lower(), "new_AccountId", "account")
    batch.tables.list()
    result = batch.execute()
    assert not result.has_errors
    assert len(result.responses) == 4
    batch = sdk.batch.new()
    batch.tables.remove_columns(table, "new_One")
    batch.tables.get_relationship(f"account_{table.lower()}_new_AccountId")
    batch.tables.delete(table)
    assert not batch.execute().has_errors
    assert sdk.tables.get(table) is None


def test_sql_and_frames_in_a_batch(sdk: Any) -> None:
    name = word()
    ids = sdk.records.create("account", [{"name": name}, {"name": name}])
    batch = sdk.batch.new()
    batch.dataframe.create("account", pd.DataFrame([{"name": name}]))
    batch.dataframe.update("account", pd.DataFrame({"accountid": ids, "telephone1": ["1", "2"]}), id_column="accountid")
    batch.query.sql(f"SELECT name FROM account WHERE name = '{name}'")
    batch.dataframe.delete("account", pd.Series(ids), use_bulk_delete=False)
    result = batch.execute()
    assert not result.has_errors, [failed.error_message for failed in result.failed]
    assert len(result.responses[2].data["value"]) == 3
    assert len(named(sdk, name)) == 1
