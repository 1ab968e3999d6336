"""Headers, sizes and forms of requests. Source: Microsoft Learn, "Compose HTTP requests and handle errors",
"Execute batch operations using the Web API", "Impersonate another user using the Web API"."""

import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from front_wire import Wire, running

from flitstack.emulator.instance import Options
from flitstack.emulator.tls import CERTIFICATE, own_context

ANA = "30000000-0000-4000-8000-000000000001"
FORMATTED = "OData.Community.Display.V1.FormattedValue"
MIXED = {"Content-Type": "multipart/mixed; boundary=b"}


def part(request: str, body: str = "", *headers: str, content_id: str = "") -> str:
    identity = f"Content-ID: {content_id}\r\n" if content_id else ""
    inner = "".join(f"{header}\r\n" for header in headers)
    return f"Content-Type: application/http\r\n{identity}\r\n{request} HTTP/1.1\r\n{inner}\r\n{body}\r\n"


def batch(*parts: str) -> bytes:
    return ("".join(f"--b\r\n{piece}" for piece in parts) + "--b--\r\n").encode()


def change_set(*parts: str) -> str:
    inner = "".join(f"--c\r\n{piece}" for piece in parts)
    return f"Content-Type: multipart/mixed; boundary=c\r\n\r\n{inner}--c--\r\n"


@pytest.mark.parametrize(
    ("method", "prefer", "applied"),
    [
        ("GET", f'odata.include-annotations="{FORMATTED}"', f'odata.include-annotations="{FORMATTED}"'),
        ("GET", "odata.maxpagesize=2", "odata.maxpagesize=2"),
        ("GET", 'odata.maxpagesize=2,odata.include-annotations="*"', 'odata.maxpagesize=2,odata.include-annotations="*"'),
        ("POST", "return=representation", "return=representation"),
        ("POST", 'return=representation, odata.include-annotations="*"', 'return=representation,odata.include-annotations="*"'),
        ("POST", "respond-async", None),
        ("GET", "whatever=5", None),
    ],
)  # fmt: skip
def test_preferences_that_were_kept_are_echoed(
    shared_wire: Wire, method: str, prefer: str, applied: str | None
) -> None:
    body = {"name": "A"} if method == "POST" else None
    reply = shared_wire.send(method, "accounts?$select=name", body, {"Prefer": prefer})
    assert reply.status < 300
    assert reply.headers.get("preference-applied") == applied


def test_a_page_is_at_most_five_thousand_rows_whatever_is_preferred(shared_wire: Wire) -> None:
    assert shared_wire.send("GET", "accounts", headers={"Prefer": "odata.maxpagesize=9999"}).status == 200


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_noise_headers_and_unknown_ones_change_nothing(shared_wire: Wire, method: str) -> None:
    noise = {
        "If-None-Match": "null", "OData-MaxVersion": "4.0", "Accept": "application/json;odata.metadata=minimal",
        "Content-Type": "application/json; charset=utf-8", "X-Whatever": "1", "Cache-Control": "no-cache",
        "MSCRM.BypassCustomPluginExecution": "true", "MSCRM.BypassBusinessLogicExecution": "CustomSync,CustomAsync",
        "MSCRM.BypassBusinessLogicExecutionStepIds": ANA, "Consistency": "Strong", "x-ms-client-request-id": ANA,
    }  # fmt: skip
    path = "accounts" if method == "POST" else f"accounts({ANA})"
    shared_wire.send("PATCH", f"accounts({ANA})", {"name": "A"})
    body = None if method == "GET" else {"name": "A"}
    assert shared_wire.send(method, f"{path}?tag=shared", body, noise).status in {200, 204}


@pytest.mark.parametrize(("extra", "status"), [(0, 200), (1, 400)])
def test_a_url_has_at_most_32768_characters(shared_wire: Wire, extra: int, status: int) -> None:
    path = "/api/data/v9.2/accounts?$filter=name%20eq%20'"
    url = path + "x" * (32_768 - len(path) - 1 + extra) + "'"
    assert shared_wire.send("GET", url).status == status


@pytest.mark.parametrize(("extra", "status"), [(0, b"HTTP/1.1 200"), (1, b"HTTP/1.1 400")])
def test_a_url_inside_a_batch_may_be_twice_as_long(shared_wire: Wire, extra: int, status: bytes) -> None:
    path = "/api/data/v9.2/accounts?$filter=name eq '"
    url = path + "x" * (65_536 - len(path) - 1 + extra) + "'"
    assert status in shared_wire.send("POST", "$batch", batch(part(f"GET {url}")), MIXED).body


