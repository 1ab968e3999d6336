"""Creating, reading, changing and deleting single rows."""

from uuid import UUID

import pytest
from core_driver import BASE, Driver

from flitstack.emulator.core import Refusal

ROW = "00000000-0000-0000-0000-0000000000a1"
MISSING = "00000000-0000-0000-0000-00000000dead"


def test_a_created_row_reads_back_with_the_id_the_client_chose(driver: Driver) -> None:
    answer = driver.send("POST", "accounts", {"accountid": ROW, "name": "Ährenfeld & Söhne", "numberofemployees": 12})
    assert answer.headers["OData-EntityId"] == f"{BASE}accounts({ROW})"
    row = driver.get(f"accounts({ROW})", select="name,numberofemployees,statecode,statuscode,donotemail")
    assert row["name"] == "Ährenfeld & Söhne"
    assert (row["numberofemployees"], row["statecode"], row["statuscode"], row["donotemail"]) == (12, 0, 1, False)
    assert row["@odata.etag"].startswith('W/"')


def test_a_taken_id_is_refused(driver: Driver) -> None:
    driver.create("accounts", accountid=ROW)
    with pytest.raises(Refusal, match="412 0x80040237"):
        driver.create("accounts", accountid=ROW)


@pytest.mark.parametrize(
    ("table", "body", "code"),
    [
        ("accounts", {"nme": "typo"}, "400 0x0"),
        ("accounts", {"name": 5}, "400 0x80048d19"),
        ("accounts", {"name": "x" * 161}, "400 0x80044331"),
        ("accounts", {"name": "\N{GRINNING FACE}" * 81}, "400 0x80044331"),
        ("accounts", {"industrycode": 999}, "400 0x8004431A"),
        ("accounts", {"donotemail": 1}, "400 0x80048d19"),
        ("accounts", {"numberofemployees": -1}, "400 0x8004432F"),
        ("accounts", {"numberofemployees": 1.5}, "400 0x80048d19"),
        ("accounts", {"revenue": -1}, "400 0x80040317"),
        ("accounts", {"address1_latitude": 91}, "400 0x80044330"),
        ("accounts", {"accountid": "not-a-guid"}, "400 0x80048d19"),
        ("contacts", {"anniversary": "1752-12-31"}, "400 0x80040239"),
        ("contacts", {"anniversary": "31.12.2020"}, "400 0x80048d19"),
        ("contacts", {"birthdate": "2020-01-01T00:00:00Z"}, "400 0x80048d19"),
        ("accounts", {"statuscode": 2}, "400 0x80048408"),
        ("competitors", {}, "400 0x80040200"),
        ("accounts", {"_primarycontactid_value": MISSING}, "400 0x80060888"),
        ("accounts", {"primarycontactid@odata.bind": f"/contacts({MISSING})"}, "404 0x80040217"),
        ("accounts", {"PrimaryContactId@odata.bind": f"/contacts({MISSING})"}, "400 0x80048d19"),
        ("accounts", {"primarycontactid@odata.bind": f"/Contacts({MISSING})"}, "404 0x8006088a"),
        ("accounts", {"primarycontactid@odata.bind": "/contacts(emailaddress1='a')"}, "400 0x80060890"),
        ("activityparties", {}, "405 0x80040800"),
        ("accountz", {}, "404 0x8006088a"),
    ],
)
def test_a_wrong_row_is_refused_with_the_platforms_code(
    driver: Driver, table: str, body: dict[str, object], code: str
) -> None:
    with pytest.raises(Refusal, match=f"^{code} "):
        driver.send("POST", table, body)
    assert driver.get("accounts", count="true")["@odata.count"] == 0


def test_eighty_emoji_fit_a_column_of_160_code_units(driver: Driver) -> None:
    row = driver.create("accounts", name="\N{GRINNING FACE}" * 80)
    assert driver.get(f"accounts({row})", select="name")["name"] == "\N{GRINNING FACE}" * 80


def test_columns_that_cannot_be_written_are_ignored(driver: Driver) -> None:
    row = driver.create("contacts", firstname="Ana", lastname="Li", fullname="x", statecode=1, modifiedon="2001-01-01")
    read = driver.get(f"contacts({row})", select="fullname,statecode,modifiedon")
    assert (read["fullname"], read["statecode"]) == ("Ana Li", 0)
    assert not read["modifiedon"].startswith("2001")


def test_full_name_follows_its_parts(driver: Driver) -> None:
    row = driver.create("leads", firstname="Ana", lastname="Li")
    driver.patch(f"leads({row})", lastname="Long")
    assert driver.get(f"leads({row})", select="fullname")["fullname"] == "Ana Long"


def test_the_created_date_can_be_overridden_on_create_only(driver: Driver) -> None:
    row = driver.create("accounts", overriddencreatedon="2011-05-06T07:08:09Z")
    read = driver.get(f"accounts({row})", select="createdon,overriddencreatedon")
    assert read["createdon"] == "2011-05-06T07:08:09Z"
    assert read["overriddencreatedon"] > "2020"
    driver.patch(f"accounts({row})", overriddencreatedon="2012-01-01T00:00:00Z")
    assert driver.get(f"accounts({row})", select="createdon")["createdon"] == "2011-05-06T07:08:09Z"


def test_a_date_with_offset_is_stored_in_utc(driver: Driver) -> None:
    row = driver.create("accounts", lastonholdtime="2024-01-01T00:30:00+02:00")
    assert driver.get(f"accounts({row})", select="lastonholdtime")["lastonholdtime"] == "2023-12-31T22:30:00Z"


