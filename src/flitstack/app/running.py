"""Runs a step's coroutine and turns a destination's fault into an error a user understands."""

import asyncio
import gc
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

from flitstack.destinations.faults import Fatal, Fault, Refused, Throttled, Unanswered, Unavailable
from flitstack.errors import Problem, StepFailed

T = TypeVar("T")

_TOLD = {
    Fatal: ("destination-fatal", "correct what it says, then run the same command again"),
    Refused: ("destination-refused", "an administrator of the environment can tell more by its code"),
    Throttled: ("destination-throttled", "wait, then run the same command again: it goes on where it stopped"),
    Unavailable: (
        "destination-unavailable",
        "check address, network and the environment's health, then run the same command again",
    ),
    Unanswered: ("destination-unanswered", "run the same command again: what may have happened is asked for first"),
}


def run_async(work: Coroutine[Any, Any, T], url: str) -> T:
    """The coroutine's result. Raises StepFailed for a fault of the destination at `url`."""
    gc.freeze()  # catalogue, map and plan stay to the end: the collector need not walk them again and again
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(work)
    except Fault as fault:
        code, do = _TOLD.get(type(fault), ("destination-fault", "run the same command again"))
        raise StepFailed(Problem(code, str(fault), where=url, do=do)) from fault
    finally:
        gc.unfreeze()  # DuckDB's bindings complain of what is never collected


def _loop_factory() -> Any:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop
