"""Migrations through the front door: the `flitstack` command and the emulator, each a real process."""

import json
import os
import shutil
import signal
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from route.warm import warm

import flitstack
from flitstack.packs.read import load_pack

SOURCE = Path(flitstack.__file__).parents[1]
EXAMPLE = load_pack("klipy").folder / "example"
VARIABLES = {"PYTHONPATH": f"{Path(__file__).parents[1] / 'absent'}{os.pathsep}{SOURCE}", "COLUMNS": "120"}
# A choice column's label stands beside its value under this suffix.
LABEL = "@OData.Community.Display.V1.FormattedValue"
# Everything before the load, in the order a person takes it: (command, exit codes that are in order).
TO_PLAN = (
    (("stage",), {0, 3}), (("profile",), {0}), (("dedupe",), {0}), (("map", "--confirm", "all"), {0}),
    (("approve", "export"), {0}), (("approve", "quality"), {0}), (("approve", "map"), {0}), (("plan",), {0, 3}),
)  # fmt: skip
TO_LOAD = (
    (("approve", "schema"), {0}), (("approve", "owners"), {0}), (("load", "--sample"), {0}),
    (("approve", "sample"), {0}), (("approve", "load"), {0}),
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What a command left: exit code, the document on stdout (None when stdout is empty), both streams as text."""

    code: int
    document: Any
    stdout: str
    stderr: str

    @property
    def errors(self) -> dict[str, dict[str, str]]:
        """The problems it told, by code (the last of each)."""
        return {problem["code"]: problem for problem in self.document["errors"]}


def command(*words: str) -> list[str]:
    """The command line of a flitstack command."""
    return [sys.executable, "-m", "flitstack", *words]


def environment() -> dict[str, str]:
    """The environment in which a child finds this checkout and, as with a user, no pandas."""
    return {**os.environ, **VARIABLES}


def flit(*words: str) -> Answer:
    """Run a command with --json to its end. Fails when stdout carries anything but one JSON value."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        forking = warm(*VARIABLES.items())
        code = forking.ended(forking.start("flitstack", (*words, "--json"), out, err, seconds=300), wait=True)
        stdout, stderr = out.read_text(), err.read_text()
    assert "Traceback" not in stderr, stderr[-3000:]
    return Answer(code, json.loads(stdout) if stdout else None, stdout, stderr)


@contextmanager
def serving(folder: Path, *, faults: Path | None = None) -> Iterator[str]:
    """An emulator on a free port; its URL."""
    ready = folder / "ready"
    folder.mkdir(parents=True, exist_ok=True)
    ready.unlink(missing_ok=True)
    words = ["serve", "--data", str(folder / "org"), "--port", "0", "--ready-file", str(ready)]
    if faults is not None:
        words += ["--faults", str(faults)]
    forking, log = warm(*VARIABLES.items()), folder / "log"
    pid, code = forking.start("flitstack.emulator", words, folder / "out", log), None
    try:
        deadline = time.monotonic() + 60
        while not (ready.exists() and ready.read_text().strip()):
            code = forking.ended(pid, wait=False)
            assert code is None, log.read_text()
            assert time.monotonic() < deadline, "the emulator took over a minute to answer"
            time.sleep(0.02)
        yield ready.read_text().strip()
    finally:
        if code is None:
            os.kill(pid, signal.SIGTERM)
            forking.ended(pid, wait=True)


@dataclass(frozen=True)
class Migration:
    """A project folder and the emulator it goes to."""

    folder: Path
    url: str
    kept: dict[str, Path] = field(default_factory=dict)

    def run(self, *words: str) -> Answer:
        """A command inside the project, whatever its exit code."""
        return flit(*words, "--project", str(self.folder))

    def do(self, *words: str, code: int | set[int] = 0) -> Any:
        """A command that must end with this exit code; its document."""
        answer = self.run(*words)
        wanted = code if isinstance(code, set) else {code}
        assert answer.code in wanted, f"{' '.join(words)} ended with {answer.code}\n{answer.stdout}\n{answer.stderr}"
        return answer.document

    def go(self, steps: tuple[tuple[tuple[str, ...], set[int]], ...]) -> None:
        """Take steps in order."""
        for words, codes in steps:
            self.do(*words, code=codes)

    def admin(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One request at the emulator's admin door."""
        return ask(f"{self.url}/flitstack-admin/{path}", body)

    def rows(self, query: str) -> list[dict[str, Any]]:
        """All rows a data query gives, page after page."""
        found: list[dict[str, Any]] = []
        address = f"{self.url}/api/data/v9.2/{query.replace(' ', '%20')}"
        while address:
            page = ask(address)
            found += page["value"]
            address = page.get("@odata.nextLink", "")
        return found

    def patch(self, path: str, body: dict[str, Any]) -> None:
        """Change a row over the data API, as somebody in Dynamics would."""
        ask(f"{self.url}/api/data/v9.2/{path}", body, method="PATCH")

    def post(self, path: str, body: dict[str, Any]) -> None:
        """Create a row over the data API."""
        ask(f"{self.url}/api/data/v9.2/{path}", body, method="POST")

    def delete(self, path: str) -> None:
        """Delete a row over the data API."""
        ask(f"{self.url}/api/data/v9.2/{path}", method="DELETE")

    def keep(self, name: str) -> None:
        """Remember destination and project under a name."""
        self.admin("snapshot", {"name": name})
        place = self.folder.with_name(f"{self.folder.name}-{name}")
        shutil.copytree(self.folder, place)
        self.kept[name] = place

    def back_to(self, name: str) -> None:
        """Restore what was kept under this name."""
        self.admin("faults", {"rules": []})
        self.admin("restore", {"name": name})
        shutil.rmtree(self.folder)
        shutil.copytree(self.kept[name], self.folder)


def ask(address: str, body: dict[str, Any] | None = None, method: str = "") -> dict[str, Any]:
    """One HTTP request with a JSON body and answer."""
    data = None if body is None else json.dumps(body).encode()
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Prefer": f'odata.include-annotations="{LABEL[1:]}"',
    }
    request = urllib.request.Request(address, data, headers, method=method or ("GET" if body is None else "POST"))
    with urllib.request.urlopen(request, timeout=60) as answer:
        text = answer.read()
    return dict(json.loads(text)) if text else {}


def begin(
    folder: Path, url: str, export: Path, *, scoping: Path | None = None, seeded: bool = True, pack: str = "klipy"
) -> Migration:
    """Seed the emulator from the export's destination/ folder and make a project."""
    if seeded:
        assert flit("emulator", "seed", str(export / "destination"), "--url", url).code == 0
    words = ["new", str(folder), "--from", pack, "--export", str(export), "--to", url]
    made = flit(*words, "--scoping", str(scoping or export / "scoping.json"))
    assert made.code == 0, made.stdout + made.stderr
    return Migration(folder, url)


def example_export(folder: Path) -> Path:
    """A copy of the pack's example that a test may spoil."""
    shutil.copytree(EXAMPLE, folder)
    return folder


def record_of(row: dict[str, Any]) -> str:
    """The source record that a row names in its source column: `klipy/Contact/p08` is record p08."""
    return str(row["flit_sourceid"]).split("/", 2)[2]
