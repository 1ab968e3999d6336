"""The server is killed while several clients write: what was answered is whole, what was not is whole or absent."""

import http.client
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest

import flitstack
from flitstack.emulator.core import Environment

ROWS = 40
WRITERS = 3
LOST = (http.client.HTTPException, OSError)
MULTIPLE = "/api/data/v9.2/accounts/Microsoft.Dynamics.CRM.CreateMultiple"


@contextmanager
def process(data: Path, ready: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A server of its own process and its URL."""
    ready.unlink(missing_ok=True)
    command = [sys.executable, "-m", "flitstack.emulator", "serve", "--data", str(data), "--ready-file", str(ready)]
    source = {**os.environ, "PYTHONPATH": str(Path(flitstack.__file__).parents[1])}
    served = subprocess.Popen(command, env=source, stdout=subprocess.DEVNULL)
    try:
        for _ in range(600):
            if ready.exists():
                break
            time.sleep(0.02)
        yield served, ready.read_text().strip()
    finally:
        served.kill()
        served.wait(20)


class Writer(threading.Thread):
    """Sends bulk messages and change sets by turns until its connection breaks; knows which were answered."""

    def __init__(self, url: str, name: str) -> None:
        super().__init__()
        self._address = urlsplit(url)
        self._name = name
        self.sent: list[str] = []
        self.answered: set[str] = set()
        self.refused: list[bytes] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection(str(self._address.hostname), self._address.port, timeout=20)
        try:
            for number in range(10_000):
                tag = f"{'bulk' if number % 2 else 'set'}-{self._name}-{number}"
                self.sent.append(tag)
                connection.request("POST", *(bulk(tag) if number % 2 else change_set(tag)))
                answer = connection.getresponse()
                body = answer.read()
                if answer.status == 200:
                    self.answered.add(tag)
                else:
                    self.refused.append(body)
        except LOST:
            return
        finally:
            connection.close()


def bulk(tag: str) -> tuple[str, bytes, dict[str, str]]:
    target = {"@odata.type": "Microsoft.Dynamics.CRM.account", "name": tag}
    return MULTIPLE, orjson.dumps({"Targets": [target] * ROWS}), {"Content-Type": "application/json"}


def change_set(tag: str) -> tuple[str, bytes, dict[str, str]]:
    """An account, rows that refer to it, and a change of it: ROWS rows of that name."""
    head = "--c\r\nContent-Type: application/http\r\nContent-ID: {}\r\n\r\n{} HTTP/1.1\r\n\r\n{}\r\n"
    bind = '"parentaccountid@odata.bind":"$1"'
    pieces = [head.format(1, "POST accounts", '{"name":"unfinished"}')]
    pieces += [head.format(n, "POST accounts", f'{{"name":"{tag}",{bind}}}') for n in range(2, ROWS + 1)]
    pieces.append(head.format(ROWS + 1, "PATCH $1", f'{{"name":"{tag}"}}'))
    text = "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n" + "".join(pieces) + "--c--\r\n--b--\r\n"
    return "/api/data/v9.2/$batch", text.encode(), {"Content-Type": "multipart/mixed; boundary=b"}


def kill_at(directory: Path, instants: list[float]) -> int:
    """Kill a server at each instant (seconds after the first request; the first server, which makes the table, after an answer); how
    many requests were answered in all."""
    sent: list[str] = []
    answered: set[str] = set()
    for turn, instant in enumerate(instants):
        with process(directory / "data", directory / "ready") as (served, url):
            writers = [Writer(url, f"{turn}-{number}") for number in range(WRITERS)]
            for writer in writers:
                writer.start()
            while not answered and not any(writer.answered for writer in writers):
                time.sleep(0.01)
                assert any(writer.is_alive() for writer in writers)
            time.sleep(instant)
            served.kill()
            for writer in writers:
                writer.join(30)
                assert writer.refused == []
                sent += writer.sent
                answered |= writer.answered
        check(directory / "data", sent, answered)
    return len(answered)


def check(data: Path, sent: list[str], answered: set[str]) -> None:
    environment = Environment.open(data)
    try:
        found = Counter(name for (name,) in environment.connection.execute("SELECT name FROM account"))
        (dangling,) = environment.connection.execute(
            "SELECT count(*) FROM account AS child LEFT JOIN account AS parent"
            " ON parent.accountid = child.parentaccountid"
            " WHERE child.parentaccountid IS NOT NULL AND parent.name IS NOT child.name"
        ).fetchone()
    finally:
        environment.close()
    assert {name: count for name, count in found.items() if count != ROWS} == {}
    assert answered <= set(found)
    assert set(found) <= set(sent)
    assert dangling == 0


def test_what_was_answered_survives_a_kill_and_nothing_is_half_there(tmp_path: Path) -> None:
    assert kill_at(tmp_path, [0.05, 0.2, 0.33]) > 5


@pytest.mark.slow
def test_no_instant_of_a_kill_leaves_half_a_request(tmp_path: Path) -> None:
    chance = random.Random(20)
    assert kill_at(tmp_path, [chance.uniform(0.0, 0.5) for _ in range(60)]) > 300
