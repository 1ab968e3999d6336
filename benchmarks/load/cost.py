"""What a row costs the client, from CSV to durable outcome, against Microsoft's SDK and against ready-made bodies.

    python benchmarks/load/cost.py [--rows 1000000] [--bodies 200000] [--repeat 3] [--sizes 1 10] [--peers DIR] [--write docs/benchmarks.md]

One emulator over TLS, the same people (people.py), 500 rows a call. The bodies are compared row by row with the plain Python
reference before anything is measured. The clients load the same rows, in turn, `--repeat` times; figures are medians, since the
machine's own speed moves. What is CSV to durable outcome leaves out the count that ends our phase: no peer makes one; it is told
beside. `--sizes` repeats the load with so many million rows for memory and growth.
"""

import argparse
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import duckdb  # noqa: E402
import orjson  # noqa: E402
from compare import Emulator, python_of_peers, run_client  # noqa: E402
from mapped import KEY, make_plan  # noqa: E402
from pages import a_page, write_section  # noqa: E402
from people import csv_sql, read_maps, rows, write_maps  # noqa: E402

from flitstack.catalogue.read import load_catalogue  # noqa: E402
from flitstack.catalogue.types import Column  # noqa: E402
from flitstack.destinations.dataverse.encoding import create_encoder  # noqa: E402
from flitstack.journal.journal import Journal  # noqa: E402
from flitstack.loading.rows import Wanted, cut, read_rows  # noqa: E402
from flitstack.staging.engine.engine import Engine  # noqa: E402

TITLE = "What a row costs the client"
BATCH = 500
SETS = {"account": "accounts", "contact": "contacts", "systemuser": "systemusers", "team": "teams"}
_MARKS = re.compile(r"marks (\S+) (\S+) (\S+) (\S+) (\S+) (\S+)")
_COUNTED = re.compile(r"counted (\S+)")
_SENT = re.compile(r"sent (\S+)")
_BLAST = re.compile(r"blast (\S+) (\S+) (\d+)")


@dataclass(frozen=True)
class Ours:
    """One load by flitstack. Seconds of CPU: from start to durable outcomes, before mapping began, of mapping, of the load without
    its count, of the count; wall seconds of sending and of everything from mapping on."""

    rows: int
    cpu_s: float
    start_s: float
    map_s: float
    load_s: float
    counted_s: float
    sent_s: float
    wall_s: float
    peak_mib: int

    def us(self, seconds: float) -> float:
        """Microseconds a row."""
        return seconds / self.rows * 1e6


@dataclass(frozen=True)
class Round:
    """Each client once."""

    raw_us: float
    raw_rate: float
    sdk_us: float
    sdk_rate: float
    ours: Ours


def one_round(emulator: Emulator, work: Path, bodies: Path, peers: Path, rows: int) -> Round:
    """Ready-made bodies, Microsoft's SDK and flitstack in turn, each into an empty environment."""
    raw_us, raw_rate = blast(emulator, bodies)
    emulator.curl("flitstack-admin/restore", {"name": "empty"})
    sdk = run_client("sdk", emulator, make_csv(work, rows), work / "sdk", rows, peers)
    if sdk.exit_code:
        raise SystemExit(sdk.log[-800:])
    return Round(raw_us, raw_rate, sdk.cpu_s / rows * 1e6, rows / sdk.wall_s, load(emulator, work, rows))


def make_csv(work: Path, count: int) -> Path:
    """The export of so many people."""
    path = work / f"people-{count}.csv"
    if not path.exists():
        duckdb.sql(f"COPY ({csv_sql(count)}) TO '{path}' (HEADER)")
    return path


