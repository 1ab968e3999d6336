"""Files in blocks by messages: file columns, notes, attachments of e-mails.

Sources: Microsoft Learn, "Use file column data", "Use file data with Attachment and Note records".
"""

import base64
import random
from typing import Any
from uuid import uuid4

import pytest
from file_wire import CRM, make_account, make_column, upload
from front_wire import Reply, Wire
from hypothesis import given, settings
from hypothesis import strategies as st

BLOCK = 4 * 1024 * 1024


@pytest.fixture(scope="module")
def wire(shared_wire: Wire) -> Wire:
    make_column(shared_wire)
    make_column(shared_wire, "new_Small", max_kb=1)
    return shared_wire


def call(wire: Wire, message: str, **parameters: object) -> Any:
    reply = wire.post(message, parameters)
    assert reply.status == 200, reply.body
    body = reply.json()
    assert body["@odata.context"].endswith(f"#{CRM}{message}Response")
    return body


def block_id(number: int) -> str:
    return base64.b64encode(f"{number:036d}".encode()).decode()


def put(wire: Wire, token: str, number: int, data: bytes) -> Reply:
    body = {
        "BlockId": block_id(number),
        "BlockData": base64.b64encode(data).decode(),
        "FileContinuationToken": token,
    }
    return wire.post("UploadBlock", body)


def put_all(wire: Wire, token: str, pieces: list[bytes]) -> list[str]:
    for number, piece in enumerate(pieces):
        assert put(wire, token, number, piece).status == 204
    return [block_id(number) for number in range(len(pieces))]


def account_target(row: str) -> dict[str, str]:
    return {"accountid": row.partition("(")[2][:-1], "@odata.type": f"{CRM}account"}


def fetch(wire: Wire, token: str, size: int, length: int) -> bytes:
    found = b""
    for offset in range(0, size, length):
        body = call(wire, "DownloadBlock", Offset=offset, BlockLength=length, FileContinuationToken=token)
        found += base64.b64decode(body["Data"])
    return found


def test_a_file_goes_up_in_blocks_comes_down_in_others_and_is_deleted_by_id(wire: Wire) -> None:
    data = random.Random(3).randbytes(BLOCK + 12_345)
    row = make_account(wire)
    target = account_target(row)
    begun = call(wire, "InitializeFileBlocksUpload", Target=target, FileName="a.pdf", FileAttributeName="new_file")
    token = begun["FileContinuationToken"]
    names = put_all(wire, token, [data[BLOCK:], b"never used", data[:BLOCK]])
    done = call(
        wire,
        "CommitFileBlocksUpload",
        FileName="25mb.pdf",
        MimeType="application/x-own",
        BlockList=[names[2], names[0]],
        FileContinuationToken=token,
    )
    assert done["FileSizeInBytes"] == len(data)
    shown = wire.get(f"{row}?$select=new_file,new_file_name")
    assert (shown["new_file"], shown["new_file_name"]) == (done["FileId"], "25mb.pdf")

    down = call(wire, "InitializeFileBlocksDownload", Target=target, FileAttributeName="new_file")
    assert (down["FileSizeInBytes"], down["FileName"], down["IsChunkingSupported"]) == (len(data), "25mb.pdf", True)
    assert fetch(wire, down["FileContinuationToken"], len(data), 1_500_000) == data
    assert wire.send("GET", f"{row}/new_file/$value").headers["mimetype"] == "application/x-own"

    assert wire.post("DeleteFile", {"FileId": done["FileId"]}).status == 204
    assert wire.get(f"{row}?$select=new_file")["new_file"] is None
    gone = wire.post("DeleteFile", {"FileId": done["FileId"]})
    assert (gone.status, gone.code) == (404, "0x80040217")
    read_on = {"Offset": 0, "BlockLength": 1, "FileContinuationToken": down["FileContinuationToken"]}
    assert wire.post("DownloadBlock", read_on).status == 404


@pytest.mark.parametrize(
    "change",
    [
        {"BlockId": "not base64"},
        {"BlockId": base64.b64encode(b"x" * 65).decode()},
        {"BlockId": base64.b64encode(b"shorter").decode()},
        {"BlockData": "not base64"},
        {"BlockData": base64.b64encode(bytes(BLOCK + 1)).decode()},
        {"BlockData": None},
    ],
)
def test_blocks_that_break_the_rules_are_refused(wire: Wire, change: dict[str, object]) -> None:
    target = account_target(make_account(wire))
    begun = call(wire, "InitializeFileBlocksUpload", Target=target, FileName="a", FileAttributeName="new_file")
    token = begun["FileContinuationToken"]
    assert put(wire, token, 0, bytes(BLOCK)).status == 204
    good = {"BlockId": block_id(1), "BlockData": "aGk=", "FileContinuationToken": token}
    reply = wire.post("UploadBlock", good | change)
    assert (reply.status, reply.code) == (400, "0x80040203")


