"""Changes of rows that are there: only the columns that changed, with what they held before journalled first.

A row that somebody edited between the plan and this moment is not sent: it is refused here, with EDITED_SINCE_PLAN, and
the next delta decides about it anew.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import orjson

from flitstack.catalogue.types import Table
from flitstack.destinations.faults import Refusal
from flitstack.destinations.port import Call, Destination
from flitstack.journal.frames import Operation, Status
from flitstack.journal.journal import Journal
from flitstack.loading.before import VERSION, Before, read_before
from flitstack.loading.execution import Load
from flitstack.loading.rows import RowBatch, Wanted, read_rows
from flitstack.loading.sending import Bulk, Sender, Work
from flitstack.planning.document import Plan, SendTable, Step
from flitstack.staging.engine.engine import literal

EDITED_SINCE_PLAN = "edited_since_plan"
# What stands before each row's body: read here, never sent.
_HEAD_TEXT = "to_json({'changed': _changed, 'version': _version})::VARCHAR || chr(10) || "


def changed_only(destination: Destination, table: Table, columns: Sequence[str]) -> str:
    """SQL for the text of an update with the columns of the row's `_changed` list, empty ones as null; a comma after it."""
    members = []
    for name in columns:
        whole = destination.encoder(table, [name], with_id=False, nulls=True, parties=False).sql
        # Each encoder gives an object of one member; its braces and the comma after them go.
        members.append(f"CASE WHEN list_contains(_changed, {literal(name)}) THEN ({whole})[2:-3] END")
    return f"'{{' || concat_ws(',', {', '.join(members)}) || '}},'"


def in_bulk(destination: Destination, table: Table) -> Bulk | None:
    """How updates of a table go in one request, where its messages say that they can."""
    if "UpdateMultiple" not in table.messages:
        return None
    return lambda calls: destination.update_rows(table, [(call.row, call.body) for call in calls])


def done_in_plan(load: Load, step: Step, table: str) -> str:
    """Rows that this very step landed already: running the plan again does not do it twice, an earlier round does not count."""
    runs = map(str, load.journal.runs_of(load.plan.sha256))
    return (
        f'SELECT DISTINCT "row" FROM journal_rows WHERE "table" = {literal(table)} AND step = {step.index} '
        f"AND status = {Status.LANDED} AND run IN ({', '.join(runs) or '-1'})"
    )


async def update_changed(load: Load, step: Step, send: SendTable, sender: Sender) -> int:
    """The changed columns of each row."""
    table = await load.table(send.table)
    columns = [column.name for column in send.columns]
    text = _HEAD_TEXT + changed_only(load.destination, table, columns)

    async def send_batch(batch: RowBatch) -> None:
        heads, calls = [], []
        for place in range(len(batch)):
            head, body = batch.text(place).split(b"\n", 1)
            heads.append(orjson.loads(head))
            calls.append(Call("update", table.name, batch.row_id(place), body))
        lists = {call.row: head["changed"] for call, head in zip(calls, heads, strict=True)}
        before = await read_before(sender.attempts, table, [*columns, VERSION], batch.row_ids())
        versions = {call.row: head["version"] for call, head in zip(calls, heads, strict=True)}
        touched = batch.marked()
        barred = edited_since(before, {row: v for row, v in versions.items() if row not in touched})
        if barred:
            places = [place for place, call in enumerate(calls) if call.row in barred]
            sender.refuse(step.index, Operation.UPDATE, table, batch.pick(places), barred)
            batch = batch.pick([place for place, call in enumerate(calls) if call.row not in barred])
            calls, before = [call for call in calls if call.row not in barred], before.without(barred)
        if not calls:
            return
        changed = sender.no_longer(table, before)
        work = Work(Operation.UPDATE, calls, bulk=in_bulk(load.destination, table), changed=changed)
        await sender.change(step.index, work, table, batch, before.lines(lists))

    wanted = Wanted("len(_changed) > 0", marked=_touched(load, send))
    if send.was_there:
        # The sample sent the same text about the same row under a plan of its own.
        wanted = replace(wanted, same=_sent_since_plan(load, send.table))
    else:
        wanted = replace(wanted, without=done_in_plan(load, step, send.table))
    await load.send_all(sender, read_rows(load.engine, load.folder, send, text, wanted), send_batch)
    return step.rows


async def parties(load: Load, step: Step, send: SendTable, sender: Sender) -> int:
    """Lists of parties: each replaces the row's list as a whole."""
    table = await load.table(send.table)
    encoder = load.destination.encoder(table, [], with_id=False, nulls=False, parties=True)

    async def send_batch(batch: RowBatch) -> None:
        rows = batch.row_ids()
        before = await read_before(sender.attempts, table, ["_parties", VERSION], rows)
        calls = [Call("parties", table.name, row, batch.text(place)) for place, row in enumerate(rows)]
        work = Work(Operation.PARTIES, calls, changed=sender.no_longer(table, before))
        await sender.change(step.index, work, table, batch, before.lines({row: ["_parties"] for row in rows}))

    wanted = Wanted(without=done_in_plan(load, step, send.table))
    await load.send_all(sender, read_rows(load.engine, load.folder, send, encoder.sql, wanted), send_batch)
    return send.rows


def edited_since(before: Before, versions: dict[UUID, int | None]) -> dict[UUID, Refusal]:
    """Rows that are no longer the version the plan saw, or are gone."""
    barred = {}
    for row, version in versions.items():
        now = before.found.get(row)
        if now is None:
            barred[row] = Refusal(EDITED_SINCE_PLAN, 404, "the row was deleted after the plan was made")
        elif version is not None and now.get(VERSION) not in {None, version}:
            barred[row] = Refusal(EDITED_SINCE_PLAN, 412, "the row was edited after the plan was made")
    return barred


def _touched(load: Load, send: SendTable) -> str:
    """SELECT "row" of rows that this plan has changed, or may have: their version is no longer the one it saw, by our own doing.
    What was refused changed nothing: an edit that was met once is met again."""
    runs = ", ".join(map(str, load.journal.runs_of(load.plan.sha256)))
    # The sample is a plan of its own, and saw what this one saw.
    when = f"operation = {Operation.UPDATE} AND run IN ({_numbers(load)})" if send.was_there else f"run IN ({runs})"
    return (
        f'SELECT "row" FROM journal_rows WHERE "table" = {literal(send.table)} AND {when} '
        f"AND status <> {Status.REFUSED}"
    )


def runs_since(plan: Plan, journal: Journal) -> list[int]:
    """Runs since a plan looked at the rows, its sample's among them; what was done before that, it saw. Its own are told by their
    plan: the clock may have been set back since."""
    made = datetime.fromisoformat(plan.at).timestamp() if plan.at else 0
    own = set(journal.runs_of(plan.sha256)).intersection(journal.standing_runs())
    return sorted(own.union(journal.standing_runs(int(made * 1000))))


def _numbers(load: Load) -> str:
    return ", ".join(map(str, runs_since(load.plan, load.journal))) or "-1"


def _sent_since_plan(load: Load, table: str) -> str:
    """(row, hash of the last payload) of rows that landed since the plan was made."""
    return (
        f'SELECT "row", arg_max(hash, batch) AS hash FROM journal_rows WHERE "table" = {literal(table)} '
        f'AND operation = {Operation.UPDATE} AND status = {Status.LANDED} AND run IN ({_numbers(load)}) GROUP BY "row"'
    )