def test_patch_creates_a_missing_row_unless_it_must_exist(driver: Driver) -> None:
    with pytest.raises(Refusal, match="404 0x80040217"):
        driver.send("PATCH", f"accounts({ROW})", {"name": "x"}, headers={"if-match": "*"})
    assert driver.patch(f"accounts({ROW})", name="first").status == 204
    assert driver.patch(f"accounts({ROW})", name="second").status == 204
    assert driver.get(f"accounts({ROW})", select="name")["name"] == "second"
    with pytest.raises(Refusal, match="412 0x80040237"):
        driver.send("PATCH", f"accounts({ROW})", {"name": "x"}, headers={"if-none-match": "*"})


def test_representation_tells_created_from_updated(driver: Driver) -> None:
    prefer = {"prefer": "return=representation"}
    assert driver.send("PATCH", f"accounts({ROW})", {"name": "a"}, headers=prefer).status == 201
    assert driver.send("PATCH", f"accounts({ROW})", {"name": "b"}, headers=prefer).status == 200


def test_a_stale_etag_is_refused_and_a_fresh_one_accepted(driver: Driver) -> None:
    driver.create("accounts", accountid=ROW, name="a")
    etag = driver.get(f"accounts({ROW})", select="name")["@odata.etag"]
    assert driver.send("GET", f"accounts({ROW})", headers={"if-none-match": etag}).status == 304
    driver.send("PATCH", f"accounts({ROW})", {"name": "b"}, headers={"if-match": etag})
    with pytest.raises(Refusal, match="412 0x80060882"):
        driver.send("PATCH", f"accounts({ROW})", {"name": "c"}, headers={"if-match": etag})


def test_single_properties_read_write_and_clear(driver: Driver) -> None:
    driver.create("accounts", accountid=ROW, name="a")
    driver.send("PUT", f"accounts({ROW})/telephone1", {"value": "123"})
    assert driver.get(f"accounts({ROW})/telephone1")["value"] == "123"
    assert driver.send("GET", f"accounts({ROW})/telephone1/$value").body == b"123"
    driver.delete(f"accounts({ROW})/telephone1")
    assert driver.send("GET", f"accounts({ROW})/telephone1").status == 204


def test_reading_or_deleting_a_missing_row_is_404(driver: Driver) -> None:
    for method in ("GET", "DELETE"):
        with pytest.raises(Refusal, match="404 0x80040217"):
            driver.send(method, f"accounts({MISSING})")


def test_money_is_mirrored_in_base_currency(driver: Driver) -> None:
    euro = driver.create(
        "transactioncurrencies",
        currencyname="Euro", currencysymbol="€", isocurrencycode="EUR", currencyprecision=2, exchangerate=0.8,
    )  # fmt: skip
    row = driver.create("accounts", revenue=100, transactioncurrencyid__bind=f"/transactioncurrencies({euro})")
    read = driver.get(f"accounts({row})", select="revenue,revenue_base,exchangerate")
    assert (read["revenue"], read["revenue_base"], read["exchangerate"]) == (100.0, 125.0, 0.8)
    driver.patch(f"accounts({row})", revenue=None)
    assert driver.get(f"accounts({row})", select="revenue_base")["revenue_base"] is None


def test_money_without_currency_takes_the_base_currency(driver: Driver) -> None:
    row = driver.create("opportunities", name="o", estimatedvalue=10)
    read = driver.get(f"opportunities({row})", select="estimatedvalue", prefer='odata.include-annotations="*"')
    formatted = "@OData.Community.Display.V1.FormattedValue"
    assert read[f"_transactioncurrencyid_value{formatted}"] == "US Dollar"
    assert read[f"estimatedvalue{formatted}"] == "$10.00"


def test_what_the_emulator_does_not_know_is_refused_by_name(driver: Driver) -> None:
    with pytest.raises(Refusal, match=r"501 .*flitstack emulator: the operation .*ApplyRoutingRule is not implemented"):
        driver.send("POST", f"leads({driver.create('leads', subject='s')})/Microsoft.Dynamics.CRM.ApplyRoutingRule", {})
    with pytest.raises(Refusal, match=r"501 .*savedQuery"):
        driver.send("GET", "accounts", query={"savedQuery": "00000000-0000-0000-0000-000000000000"})


def test_a_unit_group_comes_with_its_base_unit(driver: Driver) -> None:
    group = driver.create("uomschedules", name="Weights", baseuomname="kg")
    of_group = f"_uomscheduleid_value eq {group}"
    (unit,) = driver.rows("uoms", select="name,quantity,isschedulebaseuom,_uomscheduleid_value", filter=of_group)
    assert (unit["name"], unit["quantity"], unit["isschedulebaseuom"]) == ("kg", 1.0, True)
    assert unit["_uomscheduleid_value"] == group


def test_what_is_no_image_is_refused_not_dropped(driver: Driver) -> None:
    with pytest.raises(Refusal, match=r"^400 0x80072553 .*attribute: entityimage"):
        driver.create("contacts", entityimage="aGk=")
    assert driver.create("contacts", entityimage=None)


def test_impersonation_shows_in_the_audit_columns(driver: Driver) -> None:
    unit = driver.rows("businessunits", select="name")[0]["businessunitid"]
    user = driver.create("systemusers", lastname="V", businessunitid__bind=f"/businessunits({unit})")
    driver.user, driver.on_behalf_of = UUID(user), driver.environment.application_user
    row = driver.create("accounts", name="A")
    read = driver.get(f"accounts({row})", select="_createdby_value,_createdonbehalfby_value,_ownerid_value")
    assert read["_createdby_value"] == read["_ownerid_value"] == user
    assert read["_createdonbehalfby_value"] == str(driver.environment.application_user)