def test_a_block_list_names_blocks_that_were_sent_and_a_file_that_fits(wire: Wire) -> None:
    target = account_target(make_account(wire))
    begun = call(wire, "InitializeFileBlocksUpload", Target=target, FileName="a", FileAttributeName="new_small")
    names = put_all(wire, begun["FileContinuationToken"], [b"x" * 1000, b"y" * 25])
    commit = {"FileName": "a", "MimeType": "", "FileContinuationToken": begun["FileContinuationToken"]}
    unknown = wire.post("CommitFileBlocksUpload", commit | {"BlockList": [block_id(9)]})
    assert (unknown.status, unknown.code) == (400, "0x80040203")
    big = wire.post("CommitFileBlocksUpload", commit | {"BlockList": names})
    assert (big.status, big.code.lower()) == (400, "0x80044a02")
    assert wire.post("CommitFileBlocksUpload", commit | {"BlockList": names[:1]}).status == 200
    again = wire.post("CommitFileBlocksUpload", commit | {"BlockList": names[:1]})
    assert (again.status, again.code) == (404, "0x80040217")


def note(id_: str, **values: object) -> dict[str, object]:
    return {"annotationid": id_, "filename": "25mb.pdf", "@odata.type": f"{CRM}annotation", **values}


@settings(max_examples=20, deadline=None)
@given(st.binary(max_size=300), st.integers(1, 120), st.integers(1, 70))
def test_a_note_in_blocks_reads_as_one_that_was_posted_whole(wire: Wire, data: bytes, piece: int, length: int) -> None:
    row = make_account(wire)
    target = note(str(uuid4()), subject="large", **{"objectid_account@odata.bind": row})
    begun = call(wire, "InitializeAnnotationBlocksUpload", Target=target)
    token = begun["FileContinuationToken"]
    names = put_all(wire, token, [data[at : at + piece] for at in range(0, len(data), piece)])
    done = call(wire, "CommitAnnotationBlocksUpload", Target=target, BlockList=names, FileContinuationToken=token)
    assert (done["AnnotationId"], done["FileSizeInBytes"]) == (target["annotationid"], len(data))
    stored = wire.get(f"annotations({target['annotationid']})")
    assert base64.b64decode(stored["documentbody"]) == data
    assert (stored["filesize"], stored["isdocument"], stored["filename"]) == (len(data), True, "25mb.pdf")
    assert stored["objecttypecode"] == "account"
    if data:
        raw = wire.send("GET", f"annotations({target['annotationid']})/documentbody/$value")
        assert raw.headers["content-type"] == "text/plain"
        assert base64.b64decode(raw.body) == data
    where = {"annotationid": target["annotationid"], "@odata.type": f"{CRM}annotation"}
    down = call(wire, "InitializeAnnotationBlocksDownload", Target=where)
    assert (down["FileName"], down["FileSizeInBytes"]) == ("25mb.pdf", len(data))
    assert fetch(wire, down["FileContinuationToken"], len(data), length) == data


def test_blocks_replace_the_file_of_a_note_and_end_a_download_of_the_old_one(wire: Wire) -> None:
    id_ = str(uuid4())
    assert wire.post("annotations", {"annotationid": id_, "subject": "s", "filename": "a.txt", "documentbody": "b2xk"})
    where = {"annotationid": id_, "@odata.type": f"{CRM}annotation"}
    old = call(wire, "InitializeAnnotationBlocksDownload", Target=where)["FileContinuationToken"]
    begun = call(wire, "InitializeAnnotationBlocksUpload", Target=note(id_))
    token = begun["FileContinuationToken"]
    names = put_all(wire, token, [b"new"])
    call(wire, "CommitAnnotationBlocksUpload", Target=note(id_), BlockList=names, FileContinuationToken=token)
    stored = wire.get(f"annotations({id_})")
    assert (stored["subject"], stored["filename"], stored["documentbody"]) == ("s", "25mb.pdf", "bmV3")
    assert wire.post("DownloadBlock", {"Offset": 0, "BlockLength": 1, "FileContinuationToken": old}).status == 404


def test_a_note_in_blocks_needs_an_id_and_an_allowed_name(wire: Wire) -> None:
    target = note(str(uuid4()))
    del target["annotationid"]
    assert wire.post("InitializeAnnotationBlocksUpload", {"Target": target}).code == "0x80040203"
    blocked = wire.post("InitializeAnnotationBlocksUpload", {"Target": note(str(uuid4()), filename="a.js")})
    assert blocked.code == "0x80043E09"
    wrong = wire.post("InitializeAttachmentBlocksUpload", {"Target": note(str(uuid4()))})
    assert (wrong.status, wrong.code) == (400, "0x80048d19")


