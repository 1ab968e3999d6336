"""Microsoft's SDK: records, upserts, data frames and errors, as its documentation shows them.

Source: the package's README and docstrings; Microsoft Learn, "Dataverse SDK for Python: Work with Dataverse data".
"""

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pandas as pd
import pytest
from PowerPlatform.Dataverse.core.errors import HttpError, MetadataError, ValidationError
from PowerPlatform.Dataverse.models import UpsertItem

WAIT_S = 30


def word() -> str:
    return f"W{uuid4().hex[:10]}"


def eventually(done: Callable[[], bool]) -> None:
    until = time.monotonic() + WAIT_S
    while not done():
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.1)


def test_a_record_lives_from_create_to_delete(sdk: Any) -> None:
    id_ = sdk.records.create("account", {"name": "Contoso Ltd", "telephone1": "555-0100"})
    assert UUID(id_)
    assert sdk.records.retrieve("account", id_, select=["name", "telephone1"])["telephone1"] == "555-0100"
    sdk.records.update("account", id_, {"telephone1": "555-0199"})
    assert sdk.records.retrieve("account", id_, select=["telephone1"])["telephone1"] == "555-0199"
    sdk.records.delete("account", id_)
    assert sdk.records.retrieve("account", id_, select=["name"]) is None


def test_choice_labels_become_numbers(sdk: Any) -> None:
    id_ = sdk.records.create("account", {"name": word(), "industrycode": "Accounting"})
    row = sdk.records.retrieve(
        "account", id_, select=["industrycode"], include_annotations="OData.Community.Display.V1.FormattedValue"
    )
    assert row["industrycode"] == 1
    assert row["industrycode@OData.Community.Display.V1.FormattedValue"] == "Accounting"


def test_lookups_are_bound_and_expanded(sdk: Any) -> None:
    contact = sdk.records.create("contact", {"firstname": "Jane", "lastname": "Doe"})
    account = sdk.records.create("account", {"name": word(), "primarycontactid@odata.bind": f"/contacts({contact})"})
    row = sdk.records.retrieve("account", account, select=["name"], expand=["primarycontactid"])
    assert row["primarycontactid"]["fullname"] == "Jane Doe"


def test_the_wrong_case_of_a_navigation_property_is_refused(sdk: Any) -> None:
    account = sdk.records.create("account", {"name": word()})
    with pytest.raises(HttpError) as refused:
        sdk.records.create(
            "contact", {"lastname": "Doe", "ParentCustomerId_Account@odata.bind": f"/accounts({account})"}
        )
    assert refused.value.status_code == 400


def test_many_records_in_one_request(sdk: Any) -> None:
    names = [word() for _ in range(20)]
    ids = sdk.records.create("account", [{"name": name} for name in names])
    assert len({UUID(id_) for id_ in ids}) == 20
    sdk.records.update("account", ids, {"industrycode": 1})
    sdk.records.update("account", ids, [{"telephone1": f"{n}"} for n in range(20)])
    rows = [sdk.records.retrieve("account", id_, select=["name", "telephone1", "industrycode"]) for id_ in ids]
    assert [(row["name"], row["telephone1"], row["industrycode"]) for row in rows] == [
        (name, f"{n}", 1) for n, name in enumerate(names)
    ]


def test_a_list_is_deleted_by_a_background_job(sdk: Any) -> None:
    mark = word()
    ids = sdk.records.create("account", [{"name": mark} for _ in range(5)])
    assert UUID(sdk.records.delete("account", ids))
    eventually(lambda: len(sdk.records.list("account", filter=f"name eq '{mark}'")) == 0)


def test_a_list_is_deleted_one_by_one(sdk: Any) -> None:
    mark = word()
    ids = sdk.records.create("account", [{"name": mark} for _ in range(3)])
    assert sdk.records.delete("account", ids, use_bulk_delete=False) is None
    assert len(sdk.records.list("account", filter=f"name eq '{mark}'")) == 0


def test_lists_are_filtered_ordered_counted_and_paged(sdk: Any) -> None:
    mark = word()
    sdk.records.create("contact", [{"firstname": mark, "lastname": f"{n:02}"} for n in range(12)])
    mine = f"firstname eq '{mark}'"
    rows = sdk.records.list("contact", filter=mine, select=["lastname"], orderby=["lastname desc"], top=3)
    assert [row["lastname"] for row in rows] == ["11", "10", "09"]
    pages = list(
        sdk.records.list_pages(
            "contact", filter=mine, select=["lastname"], orderby=["lastname"], page_size=5, count=True
        )
    )
    assert [[row["lastname"] for row in page] for page in pages] == [
        [f"{n:02}" for n in range(start, min(start + 5, 12))] for start in (0, 5, 10)
    ]
    assert len(sdk.records.list("contact", filter=mine, select=["lastname"])) == 12


