"""How fast the emulator takes rows: CreateMultiple of contacts with 25 columns, checked and durable, 500 a request.

    python benchmarks/emulator.py [--rows 200000] [--workers 1 2] [--repeat 3] [--growth 1 4] [--write docs/benchmarks.md]

Client and server run on the same machine; CPU and memory are those of the server's processes alone. Beside it, in the
same run, stands a bare server (emulator_bare.py) that checks nothing: the ratio to it is what carries over to other
machines. `--growth 1 4` loads four million rows and compares the time of a row at one million and at four.
"""

import argparse
import asyncio
import itertools
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import orjson
import psutil
import uvloop
from pages import a_page, write_section

BATCH = 500
BODIES = 100  # different ones; sent again and again
ACCOUNTS, OWNERS = 200, 20
TITLE = "The emulator"
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Measured:
    """One load. `slices` are the seconds each tenth of it took."""

    name: str
    rows: int
    wall_s: float
    cpu_s: float
    peak_mib: int
    slices: tuple[float, ...] = ()

    @property
    def cpu_us(self) -> float:
        """Server CPU of one row."""
        return self.cpu_s / self.rows * 1e6


@dataclass(frozen=True, slots=True)
class Server:
    """A server under test and where it listens."""

    name: str
    url: str
    process: psutil.Process

    def usage(self) -> tuple[float, int]:
        """CPU seconds and resident MiB, children included."""
        family = [self.process, *self.process.children(recursive=True)]
        times = [one.cpu_times() for one in family]
        memory = sum(one.memory_info().rss for one in family)
        return sum(one.user + one.system for one in times), memory >> 20


def guid(kind: int, number: int) -> str:
    """Made-up ids of accounts and owners."""
    return f"{kind:08x}-0000-4000-8000-{number:012x}"


def contact(n: int) -> dict[str, object]:
    """25 columns of every common kind."""
    day = f"{1950 + n % 50}-{n % 12 + 1:02}-{n % 28 + 1:02}"
    return {
        "@odata.type": "Microsoft.Dynamics.CRM.contact",
        "firstname": f"Vorname{n % 977}",
        "lastname": f"Überlang-{n}" if n % 10 == 0 else f"Lastname-{n}",
        "emailaddress1": f"person.{n}@example{n % 89}.com",
        "telephone1": f"+49 30 {n:08}",
        "mobilephone": f"+49 171 {n:08}",
        "jobtitle": f"Head of department {n % 37}",
        "department": f"Department {n % 37}",
        "address1_line1": f"Musterstraße {n % 300}" if n % 5 == 0 else f"Main street {n % 300}",
        "address1_city": f"City {n % 500}",
        "address1_stateorprovince": f"State {n % 50}",
        "address1_postalcode": f"{n % 99999:05}",
        "address1_country": "Germany",
        "websiteurl": f"https://example{n % 89}.com/people/{n}",
        "description": f"Met at the fair in hall {n % 12}. " * 4,
        "gendercode": n % 2 + 1,
        "familystatuscode": n % 4 + 1,
        "preferredcontactmethodcode": n % 5 + 1,
        "donotemail": n % 3 == 0,
        "birthdate": day,
        "anniversary": f"{2000 + n % 20}{day[4:]}",
        "overriddencreatedon": f"{2010 + n % 14}-{n % 12 + 1:02}-{n % 28 + 1:02}T{n % 24:02}:{n % 60:02}:00Z",
        "creditlimit": n % 100000 + 0.25,
        "numberofchildren": n % 4,
        "parentcustomerid_account@odata.bind": f"/accounts({guid(0xACC, n % ACCOUNTS)})",
        "ownerid@odata.bind": f"/systemusers({guid(0x05E, n % OWNERS)})",
    }


def bodies() -> list[bytes]:
    """Request bodies; about 500 KB each."""
    return [orjson.dumps({"Targets": [contact(b * BATCH + i) for i in range(BATCH)]}) for b in range(BODIES)]


@contextmanager
def serving(name: str, command: Sequence[str], ready: Path) -> Iterator[Server]:
    """A server as a process of its own, ended at the end."""
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL)
    try:
        while not ready.exists() or not ready.read_text().strip():
            if process.poll() is not None:
                sys.exit(f"{name} ended with {process.returncode}")
            time.sleep(0.02)
        yield Server(name, ready.read_text().strip(), psutil.Process(process.pid))
    finally:
        process.terminate()
        process.wait()


async def prepare(session: aiohttp.ClientSession, url: str) -> None:
    """Accounts and owners the contacts point to."""
    users = [{"systemuserid": guid(0x05E, n), "firstname": "U", "lastname": str(n)} for n in range(OWNERS)]
    accounts = [{"accountid": guid(0xACC, n), "name": f"Account {n}"} for n in range(ACCOUNTS)]
    body = orjson.dumps({"systemusers": users, "accounts": accounts})
    async with session.post(f"{url}/flitstack-admin/seed", data=body, headers=JSON) as answer:
        assert answer.status == 200, await answer.text()


