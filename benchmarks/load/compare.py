"""One CSV of contacts through four clients against the same emulator over TLS, clean and under faults.

    python benchmarks/load/compare.py [--clean-rows 200000] [--rows 20000] [--peers DIR] [--only clean lost] [--write docs/benchmarks.md]

Clients: this loader (mapping in the engine, journal on), Microsoft's PowerPlatform-Dataverse-Client, dataverse-api and dlt with a destination
that posts CreateMultiple; 500 rows a call each. The peers are installed into a virtual environment of their own (`--peers`, made when
missing). CPU and memory are those of the client's process, the emulator runs beside it. A client that fails is not started again.
"""

import argparse
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import duckdb  # noqa: E402
import orjson  # noqa: E402
from pages import a_page, write_section  # noqa: E402
from people import ACCOUNTS, OWNERS, account_id, account_key, csv_sql, owner_email, owner_id, write_maps  # noqa: E402

from flitstack.app.emulators import command  # noqa: E402

PEERS = ("PowerPlatform-Dataverse-Client==1.1.0", "dataverse-api==1.4.3", "dlt==1.31.0")
OWN = ("flitstack", "blast")  # run by this interpreter, in programs of their own
CLIENTS = ("flitstack", "sdk", "dataverse-api", "dlt")
NAMES = {
    "flitstack": "flitstack",
    "sdk": "Microsoft's SDK 1.1.0",
    "dataverse-api": "dataverse-api 1.4.3",
    "dlt": "dlt 1.31.0",
}
TITLE = "Four clients"
SOURCES = HERE.parents[1] / "src"
CERTIFICATE = "tls-certificate.pem"  # of an emulator with --tls, in its data directory
FAULTS: dict[str, tuple[str, list[dict[str, object]]]] = {
    "clean": ("no faults", []),
    "lost": (
        "a fifth of the answers lost after commit",
        [{"kind": "cut_after", "request": "CreateMultiple", "probability": 0.2}],
    ),
    "throttled": (
        "a fifth of the requests answered 429",
        [{"kind": "throttle429", "request": "CreateMultiple", "probability": 0.2}],
    ),
    "bad": ("one row in a hundred refused", []),
}


@dataclass(frozen=True)
class Measured:
    """One client under one plan."""

    client: str
    faults: str
    rows: int
    wall_s: float
    cpu_s: float
    peak_mib: int
    doubled: int
    lost: int
    landed: int
    good: int


class Emulator:
    """An emulator over TLS in a process of its own. Our sources are compiled first, as pip leaves an installed package: the peers' are."""

    def __init__(self, folder: Path) -> None:
        subprocess.run([sys.executable, "-m", "compileall", "-q", str(SOURCES), str(HERE.parent)], check=True)
        folder.mkdir(parents=True)
        ready = folder / "ready"
        words = [*command(folder / "org", 0, extra=("--tls", "--ready-file", str(ready)))]
        self._process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        while not (ready.exists() and ready.read_text().strip()):
            if self._process.poll() is not None:
                sys.exit("the emulator did not start")
            time.sleep(0.1)
        self.url = ready.read_text().strip()
        self.certificate = folder / "org" / CERTIFICATE

    def seed(self) -> None:
        """Accounts and owners that the people point to."""
        users = [{"systemuserid": owner_id(n), "internalemailaddress": owner_email(n)} for n in range(OWNERS)]
        self.curl("flitstack-admin/seed", {"systemusers": users})
        for start in range(0, ACCOUNTS, 5_000):
            part = [{"accountid": account_id(n), "name": account_key(n)} for n in range(start, start + 5_000)]
            self.curl("flitstack-admin/seed", {"accounts": part})

    def curl(self, path: str, body: object | None = None) -> dict[str, object]:
        """A request at any path below the root."""
        import ssl
        import urllib.request

        context = ssl.create_default_context(cafile=str(self.certificate))
        data = None if body is None else orjson.dumps(body)
        headers = {"Content-Type": "application/json", "Prefer": "odata.maxpagesize=5000"}
        request = urllib.request.Request(path if path.startswith("http") else f"{self.url}/{path}", data, headers)
        with urllib.request.urlopen(request, context=context) as answer:
            text = answer.read()
        return dict(orjson.loads(text)) if text else {}

    def emails(self) -> list[str]:
        """The address of every contact, each row once."""
        found: list[str] = []
        link = "api/data/v9.2/contacts?$select=emailaddress1"
        while link:
            page = self.curl(link)
            found += [row["emailaddress1"] for row in page["value"]]  # type: ignore[attr-defined]
            link = str(page.get("@odata.nextLink", ""))
        return found

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(20)


