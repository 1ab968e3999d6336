"""How long a plan takes under the documented limits: its requests, sent in virtual time by the pace the loader uses."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import ceil
from typing import Any

from flitstack.destinations.virtual import Assumed, Request, VirtualService
from flitstack.limits import CALLS_PER_BATCH
from flitstack.loading.batch_size import BatchSize
from flitstack.planning.document import Plan

# Source: performance is not documented; Microsoft's samples show up to 10 ms a row. docs/loading.md says what is assumed.
HINT = 4
_MOST_IN_FLIGHT = 48
_READS = 400  # ids a read names


@dataclass(frozen=True, slots=True)
class Forecast:
    """One number of application users. `entitlement`: daily requests used, a row each; `share`: of what the limits allow."""

    users: int
    seconds: float
    requests: int
    rows: int
    execution_s: float
    pauses: int
    paused_s: float
    refused: int
    entitlement: int


@dataclass
class _Stage:
    """One step of the plan: rows in requests whose size adapts as the loader's does."""

    kind: str
    rows: int
    most_running: int
    most_rows: int = CALLS_PER_BATCH
    reads_before: bool = False
    size: BatchSize = field(default_factory=BatchSize)
    _reads: int = 0

    def next(self) -> Request | None:
        if self._reads:
            self._reads -= 1
            return Request(("read", self.kind), 1)
        if self.rows <= 0:
            return None
        rows = min(self.rows, self.size.rows, self.most_rows)
        self.rows -= rows
        if self.reads_before:
            self._reads = ceil(rows / _READS)
        return Request(self.kind, rows)

    def answered(self, request: Request, seconds: float) -> None:
        if request.rows > 1:
            self.size.answered(request.rows, seconds)


def forecast(plan: Plan, users: Sequence[int], assumed: Assumed, hint: int = HINT) -> list[Forecast]:
    """The plan for each number of application users."""
    return [_play(plan, count, assumed, hint) for count in users]


def forecast_document(found: Sequence[Forecast], assumed: Assumed) -> dict[str, Any]:
    """For --json: what was assumed and what came out."""
    return {"assumed": asdict(assumed), "users": {str(one.users): asdict(one) for one in found}}


def forecast_lines(found: Sequence[Forecast], assumed: Assumed) -> list[str]:
    """For the terminal."""
    costs = f"{assumed.row_s * 1000:g} ms a row, {assumed.request_s * 1000:g} ms a request"
    network = f"{assumed.latency_s * 1000:g} ms of network assumed"
    lines = [f"in virtual time under the documented limits, {costs} and {network}:"]
    for one in found:
        lines.append(
            f"{one.users} application user{'s' if one.users > 1 else ' '}  {duration(one.seconds):>12}  {one.requests:,} requests, "
            f"{one.execution_s:,.0f} s of execution, {one.pauses} pauses ({one.paused_s:,.0f} s), {one.entitlement:,} daily requests used"
        )
    return lines


def duration(seconds: float) -> str:
    """`2 h 05 min`, `3 min 20 s` or `12.3 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def _play(plan: Plan, users: int, assumed: Assumed, hint: int) -> Forecast:
    service = VirtualService(users, assumed)
    in_flight = max(2, min(2 * hint * users, _MOST_IN_FLIGHT))
    for stage in _stages(plan, in_flight):
        service.play(stage)
    played = service.played
    return Forecast(
        users=users,
        seconds=round(played.seconds, 1),
        requests=played.requests,
        rows=sum(step.rows for step in plan.steps),
        execution_s=round(played.execution_s, 1),
        pauses=played.pauses,
        paused_s=round(played.paused_s, 1),
        refused=played.refused,
        entitlement=played.rows,
    )


def _stages(plan: Plan, in_flight: int) -> list[_Stage]:
    """Steps in order; the loader begins none before the one before is done."""
    stages = []
    for step in plan.steps:
        if step.kind in {"schema", "revert"}:
            stages.append(_Stage("schema", len(step.operations), 1, most_rows=1))
            continue
        stages.append(_Stage(f"{step.kind} {step.table}", step.rows, in_flight, reads_before=step.kind == "update"))
        if step.kind == "files":
            send = plan.send_table(step.send)
            stages.append(_Stage(f"file {step.table}", send.rows, in_flight, most_rows=1))
    return stages
