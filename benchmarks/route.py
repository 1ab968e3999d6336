"""The whole route at scale, each step as the command a user runs: wall time, rows a second, CPU a row, peak memory.

    python benchmarks/route.py --contacts 100000 [--work DIR] [--write docs/benchmarks.md]

The export is seeded (klipy_export.py) and brings its truth; the end is checked against it. The emulator runs beside on the
same machine and is not part of a step's figures.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from klipy_export import write_export
from pages import a_page

from flitstack.app.emulators import EmulatorProcess, call
from flitstack.app.steps.emulator import read_destination

# Command, what it works on: records of the export or rows of the plan.
STEPS = (
    (("stage",), "records"),
    (("profile",), "records"),
    (("dedupe",), "records"),
    (("approve", "export"), ""),
    (("approve", "quality"), ""),
    (("map", "--confirm", "all"), ""),
    (("approve", "map"), ""),
    (("plan",), "records"),
    (("approve", "schema"), ""),
    (("approve", "owners"), ""),
    (("load", "--sample"), ""),
    (("approve", "sample"), ""),
    (("approve", "load"), ""),
    (("load",), "rows"),
    (("reconcile",), "rows"),
    (("status",), ""),
    (("rollback",), "rows"),
)
DONE = {0, 3}  # 3: done with held records, which the export plants


@dataclass(frozen=True, slots=True)
class Measured:
    """One command."""

    name: str
    works_on: str
    wall_s: float
    cpu_s: float
    peak_mib: int
    document: dict[str, object]


def measure(project: Path, words: tuple[str, ...], works_on: str) -> Measured:
    """Run one command as a process of its own. Exits when it fails."""
    command = [sys.executable, "-m", "flitstack", *words, "--project", str(project), "--as", "benchmark", "--json"]
    started = time.monotonic()
    answer = project / f"answer-{words[0]}.json"
    with answer.open("wb") as out:
        process = subprocess.Popen(command, stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in DONE:
        sys.exit(f"{' '.join(words)} ended with {process.returncode}: {answer.read_text()[:2000]}")
    content = json.loads(answer.read_bytes())
    cpu_s = usage.ru_utime + usage.ru_stime
    return Measured(" ".join(words), works_on, wall_s, cpu_s, usage.ru_maxrss // 1024, content)


def check(truth: dict[str, dict[str, int]], found: dict[str, Measured]) -> None:
    """The end must be what the generator knows. Exits with what differs."""
    tables = found["status"].document["tables"]
    wrong = {name: (count, tables.get(name)) for name, count in truth["tables"].items() if tables.get(name) != count}
    if wrong or found["reconcile"].document["differences"] or not found["rollback"].document["equal"]:
        sys.exit(f"not as it must be: {wrong}, {found['reconcile'].document['differences']} differences")


def table(measured: list[Measured], records: int, rows: int) -> list[str]:
    """The figures as Markdown."""
    lines = ["| command | wall s | per s | CPU µs each | peak MiB |", "| --- | ---: | ---: | ---: | ---: |"]
    for one in measured:
        count = {"records": records, "rows": rows}.get(one.works_on, 0)
        each = f"{count / one.wall_s:,.0f} {one.works_on}" if count else ""
        cpu = f"{one.cpu_s / count * 1e6:.0f}" if count else ""
        lines.append(f"| `{one.name}` | {one.wall_s:.1f} | {each} | {cpu} | {one.peak_mib} |")
    return lines


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--work", type=Path, default=Path("benchmark-work"))
    parser.add_argument("--write", type=a_page, help="also write the figures to this page")
    given = parser.parse_args()
    shutil.rmtree(given.work, ignore_errors=True)
    export, project = given.work / "export", given.work / "project"
    write_export(export, given.contacts)
    truth = json.loads((export / "truth.json").read_text())
    with EmulatorProcess(given.work / "emulator") as emulator:
        call(emulator.url, "seed", read_destination(export / "destination"))
        new = ["new", str(project), "--from", "klipy", "--export", str(export), "--to", emulator.url]
        subprocess.run(
            [sys.executable, "-m", "flitstack", *new, "--scoping", str(export / "scoping.json")],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        measured = []
        for words, works_on in STEPS:
            measured.append(measure(project, words, works_on))
            print(f"{measured[-1].name}: {measured[-1].wall_s:.1f} s, {measured[-1].peak_mib} MiB", file=sys.stderr)
    by_name = {one.name: one for one in measured}
    check(truth, by_name)
    accounts = by_name["status"].document["accounts"]
    records = sum(account["read"] for account in accounts.values())
    rows = int(by_name["reconcile"].document["rows"])
    lines = [
        (
            f"{given.contacts:,} contacts: {records:,} records, {rows:,} rows, {by_name['reconcile'].document['cells']:,} cells compared, "
            "0 differences, the destination afterwards as before."
        ),
        "",
        *table(measured, records, rows),
    ]
    print("\n".join(lines))
    if given.write:
        others = sections(given.write)
        given.write.write_text(page(lines, given.contacts) + others, encoding="utf-8")


def sections(page: Path) -> str:
    """What other benchmarks wrote below the page's first part."""
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    return text[text.index("\n## ") :] if "\n## " in text else ""


def page(lines: list[str], contacts: int) -> str:
    """docs/benchmarks.md."""
    head = [
        "# Benchmarks",
        "",
        "Written by the command that measured it:",
        "",
        f"    python benchmarks/route.py --contacts {contacts} --write docs/benchmarks.md",
        "",
        (
            f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores shared with the emulator, Python {platform.python_version()}, "
            f"DuckDB {duckdb.__version__}. CPU and peak memory are those of the command's own process."
        ),
        "",
    ]
    return "\n".join([*head, *lines, "", "`benchmarks/journal.py` measures the journal alone.", ""])


if __name__ == "__main__":
    main()
