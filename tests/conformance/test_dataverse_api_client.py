"""The PyPI client dataverse-api, unmodified: everything its README and public methods offer.

What it sends to addresses that Dataverse does not have is answered as Dataverse answers it: 404.
"""

import logging
from collections.abc import Iterator
from uuid import UUID, uuid4

import pandas as pd
import pytest
import requests
from dataverse_api import DataverseClient
from dataverse_api.entity import DataverseEntity
from dataverse_api.errors import DataverseAPIError
from dataverse_api.metadata.attributes import (
    BigIntAttributeMetadata,
    BooleanAttributeMetadata,
    DateTimeAttributeMetadata,
    DecimalAttributeMetadata,
    IntegerAttributeMetadata,
    MemoAttributeMetadata,
    StringAttributeMetadata,
)
from dataverse_api.metadata.entity import EntityMetadata, define_entity
from dataverse_api.metadata.helpers import Publisher, Solution
from dataverse_api.metadata.relationships import define_relationship
from dataverse_api.utils.batching import BatchCommand, RequestMethod
from dataverse_api.utils.labels import define_label
from secure_emulator import Served

API = "/api/data/v9.2/"


@pytest.fixture(scope="module")
def url_and_session(emulator: Served) -> Iterator[tuple[str, requests.Session]]:
    with requests.Session() as session, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(emulator.certificate))
        session.headers["Authorization"] = "Bearer any"
        yield emulator.url, session


@pytest.fixture(scope="module")
def client(url_and_session: tuple[str, requests.Session]) -> DataverseClient:
    url, session = url_and_session
    return DataverseClient(session=session, environment_url=url)


@pytest.fixture(scope="module")
def account(client: DataverseClient, url_and_session: tuple[str, requests.Session]) -> DataverseEntity:
    url, session = url_and_session
    body = {
        "SchemaName": "new_number_key",
        "KeyAttributes": ["accountnumber"],
        "DisplayName": define_label("Number").dump_to_dataverse(),
    }
    made = session.post(f"{url}{API}EntityDefinitions(LogicalName='account')/Keys", json=body, timeout=30)
    made.raise_for_status()
    return client.entity(logical_name="account")


def word() -> str:
    return f"W{uuid4().hex[:10]}"


def found(entity: DataverseEntity, name: str) -> list[dict[str, object]]:
    return list(entity.read(select=["name", "telephone1"], filter=f"name eq '{name}'", order_by="telephone1"))


def test_what_it_learns_of_a_table(account: DataverseEntity) -> None:
    assert (account.entity_set_name, account.primary_id_attr) == ("accounts", "accountid")
    assert account.alternate_keys == {"new_number_key": ["accountnumber"]}
    assert account.supports_create_multiple
    assert account.supports_update_multiple
    assert "contact_customer_accounts" in account.relationships.collection_valued
    assert "primarycontactid" in account.relationships.single_valued


def test_languages(client: DataverseClient) -> None:
    assert client.get_language_codes() == [1033]


@pytest.mark.parametrize("mode", ["individual", "batch", "multiple"])
def test_rows_are_created_in_every_mode(account: DataverseEntity, mode: str) -> None:
    name = word()
    rows = [{"name": name, "telephone1": f"{n}"} for n in range(5)]
    answers = account.create(data=rows, mode=mode, return_created=True)
    assert all(answer.ok for answer in answers)
    assert [row["telephone1"] for row in found(account, name)] == ["0", "1", "2", "3", "4"]


def test_rows_are_created_from_a_frame_and_by_threads(account: DataverseEntity) -> None:
    name = word()
    frame = pd.DataFrame([{"name": name, "telephone1": f"{n}"} for n in range(20)])
    account.create(data=frame, mode="individual", threading=True)
    assert len(found(account, name)) == 20


@pytest.mark.parametrize("mode", ["individual", "batch"])
def test_rows_are_upserted_read_and_deleted(account: DataverseEntity, mode: str) -> None:
    name, number = word(), word()
    for telephone in ("1", "2"):
        rows = [{"accountnumber": f"{number}-{n}", "name": name, "telephone1": telephone} for n in range(3)]
        account.upsert(data=rows, altkey_name="new_number_key", mode=mode)
    rows = account.read(select=["accountid", "telephone1"], filter=f"name eq '{name}'", top=10)
    assert [row["telephone1"] for row in rows] == ["2", "2", "2"]
    account.upsert(data=[{"accountid": row["accountid"], "telephone1": "3"} for row in rows], mode=mode)
    ids = [str(row["accountid"]) for row in rows]
    account.delete_columns(["telephone1"], ids=ids[:1], mode=mode)
    assert [row["telephone1"] for row in found(account, name)] == [None, "3", "3"]
    account.delete(ids=ids[:2], mode=mode)
    account.delete(filter=f"name eq '{name}'", mode=mode)
    assert found(account, name) == []


