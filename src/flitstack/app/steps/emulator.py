"""`flitstack emulator ...`: serve, seed, snapshot, restore, fingerprint."""

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson

from flitstack.app.emulators import call, command
from flitstack.app.result import Result
from flitstack.errors import Problem, UsageError


def serve(
    data: Path, port: int, *, host: str, auth: str, profile: str, faults: Path | None, ready_file: Path | None
) -> int:
    """Run the emulator in the foreground; returns its exit code where this process cannot become the emulator itself."""
    extra = ["--host", host, "--auth", auth, "--profile", profile]
    if faults:
        extra += ["--faults", str(faults)]
    if ready_file:
        extra += ["--ready-file", str(ready_file)]
    words = command(data, port, extra=tuple(extra))
    if sys.platform != "win32":
        # One process, so that whoever ends this command ends the emulator, however rudely.
        os.execv(words[0], words)
    process = subprocess.Popen(words)
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.terminate()
        return process.wait()


def seed(folder: Path, url: str) -> Result:
    """Send a destination/ folder: org.json, systemusers.csv, other CSVs of rows that exist before, processes.json."""
    content = read_destination(folder)
    answer = call(url, "seed", content)
    counts = {name: len(rows) for name, rows in content.items() if isinstance(rows, list)}
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    return Result({"seeded": counts, **answer}, (f"seeded {url}: {told}",))


def snapshot(name: str, url: str) -> Result:
    """Keep the state under a name."""
    answer = call(url, "snapshot", {"name": name})
    return Result(answer, (f"kept as {name}",))


def restore(name: str, url: str) -> Result:
    """Go back to a kept state."""
    answer = call(url, "restore", {"name": name})
    return Result(answer, (f"back at {name}",))


def fingerprint(url: str) -> Result:
    """Rows and hash by table."""
    answer = call(url, "fingerprint")
    lines = [
        f"{table:<32} {entry['rows']:>10}  {entry['hash']}" for table, entry in sorted(answer.get("tables", {}).items())
    ]
    return Result(answer, (*lines, f"all {answer.get('hash', '')}"))


def read_destination(folder: Path) -> dict[str, Any]:
    """The folder's content as the emulator's seed request. Raises UsageError when it is no such folder."""
    if not folder.is_dir():
        raise UsageError(
            Problem(
                "no-destination", f"there is no folder {folder}", do="name a folder with org.json and systemusers.csv"
            )
        )
    content: dict[str, Any] = {}
    org = folder / "org.json"
    if org.exists():
        content["org"] = orjson.loads(org.read_bytes())
    processes = folder / "processes.json"
    if processes.exists():
        content["processes"] = orjson.loads(processes.read_bytes())
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as file:
            content[path.stem] = list(csv.DictReader(file))
    if not content:
        raise UsageError(
            Problem(
                "destination-empty", f"{folder} holds neither org.json nor CSV files", do="name a destination/ folder"
            )
        )
    return content