async def load(server: Server, rows: int, lanes: int, *, is_bare: bool = False) -> Measured:
    """Send rows over `lanes` connections at once and wait for all answers."""
    path = f"{server.url}/api/data/v9.2/contacts/Microsoft.Dynamics.CRM.CreateMultiple"
    texts, count = bodies(), rows // BATCH
    ends: list[float] = []
    peak_mib = 0
    numbers = iter(range(count))

    async def lane(session: aiohttp.ClientSession) -> None:
        nonlocal peak_mib
        for number in numbers:
            async with session.post(path, data=texts[number % BODIES], headers=JSON) as answer:
                content = await answer.read()
                assert answer.status == 200, content[:500]
            ends.append(time.monotonic())
            if number % 50 == 0:
                peak_mib = max(peak_mib, server.usage()[1])

    # A connection per lane from the start: with several processes each accepts its share of connections.
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=lanes)) as session:
        if not is_bare:
            await prepare(session, server.url)
        async with session.post(path, data=texts[0], headers=JSON) as answer:  # makes the table
            assert answer.status == 200, await answer.text()
        cpu, started = server.usage()[0], time.monotonic()
        await asyncio.gather(*(lane(session) for _ in range(lanes)))
    wall_s, cpu_s = time.monotonic() - started, server.usage()[0] - cpu
    marks = [started, *(ends[count * tenth // 10 - 1] for tenth in range(1, 11))]
    slices = tuple(b - a for a, b in itertools.pairwise(marks))
    return Measured(server.name, count * BATCH, wall_s, cpu_s, peak_mib, slices)


def count_rows(directory: Path) -> int:
    """What is really there."""
    connection = sqlite3.connect(directory / "environment.sqlite")
    try:
        return int(connection.execute("SELECT count(*) FROM contact").fetchone()[0])
    finally:
        connection.close()


def measure_emulator(work: Path, rows: int, workers: int) -> Measured:
    """A fresh emulator takes rows; exits when one is missing at the end."""
    directory = Path(tempfile.mkdtemp(dir=work))
    data, ready = directory / "data", directory / "ready"
    command = ["-m", "flitstack.emulator", "serve", "--data", str(data), "--ready-file", str(ready)]
    if workers > 1:
        command += ["--workers", str(workers)]
    with serving(f"emulator, {workers} process{'es' * (workers > 1)}", command, ready) as server:
        measured = uvloop.run(load(server, rows, 4 * workers))
    if count_rows(data) != rows + BATCH:
        sys.exit(f"{count_rows(data)} rows are there, not {rows + BATCH}")
    shutil.rmtree(directory)
    return measured


def measure_bare(work: Path, rows: int) -> Measured:
    """The same rows into the bare server."""
    directory = Path(tempfile.mkdtemp(dir=work))
    script = str(Path(__file__).with_name("emulator_bare.py"))
    ready = directory / "ready"
    with serving("bare server", [script, str(directory), str(ready)], ready) as server:
        measured = uvloop.run(load(server, rows, 4, is_bare=True))
    shutil.rmtree(directory)
    return measured


def table(bare: Measured, measured: Sequence[Measured]) -> list[str]:
    """The figures as Markdown."""
    lines = ["| server | rows/s | CPU µs a row | peak MiB | CPU against bare |", "| --- | ---: | ---: | ---: | ---: |"]
    lines.extend(
        f"| {one.name} | {one.rows / one.wall_s:,.0f} | {one.cpu_us:.1f} | {one.peak_mib} "
        f"| {one.cpu_us / bare.cpu_us:.2f} |"
        for one in (bare, *measured)
    )
    return lines


def growth(work: Path, small: int, large: int) -> str:
    """Server CPU of a row in two environments of different size; the small one before and after, since machines change."""
    before, two, after = (measure_emulator(work, millions * 1_000_000, 1) for millions in (small, large, small))
    one_us = (before.cpu_us + after.cpu_us) / 2
    return (
        f"Growth: {one_us:.1f} µs a row at {small} million rows ({before.cpu_us:.1f} before, {after.cpu_us:.1f} after), "
        f"{two.cpu_us:.1f} at {large} million: {two.cpu_us / one_us:.2f} times; the last tenth of the larger load took "
        f"{two.slices[-1] / two.slices[0]:.2f} times as long as its first."
    )


def _median(measured: Sequence[Measured]) -> Measured:
    return sorted(measured, key=lambda one: one.cpu_us)[len(measured) // 2]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--workers", type=int, nargs="*", default=[1])
    parser.add_argument("--repeat", type=int, default=1, help="measure each server so often, tell the median by CPU")
    parser.add_argument("--growth", type=int, nargs=2, metavar=("SMALL", "LARGE"), help="millions of rows")
    parser.add_argument("--work", type=Path, help="where the files go; default: the temporary directory")
    parser.add_argument("--write", type=a_page, help="also write the figures to this page")
    given = parser.parse_args()
    work = Path(tempfile.mkdtemp(dir=given.work))
    other_load = os.getloadavg()[0]
    try:
        # Turn by turn, so that a slower spell of the machine meets all of them.
        rounds = [
            [measure_bare(work, given.rows), *(measure_emulator(work, given.rows, n) for n in given.workers)]
            for _ in range(given.repeat)
        ]
        bare, *measured = (_median(of_one) for of_one in zip(*rounds, strict=True))
        lines = table(bare, measured)
        if given.growth:
            lines += ["", growth(work, *given.growth)]
    finally:
        shutil.rmtree(work)
    print("\n".join(lines))
    if given.write:
        told = (
            f"Client and server share the cores, {other_load:.1f} other processes at work before; SQLite {sqlite3.sqlite_version}. "
            f"CreateMultiple of contacts with 25 columns, {BATCH} a request, {given.rows:,} rows a line"
            f"{f', the median of {given.repeat}' if given.repeat > 1 else ''}."
        )
        write_section(given.write, TITLE, f"python benchmarks/emulator.py {' '.join(sys.argv[1:])}", [told, "", *lines])


if __name__ == "__main__":
    main()
