"""The emulator from outside: started as a process, spoken to over its admin door. Never imported."""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from flitstack.app.project import MICROSOFT_HOSTS
from flitstack.errors import Problem, StepFailed, UsageError

ADMIN = "/flitstack-admin/"
START_LIMIT_S = 30.0


def command(data: Path, port: int, *, extra: tuple[str, ...] = ()) -> list[str]:
    """The command line that serves an environment."""
    return [sys.executable, "-m", "flitstack.emulator", "serve", "--data", str(data), "--port", str(port), *extra]


class EmulatorProcess:
    """A throwaway emulator on a free port; a context manager that ends it."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "EmulatorProcess":
        self.data.mkdir(parents=True, exist_ok=True)
        ready = self.data / "ready"
        ready.unlink(missing_ok=True)
        log = (self.data / "emulator.log").open("wb")
        with log:
            self._process = subprocess.Popen(
                command(self.data / "org", 0, extra=("--auth", "off", "--ready-file", str(ready))),
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_LIMIT_S
        while not (ready.exists() and ready.read_text().strip()):
            if self._process.poll() is not None or time.monotonic() > deadline:
                text = (self.data / "emulator.log").read_text(errors="replace")[-2000:]
                raise StepFailed(
                    Problem(
                        "emulator-did-not-start",
                        "the emulator ended before it answered",
                        where=str(self.data / "emulator.log"),
                        known=text,
                        do="see the log",
                    )
                )
            time.sleep(0.05)
        self.url = ready.read_text().strip()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def is_emulator(url: str) -> bool:
    """Whether the URL answers the emulator's handshake. A Microsoft host never is one and is not even asked."""
    host = (urlsplit(url).hostname or "").lower()
    if any(host == name or host.endswith("." + name) for name in MICROSOFT_HOSTS):
        return False
    try:
        answer = call(url, "")
    except StepFailed:
        return False
    return answer.get("product") == "flitstack-emulator"


def call(url: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """One admin request. Raises StepFailed when nobody answers or the emulator refuses."""
    if urlsplit(url).scheme not in {"http", "https"}:
        raise UsageError(
            Problem(
                "url-wrong", f"{url!r} is no http(s) URL", do="give the URL that `flitstack emulator serve` printed"
            )
        )
    request = urllib.request.Request(
        url.rstrip("/") + ADMIN + path,
        data=None if body is None else orjson.dumps(body),
        headers={"Content-Type": "application/json"},
        method="GET" if body is None else "POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            text = answer.read()
    except urllib.error.HTTPError as error:
        reason = error.read().decode(errors="replace")[:500]
        raise StepFailed(
            Problem(
                "emulator-refused", f"the emulator answered {error.code}: {reason}", where=url, do="see what it says"
            )
        ) from error
    except OSError as error:
        raise StepFailed(
            Problem(
                "emulator-silent",
                f"nobody answers at {url}: {error}",
                do="start it: flitstack emulator serve --data DIR --port N",
            )
        ) from error
    try:
        return dict(orjson.loads(text)) if text else {}
    except (orjson.JSONDecodeError, ValueError) as error:
        raise StepFailed(
            Problem("not-an-emulator", f"{url} answers, but is no flitstack emulator", do="check the URL")
        ) from error
