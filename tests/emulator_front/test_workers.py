"""`serve --workers 2`: two processes behind one URL, started as a user starts them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from front_wire import API, JSON

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="several processes need a POSIX system")


class Client:
    """One connection, which stays with one of the processes."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._connection = HTTPConnection(str(address.hostname), address.port, timeout=30)

    def send(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        full = path if path.startswith("/") else API + path
        self._connection.request(method, full, None if body is None else orjson.dumps(body), JSON)
        answer = self._connection.getresponse()
        content = answer.read()
        return answer.status, orjson.loads(content) if content else None

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    ready = tmp_path / "ready"
    command = ["-m", "flitstack.emulator", "serve", "--data", str(tmp_path / "data"), "--ready-file", str(ready)]
    source = str(Path(__file__).parents[2] / "src")
    process = subprocess.Popen(
        [sys.executable, *command, "--workers", "2"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": source},
    )
    while not ready.exists():
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.02)
    yield ready.read_text().strip(), process
    process.terminate()
    process.communicate(timeout=20)


def targets(first: int, count: int) -> dict[str, object]:
    rows = [{"@odata.type": "Microsoft.Dynamics.CRM.account", "name": str(first + n)} for n in range(count)]
    return {"Targets": rows}


def test_two_processes_are_one_environment(served: tuple[str, subprocess.Popen[bytes]]) -> None:
    url, process = served
    clients = [Client(url) for _ in range(4)]

    def load(number: int) -> list[str]:
        ids: list[str] = []
        for part in range(10):
            body = targets(number * 1000 + part * 50, 50)
            status, found = clients[number].send("POST", "accounts/Microsoft.Dynamics.CRM.CreateMultiple", body)
            assert status == 200, found
            ids += found["Ids"]
        return ids

    with ThreadPoolExecutor(4) as pool:
        ids = [id_ for found in pool.map(load, range(4)) for id_ in found]
    assert len(set(ids)) == 2000
    for client in clients:
        assert client.send("GET", "accounts/$count")[1] == 2000
        status, counters = client.send("GET", "/flitstack-admin/counters")
        assert (status, counters["rows_created"]) == (200, 2000)

    attribute = {
        "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata",
        "SchemaName": "new_Code",
        "MaxLength": 10,
        "DisplayName": {"LocalizedLabels": [{"Label": "Code", "LanguageCode": 1033}]},
    }
    status, found = clients[0].send("POST", "EntityDefinitions(LogicalName='account')/Attributes", attribute)
    assert status == 204, found
    for number, client in enumerate(clients):
        status, found = client.send("POST", "accounts", {"name": "with a code", "new_code": str(number)})
        assert status == 204, found
    rows = clients[1].send("GET", "accounts?$select=new_code&$filter=new_code%20ne%20null")[1]["value"]
    assert sorted(row["new_code"] for row in rows) == ["0", "1", "2", "3"]

    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0


def test_a_process_that_dies_ends_the_server_and_answered_rows_stay(
    served: tuple[str, subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    url, process = served
    client = Client(url)
    assert client.send("POST", "accounts/Microsoft.Dynamics.CRM.CreateMultiple", targets(0, 500))[0] == 200
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        pytest.skip("this kernel does not list children")
    os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
    assert process.wait(timeout=20) == 1

    command = [sys.executable, "-m", "flitstack.emulator", "serve", "--data", str(tmp_path / "data")]
    ready = tmp_path / "again"
    again = subprocess.Popen([*command, "--ready-file", str(ready)], stdout=subprocess.DEVNULL)
    try:
        while not ready.exists():
            assert again.poll() is None
            time.sleep(0.02)
        assert Client(ready.read_text().strip()).send("GET", "accounts/$count")[1] == 500
    finally:
        again.terminate()
        again.wait(timeout=20)
