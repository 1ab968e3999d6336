"""Connections cut and servers killed in the middle of uploads: a row names a whole file or none, and nothing is left over."""

import random
import socket
import sqlite3
import threading
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from file_wire import OCTETS, begin, chunk, download, make_account, make_column, stored_blocks, upload
from front_wire import API, Wire, running
from test_killed_server import LOST, process

from flitstack.emulator.instance import Instance, Options

PIECE = 300_000


def named(data: bytes) -> str:
    """A file name that tells what must be in the file."""
    return f"{sha256(data).hexdigest()[:20]}.bin"


class Uploader(threading.Thread):
    """Uploads files by turns whole and in chunks to one row until its connection breaks."""

    def __init__(self, wire: Wire, row: str, seed: int) -> None:
        super().__init__()
        self._wire, self._row, self._chance = wire, row, random.Random(seed)
        self.answered = ""
        self.sent: list[str] = []
        self.wrong: list[bytes] = []

    def run(self) -> None:
        with suppress(*LOST):
            for number in range(10_000):
                data = self._chance.randbytes(3 * PIECE)
                name = named(data)
                self.sent.append(name)
                reply = self._whole(data, name) if number % 2 else self._in_chunks(data, name)
                if reply != 204:
                    self.wrong.append(str(reply).encode())
                self.answered = name

    def _whole(self, data: bytes, name: str) -> int:
        return upload(self._wire, f"{self._row}/new_file", data, name).status

    def _in_chunks(self, data: bytes, name: str) -> int:
        session = begin(self._wire, f"{self._row}/new_file", name)
        status = 0
        for start in range(0, len(data), PIECE):
            status = chunk(self._wire, session, data[start : start + PIECE], start, len(data)).status
        return status


def kill_at(directory: Path, instants: list[float]) -> int:
    """Kill a server at each instant after the first upload began; how many uploads were sent in all."""
    unused: Instance = None  # type: ignore[assignment]
    sent = 0
    for turn, instant in enumerate(instants):
        with process(directory / "data", directory / "ready") as (served, url):
            wire = Wire(url, unused)
            if turn == 0:
                make_column(wire)
            uploaders = [Uploader(wire, make_account(wire), turn * 10 + n) for n in range(2)]
            for uploader in uploaders:
                uploader.start()
            time.sleep(instant)
            served.kill()
            for uploader in uploaders:
                uploader.join(30)
        with running(Options(directory / "data")) as wire:
            for uploader in uploaders:
                check_row(wire, uploader)
                sent += len(uploader.sent)
        check_blocks(directory / "data")
    return sent


def check_row(wire: Wire, uploader: Uploader) -> None:
    assert uploader.wrong == []
    row = uploader._row
    found = download(wire, f"{row}/new_file")
    name = wire.get(f"{row}?$select=new_file_name")["new_file_name"]
    if uploader.answered:
        # The last answered one, or the one whose answer was lost.
        assert name in uploader.sent[uploader.sent.index(uploader.answered) :]
    assert found.status == (404 if name is None else 200)
    if name is not None:
        assert named(found.body) == name


def check_blocks(data: Path) -> None:
    connection = sqlite3.connect(data / "environment.sqlite")
    try:
        (loose,) = connection.execute(
            "SELECT count(*) FROM file$data WHERE id NOT IN (SELECT data FROM file$block"
            " WHERE content IN (SELECT id FROM file$content))"
        ).fetchone()
        (nameless,) = connection.execute(
            "SELECT count(*) FROM file$content WHERE expires IS NULL AND id NOT IN"
            " (SELECT new_file FROM account WHERE new_file IS NOT NULL)"
        ).fetchone()
    finally:
        connection.close()
    assert (loose, nameless) == (0, 0)
    assert [path.name for path in data.iterdir() if path.name.startswith("flitstack-")] == []


def test_a_killed_server_leaves_whole_files_only(tmp_path: Path) -> None:
    assert kill_at(tmp_path, [0.05, 0.2, 0.33]) > 6


@pytest.mark.slow
def test_no_instant_of_a_kill_leaves_half_a_file(tmp_path: Path) -> None:
    chance = random.Random(8)
    assert kill_at(tmp_path, [chance.uniform(0.0, 0.4) for _ in range(60)]) > 200


def test_a_body_that_ends_early_changes_nothing(tmp_path: Path) -> None:
    with running(Options(tmp_path / "data")) as wire:
        make_column(wire)
        row = make_account(wire)
        upload(wire, f"{row}/new_file", b"first")
        address = urlsplit(wire.url)
        head = (
            f"PATCH {API}{row}/new_file HTTP/1.1\r\nHost: x\r\nContent-Type: {OCTETS['Content-Type']}\r\n"
            "x-ms-file-name: second.txt\r\nContent-Length: 1000000\r\n\r\n"
        )
        with socket.create_connection((str(address.hostname), int(address.port or 0))) as connection:
            connection.sendall(head.encode() + b"x" * 500_000)
        assert download(wire, f"{row}/new_file").body == b"first"
        assert wire.get(f"{row}?$select=new_file_name")["new_file_name"] == "notes.txt"
        assert stored_blocks(tmp_path / "data") == 1
