"""File columns over HTTP: whole files, chunks, ranges, limits, and what is left behind.

Sources: Microsoft Learn, "Use file column data"; "File columns" (headers of downloads in ranges); for Content-Disposition and the
404 of an empty column the measurements named in resources/file_columns.py.
"""

import base64
import random
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from file_wire import CRM, OCTETS, begin, chunk, download, make_account, make_column, stored_blocks, upload
from front_wire import Wire, running
from hypothesis import given, settings
from hypothesis import strategies as st

from flitstack.emulator.instance import Options

BLOCK = 4 * 1024 * 1024


@pytest.fixture(scope="module")
def wire(shared_wire: Wire) -> Wire:
    make_column(shared_wire)
    make_column(shared_wire, "new_Small", max_kb=1)
    return shared_wire


def test_a_whole_file_is_put_read_and_deleted(wire: Wire) -> None:
    row = make_account(wire)
    before = wire.get(f"{row}?$select=name,new_file,new_file_name")
    assert (before["new_file"], before["new_file_name"]) == (None, None)
    none = download(wire, f"{row}/new_file")
    assert (none.status, none.code) == (404, "0x80040217")
    assert none.json()["error"]["message"] == (
        f"No file attachment found for attribute: new_file EntityId: {row[9:-1]}."
    )

    reply = upload(wire, f"{row}/new_file", b"hello", "4094kb.txt")
    assert (reply.status, reply.body) == (204, b"")
    after = wire.get(f"{row}?$select=name,new_file,new_file_name")
    assert len(after["new_file"]) == 36
    assert after["new_file_name"] == "4094kb.txt"
    assert after["@odata.etag"] != before["@odata.etag"]
    assert len(wire.get("accounts?$filter=new_file ne null&$select=name")["value"]) >= 1

    found = download(wire, f"{row}/new_file")
    assert (found.status, found.body) == (200, b"hello")
    assert found.headers["x-ms-file-size"] == "5"
    assert found.headers["x-ms-file-name"] == "4094kb.txt"
    assert found.headers["mimetype"] == "text/plain"
    assert found.headers["content-disposition"] == 'inline; filename="4094kb.txt"'
    assert found.headers["access-control-expose-headers"] == "x-ms-file-size; x-ms-file-name; mimetype"

    assert wire.send("DELETE", f"{row}/new_file").status == 204
    gone = wire.get(f"{row}?$select=new_file,new_file_name")
    assert (gone["new_file"], gone["new_file_name"]) == (None, None)
    assert download(wire, f"{row}/new_file").status == 404


def test_chunks_are_206_until_the_file_is_whole(wire: Wire) -> None:
    data = random.Random(1).randbytes(BLOCK + 1000)
    row = make_account(wire)
    session = begin(wire, f"{row}/new_file", "25mb.pdf")
    assert chunk(wire, session, data[:BLOCK], 0, len(data)).status == 206
    assert wire.get(f"{row}?$select=new_file")["new_file"] is None
    assert chunk(wire, session, data[BLOCK:], BLOCK, len(data)).status == 204
    found = download(wire, f"{row}/new_file")
    assert found.body == data
    assert found.headers["mimetype"] == "application/pdf"
    again = chunk(wire, session, data[:BLOCK], 0, len(data))
    assert (again.status, again.code) == (404, "0x80040217")


def test_a_chunk_sent_again_counts_once_and_its_last_form_stays(wire: Wire) -> None:
    row = make_account(wire)
    session = begin(wire, f"{row}/new_file")
    assert chunk(wire, session, b"xxxx", 0, 10).status == 206
    assert chunk(wire, session, b"0123", 0, 10).status == 206
    torn = chunk(wire, session, b"zzzz", 2, 10)
    assert (torn.status, torn.code) == (400, "0x80040203")
    assert chunk(wire, session, b"456789", 4, 10).status == 204
    assert download(wire, f"{row}/new_file").body == b"0123456789"


def test_a_session_belongs_to_one_column_of_one_row(wire: Wire) -> None:
    row, other = make_account(wire), make_account(wire)
    session = begin(wire, f"{row}/new_file")
    for wrong in (
        session.replace(row, other),
        session.replace("new_file", "new_small"),
        f"{row}/new_file?sessiontoken=x",
    ):
        assert chunk(wire, wrong, b"12", 0, 2).status == 404


@pytest.mark.parametrize(
    "content_range", ["bytes 0-3/10", "bytes 0-4/3", "0-4/10", "bytes 4-0/10", "bytes */10", "bytes 0-4/*"]
)
def test_a_chunk_must_say_where_it_belongs(wire: Wire, content_range: str) -> None:
    session = begin(wire, f"{make_account(wire)}/new_file")
    reply = wire.send("PATCH", session, b"12345", {**OCTETS, "Content-Range": content_range})
    assert (reply.status, reply.code) == (400, "0x80040203")


