"""Executes a plan, step by step, in order. Running it again does only what is missing."""

import time
from datetime import UTC, datetime

from flitstack.loading.attempts import Counters
from flitstack.loading.counting import count_phase
from flitstack.loading.document import LoadDocument, PhaseCount, StepResult
from flitstack.loading.execution import Load
from flitstack.loading.recover import settle_unsettled
from flitstack.loading.sending import Sender
from flitstack.loading.steps import ROW_STEPS, give_roles
from flitstack.planning.document import Plan, Step

__all__ = ["Load", "execute"]

_SCHEMA_KINDS = frozenset({"schema", "revert"})


async def execute(load: Load, command: str) -> LoadDocument:
    """Take every step of the plan. Raises StepFailed when the destination gives up or a phase does not close; what landed
    stays journalled."""
    started, begun = time.monotonic(), datetime.now(UTC)
    run = load.journal.begin_run(load.plan.sha256, command)
    total = Counters()
    total.asked += await settle_unsettled(load.attempts(total), load.journal, load.options.server_limit_s)
    load.refresh()
    results: list[StepResult] = []
    counts: list[PhaseCount] = []
    for place, step in enumerate(load.plan.steps):
        result, counters = await _take(load, step)
        results.append(result)
        total.requests += counters.requests
        total.asked += counters.asked
        if _ends_phase(load.plan, place) and any(r.done or r.refused for r in results if r.phase == step.phase):
            counts += await count_phase(load, step.phase, run, load.attempts(total))
    return LoadDocument(
        plan=load.plan.sha256,
        run=run,
        steps=tuple(results),
        refused=sum(result.refused for result in results),
        requests=total.requests,
        asked=total.asked,
        seconds=round(time.monotonic() - started, 3),
        at=begun.strftime("%Y-%m-%dT%H:%M:%SZ"),
        counts=tuple(counts),
    )


def _ends_phase(plan: Plan, place: int) -> bool:
    """Whether this is the last step of a phase that makes rows. A file that changed is sent for a row that is there."""
    phase = plan.steps[place].phase
    makes_rows = any(
        step.phase == phase and step.kind in {"create", "files"} and not plan.send_table(step.send).is_change
        for step in plan.steps
    )
    return makes_rows and all(step.phase != phase for step in plan.steps[place + 1 :])


async def _take(load: Load, step: Step) -> tuple[StepResult, Counters]:
    started = time.monotonic()
    load.progress.phase(step.title, step.rows or None)
    sender = load.sender()
    if step.kind in _SCHEMA_KINDS:
        await _change_schema(load, step, sender)
        planned = len(step.operations)
    elif step.kind == "roles":
        planned = await give_roles(load, step, sender)
        load.refresh()
    else:
        planned = await ROW_STEPS[step.kind](load, step, load.plan.send_table(step.send), sender)
        load.refresh()
    counters = sender.attempts.counters
    result = StepResult(
        step.index,
        step.kind,
        step.phase,
        step.table,
        planned,
        counters.done,
        max(0, planned - counters.done - counters.refused),
        counters.refused,
        counters.requests,
        round(time.monotonic() - started, 3),
    )
    return result, counters


async def _change_schema(load: Load, step: Step, sender: Sender) -> None:
    """Schema operations one by one; each is idempotent, so a lost answer is no doubt: it is made again."""
    change = load.destination.apply if step.kind == "schema" else load.destination.revert
    for operation in step.operations:
        load.journal.note("schema", step=step.kind, operation=dict(operation), state="intended")
        await sender.attempts.repeat(lambda o=operation: change(o))  # type: ignore[misc]
        load.journal.note("schema", step=step.kind, operation=dict(operation), state="made")
        sender.attempts.counters.done += 1
        load.progress.advance(1)
    load.tables.clear()
