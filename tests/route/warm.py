"""Commands in processes of their own, forked from one that has loaded the libraries already: loading is most of a short command.

What runs is the function behind the program, with an argument list, streams, an exit code and a process identifier of
its own; only the imports are shared. `python warm.py` is the one that forks: it takes an order a line and answers a line.
"""

import atexit
import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import flitstack.app.cli
import flitstack.app.cli.main
import flitstack.emulator.__main__

PROGRAMS = {"flitstack": flitstack.app.cli.main.run, "flitstack.emulator": flitstack.emulator.__main__.main}


class Warm:
    """The forking process, seen from the tests. One order at a time."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        line = [sys.executable, str(Path(__file__).resolve())]
        self._process = subprocess.Popen(
            line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | self._environment
        )

    def start(self, program: str, words: Sequence[str], out: Path, err: Path, *, seconds: int = 0) -> int:
        """Run `python -m PROGRAM WORDS` with its streams in these files; its process identifier. It is killed after `seconds`."""
        order = {"program": program, "words": list(words), "out": str(out), "err": str(err), "seconds": seconds}
        return int(self._ask(order | {"folder": str(Path.cwd()), "environment": dict(os.environ) | self._environment}))

    def ended(self, pid: int, *, wait: bool) -> int | None:
        """The exit code, as subprocess tells it; None while it runs and `wait` is False."""
        answer = self._ask({"ended": pid, "wait": wait})
        return None if answer == "runs" else int(answer)

    def close(self) -> None:
        """End it; what it started and nobody waited for goes on."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()

    def _ask(self, order: dict[str, Any]) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the process that forks ended with {self._process.wait(20)}"
        return answer.strip()


@cache
def warm(*environment: tuple[str, str]) -> Warm:
    """The forking process of this test process, for children with these variables beside its own."""
    process = Warm(dict(environment))
    atexit.register(process.close)
    return process


def serve() -> None:
    """Fork as ordered until stdin ends."""
    for package in (flitstack.app.cli, flitstack.emulator):
        _import_all(package)
    for line in sys.stdin:
        order = json.loads(line)
        if "words" in order:
            answer = str(_fork(order))
        else:
            pid, status = os.waitpid(order["ended"], 0 if order["wait"] else os.WNOHANG)
            answer = str(os.waitstatus_to_exitcode(status)) if pid else "runs"
        print(answer, flush=True)


def _import_all(package: ModuleType) -> None:
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def _fork(order: Mapping[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    # From here on it is the command's own process; nothing may return to the loop above.
    code: Any
    try:
        for stream, name in ((0, os.devnull), (1, order["out"]), (2, order["err"])):
            handle = os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            os.dup2(handle, stream)
            os.close(handle)
        os.chdir(order["folder"])
        os.environ.clear()
        os.environ.update(order["environment"])
        signal.alarm(order["seconds"])
        sys.argv = [order["program"], *order["words"]]
        code = PROGRAMS[order["program"]]()
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001  as the interpreter does: told on stderr, exit code 1
        traceback.print_exc()
        code = 1
    sys.exit(code)


if __name__ == "__main__":
    serve()
