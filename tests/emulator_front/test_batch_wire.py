"""`$batch` over a socket: formats of both known clients, order, change sets, failures."""

import re
import sys

from front_wire import Reply, Wire

from flitstack.emulator.batch_parts import read_batch

ABSENT = "11111111-2222-3333-4444-555555555555"


def batch(
    wire: Wire, text: str, boundary: str, *, newline: str = "\r\n", quoted: bool = False, go_on: bool = False
) -> Reply:
    named = f'"{boundary}"' if quoted else boundary
    headers = {"Content-Type": f"multipart/mixed; boundary={named}"}
    if go_on:
        headers["Prefer"] = "odata.continue-on-error"
    return wire.send("POST", "$batch", text.replace("\n", newline).encode(), headers)


def part(boundary: str, request: str, body: str = "", content_id: str = "") -> str:
    identity = f"Content-ID: {content_id}\n" if content_id else ""
    head = f"--{boundary}\nContent-Type: application/http\nContent-Transfer-Encoding: binary\n{identity}\n"
    return f"{head}{request} HTTP/1.1\nContent-Type: application/json; type=entry\n\n{body}\n"


def statuses(reply: Reply) -> list[int]:
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3})", reply.body)]


def test_parts_of_microsofts_python_client_run_in_order(wire: Wire) -> None:
    boundary = "batch_6f0d"
    absolute = f"{wire.url}/api/data/v9.2"
    text = (
        part(boundary, f"POST {absolute}/accounts", '{"name":"First","accountnumber":"A 1"}')
        + part(boundary, f"GET {absolute}/accounts?$select=name&$filter=accountnumber eq 'A 1'")
        + f"--{boundary}--\n"
    )
    reply = batch(wire, text, boundary, quoted=True)
    assert reply.status == 200
    assert statuses(reply) == [204, 200]
    assert b'"name":"First"' in reply.body


def test_line_feeds_alone_are_read_as_the_npm_client_sends_them(wire: Wire) -> None:
    boundary = "dwa_batch_1"
    inner = "changeset_1"
    text = (
        f"--{boundary}\nContent-Type: multipart/mixed;boundary={inner}\n\n"
        + part(inner, "POST /api/data/v9.2/accounts", '{"name":"Parent"}', "100001")
        + part(
            inner,
            "POST /api/data/v9.2/contacts",
            '{"lastname":"Child","parentcustomerid_account@odata.bind":"$100001"}',
            "100002",
        )
        + f"--{inner}--\n\n--{boundary}--\n"
    )
    reply = batch(wire, text, boundary, newline="\n")
    assert reply.status == 200, reply.body
    assert reply.body.startswith(b"--batchresponse_")
    assert b"\r\n--changesetresponse_" in reply.body or b"--changesetresponse_" in reply.body
    assert re.search(rb"Content-ID: 100002\r\n", reply.body)
    assert re.search(rb"OData-EntityId: [^\r]*\([0-9a-f-]{36}\)\r\n", reply.body)
    found = wire.get("contacts?$select=lastname&$expand=parentcustomerid_account($select=name)")
    assert found["value"][0]["parentcustomerid_account"]["name"] == "Parent"


def test_a_change_set_is_undone_as_a_whole(wire: Wire) -> None:
    text = (
        "--b\nContent-Type: multipart/mixed; boundary=c\n\n"
        + part("c", "POST /api/data/v9.2/accounts", '{"name":"Good"}', "1")
        + part("c", "POST /api/data/v9.2/accounts", '{"nosuch":1}', "2")
        + "--c--\n"
        + part("b", "POST /api/data/v9.2/accounts", '{"name":"After"}')
        + "--b--\n"
    )
    stopped = batch(wire, text, "b")
    assert stopped.status == 400
    assert statuses(stopped) == [400]
    assert wire.get("accounts?$select=name")["value"] == []
    continued = batch(wire, text, "b", go_on=True)
    assert continued.status == 200
    assert statuses(continued) == [400, 204]
    assert [row["name"] for row in wire.get("accounts?$select=name")["value"]] == ["After"]


