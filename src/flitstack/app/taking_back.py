"""Carrying a rollback out: everything is given back first, then what may be deleted is deleted."""

from dataclasses import replace
from uuid import UUID

from flitstack.app.planned import forget_schema
from flitstack.app.reversing import Rollback
from flitstack.app.rounds_back import ROLLBACK
from flitstack.app.store import plan_folder
from flitstack.app.undoing import Begun
from flitstack.app.unsettled import server_limit_s
from flitstack.journal.frames import Operation
from flitstack.loading.document import LoadDocument
from flitstack.loading.load import Load, execute
from flitstack.loading.sending import SendOptions
from flitstack.planning.document import Plan
from flitstack.planning.rollback import UNDO, spare, still_pointed_to


async def take_back(this: Rollback, begun: Begun) -> tuple[int, int]:
    """(rows refused, rows left undeleted since an older row that was not given back points to them).

    First everything is given back; only then is known what may be deleted.
    """
    plan, project = begun.plan, this.project
    giving = tuple(step for step in plan.steps if step.kind not in {"delete", "revert"})
    refused = (await _run(this, replace(plan, steps=giving))).refused if giving else 0
    spared = 0
    if refused:
        rows = still_pointed_to(this.engine, this.plan, plan_folder(project), _not_given_back(this, plan), this.made_in)
        plan, spared = spare(this.engine, this.plan, plan_folder(project), plan, rows, "spared", this.made_in)
    deleting = tuple(step for step in plan.steps if step.kind in {"delete", "revert"})
    if spared:
        deleting = tuple(step for step in deleting if step.kind == "delete")
    refused += (await _run(this, replace(plan, steps=deleting))).refused
    forget_schema(project, [operation for step in deleting for operation in step.operations])
    return refused, spared


async def _run(this: Rollback, plan: Plan) -> LoadDocument:
    facts = await this.destination.facts()
    options = SendOptions(in_flight=max(2, min(facts.parallelism_hint, 16)), server_limit_s=server_limit_s(facts))
    work = Load(plan, plan_folder(this.project), this.destination, this.journal, this.engine, this.progress, options)
    return await execute(work, ROLLBACK)


def _not_given_back(this: Rollback, undo: Plan) -> list[str]:
    """Ids of rows that refused to be given back what they held."""
    tables = {table.table for table in undo.tables if not table.name.startswith(UNDO)}
    return [
        str(UUID(bytes=row))
        for (table, row), verdicts in this.journal.state.refused.items()
        if table in tables and Operation.UPDATE in dict(verdicts)
    ]
