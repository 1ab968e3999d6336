"""Files larger than memory ought to be: the server holds a block of them at a time."""

import sys
from pathlib import Path

import pytest
from file_wire import begin, chunk, download, make_account, make_column, upload
from front_wire import Wire
from test_killed_server import process

from flitstack.emulator.instance import Instance

MB = 1024 * 1024
FILE_MB = 120
# SQLite's page cache (64 MB) and some blocks on their way; with the whole file it would be more than 184.
GROWTH_MB = 140


def peak_mb(pid: int) -> int:
    """The most memory a process had, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) // 1024


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_transfer_holds_the_whole_file(tmp_path: Path) -> None:
    unused: Instance = None  # type: ignore[assignment]
    data = bytes(range(256)) * (FILE_MB * MB // 256)
    with process(tmp_path / "data", tmp_path / "ready") as (served, url):
        wire = Wire(url, unused)
        make_column(wire, max_kb=1_000_000)
        row = make_account(wire)
        before = peak_mb(served.pid)
        assert upload(wire, f"{row}/new_file", data, "a.bin").status == 204
        assert download(wire, f"{row}/new_file").body == data
        as_json = wire.send("GET", f"{row}/new_file")
        assert len(as_json.body) > len(data)
        session = begin(wire, f"{row}/new_file", "b.bin")
        statuses = [
            chunk(wire, session, data[at : at + 10 * MB], at, len(data)).status for at in range(0, len(data), 10 * MB)
        ]
        assert statuses == [206] * 11 + [204]
        assert peak_mb(served.pid) - before < GROWTH_MB
