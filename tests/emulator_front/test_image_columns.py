"""Image columns over HTTP. Source: Microsoft Learn, "Use image column data"."""

import base64
import struct
import zlib

import pytest
from file_wire import CRM, make_account, make_column, upload
from front_wire import Wire


def png(width: int, height: int) -> bytes:
    """A grey picture, whole enough for any reader."""

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    lines = b"".join(b"\0" + b"\x80" * width for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(lines)) + part(b"IEND", b"")


SMALL, LARGE = png(91, 91), png(300, 428)


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture(scope="module")
def wire(shared_wire: Wire) -> Wire:
    make_column(shared_wire, "new_Picture", max_kb=30, kind="Image")
    return shared_wire


def test_the_primary_image_comes_with_the_row_and_others_do_not(wire: Wire) -> None:
    row = make_account(wire, entityimage=text(SMALL))
    shown = wire.get(f"{row}?$select=entityimage,entityimage_url,entityimage_timestamp,entityimageid")
    assert shown["entityimage"] == text(SMALL)
    assert shown["entityimage_url"] == (
        f"/Image/download.aspx?Entity=account&Attribute=entityimage&Id={shown['entityimageid']}"
        f"&Timestamp={shown['entityimage_timestamp']}"
    )
    assert "entityimage" not in wire.get(row)
    refused = wire.post("accounts", {"name": "x", "new_picture": text(SMALL)})
    assert (refused.status, refused.code) == (400, "0x80090487")


def test_an_update_sets_replaces_and_removes_an_image(wire: Wire) -> None:
    row = make_account(wire)
    assert wire.get(f"{row}?$select=new_picture") == wire.get(f"{row}?$select=new_picture") | {"new_picture": None}
    for data in (SMALL, png(20, 20)):
        assert wire.send("PATCH", row, {"new_picture": text(data)}).status == 204
        assert wire.get(f"{row}?$select=new_picture")["new_picture"] == text(data)
    assert wire.send("PUT", f"{row}/new_picture", {"value": None}).status == 204
    assert wire.send("GET", f"{row}/new_picture/$value").status == 204
    assert wire.send("GET", f"{row}/new_picture/$value?size=full").status == 204
    shown = wire.get(f"{row}?$select=new_picture,new_pictureid,new_picture_url")
    assert (shown["new_picture"], shown["new_pictureid"], shown["new_picture_url"]) == (None, None, None)


def test_the_full_size_is_there_and_an_unmade_thumbnail_is_refused_by_name(wire: Wire) -> None:
    row = make_account(wire)
    assert upload(wire, f"{row}/new_picture", LARGE, "photo.png").status == 204
    full = wire.send("GET", f"{row}/new_picture/$value?size=full")
    assert (full.status, full.body) == (200, LARGE)
    assert (full.headers["x-ms-file-name"], full.headers["mimetype"]) == ("photo.png", "image/png")
    part = wire.send("GET", f"{row}/new_picture/$value?size=full", None, {"Range": "bytes=1-3"})
    assert (part.status, part.body) == (206, b"PNG")
    for path in (f"{row}/new_picture/$value", f"{row}?$select=new_picture"):
        reply = wire.send("GET", path)
        assert reply.status == 501
        assert "thumbnail" in reply.json()["error"]["message"]
    target = {"accountid": row.partition("(")[2][:-1], "@odata.type": f"{CRM}account"}
    down = wire.post("InitializeFileBlocksDownload", {"Target": target, "FileAttributeName": "new_picture"})
    assert down.json()["FileSizeInBytes"] == len(LARGE)


def test_a_column_without_full_images_gives_none(wire: Wire) -> None:
    row = make_account(wire, entityimage=text(SMALL))
    assert wire.send("GET", f"{row}/entityimage/$value?size=full").status == 204
    assert wire.send("GET", f"{row}/entityimage/$value").body == SMALL
    target = {"accountid": row.partition("(")[2][:-1], "@odata.type": f"{CRM}account"}
    down = wire.post("InitializeFileBlocksDownload", {"Target": target, "FileAttributeName": "entityimage"})
    assert (down.status, down.code) == (404, "0x80040217")


def test_only_images_of_the_right_size_are_taken(wire: Wire) -> None:
    row = make_account(wire)
    for data, reason in ((b"%PDF-1.7", "Update image properties failed"), (SMALL + bytes(30 * 1024), "too big")):
        for reply in (
            upload(wire, f"{row}/new_picture", data, "a.png"),
            wire.send("PATCH", row, {"new_picture": text(data)}),
        ):
            assert (reply.status, reply.code) == (400, "0x80072553")
            assert reason in reply.json()["error"]["message"]
    assert wire.send("PATCH", row, {"new_picture": "***"}).code == "0x80048d19"
    assert wire.send("PATCH", row, {"new_picture": 7}).code == "0x80048d19"


def test_the_metadata_tells_the_primary_image_and_the_companions(wire: Wire) -> None:
    where = "EntityDefinitions(LogicalName='account')/Attributes"
    cast = f"{where}/{CRM}ImageAttributeMetadata?$select=LogicalName,CanStoreFullImage,MaxSizeInKB,IsPrimaryImage"
    found = {item["LogicalName"]: item for item in wire.get(cast)["value"]}
    assert (found["new_picture"]["CanStoreFullImage"], found["new_picture"]["MaxSizeInKB"]) == (True, 30)
    assert (found["entityimage"]["IsPrimaryImage"], found["new_picture"]["IsPrimaryImage"]) == (True, False)
    names = wire.get(f"{where}?$select=LogicalName&$filter=AttributeOf eq 'new_picture'")["value"]
    assert {item["LogicalName"] for item in names} == {"new_pictureid", "new_picture_timestamp", "new_picture_url"}


def test_many_rows_at_once_may_bring_their_primary_image(wire: Wire) -> None:
    rows = [{"@odata.type": f"{CRM}account", "name": str(n), "entityimage": text(png(n, n))} for n in (1, 2, 3)]
    reply = wire.post("accounts/Microsoft.Dynamics.CRM.CreateMultiple", {"Targets": rows})
    assert reply.status == 200
    for row, id_ in zip(rows, reply.json()["Ids"], strict=True):
        assert wire.get(f"accounts({id_})?$select=entityimage")["entityimage"] == row["entityimage"]
