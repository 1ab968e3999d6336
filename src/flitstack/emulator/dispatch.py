"""Where a request goes: `$batch`, metadata, the service document, or the data core."""

import sqlite3
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from flitstack.emulator.answers import json_answer, refused
from flitstack.emulator.batch import Batch
from flitstack.emulator.core import Environment
from flitstack.emulator.counters import kind_of, written_rows
from flitstack.emulator.faults import Mishap
from flitstack.emulator.messages import Answer, Caller, Refusal, Request
from flitstack.emulator.metadata.lagging import LaggingMetadata
from flitstack.emulator.metadata.router import METADATA_ROOTS, Metadata, changing
from flitstack.emulator.mishaps import planned_refusal

Act = Callable[[Caller, Mapping[str, str]], Caller]
DrawForPart = Callable[[str, str, str, str], Mishap]
_TARGET = b'"@odata.type"'


class Dispatcher:
    """Answers requests of one environment, one at a time.

    `written`: rows the last answered request wrote, by kind. `units`: what it counts for the daily entitlement.
    """

    def __init__(
        self,
        environment: Environment,
        metadata: Metadata,
        lagging: LaggingMetadata,
        draw: DrawForPart,
        act: Act,
    ) -> None:
        self._environment = environment
        self._metadata = metadata
        self._lagging = lagging
        self._draw = draw
        self._act = act
        self.written: list[tuple[str, int]] = []
        self.units = 0

    def answer(self, request: Request, caller: Caller) -> Answer:
        """Never raises: what is refused and what nobody foresaw become error answers."""
        self.written, self.units = [], 0
        return self._guarded(request, caller, self.perform)

    def perform(self, request: Request, caller: Caller) -> Answer:
        """The answer to one request; raises Refusal."""
        path = request.path
        root = path.partition("/")[0].partition("(")[0]
        if root == "$batch":
            return self._batch(request, caller)
        self._metadata.activate_keys()
        if root in METADATA_ROOTS:
            return self._lagging.answer(request, caller) or self._metadata.answer(request, caller)
        if not path:
            if request.method != "GET":
                raise Refusal(405, "", f"The requested resource does not support http method '{request.method}'.")
            return self._service_document(request)
        return self._perform_on_rows(request, caller)

    def _perform_on_rows(self, request: Request, caller: Caller) -> Answer:
        kind = kind_of(request.method, request.path)
        named = count_targets(request.body) if kind.endswith("Multiple") else 1
        self.units += named
        answer = self._environment.handle(request, caller)
        written = written_rows(kind, named, answer)
        if written:
            self.written.append((kind, written))
        wanted = request.prefers("odata.include-annotations") if request.headers.get("prefer") else None
        if wanted is not None and answer.body and answer.status < 300:
            applied = answer.headers.get("Preference-Applied", "")
            if "odata.include-annotations" not in applied:
                found = f'odata.include-annotations="{wanted}"'
                answer.headers["Preference-Applied"] = f"{applied},{found}" if applied else found
        return answer

    def begin_batch(self, request: Request, caller: Caller) -> None:
        """The first half of a batch, without an answer: what a server leaves that dies on the way."""
        self.written, self.units = [], 0
        self._guarded(request, caller, partial(self._batch, only_half=True))

    def _batch(self, request: Request, caller: Caller, *, only_half: bool = False) -> Answer:
        # One commit for all parts: each is undone alone by its savepoint, and a commit costs more than a small row.
        with self._environment.transaction():
            batch = Batch(request, caller, self._perform_part, self._answer_part, self._change_set, self._act)
            return batch.run(only_half=only_half)

    @contextmanager
    def _change_set(self) -> Iterator[None]:
        before = len(self.written)
        try:
            with changing(self._environment):
                yield
        except BaseException:
            del self.written[before:]
            raise

    def _answer_part(self, request: Request, caller: Caller) -> Answer:
        return self._guarded(request, caller, self._perform_alone)

    def _perform_alone(self, request: Request, caller: Caller) -> Answer:
        with self._environment.savepoint():
            return self._perform_part(request, caller)

    def _perform_part(self, request: Request, caller: Caller) -> Answer:
        kind = kind_of(request.method, request.path)
        user = str(caller.on_behalf_of or caller.user_id)
        mishap = self._draw(request.method, request.path, kind, user)
        if mishap.rule is not None:
            raise planned_refusal(mishap.rule)
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


def count_targets(body: bytes) -> int:
    """How many rows a bulk message names: each says its type."""
    return max(body.count(_TARGET), 1)


def _unforeseen(request: Request, code: str, message: str) -> Refusal:
    print(f"unforeseen fault in {request.method} {request.path.partition('(')[0]}", file=sys.stderr)
    traceback.print_exc(file=sys.stderr)
    return Refusal(500, code, message)
