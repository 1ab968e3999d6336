"""The action BulkDelete, and the job it starts: rows that a query meant when the job began, deleted in slices.

A slice is one transaction with its place in the job, so that a killed process goes on where it stopped.
Sources: Microsoft Learn, "Delete data in bulk", "BulkDelete Action", "System Job (AsyncOperation) table reference".
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from flitstack.emulator.answers import json_answer
from flitstack.emulator.jobs.query_sets import chosen_rows
from flitstack.emulator.messages import Answer, Caller, Refusal, Request, not_implemented
from flitstack.emulator.paths import Segment
from flitstack.emulator.privileges import rights_of
from flitstack.emulator.resources.parameters import body_of, flag, missing
from flitstack.emulator.resources.row_answers import context
from flitstack.emulator.rows.cascades import delete_rows
from flitstack.emulator.rows.payload import Draft
from flitstack.emulator.rows.references import row_exists
from flitstack.emulator.rows.stamps import stamp_owner
from flitstack.emulator.rows.write import insert_drafts, write_change
from flitstack.emulator.seed import put_row
from flitstack.emulator.store import Store
from flitstack.emulator.values import guid_blob, guid_text, instant_text, parse_instant
from flitstack.emulator.work import Change, Values, Work

SLICE_ROWS = 100
_CRM = "Microsoft.Dynamics.CRM."
_BULK_DELETE = 13  # operationtype
_BULK = "bulkdeleteoperation"
_READY, _WAITING, _IN_PROGRESS = (0, 0), (1, 10), (2, 20)
_SUCCEEDED, _FAILED = (3, 30), (3, 31)
_COMPLETED = 3


def start_bulk_delete(work: Work, request: Request, segment: Segment) -> Answer:
    """200 with the id of the job, which begins at StartDateTime, or at once when that is past."""
    body = body_of(request)
    queries = body.get("QuerySet")
    if not isinstance(queries, list) or not queries:
        raise missing("QuerySet")
    for query in queries:
        chosen_rows(work, query)[0].require_message("Delete")
    name, pattern = body.get("JobName"), body.get("RecurrencePattern")
    if not isinstance(name, str):
        raise missing("JobName")
    if not isinstance(pattern, str):
        raise missing("RecurrencePattern")
    if pattern:
        raise not_implemented("a recurring bulk deletion (RecurrencePattern)")
    if flag(body, "SendEmailNotification"):
        raise not_implemented("the e-mail after a bulk deletion (SendEmailNotification)")
    start = _start(work, body)
    state = _WAITING if start > work.now else _READY
    with _as_platform(work):
        job = _insert_operation(work, name, queries, start, state)
        operation = _insert_bulk_operation(work, job, name, state)
    document = {
        "queries": queries,
        "user": str(work.caller.user_id),
        "on_behalf_of": str(work.caller.on_behalf_of) if work.caller.on_behalf_of else None,
        "operation": operation,
        "done": None,
        "deleted": 0,
        "failed": 0,
    }
    work.store.connection.execute("INSERT INTO job$job VALUES (?, ?, ?)", (job, start, orjson.dumps(document).decode()))
    answer = {"@odata.context": context(request, f"{_CRM}BulkDeleteResponse"), "JobId": guid_text(job)}
    return json_answer(answer)


@contextmanager
def _as_platform(work: Work) -> Iterator[None]:
    """The rows of a job are the platform's to write, whatever its user may write."""
    rights, work.rights = work.rights, None
    try:
        yield
    finally:
        work.rights = rights


def _start(work: Work, body: dict[str, object]) -> str:
    if body.get("RunNow") is True:
        return work.now
    moment = parse_instant(str(body.get("StartDateTime")))
    if moment is None:
        raise missing("StartDateTime")
    return instant_text(moment)


def _insert_operation(work: Work, name: str, queries: list[Any], start: str, state: tuple[int, int]) -> bytes:
    operation = work.store.schema.tables["asyncoperation"]
    values: Values = {
        "name": name[:256],
        "operationtype": _BULK_DELETE,
        "messagename": "BulkDelete",
        "primaryentitytype": str(queries[0].get("EntityName")),
        "postponeuntil": start if state == _WAITING else None,
        "correlationid": work.new_id(),
        "correlationupdatedtime": work.now,
        "depth": 1,
        "sequence": work.store.next_version(),
        "retrycount": 0,
        "statecode": state[0],
        "statuscode": state[1],
    }
    (job,) = insert_drafts(work, operation, [Draft({k: v for k, v in values.items() if k in operation.stored})])
    return job


def _insert_bulk_operation(work: Work, job: bytes, name: str, state: tuple[int, int]) -> str:
    """The row of bulkdeleteoperation, which no request can make; its id."""
    model, id_ = work.store.schema.tables[_BULK], work.new_id()
    owner = Change(work, model, id_, {})
    stamp_owner(owner)
    values: Values = {
        "name": name[:256],
        "asyncoperationid": job,
        "isrecurring": 0,
        "successcount": 0,
        "failurecount": 0,
        "processingqeindex": 0,
        "statecode": state[0],
        "statuscode": state[1],
        "createdby": work.user,
    }
    put_row(work.store, _BULK, UUID(guid_text(id_)), values)
    write_change(Change(work, model, id_, owner.values, work.read(model, id_)))
    return guid_text(id_)