@pytest.fixture(scope="module")
def keyed(sdk: Any) -> Any:
    """A client whose environment has alternate keys on account."""
    sdk.tables.create_alternate_key("account", "new_number_key", ["accountnumber"])
    sdk.tables.create_alternate_key("account", "new_place_key", ["accountnumber", "address1_postalcode"])
    eventually(lambda: {key.status for key in sdk.tables.get_alternate_keys("account")} == {"Active"})
    return sdk


def by_number(sdk: Any, number: str) -> list[Any]:
    return list(sdk.records.list("account", filter=f"accountnumber eq '{number}'", select=["name", "telephone1"]))


def test_one_upsert_creates_then_updates(keyed: Any) -> None:
    number = word()
    for name in ("Contoso Ltd", "Contoso Corp"):
        keyed.records.upsert("account", [UpsertItem(alternate_key={"accountnumber": number}, record={"name": name})])
    (row,) = by_number(keyed, number)
    assert row["name"] == "Contoso Corp"


def test_many_upserts_create_and_update(keyed: Any) -> None:
    first, second = word(), word()
    keyed.records.upsert("account", [{"alternate_key": {"accountnumber": first}, "record": {"name": "old"}}])
    keyed.records.upsert(
        "account",
        [
            UpsertItem(alternate_key={"accountnumber": first}, record={"name": "new"}),
            UpsertItem(alternate_key={"accountnumber": second}, record={"name": "other"}),
        ],
    )
    assert [row["name"] for row in by_number(keyed, first) + by_number(keyed, second)] == ["new", "other"]


def test_an_upsert_by_a_key_of_two_columns(keyed: Any) -> None:
    key = {"accountnumber": word(), "address1_postalcode": "98052"}
    for name in ("one", "two"):
        keyed.records.upsert("account", [UpsertItem(alternate_key=key, record={"name": name})])
    (row,) = by_number(keyed, key["accountnumber"])
    assert row["name"] == "two"


def test_an_upsert_by_columns_that_are_no_key_is_refused(keyed: Any) -> None:
    with pytest.raises(HttpError) as refused:
        keyed.records.upsert("account", [UpsertItem(alternate_key={"fax": "1"}, record={"name": "x"})])
    assert refused.value.status_code == 400


def test_data_frames_are_created_updated_cleared_and_deleted(sdk: Any) -> None:
    mark = word()
    frame = pd.DataFrame(
        [
            {"name": mark, "telephone1": "555-0100", "revenue": 12.5, "websiteurl": "https://a.example"},
            {"name": mark, "telephone1": "555-0200", "revenue": float("nan"), "websiteurl": "https://b.example"},
        ]
    )
    frame["accountid"] = sdk.dataframe.create("account", frame)
    frame["telephone1"] = ["1", "2"]
    sdk.dataframe.update("account", frame[["accountid", "telephone1"]], id_column="accountid")
    frame["websiteurl"] = None
    sdk.dataframe.update("account", frame[["accountid", "websiteurl"]], id_column="accountid", clear_nulls=True)
    found = sdk.records.list(
        "account", filter=f"name eq '{mark}'", select=["telephone1", "revenue", "websiteurl"], orderby=["telephone1"]
    ).to_dataframe()
    assert list(found["telephone1"]) == ["1", "2"]
    assert found["revenue"][0] == 12.5
    assert pd.isna(found["revenue"][1])
    assert found["websiteurl"].isna().all()
    sdk.dataframe.delete("account", frame["accountid"], use_bulk_delete=False)
    assert len(sdk.records.list("account", filter=f"name eq '{mark}'")) == 0


def test_errors_carry_the_status_and_the_services_own_code(sdk: Any) -> None:
    with pytest.raises(HttpError) as refused:
        sdk.records.update("account", str(uuid4()), {"name": "x"})
    assert (refused.value.status_code, refused.value.is_transient) == (404, False)
    assert refused.value.details["service_error_code"] == "0x80040217"
    with pytest.raises(HttpError) as refused:
        sdk.records.create("account", {"name": "x", "nosuchcolumn": 1})
    assert refused.value.status_code == 400
    with pytest.raises(MetadataError):
        sdk.records.create("new_nosuchtable", {"name": "x"})
    with pytest.raises(ValidationError):
        sdk.query.sql("")
