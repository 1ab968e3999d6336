"""Where a request goes: `$batch`, metadata, the service document, or the data core."""

import sqlite3
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from flitstack.emulator.answers import json_answer, refused
from flitstack.emulator.batch import Batch
from flitstack.emulator.core import Environment
from flitstack.emulator.counters import Counters, created_rows, kind_of
from flitstack.emulator.faults import FaultPlan
from flitstack.emulator.messages import Answer, Caller, Refusal, Request
from flitstack.emulator.metadata.router import METADATA_ROOTS, Metadata, changing

_PART_FAULTS = {
    "throttle429": Refusal(429, "0x80072326", "Number of concurrent requests exceeded the limit of 52."),
    "unavailable503": Refusal(503, "0x80072324", "The service is temporarily unavailable."),
    "precondition412": Refusal(412, "0x80060882", "The version of the existing record doesn't match."),
}


class Dispatcher:
    """Answers requests of one environment, one at a time."""

    def __init__(
        self, environment: Environment, metadata: Metadata, counters: Counters, faults: Callable[[], FaultPlan]
    ) -> None:
        self._environment = environment
        self._metadata = metadata
        self.counters = counters
        self._faults = faults

    def answer(self, request: Request, caller: Caller) -> Answer:
        """Never raises: what is refused and what nobody foresaw become error answers."""
        return self._guarded(request, caller, self.perform)

    def perform(self, request: Request, caller: Caller) -> Answer:
        """The answer to one request; raises Refusal."""
        path = request.path
        root = path.partition("/")[0].partition("(")[0]
        if root == "$batch":
            return self._batch(request, caller)
        self._metadata.activate_keys()
        if root in METADATA_ROOTS:
            return self._metadata.answer(request, caller)
        if not path:
            return self._service_document(request)
        answer = self._environment.handle(request, caller)
        self.counters.rows_created += created_rows(kind_of(request.method, path), answer)
        return answer

    def begin_batch(self, request: Request, caller: Caller) -> None:
        """The first half of a batch, without an answer: what a server leaves that dies on the way."""
        self._guarded(request, caller, partial(self._batch, only_half=True))

    def _batch(self, request: Request, caller: Caller, *, only_half: bool = False) -> Answer:
        # One commit for all parts: each is undone alone by its savepoint, and a commit costs more than a small row.
        with self._environment.transaction():
            batch = Batch(request, caller, self._perform_part, self._answer_part, self._change_set)
            return batch.run(only_half=only_half)

    @contextmanager
    def _change_set(self) -> Iterator[None]:
        before = self.counters.rows_created
        try:
            with changing(self._environment):
                yield
        except BaseException:
            self.counters.rows_created = before
            raise

    def _answer_part(self, request: Request, caller: Caller) -> Answer:
        return self._guarded(request, caller, self._perform_alone)

    def _perform_alone(self, request: Request, caller: Caller) -> Answer:
        with self._environment.savepoint():
            return self._perform_part(request, caller)

    def _perform_part(self, request: Request, caller: Caller) -> Answer:
        kind = kind_of(request.method, request.path)
        self.counters.parts[kind] += 1
        fault = self._faults().draw(request.method, request.path, kind, in_batch=True)
        if fault is not None:
            self.counters.faults[fault.kind] += 1
            raise _PART_FAULTS[fault.kind]
        return self.perform(request, caller)

    def _guarded(self, request: Request, caller: Caller, perform: Callable[[Request, Caller], Answer]) -> Answer:
        try:
            return perform(request, caller)
        except Refusal as refusal:
            return refused(refusal)
        except sqlite3.OperationalError as error:
            return refused(_unforeseen(request, "0x80044150", f"Generic SQL error. {error}"))
        except Exception as error:  # noqa: BLE001 (a server's outermost edge: the client gets its 500, stderr the trace)
            return refused(_unforeseen(request, "0x80040216", f"An unexpected error occurred. {type(error).__name__}"))

    def _service_document(self, request: Request) -> Answer:
        sets = sorted(model.table.entity_set for model in self._environment.tables.values())
        value = [{"name": name, "kind": "EntitySet", "url": name} for name in sets]
        return json_answer({"@odata.context": f"{request.base_url}$metadata", "value": value})


def _unforeseen(request: Request, code: str, message: str) -> Refusal:
    print(f"unforeseen fault in {request.method} {request.path.partition('(')[0]}", file=sys.stderr)
    traceback.print_exc(file=sys.stderr)
    return Refusal(500, code, message)
