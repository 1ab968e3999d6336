"""Where a metadata request goes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from flitstack.emulator.core import Environment
from flitstack.emulator.messages import Answer, Caller, Refusal, Request, not_implemented
from flitstack.emulator.metadata import csdl, messages, reading, writing
from flitstack.emulator.metadata.actions import ACTIONS
from flitstack.emulator.metadata.changes import retrieve_metadata_changes
from flitstack.emulator.metadata.keys import activate_due
from flitstack.emulator.metadata.live import Live, Occasion
from flitstack.emulator.paths import Segment, parse_path
from flitstack.emulator.solutions.components import read_components
from flitstack.emulator.solutions.jobs import read_jobs
from flitstack.emulator.solutions.rows import solution_by_id
from flitstack.emulator.solutions.uninstalling import forget_solution
from flitstack.emulator.values import guid_text

_DEFINITIONS = frozenset({"EntityDefinitions", "RelationshipDefinitions", "GlobalOptionSetDefinitions"})
_UNKNOWN = frozenset({"ManagedPropertyDefinitions", "sdkmessages"})
_READERS = {"solutioncomponents": read_components, "importjobs": read_jobs}
_ROWS = _READERS.keys() | {"solutions"}
METADATA_ROOTS = (
    _DEFINITIONS | _UNKNOWN | {"$metadata", "sdkmessagefilters", "RetrieveMetadataChanges"} | ACTIONS.keys() | _ROWS
)


@contextmanager
def changing(environment: Environment) -> Iterator[None]:
    """Work that may change definitions: when an exception undoes it, the live metadata is read anew."""
    try:
        with environment.transaction(), environment.savepoint():
            yield
    except BaseException:
        environment.reload()
        raise


@dataclass(frozen=True, slots=True)
class MetadataOptions:
    """`key_delay`: how long a new alternate key stays Pending. `without_bulk`: tables whose bulk messages are off.

    `max_custom_tables`: how many tables of its own the environment may have; None for no limit.
    """

    key_delay: timedelta = timedelta(0)
    without_bulk: frozenset[str] = frozenset()
    max_custom_tables: int | None = None


class Metadata:
    """The metadata API of one environment."""

    def __init__(self, environment: Environment, clock: Callable[[], datetime], options: MetadataOptions) -> None:
        self._environment = environment
        self._clock = clock
        self._options = options
        self._has_waiting_keys = True
        self._definitions_seen = -1

    def answer(self, request: Request, caller: Caller) -> Answer:
        """Answer one request; raises Refusal."""
        live = Live(self._environment, self._occasion(request))
        segments = parse_path(request.path)
        root = segments[0].name
        if root in _DEFINITIONS and segments[0].arguments is not None and not segments[0].is_row:
            raise Refusal(400, "0x80060888", f"'{segments[0].arguments}' is no key of '{root}'.")
        if root in _ROWS:
            return self._answer_rows(live, request, caller, segments)
        if root == "$metadata":
            return csdl.answer(live, request)
        if root == "sdkmessagefilters" and request.method == "GET":
            return messages.message_filters(live, request, self._options.without_bulk)
        if root == "RetrieveMetadataChanges" and request.method == "GET":
            return retrieve_metadata_changes(live, request, segments[0])
        if root in ACTIONS:
            if request.method != "POST":
                raise Refusal(404, "", "No HTTP resource was found that matches the request URI.")
            with changing(self._environment):
                return ACTIONS[root](live, request)
        if root in _UNKNOWN or root not in _DEFINITIONS:
            raise not_implemented(f"'{request.method} {root}'")
        if request.method == "GET":
            return reading.read(live, request, segments)
        with changing(self._environment):
            self._has_waiting_keys = True
            answer = writing.write(live, request, segments)
        if request.prefers("return") == "representation" and request.method in {"POST", "PUT"}:
            return self._represented(request, answer)
        return answer

    def _occasion(self, request: Request) -> Occasion:
        """The solution of the header, or of the query option that Microsoft's Python SDK uses."""
        solution = request.headers.get("mscrm.solutionuniquename") or request.query.get("SolutionUniqueName") or ""
        options = self._options
        return Occasion(solution, self._clock(), options.key_delay, options.max_custom_tables)

    def _answer_rows(self, live: Live, request: Request, caller: Caller, segments: list[Segment]) -> Answer:
        """Rows with a side to them that the data core does not know."""
        first = segments[0]
        if first.name == "solutions":
            solution = solution_by_id(live, guid_text(first.id)) if first.id else None
            if request.method != "DELETE" or solution is None or len(segments) > 1:
                return self._environment.handle(request, caller)
            with changing(self._environment):
                forget_solution(live, solution)
                return self._environment.handle(request, caller)
        if request.method != "GET" or len(segments) > 1:
            raise not_implemented(f"{request.method} {request.path}")
        return _READERS[first.name](live, request, first)

    def _represented(self, request: Request, answer: Answer) -> Answer:
        """What was just written, read anew; the header says that the preference was heard."""
        url = answer.headers.get("OData-EntityId", "").removeprefix(request.base_url)
        path = url or request.path
        shown = reading.read(Live(self._environment), replace(request, method="GET", path=path), parse_path(path))
        applied = {"Preference-Applied": "return=representation"}
        return Answer(201 if url else 200, shown.body, answer.headers | shown.headers | applied)

    def activate_keys(self) -> None:
        """Let keys become active whose time has come; cheap when none waits."""
        if self._environment.definitions_generation != self._definitions_seen:  # perhaps by another process
            self._definitions_seen, self._has_waiting_keys = self._environment.definitions_generation, True
        if self._has_waiting_keys:
            with self._environment.transaction():
                self._has_waiting_keys = activate_due(self._environment, self._clock())