def test_a_body_that_is_too_large_is_refused(shared_wire: Wire) -> None:
    address = urlsplit(shared_wire.url)
    head = "POST /api/data/v9.2/accounts HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    with socket.create_connection((str(address.hostname), address.port)) as connection:
        connection.sendall(f"{head}Content-Length: {129 * 1024 * 1024}\r\n\r\n".encode())
        piece = b"x" * (1024 * 1024)
        try:
            for _ in range(129):
                connection.sendall(piece)
        except OSError:
            pass  # the answer may come before all was sent
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("path", ["/api/data/v9.3/accounts", "/api/data/v8.2/", "/api/data/v9/", "/api/data", "/"])
def test_other_versions_and_places_are_not_found(shared_wire: Wire, path: str) -> None:
    reply = shared_wire.send("GET", path)
    assert (reply.status, reply.code) == (404, "")


def test_the_service_document_lists_entity_sets(shared_wire: Wire) -> None:
    found = shared_wire.get("")
    assert {"name": "accounts", "kind": "EntitySet", "url": "accounts"} in found["value"]
    assert shared_wire.send("POST", "", {}).status == 405


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "WhoAmI"), ("GET", "WinOpportunity"), ("GET", "accounts/Microsoft.Dynamics.CRM.CreateMultiple")],
)
def test_the_wrong_verb_on_an_operation_finds_nothing(shared_wire: Wire, method: str, path: str) -> None:
    reply = shared_wire.send(method, path, {} if method == "POST" else None)
    assert (reply.status, reply.code) == (404, "")
    assert reply.json()["error"]["message"].startswith("No HTTP resource was found that matches the request URI")


def test_parts_of_a_batch_may_act_for_somebody(wire: Wire) -> None:
    own = wire.get("WhoAmI")["UserId"]
    wire.admin("seed", {"systemusers": [{"systemuserid": ANA, "lastname": "Ana", "accessmode": "Read-Write"}]})
    create = part("POST accounts", '{"name":"A"}', f"MSCRMCallerID: {ANA}")
    plain = part("POST accounts", '{"name":"B"}')
    wrong = part("POST accounts", '{"name":"C"}', "CallerObjectId: x")
    reply = wire.send("POST", "$batch", batch(create, change_set(create), plain, wrong), MIXED)
    assert reply.status == 400
    found = wire.get("accounts?$select=name,_createdby_value,_createdonbehalfby_value&$orderby=name")["value"]
    assert [(row["name"], row["_createdby_value"]) for row in found] == [("A", ANA), ("A", ANA), ("B", own)]
    assert found[0]["_createdonbehalfby_value"] == own


@pytest.mark.parametrize(
    "body",
    [
        b"hello",
        b"--b--",
        batch("Content-Type: text/plain\r\n\r\nGET accounts HTTP/1.1\r\n\r\n"),
        batch("Content-Type: application/http\r\n\r\nGET accounts\r\n\r\n"),
        batch(change_set(part("POST accounts", "{}", content_id="1"), part("POST accounts", "{}", content_id="1"))),
        batch(change_set(change_set(part("POST accounts", "{}")))),
    ],
    ids=["no part", "the end only", "no http", "no protocol", "an id twice", "a set in a set"],
)
def test_what_is_no_batch_is_refused(shared_wire: Wire, body: bytes) -> None:
    reply = shared_wire.send("POST", "$batch", body, MIXED)
    assert (reply.status, reply.code) == (400, "0x80048d19")


def test_a_batch_is_posted(shared_wire: Wire) -> None:
    assert shared_wire.send("GET", "$batch").status == 405


def test_change_sets_do_not_know_each_others_ids(shared_wire: Wire) -> None:
    body = batch(
        change_set(part("POST accounts", '{"name":"A"}', content_id="1")),
        change_set(part("PATCH $1", '{"name":"B"}', content_id="2")),
    )
    reply = shared_wire.send("POST", "$batch", body, MIXED)
    assert b"Content-ID Reference: '$1' does not exist in the batch context." in reply.body


def test_tls_and_plain_http_are_told_apart(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(Options(data), own_context(data, "127.0.0.1")) as wire:
        assert wire.url.startswith("https://")
        assert (data / CERTIFICATE).exists()
        address = urlsplit(wire.url)
        with socket.create_connection((str(address.hostname), address.port)) as connection:
            connection.sendall(b"GET /api/data/v9.2/WhoAmI HTTP/1.1\r\nHost: x\r\n\r\n")
            assert not connection.recv(65536).startswith(b"HTTP/1.1 200")
