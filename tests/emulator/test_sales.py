"""States, closing opportunities, activities with parties, notes with files."""

import base64
from pathlib import Path

import pytest
from core_driver import Driver

from flitstack.emulator.core import Environment, Refusal, Switches


def _close(driver: Driver, action: str, row: str, status: int, **details: object) -> None:
    close = {"opportunityid@odata.bind": f"/opportunities({row})", "subject": "done", **details}
    driver.send("POST", action, {"OpportunityClose": close, "Status": status})


def test_an_opportunity_is_won_only_by_its_action_and_reopens(driver: Driver) -> None:
    row = driver.create("opportunities", name="o", estimatedvalue=100)
    with pytest.raises(Refusal, match="400 0x80100005"):
        driver.patch(f"opportunities({row})", statecode=1, statuscode=3)
    _close(driver, "WinOpportunity", row, 3, actualrevenue=90, actualend="2024-03-01T12:00:00Z")
    read = driver.get(f"opportunities({row})", select="statecode,statuscode,actualvalue,actualclosedate")
    assert (read["statecode"], read["statuscode"], read["actualvalue"]) == (1, 3, 90.0)
    assert read["actualclosedate"] == "2024-03-01"
    (made,) = driver.rows("opportunitycloses", select="statecode,statuscode,subject,_opportunityid_value")
    assert (made["statecode"], made["subject"], made["_opportunityid_value"]) == (1, "done", row)
    with pytest.raises(Refusal, match="400 0x80040515"):
        _close(driver, "LoseOpportunity", row, 4)
    driver.patch(f"opportunities({row})", statecode=0, statuscode=1)
    _close(driver, "LoseOpportunity", row, 5)
    assert driver.get(f"opportunities({row})", select="statuscode")["statuscode"] == 5


def test_a_refused_close_leaves_no_close_activity(driver: Driver) -> None:
    row = driver.create("opportunities", name="o")
    with pytest.raises(Refusal, match="400 0x80048408"):
        _close(driver, "WinOpportunity", row, 4)
    assert driver.rows("opportunitycloses") == []


def test_an_opportunity_with_a_draft_quote_stays_open(driver: Driver) -> None:
    row = driver.create("opportunities", name="o")
    driver.create("quotes", name="q", opportunityid__bind=f"/opportunities({row})")
    with pytest.raises(Refusal, match="400 0x80040516"):
        _close(driver, "WinOpportunity", row, 3)


def test_a_state_without_status_takes_that_states_default(driver: Driver) -> None:
    row = driver.create("leads", subject="l", statuscode=2)
    driver.patch(f"leads({row})", statecode=2)
    assert driver.get(f"leads({row})", select="statuscode")["statuscode"] == 4
    with pytest.raises(Refusal, match="400 0x80048408"):
        driver.patch(f"leads({row})", statecode=2, statuscode=1)


def test_a_product_starts_as_a_draft(driver: Driver) -> None:
    row = driver.create("products", name="p", productnumber="1")
    read = driver.get(f"products({row})", select="statecode,statuscode")
    assert (read["statecode"], read["statuscode"]) == (2, 0)


def test_quotes_orders_and_invoices_are_numbered(driver: Driver) -> None:
    driver.create("quotes", name="q")
    driver.create("quotes", name="q", quotenumber="MINE")
    driver.create("quotes", name="q")
    numbers = {row["quotenumber"] for row in driver.rows("quotes", select="quotenumber")}
    assert numbers == {"QUO-01000", "MINE", "QUO-01001"}


