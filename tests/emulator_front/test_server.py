"""The process and its HTTP edge."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from front_wire import Wire

import flitstack
from flitstack.emulator.__main__ import main
from flitstack.emulator.urls import read_resource


def test_the_process_serves_until_it_is_told_to_end(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    command = [sys.executable, "-m", "flitstack.emulator", "serve", "--data", str(tmp_path / "data"), "--port", "0"]
    source = {**os.environ, "PYTHONPATH": str(Path(flitstack.__file__).parents[1])}
    process = subprocess.Popen([*command, "--ready-file", str(ready)], env=source, stdout=subprocess.PIPE, text=True)
    try:
        for _ in range(400):
            if ready.exists():
                break
            time.sleep(0.05)
        url = ready.read_text().strip()
        with urlopen(f"{url}/api/data/v9.2/WhoAmI") as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        printed, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    assert printed == f"flitstack emulator on {url} (data {tmp_path / 'data'})\n"
    assert process.returncode == 0
    assert not (tmp_path / "data" / "environment.sqlite-wal").exists()


def test_a_fault_plan_that_cannot_be_read_ends_with_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plan.yaml").write_text("rules: 5")
    assert main(["serve", "--data", str(tmp_path), "--faults", str(tmp_path / "plan.yaml")]) == 2
    assert "fault plan" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value"), [("--clock", "soon"), ("--clock-rate", "-1"), ("--servers", "0"), ("--servers", "65")]
)
def test_options_that_make_no_sense_end_with_two(tmp_path: Path, option: str, value: str) -> None:
    assert main(["serve", "--data", str(tmp_path / "data"), option, value]) == 2


@pytest.mark.parametrize("version", ["v9.0", "v9.1", "v9.2"])
def test_every_version_answers_with_its_own_urls(shared_wire: Wire, version: str) -> None:
    found = shared_wire.get(f"/api/data/{version}/WhoAmI")
    assert found["@odata.context"].startswith(f"{shared_wire.url}/api/data/{version}/$metadata#")


def test_urls_are_built_from_the_host_the_client_used(shared_wire: Wire) -> None:
    reply = shared_wire.send("POST", "accounts", {"name": "A"}, {"Host": "crm.example:8443"})
    assert reply.headers["odata-entityid"].startswith("http://crm.example:8443/api/data/v9.2/accounts(")


def test_every_answer_has_its_request_id_and_version(shared_wire: Wire) -> None:
    for path in ("WhoAmI", "nosuch"):
        headers = shared_wire.send("GET", path).headers
        assert headers["odata-version"] == "4.0"
        assert headers["x-ms-service-request-id"] != headers["req_id"]


def test_what_is_not_there_is_refused_in_odatas_words(shared_wire: Wire) -> None:
    reply = shared_wire.send("GET", "Accounts")
    assert (reply.status, reply.code) == (404, "0x8006088a")
    assert reply.json()["error"]["message"] == "Resource not found for the segment 'Accounts'."
    assert shared_wire.send("GET", "/elsewhere").status == 404
    assert shared_wire.send("GET", "/api/data/v8.2/accounts").status == 404


def test_query_options_come_encoded_or_plain(shared_wire: Wire) -> None:
    shared_wire.post("accounts", {"name": "A & B"})
    for query in (
        "$select=name&$filter=name eq 'A %26 B'",
        "%24select=name&%24filter=name+eq+%27A+%26+B%27",
        "$select=name&$filter=name%20eq%20'A%20%26%20B'",
    ):
        assert shared_wire.get(f"accounts?{query}")["value"][0]["name"] == "A & B", query


def test_several_prefer_headers_are_one(shared_wire: Wire) -> None:
    address = urlsplit(shared_wire.url)
    raw = (
        "POST /api/data/v9.2/accounts?$select=name HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        'Prefer: return=representation\r\nPrefer: odata.include-annotations="*"\r\nConnection: close\r\n'
        'Content-Length: 12\r\n\r\n{"name":"P"}'
    )
    with socket.create_connection((str(address.hostname), address.port)) as connection:
        connection.sendall(raw.encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 201")
    assert b"return=representation" in answer


def test_an_unforeseen_fault_is_a_500_and_a_trace(
    wire: Wire, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    wire.post("accounts", {"name": "A"})
    wire.instance.environment.connection.execute("DROP TABLE account$rows")
    reply = wire.send("GET", "accounts")
    assert (reply.status, reply.code) == (500, "0x80044150")
    assert "Traceback" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("url", "path", "query"),
    [
        ("/api/data/v9.2/accounts", "accounts", {}),
        ("https://org.example/api/data/v9.2/accounts(name='a b')?$top=1", "accounts(name='a b')", {"$top": "1"}),
        ("accounts?$filter=a eq 'x=y'", "accounts", {"$filter": "a eq 'x=y'"}),
        ("/api/data/v9.2/accounts(name='a%2Fb')", "accounts(name='a/b')", {}),
        ("/api/data/v9.1", "", {}),
    ],
)
def test_urls_are_read(url: str, path: str, query: dict[str, str]) -> None:
    resource = read_resource(url)
    assert resource is not None
    assert (resource.path, resource.query) == (path, query)


def test_urls_outside_the_service_are_none() -> None:
    assert read_resource("/accounts") is None
    assert read_resource("https://org.example/api/data/v9.2x/accounts") is None
