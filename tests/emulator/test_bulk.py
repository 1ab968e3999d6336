"""CreateMultiple, UpdateMultiple, UpsertMultiple: all or nothing."""

from pathlib import Path

import pytest
from core_driver import Driver

from flitstack.catalogue.types import Column, Key
from flitstack.emulator.core import Environment, Refusal, Switches

MISSING = "00000000-0000-0000-0000-00000000dead"


def test_ids_come_back_in_order(driver: Driver) -> None:
    rows: list[dict[str, object]] = [
        {"name": f"A{n}"} if n % 3 else {"name": f"A{n}", "donotemail": True} for n in range(50)
    ]
    ids = driver.multiple("CreateMultiple", "accounts", "account", rows)["Ids"]
    read = {r["accountid"]: r for r in driver.rows("accounts", select="name,donotemail")}
    assert [read[id_]["name"] for id_ in ids] == [row["name"] for row in rows]
    assert [read[id_]["donotemail"] for id_ in ids] == [n % 3 == 0 for n in range(50)]


def test_fresh_ids_ascend_in_the_databases_order(driver: Driver) -> None:
    ids = driver.multiple("CreateMultiple", "accounts", "account", [{"name": str(n)} for n in range(300)])["Ids"]
    assert [r["accountid"] for r in driver.rows("accounts", select="name")] == ids


@pytest.mark.parametrize(
    "bad",
    [{"name": "x" * 200}, {"industrycode": -5}, {"primarycontactid@odata.bind": f"/contacts({MISSING})"}, {"oops": 1}],
)
def test_one_bad_row_sinks_the_whole_request(driver: Driver, bad: dict[str, object]) -> None:
    with pytest.raises(Refusal):
        driver.multiple("CreateMultiple", "accounts", "account", [{"name": "good"}, bad])
    assert driver.rows("accounts") == []


def test_a_duplicate_in_the_request_sinks_it(driver: Driver) -> None:
    with pytest.raises(Refusal, match="412 0x80040237"):
        driver.multiple("CreateMultiple", "accounts", "account", [{"accountid": MISSING}, {"accountid": MISSING}])
    assert driver.rows("accounts") == []


def test_targets_need_their_type_and_must_exist(driver: Driver) -> None:
    bodies: list[dict[str, object]] = [
        {"Targets": [{"name": "x"}]}, {"Targets": []}, {}, {"Targets": [{"@odata.type": "contact"}]},
    ]  # fmt: skip
    for body in bodies:
        with pytest.raises(Refusal, match=r"^400"):
            driver.send("POST", "accounts/Microsoft.Dynamics.CRM.CreateMultiple", body)


def test_update_multiple_changes_all_or_none(driver: Driver) -> None:
    ids = driver.multiple("CreateMultiple", "accounts", "account", [{"name": "a"}, {"name": "b"}])["Ids"]
    driver.multiple("UpdateMultiple", "accounts", "account", [{"accountid": i, "telephone1": "1"} for i in ids])
    assert [r["telephone1"] for r in driver.rows("accounts", select="telephone1")] == ["1", "1"]
    with pytest.raises(Refusal, match=f"404 0x80040217 Account With Ids = {MISSING} Do Not Exist"):
        driver.multiple(
            "UpdateMultiple", "accounts", "account",
            [{"accountid": ids[0], "telephone1": "2"}, {"accountid": MISSING, "telephone1": "2"}],
        )  # fmt: skip
    assert [r["telephone1"] for r in driver.rows("accounts", select="telephone1")] == ["1", "1"]


def test_upsert_multiple_by_key_and_by_id(driver: Driver) -> None:
    column = Column("new_key", "new_Key", "String", creatable=True, updatable=True, max_length=100)
    driver.environment.put_column("account", column)
    driver.environment.put_key("account", Key("k", ("new_key",)))
    rows: list[dict[str, object]] = [
        {"@odata.id": "accounts(new_key='1')", "name": "one"},
        {"@odata.id": "accounts(new_key='2')", "name": "two"},
        {"accountid": MISSING, "name": "three"},
    ]
    for _ in range(2):
        assert driver.multiple("UpsertMultiple", "accounts", "account", rows) is None
    found = driver.rows("accounts", select="name,new_key", orderby="name")
    assert [(r["name"], r["new_key"]) for r in found] == [("one", "1"), ("three", None), ("two", "2")]


def test_bulk_messages_can_be_switched_off_per_table(tmp_path: Path) -> None:
    environment = Environment.open(tmp_path, Switches(without_bulk=frozenset({"account"})))
    with pytest.raises(Refusal, match=r"^400"):
        Driver(environment).multiple("CreateMultiple", "accounts", "account", [{"name": "a"}])
    environment.close()


def test_a_transaction_joins_requests_and_rolls_them_back(driver: Driver) -> None:
    def change_set() -> None:
        with driver.environment.transaction():
            driver.create("accounts", name="first")
            driver.create("leads", subject="l")
            driver.create("accounts", name="x" * 200)

    with pytest.raises(Refusal, match="0x80044331"):
        change_set()
    assert driver.rows("accounts") == driver.rows("leads") == []
    with driver.environment.transaction():
        driver.create("accounts", name="first")
    assert len(driver.rows("accounts")) == 1