def test_an_attachment_in_blocks_is_made_once(wire: Wire) -> None:
    mail = wire.post("emails", {"subject": "with a file"}).entity
    target = {
        "objectid_email@odata.bind": mail,
        "objecttypecode": "email",
        "filename": "25mb.pdf",
        "mimetype": "application/pdf",
        "@odata.type": f"{CRM}activitymimeattachment",
    }
    token = call(wire, "InitializeAttachmentBlocksUpload", Target=target)["FileContinuationToken"]
    names = put_all(wire, token, [b"one", b"two"])
    done = call(wire, "CommitAttachmentBlocksUpload", Target=target, BlockList=names, FileContinuationToken=token)
    id_ = done["ActivityMimeAttachmentId"]
    stored = wire.get(f"activitymimeattachments({id_})")
    assert (base64.b64decode(stored["body"]), stored["filesize"], stored["mimetype"]) == (
        b"onetwo",
        6,
        "application/pdf",
    )
    where = {"activitymimeattachmentid": id_, "@odata.type": f"{CRM}activitymimeattachment"}
    down = call(wire, "InitializeAttachmentBlocksDownload", Target=where)
    assert fetch(wire, down["FileContinuationToken"], 6, 4) == b"onetwo"

    again = target | {"activitymimeattachmentid": id_}
    token = call(wire, "InitializeAttachmentBlocksUpload", Target=again)["FileContinuationToken"]
    names = put_all(wire, token, [b"x"])
    body = {"Target": again, "BlockList": names, "FileContinuationToken": token}
    reply = wire.post("CommitAttachmentBlocksUpload", body)
    assert (reply.status, reply.code) == (412, "0x80040237")


def test_the_organization_limit_is_measured_on_base64_text(wire: Wire) -> None:
    organization = wire.get("organizations?$select=maxuploadfilesize")["value"][0]
    assert organization["maxuploadfilesize"] == 5_242_880
    row = f"organizations({organization['organizationid']})"
    for wrong in (0, 131_072_001):
        assert wire.send("PATCH", row, {"maxuploadfilesize": wrong}).code == "0x8004432F"
    assert wire.send("PATCH", row, {"maxuploadfilesize": 400}).status == 204
    try:
        for size, status in ((300, 204), (301, 400)):
            text = base64.b64encode(bytes(size)).decode()
            assert wire.post("annotations", {"filename": "a", "documentbody": text}).status == status
            target = note(str(uuid4()))
            token = call(wire, "InitializeAnnotationBlocksUpload", Target=target)["FileContinuationToken"]
            names = put_all(wire, token, [bytes(size)])
            body = {"Target": target, "BlockList": names, "FileContinuationToken": token}
            reply = wire.post("CommitAnnotationBlocksUpload", body)
            assert reply.status == (200 if status == 204 else 400)
            if status == 400:
                assert reply.code.lower() == "0x80044a02"
    finally:
        assert wire.send("PATCH", row, {"maxuploadfilesize": 131_072_000}).status == 204


def test_a_note_refuses_what_is_no_base64(wire: Wire) -> None:
    reply = wire.post("annotations", {"filename": "a", "documentbody": "***"})
    assert (reply.status, reply.code) == (400, "0x80040203")


def test_a_large_note_comes_down_whole(wire: Wire) -> None:
    organization = wire.get("organizations?$select=organizationid")["value"][0]["organizationid"]
    assert wire.send("PATCH", f"organizations({organization})", {"maxuploadfilesize": 131_072_000}).status == 204
    data = random.Random(5).randbytes(9_000_000)
    target = note(str(uuid4()))
    token = call(wire, "InitializeAnnotationBlocksUpload", Target=target)["FileContinuationToken"]
    names = put_all(wire, token, [data[at : at + BLOCK] for at in range(0, len(data), BLOCK)])
    call(wire, "CommitAnnotationBlocksUpload", Target=target, BlockList=names, FileContinuationToken=token)
    raw = wire.send("GET", f"annotations({target['annotationid']})/documentbody/$value")
    assert base64.b64decode(raw.body) == data


def test_a_whole_upload_ends_the_blocks_of_nobody_else(wire: Wire) -> None:
    row = make_account(wire)
    begun = call(
        wire,
        "InitializeFileBlocksUpload",
        Target=account_target(row),
        FileName="a.txt",
        FileAttributeName="new_file",
    )
    token = begun["FileContinuationToken"]
    names = put_all(wire, token, [b"later"])
    assert upload(wire, f"{row}/new_file", b"first").status == 204
    call(
        wire,
        "CommitFileBlocksUpload",
        FileName="a.txt",
        MimeType="text/plain",
        BlockList=names,
        FileContinuationToken=token,
    )
    assert wire.send("GET", f"{row}/new_file/$value").body == b"later"