def make_bodies(work: Path, count: int) -> Path:
    """The bodies of so many people as files; exits when a row is not what the reference says."""
    path, folder = make_csv(work, count), work / "bodies"
    folder.mkdir()
    expected = rows(path, read_maps(work))
    with (
        Engine(work / "scratch-bodies") as engine,
        Journal(work / "journal-bodies", "benchmark", write=True) as journal,
    ):
        plan = make_plan(engine, journal, path, work / "mapped", count)
        send = plan.send_table("contact")
        table = load_catalogue().tables["contact"]
        table.columns[KEY] = Column(KEY, KEY, "String")
        names = [column.name for column in send.columns]
        encoder = create_encoder(table, names, SETS, {}, with_id=True, nulls=False, parties=False)
        found = {}
        pieces = cut(read_rows(engine, work / "mapped", send, encoder.sql, Wanted()), lambda: BATCH, 1 << 30)
        for number, piece in enumerate(pieces):
            body = b"".join(piece.body(encoder.head, encoder.tail))
            (folder / f"{number:06}.json").write_bytes(body.replace(f'"{KEY}":'.encode(), b'"nickname":'))
            for row in orjson.loads(body)["Targets"]:
                found[row["emailaddress1"]] = row
    for row in expected:
        ours = {k: v for k, v in found.pop(row["emailaddress1"]).items() if k not in {"@odata.type", "contactid", KEY}}
        if ours != row:
            raise SystemExit(f"not as the reference says: {ours} for {row}")
    if found:
        raise SystemExit(f"{len(found)} rows that the reference does not have")
    return folder


def load(emulator: Emulator, work: Path, count: int) -> Ours:
    """One load into an empty environment."""
    folder = work / f"flitstack-{count}"
    emulator.curl("flitstack-admin/restore", {"name": "empty"})
    run = run_client("flitstack", emulator, make_csv(work, count), folder, count, Path(sys.executable))
    found, sent, counted = _MARKS.search(run.log), _SENT.search(run.log), _COUNTED.search(run.log)
    if found is None or sent is None or counted is None or run.exit_code:
        raise SystemExit(f"the load ended with {run.exit_code}: {run.log[-800:]}")
    cpu0, wall0, cpu1, _, cpu2, wall2 = map(float, found.groups())
    shutil.rmtree(folder)
    count_s = float(counted[1])
    cpu_s, load_s = run.cpu_s - count_s, cpu2 - cpu1 - count_s
    return Ours(count, cpu_s, cpu0, cpu1 - cpu0, load_s, count_s, float(sent[1]), wall2 - wall0, run.peak_mib)


def instructions(emulator: Emulator, work: Path, peers: Path, rows: int) -> tuple[float, float] | None:
    """Instructions a row in user mode of flitstack, its count too, and of Microsoft's SDK; None where `perf` is missing or not
    allowed. In runs of their own: counting costs each switch between threads, of which flitstack makes many, 0.8 µs a row of it.
    """
    counted = work / "instructions"
    before = ["perf", "stat", "-x", ",", "-e", "instructions:u", "-o", str(counted), "--"]
    if shutil.which("perf") is None or subprocess.run([*before, "true"], capture_output=True, check=False).returncode:
        return None
    found = []
    for client, python in (("flitstack", Path(sys.executable)), ("sdk", peers)):
        emulator.curl("flitstack-admin/restore", {"name": "empty"})
        folder = work / f"counted-{client}"
        run = run_client(client, emulator, make_csv(work, rows), folder, rows, python, before)
        count = re.search(r"^(\d+),", counted.read_text(), re.MULTILINE)
        if run.exit_code:
            raise SystemExit(f"{client} ended with {run.exit_code}: {run.log[-800:]}")
        if count is None:
            return None  # a machine without counters
        found.append(int(count[1]) / rows)
        shutil.rmtree(folder)
    return found[0], found[1]


def blast(emulator: Emulator, bodies: Path) -> tuple[float, float]:
    """(CPU µs a row, rows a second) of posting ready-made bodies."""
    emulator.curl("flitstack-admin/restore", {"name": "empty"})
    run = run_client("blast", emulator, bodies, bodies.parent / "blast", 0, Path(sys.executable))
    found = _BLAST.search(run.log)
    if found is None:
        raise SystemExit(run.log[-800:])
    count = int(found[3])
    return float(found[1]) / count * 1e6, count / float(found[2])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument(
        "--bodies", type=int, default=200_000, help="rows of the ready-made bodies, which are compared, too"
    )
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--sizes", type=float, nargs="*", default=[], help="millions of rows")
    parser.add_argument("--peers", type=Path, help="virtual environment with the other clients; kept when named")
    parser.add_argument("--write", type=a_page, help="also write the figures to this page")
    given = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="flitstack-cost-"))
    peers = python_of_peers((given.peers or work / "peers").absolute())
    write_maps(work)
    bodies = make_bodies(work, given.bodies)
    emulator = Emulator(work / "emulator")
    try:
        emulator.seed()
        emulator.curl("flitstack-admin/snapshot", {"name": "empty"})
        rounds = [one_round(emulator, work, bodies, peers, given.rows) for _ in range(given.repeat)]
        grown = [load(emulator, work, int(size * 1_000_000)) for size in given.sizes]
        counted = instructions(emulator, work, peers, given.rows)
    finally:
        emulator.close()
        shutil.rmtree(work)
    lines = table(rounds, grown, counted)
    print("\n".join(lines))
    if given.write:
        words = f"python benchmarks/load/cost.py --rows {given.rows} --bodies {given.bodies} --repeat {given.repeat}"
        sizes = f" --sizes {' '.join(f'{size:g}' for size in given.sizes)}" if given.sizes else ""
        write_section(given.write, TITLE, f"{words}{sizes} --write docs/benchmarks.md", lines)