def test_an_email_keeps_its_parties_owner_and_regarding(driver: Driver) -> None:
    contact, account = driver.create("contacts", lastname="C"), driver.create("accounts", name="A")
    body = {
        "subject": "hello",
        "regardingobjectid_account_email@odata.bind": f"/accounts({account})",
        "email_activity_parties": [
            {"participationtypemask": 1, "addressused": "someone@example.com"},
            {"participationtypemask": 2, "partyid_contact@odata.bind": f"/contacts({contact})"},
        ],
    }
    answer = driver.send("POST", "emails", body)
    email = answer.headers["OData-EntityId"].rpartition("(")[2][:-1]
    path = f"emails({email})/email_activity_parties"
    found = {row["participationtypemask"]: row for row in driver.rows(path)}
    assert set(found) == {1, 2, 8, 9}
    assert found[1]["addressused"] == "someone@example.com"
    assert (found[2]["_partyid_value"], found[8]["_partyid_value"]) == (contact, account)
    driver.send("PUT", path, {"value": [{"participationtypemask": 3, "addressused": "b@example.com"}]})
    assert {row["participationtypemask"] for row in driver.rows(path)} == {3, 8, 9}
    assert driver.rows("activitypointers", select="subject,activitytypecode")[0]["activitytypecode"] == "email"


def test_a_party_role_that_the_activity_lacks_is_refused(driver: Driver) -> None:
    body = {"subject": "a", "appointment_activity_parties": [{"participationtypemask": 2, "addressused": "x"}]}
    with pytest.raises(Refusal, match="400 0x80043504"):
        driver.send("POST", "appointments", body)
    assert driver.rows("appointments") == []


def test_a_note_carries_its_file_and_knows_its_size(driver: Driver) -> None:
    account = driver.create("accounts", name="A")
    text = base64.b64encode(b"hello world").decode()
    row = driver.create(
        "annotations", subject="n", filename="a.txt", documentbody=text, objectid_account__bind=f"/accounts({account})"
    )
    read = driver.get(f"annotations({row})", select="filesize,isdocument,objecttypecode,documentbody")
    assert (read["filesize"], read["isdocument"], read["objecttypecode"]) == (11, True, "account")
    assert driver.send("GET", f"annotations({row})/documentbody/$value").body == text.encode()


@pytest.mark.parametrize(
    ("name", "body", "code"),
    [
        ("run.EXE", "aGk=", "0x80043E09"),
        ("a.txt", "A" * 5_242_884, "0x80044A02"),
        ("a.txt", "no base64!", "0x80040203"),
    ],
)
def test_files_the_organization_refuses(driver: Driver, name: str, body: str, code: str) -> None:
    with pytest.raises(Refusal, match=f"400 {code}"):
        driver.create("annotations", subject="n", filename=name, documentbody=body)


def test_the_size_limit_is_the_organizations_setting(driver: Driver) -> None:
    organization = driver.rows("organizations", select="name")[0]["organizationid"]
    driver.patch(f"organizations({organization})", maxuploadfilesize=8)
    driver.create("annotations", subject="n", filename="a.txt", documentbody="aGVsbG8=")
    with pytest.raises(Refusal, match="0x80044A02"):
        driver.create("annotations", subject="n", filename="a.txt", documentbody="aGVsbG8hIQ==")


def test_email_attachments_are_numbered_and_go_with_their_email(driver: Driver) -> None:
    email = driver.create("emails", subject="e")
    for _ in range(2):
        driver.create(
            "activitymimeattachments", filename="a.txt", body="aGk=", objectid_email__bind=f"/emails({email})"
        )
    rows = driver.rows("activitymimeattachments", select="attachmentnumber,filesize,objecttypecode")
    assert [(r["attachmentnumber"], r["filesize"], r["objecttypecode"]) for r in rows] == [
        (1, 2, "email"), (2, 2, "email"),
    ]  # fmt: skip
    driver.delete(f"emails({email})")
    assert driver.rows("activitymimeattachments") == []


def test_nested_parties_in_bulk_need_the_switch(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"subject": "e", "email_activity_parties": [{"participationtypemask": 1, "addressused": "x"}]}
    ]
    for allowed in (False, True):
        environment = Environment.open(tmp_path / str(allowed), Switches(nested_parties_in_bulk=allowed))
        driver = Driver(environment)
        if allowed:
            driver.multiple("CreateMultiple", "emails", "email", rows)
        else:
            with pytest.raises(Refusal, match="501"):
                driver.multiple("CreateMultiple", "emails", "email", rows)
        assert len(driver.rows("emails")) == int(allowed)
        environment.close()