def test_the_size_limit_of_the_column_holds_for_every_way_in(wire: Wire) -> None:
    row = make_account(wire)
    assert upload(wire, f"{row}/new_small", b"x" * 1024).status == 204
    too_big = upload(wire, f"{row}/new_small", b"x" * 1025)
    assert (too_big.status, too_big.code.lower()) == (400, "0x80044a02")
    session = begin(wire, f"{row}/new_small")
    too_big = chunk(wire, session, b"x", 0, 1025)
    assert (too_big.status, too_big.code.lower()) == (400, "0x80044a02")
    assert chunk(wire, session, b"y" * 1024, 0, 1024).status == 204
    assert download(wire, f"{row}/new_small").body == b"y" * 1024


def test_an_empty_file_is_a_file(wire: Wire) -> None:
    row = make_account(wire)
    assert upload(wire, f"{row}/new_file", b"").status == 204
    found = download(wire, f"{row}/new_file")
    assert (found.status, found.body, found.headers["x-ms-file-size"]) == (200, b"", "0")


def test_blocked_extensions_and_missing_names_are_refused(wire: Wire) -> None:
    row = make_account(wire)
    blocked = upload(wire, f"{row}/new_file", b"MZ", "setup.EXE")
    assert (blocked.status, blocked.code) == (400, "0x80043E09")
    nameless = wire.send("PATCH", f"{row}/new_file", b"x", OCTETS)
    assert (nameless.status, nameless.code) == (400, "0x80040203")


def test_a_file_is_not_set_with_the_row_but_null_deletes_it(wire: Wire) -> None:
    reply = wire.post("accounts", {"name": "x", "new_file": "aGk="})
    assert reply.status == 501
    row = make_account(wire, new_file=None)
    upload(wire, f"{row}/new_file", b"x")
    assert wire.send("PATCH", row, {"new_file": None}).status == 204
    assert download(wire, f"{row}/new_file").status == 404


def test_a_missing_row_takes_no_file(wire: Wire) -> None:
    reply = upload(wire, "accounts(7a4814f9-b0b8-ea11-a812-000d3a122b89)/new_file", b"x")
    assert (reply.status, reply.code) == (404, "0x80040217")
    row = make_account(wire)
    stale = wire.send("PATCH", f"{row}/new_file", b"x", {**OCTETS, "x-ms-file-name": "a", "If-Match": 'W/"1"'})
    assert (stale.status, stale.code) == (412, "0x80060882")
    ok = wire.send("PATCH", f"{row}/new_file", b"x", {**OCTETS, "x-ms-file-name": "a", "If-Match": "*"})
    assert ok.status == 204


def test_names_beyond_ascii_travel_in_the_query(wire: Wire) -> None:
    row = make_account(wire)
    reply = wire.send("PATCH", f"{row}/new_file?x-ms-file-name=%E6%B5%8B%E8%AF%95.txt", b"x", OCTETS)
    assert reply.status == 204
    assert wire.get(f"{row}?$select=new_file_name")["new_file_name"] == "\u6d4b\u8bd5.txt"
    found = download(wire, f"{row}/new_file")
    assert found.headers["content-disposition"] == "inline; filename*=UTF-8''%E6%B5%8B%E8%AF%95.txt"


def test_the_json_form_carries_base64_and_the_headers_clients_page_by(wire: Wire) -> None:
    data = random.Random(2).randbytes(BLOCK + 77)
    row = make_account(wire)
    session = begin(wire, f"{row}/new_file", "a.bin")
    assert chunk(wire, session, data, 0, len(data)).status == 204  # one chunk larger than advised

    got, where, at = b"", f"{row}/new_file?size=full", 0
    while at < len(data):
        reply = wire.send("GET", where, None, {"Range": f"bytes={at}-{at + 1_000_000 - 1}"})
        assert reply.status == 206
        assert reply.headers["x-ms-file-name"] == "a.bin"
        assert "a.bin" in reply.headers["content-disposition"]
        got += base64.b64decode(reply.json()["value"])
        at, where = len(got), reply.headers["location"].partition("/api/data/v9.2/")[2]
    assert got == data
    whole = wire.send("GET", f"{row}/new_file")
    assert whole.headers["content-type"].startswith("application/json")
    assert base64.b64decode(whole.json()["value"]) == data


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_range_answers_what_a_slice_would(wire: Wire, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 60))
    content = bytes(range(size))
    row = make_account(wire)
    assert upload(wire, f"{row}/new_file", content, "a.bin").status == 204
    first = data.draw(st.integers(0, size + 3))
    last = data.draw(st.integers(first, size + 10))
    reply = download(wire, f"{row}/new_file", {"Range": f"bytes={first}-{last}"})
    if first >= size:
        assert (reply.status, reply.headers["content-range"]) == (416, f"bytes */{size}")
        return
    assert (reply.status, reply.body) == (206, content[first : last + 1])
    assert reply.headers["content-range"] == f"bytes {first}-{min(last, size - 1)}/{size}"
    assert reply.headers["x-ms-file-size"] == str(size)
    assert reply.headers["x-ms-chunk-size"] == "4194304"
    tail = data.draw(st.integers(1, size + 2))
    assert download(wire, f"{row}/new_file", {"Range": f"bytes=-{tail}"}).body == content[-tail:]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_chunks_in_any_order_and_sent_twice_give_the_file(wire: Wire, data: st.DataObject) -> None:
    content = data.draw(st.binary(min_size=2, max_size=200))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(content) - 1), max_size=6)))
    pieces = list(zip([0, *cuts], [*cuts, len(content)], strict=True))
    order = data.draw(st.permutations(pieces))
    order = [*order[:-1], *data.draw(st.lists(st.sampled_from(order[:-1]), max_size=2)), order[-1]] if cuts else order
    row = make_account(wire)
    session = begin(wire, f"{row}/new_file")
    statuses = [chunk(wire, session, content[a:b], a, len(content)).status for a, b in order]
    assert statuses == [206] * (len(order) - 1) + [204]
    assert download(wire, f"{row}/new_file").body == content


