"""Files and bulk deletions ask for the same privileges as the rows they belong to."""

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest
from core_driver import Driver
from test_privileges import People

from flitstack.catalogue.types import Column
from flitstack.emulator.core import Refusal

CRM = "Microsoft.Dynamics.CRM."


@pytest.fixture
def people(driver: Driver) -> People:
    found = People(driver)
    facts = {"type": "File", "creatable": True, "updatable": True}
    driver.environment.put_column("account", Column("new_file", "new_File", **facts), {})  # type: ignore[arg-type]
    driver.environment.put_column("account", Column("new_file_name", "new_File_Name", "String"), {})
    found.give(found.users[1], found.role)
    return found


def call(driver: Driver, message: str, **parameters: object) -> Any:
    answer = driver.send("POST", message, parameters)
    return orjson.loads(answer.body) if answer.body else None


def upload(driver: Driver, row: str) -> None:
    driver.send("PATCH", f"accounts({row})/new_file", None, {}, {"x-ms-file-name": "a.txt"})


def begin_blocks(driver: Driver, row: str) -> None:
    target = {"accountid": row, "@odata.type": f"{CRM}account"}
    call(driver, "InitializeFileBlocksUpload", Target=target, FileName="a", FileAttributeName="new_file")


def read(driver: Driver, row: str) -> None:
    driver.send("GET", f"accounts({row})/new_file/$value")


def read_in_blocks(driver: Driver, row: str) -> None:
    target = {"accountid": row, "@odata.type": f"{CRM}account"}
    call(driver, "InitializeFileBlocksDownload", Target=target, FileAttributeName="new_file")


@pytest.mark.parametrize("act", [upload, begin_blocks, read, read_in_blocks])
def test_a_file_is_out_of_reach_with_its_row(people: People, act: Callable[[Driver, str], None]) -> None:
    people.hold(people.role, prvReadAccount="Basic", prvWriteAccount="Basic")
    own = people.driver.create("accounts", name="A", ownerid__bind=f"/systemusers({people.users[1]})")
    other = people.driver.create("accounts", name="B")
    for row in (own, other):
        upload(people.driver, row)
    act(people.as_user(1), own)
    with pytest.raises(Refusal, match="403 0x80048306"):
        act(people.as_user(1), other)


def test_a_note_s_file_is_not_read_by_guessing_its_token(people: People) -> None:
    note = people.driver.create("annotations", filename="a.txt", documentbody=base64.b64encode(b"secret").decode())
    target = {"annotationid": note, "@odata.type": f"{CRM}annotation"}
    token = call(people.driver, "InitializeAnnotationBlocksDownload", Target=target)["FileContinuationToken"]
    people.hold(people.role, prvReadNote="Basic")
    with pytest.raises(Refusal, match="403"):
        call(people.as_user(1), "DownloadBlock", Offset=0, BlockLength=6, FileContinuationToken=token)


def test_a_bulk_deletion_deletes_what_its_user_may(people: People) -> None:
    own = people.driver.create("accounts", name="A", ownerid__bind=f"/systemusers({people.users[1]})")
    other = people.driver.create("accounts", name="B")
    query = {"@odata.type": f"{CRM}QueryExpression", "EntityName": "account"}
    body = {
        "QuerySet": [query],
        "JobName": "j",
        "SendEmailNotification": False,
        "RecurrencePattern": "",
        "RunNow": True,
    }
    user = replace(people.as_user(1))
    people.hold(people.role, prvReadAccount="Global", prvDeleteAccount="Basic")
    with pytest.raises(Refusal, match=r"403 .*prvBulkDelete"):
        call(user, "BulkDelete", **body)
    people.hold(people.role, prvReadAccount="Global", prvDeleteAccount="Basic", prvBulkDelete="Global")
    job = call(user, "BulkDelete", **body)["JobId"]
    while people.driver.environment.run_job():
        pass
    shown = people.driver.get(f"asyncoperations({job})")
    assert shown["message"].startswith("1 deleted, 1 failed; the first: account ")
    assert [row["accountid"] for row in people.driver.rows("accounts")] == [other]
    assert own != other