@dataclass(slots=True)
class _Job:
    """`done` is the number of the last row dealt with; None before the rows were chosen."""

    work: Work
    id: bytes
    document: dict[str, Any]

    @property
    def store(self) -> Store:
        return self.work.store

    def move(self, state: tuple[int, int], **values: str | int | float | None) -> None:
        """Show the job in another state, in both of its rows."""
        with _as_platform(self.work):
            self._show(state, dict(values))

    def _show(self, state: tuple[int, int], values: Values) -> None:
        operation = self.store.schema.tables["asyncoperation"]
        changed: Values = {"statecode": state[0], "statuscode": state[1], **values}
        before = self.work.read(operation, self.id)
        write_change(Change(self.work, operation, self.id, changed, before))
        bulk, id_ = self.store.schema.tables[_BULK], guid_blob(self.document["operation"])
        counts: Values = {"successcount": self.document["deleted"], "failurecount": self.document["failed"]}
        told = self.work.find(bulk, id_) if id_ is not None else None
        if id_ is not None and told is not None:
            state_of_both: Values = {"statecode": state[0], "statuscode": state[1]}
            write_change(Change(self.work, bulk, id_, counts | state_of_both, told))

    def end(self) -> None:
        """Forget the job; its system job stays."""
        self.store.connection.execute("DELETE FROM job$row WHERE job = ?", (self.id,))
        self.store.connection.execute("DELETE FROM job$job WHERE id = ?", (self.id,))


def run_slice(store: Store) -> bool:
    """Do one slice of a job that is due; whether there was one."""
    due = "SELECT id, body FROM job$job WHERE start <= ? ORDER BY start, id LIMIT 1"
    if store.connection.execute(due, (store.now,)).fetchone() is None:
        return False
    with store.transaction():
        # Asked again inside: another process may have ended it meanwhile.
        found = store.connection.execute(due, (store.now,)).fetchone()
        if found is None:
            return False
        document = orjson.loads(found[1])
        real = document["on_behalf_of"]
        caller = Caller(UUID(document["user"]), on_behalf_of=UUID(real) if real else None)
        work = Work(store, caller)
        work.rights = rights_of(store, caller)
        _advance(_Job(work, found[0], document))
    return True


def _advance(job: _Job) -> None:
    operation = job.store.schema.tables["asyncoperation"]
    shown = job.work.find(operation, job.id)
    if shown is None or shown["statecode"] == _COMPLETED:  # deleted or canceled by somebody
        job.end()
        return
    try:
        if job.document["done"] is None:
            _choose(job)
            job.move(_IN_PROGRESS, startedon=job.work.now)
        elif not _delete_some(job):
            _complete(job, shown)
            return
    except Refusal as refusal:  # the query does not fit the definitions any more
        job.move(_FAILED, completedon=job.work.now, message=f"{refusal.code} {refusal.message}")
        job.end()
        return
    job.store.connection.execute(
        "UPDATE job$job SET body = ? WHERE id = ?", (orjson.dumps(job.document).decode(), job.id)
    )


def _choose(job: _Job) -> None:
    """Note the rows there are now: the job deletes none that is created after it began."""
    connection, number = job.store.connection, 0
    for query in job.document["queries"]:
        model, sql, parameters = chosen_rows(job.work, query)
        done = connection.execute(
            f"INSERT INTO job$row SELECT ?, {number} + row_number() OVER (), ?, * FROM ({sql})",
            [job.id, model.name, *parameters],
        )
        number += done.rowcount
    job.document["done"] = 0


def _delete_some(job: _Job) -> bool:
    """Delete the next rows, each by itself; whether there were any left."""
    rows = job.store.connection.execute(
        "SELECT number, owner_table, row FROM job$row WHERE job = ? AND number > ? ORDER BY number LIMIT ?",
        (job.id, job.document["done"], SLICE_ROWS),
    ).fetchall()
    for number, table, id_ in rows:
        job.document["done"] = number
        model = job.store.schema.tables.get(table)
        if model is None or not row_exists(job.store, model, id_):
            continue  # gone meanwhile, or with a row before it
        try:
            with job.store.savepoint():
                delete_rows(job.work, model, [id_])
            job.document["deleted"] += 1
        except Refusal as refusal:
            job.document["failed"] += 1
            job.document.setdefault("reason", f"{table} {guid_text(id_)}: {refusal.code} {refusal.message}")
    return bool(rows)


def _complete(job: _Job, shown: Values) -> None:
    deleted, failed = job.document["deleted"], job.document["failed"]
    message = f"{deleted} deleted, {failed} failed"
    if failed:
        message += f"; the first: {job.document['reason']}"
    began, ended = parse_instant(str(shown.get("startedon"))), parse_instant(job.work.now)
    seconds = (ended - began).total_seconds() if began and ended else 0.0
    state = _FAILED if failed else _SUCCEEDED
    job.move(state, completedon=job.work.now, message=message, executiontimespan=seconds)
    job.end()