def table(rounds: Sequence[Round], grown: Sequence[Ours], counted: tuple[float, float] | None) -> list[str]:
    """The figures as Markdown."""

    def middle(value: Callable[[Round], float]) -> float:
        return statistics.median(value(one) for one in rounds)

    def ratio(value: Callable[[Round], float]) -> str:
        found = sorted(value(one) for one in rounds)
        return f"{statistics.median(found):.2f}" + (f" ({found[0]:.2f} to {found[-1]:.2f})" if len(found) > 1 else "")

    raw_us = middle(lambda r: r.raw_us)
    lines = [
        (
            "25 columns with choices, a day, money, 100,000 companies and 200 owners to look up; 500 rows a call over TLS, the "
            f"emulator on the same cores; medians of {len(rounds)} rounds. Every row's body equals the plain Python reference's. flitstack's "
            "figures include the start of the process, the source key, ids from the journal, hashes and a durable point for every "
            "request. The count by reading all ids back, which ends the phase, stands beside them: no other client makes one."
        ),
        "",
        "| client | rows | rows/s | CPU µs a row | of it load stage | the count after it | peak MiB |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        f"| bodies ready-made, posted | | {middle(lambda r: r.raw_rate):,.0f} | {raw_us:.2f} | {raw_us:.2f} | | |",
        f"| csv, dict and Microsoft's SDK | {rounds[0].ours.rows:,} | {middle(lambda r: r.sdk_rate):,.0f} | {middle(lambda r: r.sdk_us):.1f} | | | |",
        _line([one.ours for one in rounds]),
        *(_line([one]) for one in grown),
        "",
        (
            f"Against the SDK: {ratio(lambda r: r.ours.us(r.ours.cpu_s) / r.sdk_us)} of its CPU. Load stage against ready-made bodies: "
            f"{ratio(lambda r: r.ours.us(r.ours.load_s) / r.raw_us)} times their CPU; rows are sent at "
            f"{middle(lambda r: r.ours.rows / r.ours.sent_s / r.raw_rate):.0%} of their rate."
        ),
    ]
    if counted:
        ours, sdk = counted
        lines.append(
            f"By instructions in user mode, which do not depend on how fast the machine is just now: {ours:,.0f} a row, the count "
            f"included, and the SDK {sdk:,.0f}, {ours / sdk:.2f} of its."
        )
    if len(grown) > 1:
        small, large = grown[0], grown[-1]
        lines.append(
            f"From {small.rows:,} to {large.rows:,} rows: {large.us(large.cpu_s) / small.us(small.cpu_s):.2f} times the CPU a row, "
            f"{large.peak_mib / small.peak_mib:.2f} times the memory."
        )
    return lines


def _line(loads: Sequence[Ours]) -> str:
    def middle(value: Callable[[Ours], float]) -> float:
        return statistics.median(value(one) for one in loads)

    return (
        f"| flitstack | {loads[0].rows:,} | {middle(lambda o: o.rows / o.wall_s):,.0f} | {middle(lambda o: o.us(o.cpu_s)):.1f} | "
        f"{middle(lambda o: o.us(o.load_s)):.1f} | {middle(lambda o: o.us(o.counted_s)):.1f} | {max(one.peak_mib for one in loads)} |"
    )


if __name__ == "__main__":
    main()