def test_the_metadata_tells_of_the_column_and_its_companion(wire: Wire) -> None:
    where = "EntityDefinitions(LogicalName='account')/Attributes"
    cast = f"{where}(LogicalName='new_small')/{CRM}FileAttributeMetadata?$select=MaxSizeInKB"
    assert wire.get(cast)["MaxSizeInKB"] == 1
    name = wire.get(f"{where}(LogicalName='new_small_name')?$select=SchemaName,AttributeOf,IsValidForCreate")
    assert (name["SchemaName"], name["AttributeOf"], name["IsValidForCreate"]) == ("new_Small_Name", "new_small", False)


def test_nothing_stays_behind_when_files_are_replaced_and_rows_and_columns_go(tmp_path: Path) -> None:
    with running(Options(tmp_path / "data")) as wire:
        make_column(wire)
        row = make_account(wire)
        for text in (b"one", b"two"):
            upload(wire, f"{row}/new_file", text)
        assert stored_blocks(tmp_path / "data") == 1
        begun = begin(wire, f"{row}/new_file")
        chunk(wire, begun, b"x", 0, 9)
        assert stored_blocks(tmp_path / "data") == 2
        assert wire.send("DELETE", row).status == 204
        assert stored_blocks(tmp_path / "data") == 0
        kept = make_account(wire)
        upload(wire, f"{kept}/new_file", b"three")
        where = "EntityDefinitions(LogicalName='account')/Attributes(LogicalName='new_file')"
        assert wire.send("DELETE", where).status == 204
    with running(Options(tmp_path / "data")):
        assert stored_blocks(tmp_path / "data") == 0


def test_sessions_survive_a_restart_and_expire_after_a_day(tmp_path: Path) -> None:
    with running(Options(tmp_path / "data")) as wire:
        make_column(wire)
        row = make_account(wire)
        live, late = begin(wire, f"{row}/new_file"), begin(wire, f"{row}/new_file")
        assert chunk(wire, live, b"first", 0, 11).status == 206
        assert chunk(wire, late, b"x", 0, 2).status == 206
    with running(Options(tmp_path / "data")) as wire:
        assert chunk(wire, live, b"second", 5, 11).status == 204
        assert download(wire, f"{row}/new_file").body == b"firstsecond"
        moved = wire.instance.clock.now() + timedelta(hours=25)
        wire.instance.clock.move(to_s=moved.timestamp())
        assert chunk(wire, late, b"y", 1, 2).status == 404
        begin(wire, f"{row}/new_file")
        assert stored_blocks(tmp_path / "data") == 2


def test_snapshots_and_fingerprints_hold_the_bytes_of_files(tmp_path: Path) -> None:
    with running(Options(tmp_path / "data")) as wire:
        make_column(wire)
        row = make_account(wire)
        upload(wire, f"{row}/new_file", b"one")
        first = wire.admin("fingerprint")
        assert first["files"]["rows"] == 1
        wire.admin("snapshot", {"name": "a"})
        upload(wire, f"{row}/new_file", b"two")
        assert wire.admin("fingerprint")["hash"] != first["hash"]
        upload(wire, f"{row}/new_file", b"one")
        assert wire.admin("fingerprint")["hash"] == first["hash"]
        upload(wire, f"{row}/new_file", b"two")
        wire.admin("restore", {"name": "a"})
        assert wire.admin("fingerprint")["hash"] == first["hash"]
        assert download(wire, f"{row}/new_file").body == b"one"


def test_a_body_beyond_128_mb_is_too_large(wire: Wire) -> None:
    row = make_account(wire)
    reply = upload(wire, f"{row}/new_file", bytes(128 * 1024 * 1024 + 1), "big.bin")
    assert reply.status == 413
    assert orjson.loads(reply.body)["error"]["code"]