def test_a_table_lives_from_definition_to_deletion(client: DataverseClient) -> None:
    table = f"new_{word()}"
    primary = StringAttributeMetadata(
        schema_name="new_primary_col",
        is_primary_name=True,
        description=define_label("Primary column"),
        display_name=define_label("Autonumber Column"),
        auto_number_format="{SEQNUM:6}-#-{RANDSTRING:3}",
    )
    definition = define_entity(
        schema_name=table,
        attributes=[primary],
        description=define_label("Made by a client"),
        display_name=define_label("Programmatically Created Table"),
    )
    made = client.create_entity(definition, return_representation=True)
    assert EntityMetadata.model_validate_dataverse(made.json()).schema_name == table
    metadata = client.get_entity_definition(table.lower())
    metadata.display_name.localized_labels[0].label = "Overridden Display Name"
    client.update_entity(metadata, preserve_localized_labels=True)
    again = client.get_entity_definition(table.lower())
    assert again.display_name.localized_labels[0].label == "Overridden Display Name"
    entity = client.entity(table.lower())
    entity.create(data=[{}], mode="individual")
    (row,) = entity.read(select=["new_primary_col"])
    assert row["new_primary_col"][:9] == "000001-#-" or row["new_primary_col"].startswith("001000-#-")
    client.delete_entity(table.lower())
    with pytest.raises(DataverseAPIError) as gone:
        client.get_entity_definition(table.lower())
    assert gone.value.response.status_code == 404


@pytest.mark.parametrize(
    "attribute",
    [
        StringAttributeMetadata(schema_name="new_text", max_length=50),
        MemoAttributeMetadata(schema_name="new_memo", max_length=500),
        IntegerAttributeMetadata(schema_name="new_whole", min_value=0, max_value=9),
        BigIntAttributeMetadata(schema_name="new_big"),
        DecimalAttributeMetadata(schema_name="new_decimal", min_value=0, max_value=10, precision=3),
        DateTimeAttributeMetadata(schema_name="new_when"),
        BooleanAttributeMetadata(schema_name="new_flag"),
    ],
    ids=lambda attribute: type(attribute).__name__,
)
def test_columns_of_every_type_come_and_go(account: DataverseEntity, attribute: StringAttributeMetadata) -> None:
    attribute.display_name = define_label("Shown")
    attribute.description = define_label("Described")
    made = account.add_attribute(attribute, return_representation=True)
    assert made.json()["LogicalName"] == attribute.schema_name
    account.remove_attribute(logical_name=attribute.schema_name)


def test_relationships(client: DataverseClient) -> None:
    name = f"new_{word()}"
    definition = define_relationship(name, "contact", "account", "new_OtherAccountId", referenced_attribute="accountid")
    assert client.create_relationship(definition).ok
    assert client.get_relationship_definition(name).schema_name == name


def test_publishers_and_solutions(client: DataverseClient) -> None:
    publisher = client.create_publisher(Publisher("Contoso", "contoso", "made here", "cnt", 12_345))
    id_ = publisher.headers["OData-EntityId"].rpartition("(")[2].rstrip(")")
    assert UUID(id_)
    with pytest.raises(DataverseAPIError) as refused:  # it binds 'publisher', the navigation property is 'publisherid'
        client.create_solution(Solution("Migration", "migration", "made here", id_))
    assert refused.value.response.status_code == 400


def test_a_batch_of_ones_own(client: DataverseClient, account: DataverseEntity) -> None:
    name = word()
    commands = [
        BatchCommand(url="accounts", method=RequestMethod.POST, data={"name": name, "telephone1": f"{n}"})
        for n in range(7)
    ]
    answers = client.submit_batch(commands, batch_size=3)
    assert len(answers) == 3
    assert len(found(account, name)) == 7


def test_errors_say_what_the_service_said(account: DataverseEntity, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        (answer,) = account.create(data=[{"nosuchcolumn": 1}], mode="individual")
    assert answer.status_code == 400
    assert "nosuchcolumn" in caplog.text


def test_addresses_that_dataverse_does_not_have_are_not_there(
    client: DataverseClient, account: DataverseEntity
) -> None:
    with pytest.raises(DataverseAPIError) as refused:  # it looks for a key among the columns
        account.remove_alternate_key(logical_name="new_number_key")
    assert refused.value.response.status_code == 404
    with pytest.raises(DataverseAPIError) as refused:  # relationships have a SchemaName, no LogicalName
        client.delete_relationship("contact_customer_accounts")
    assert refused.value.response.status_code == 404