def test_a_batch_stops_at_the_first_failure_with_its_status(wire: Wire) -> None:
    text = (
        part("b", "POST /api/data/v9.2/accounts", '{"name":"One"}')
        + part("b", f"GET /api/data/v9.2/accounts({ABSENT})")
        + part("b", "POST /api/data/v9.2/accounts", '{"name":"Never"}')
        + "--b--\n"
    )
    reply = batch(wire, text, "b")
    assert reply.status == 404
    assert statuses(reply) == [204, 404]
    assert wire.send("GET", "accounts/$count").body.lstrip(b"\xef\xbb\xbf") == b"1"


def test_a_reference_may_be_the_url_of_a_part(wire: Wire) -> None:
    text = (
        "--b\nContent-Type: multipart/mixed; boundary=c\n\n"
        + part("c", "POST accounts", '{"name":"Old"}', "1")
        + part("c", "PATCH $1", '{"name":"New"}', "2")
        + "--c--\n--b--\n"
    )
    assert statuses(batch(wire, text, "b")) == [204, 204]
    assert wire.get("accounts?$select=name")["value"][0]["name"] == "New"


def test_an_undeclared_reference_is_refused_by_name(wire: Wire) -> None:
    text = "--b\nContent-Type: multipart/mixed; boundary=c\n\n" + part("c", "PATCH $7", "{}", "1") + "--c--\n--b--\n"
    reply = batch(wire, text, "b")
    assert reply.status == 400
    assert b"Content-ID Reference: '$7' does not exist in the batch context." in reply.body


def test_a_read_inside_a_change_set_is_refused(wire: Wire) -> None:
    text = "--b\nContent-Type: multipart/mixed; boundary=c\n\n" + part("c", "GET accounts", "", "1") + "--c--\n--b--\n"
    assert batch(wire, text, "b").status == 400


def test_more_than_a_thousand_requests_are_refused(wire: Wire) -> None:
    text = "".join(part("b", "GET WhoAmI") for _ in range(1001)) + "--b--\n"
    reply = batch(wire, text, "b")
    assert (reply.status, reply.code) == (400, "0x80048d19")


def test_a_body_without_parts_or_boundary_is_refused(wire: Wire) -> None:
    reply = wire.send("POST", "$batch", b"hello", {"Content-Type": "multipart/mixed"})
    assert (reply.status, reply.code) == (400, "0x80048d19")


def test_a_batch_inside_a_batch_is_refused(wire: Wire) -> None:
    assert batch(wire, part("b", "POST /api/data/v9.2/$batch") + "--b--\n", "b").status == 400


def test_a_boundary_that_begins_another_one_keeps_its_parts() -> None:
    inner = part("b1", "POST accounts", '{"name":"--b in a value"}', "1")
    text = f"--b\nContent-Type: multipart/mixed; boundary=b1\n\n{inner}--b1--\n{part('b', 'GET accounts')}--b--\n"
    items = read_batch("multipart/mixed; boundary=b", text.replace("\n", "\r\n").encode())
    assert len(items) == 2


def test_what_a_part_takes_does_not_grow_with_their_number() -> None:
    few, many = (calls_to_read(count) for count in (100, 1_000))
    assert many <= 10 * few


def calls_to_read(count: int) -> int:
    """Function calls that reading a batch of so many parts takes."""
    body = '{"name":"' + "x" * 800 + '"}'
    text = "".join(part("batch_x", "POST /api/data/v9.2/accounts", body) for _ in range(count)) + "--batch_x--\n"
    raw, calls = text.replace("\n", "\r\n").encode(), 0

    def called(*_: object) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(called)
    try:
        items = read_batch('multipart/mixed; boundary="batch_x"', raw)
    finally:
        sys.setprofile(None)
    assert len(items) == count
    return calls