def python_of_peers(folder: Path) -> Path:
    """The peers' interpreter; the environment is made when it is missing."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PEERS], check=True)
    return python


@dataclass(frozen=True)
class Run:
    """A client's process: seconds, memory, what it printed."""

    wall_s: float
    cpu_s: float
    peak_mib: int
    exit_code: int
    log: str


def run_client(
    client: str, emulator: Emulator, path: Path, folder: Path, rows: int, python: Path, before: Sequence[str] = ()
) -> Run:
    """One client from its start to its end. `path`: what it reads; `folder`: where it may write; `before`: words of a command
    that watches it."""
    folder.mkdir(exist_ok=True)
    words = [str(python), str(HERE / "client_peers.py"), client, emulator.url, str(path)]
    if client in OWN:
        words = [sys.executable, str(HERE / f"client_{client}.py"), emulator.url, str(path), str(folder), str(rows)]
    certificate = str(emulator.certificate)
    environment = {**os.environ, "SSL_CERT_FILE": certificate, "REQUESTS_CA_BUNDLE": certificate}
    words = [*before, *words]
    started = time.monotonic()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    text = (folder / "log").read_text(errors="replace")
    peak = max(map(int, re.findall(r"peak_kib (\d+)", text)), default=usage.ru_maxrss) // 1024
    return Run(wall_s, usage.ru_utime + usage.ru_stime, peak, process.returncode, text)


def measure(client: str, faults: str, emulator: Emulator, work: Path, rows: int, peers: Path) -> Measured:
    """One client, once, into an empty environment."""
    bad = range(50, rows, 100) if faults == "bad" else ()
    path = work / f"{'bad' if bad else 'good'}-{rows}.csv"
    if not path.exists():
        duckdb.sql(f"COPY ({csv_sql(rows, bad)}) TO '{path}' (HEADER)")
    emulator.curl("flitstack-admin/restore", {"name": "empty"})
    emulator.curl("flitstack-admin/faults", {"seed": 7, "rules": FAULTS[faults][1]})
    run = run_client(client, emulator, path, work / f"{client}-{faults}", rows, peers)
    emulator.curl("flitstack-admin/faults", {"rules": []})
    found = emulator.emails()
    good = rows - len(bad)
    if faults == "clean" and len(found) != rows:
        sys.exit(f"{client} landed {len(found)} of {rows} rows without any fault: {run.log[-600:]}")
    distinct = len(set(found))
    return Measured(
        client, faults, rows, run.wall_s, run.cpu_s, run.peak_mib,
        len(found) - distinct, good - distinct, distinct, good,
    )  # fmt: skip


def table(measured: Sequence[Measured]) -> list[str]:
    """The figures as Markdown."""
    lines = []
    for faults, group in itertools.groupby(measured, key=lambda one: one.faults):
        lines += ["", f"{FAULTS[faults][0].capitalize()}:", ""]
        lines += [
            "| client | rows/s | CPU µs a row | peak MiB | rows doubled | good rows lost | good rows landed |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        ]
        for one in group:
            lines.append(
                f"| {NAMES[one.client]} | {one.rows / one.wall_s:,.0f} | {one.cpu_s / one.rows * 1e6:.1f} | {one.peak_mib} "
                f"| {one.doubled:,} | {one.lost:,} | {one.landed:,} of {one.good:,} |"
            )
    return lines


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--clean-rows", type=int, default=200_000)
    parser.add_argument("--peers", type=Path, help="virtual environment with the other clients; kept when named")
    parser.add_argument("--only", nargs="+", choices=list(FAULTS), default=list(FAULTS))
    parser.add_argument("--write", type=a_page, help="also write the figures to this page")
    given = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="flitstack-compare-"))
    peers = python_of_peers((given.peers or work / "peers").absolute())
    emulator = Emulator(work / "emulator")
    measured = []
    try:
        emulator.seed()
        write_maps(work)
        emulator.curl("flitstack-admin/snapshot", {"name": "empty"})
        for faults in given.only:
            for client in CLIENTS:
                measured.append(
                    measure(
                        client, faults, emulator, work, given.clean_rows if faults == "clean" else given.rows, peers
                    )
                )
                print(measured[-1], file=sys.stderr)
    finally:
        emulator.close()
        shutil.rmtree(work)
    lines = table(measured)
    print("\n".join(lines))
    if given.write:
        asked = f"python benchmarks/load/compare.py --clean-rows {given.clean_rows} --rows {given.rows} --write docs/benchmarks.md"
        told = (
            f"{given.clean_rows:,} contacts ({given.rows:,} under faults) of 25 columns from CSV over TLS, 500 rows a call, one start "
            "each; the emulator on the same cores. CPU includes the start of the process. flitstack keeps its journal; the others "
            "keep nothing."
        )
        write_section(given.write, TITLE, asked, [told, *lines])


if __name__ == "__main__":
    main()
