"""The row steps of a plan. Each sends what the journal does not know as done, and returns how many rows it is about."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

import pyarrow as pa

from flitstack.catalogue.types import Table
from flitstack.destinations.port import Call
from flitstack.journal.frames import Operation
from flitstack.loading.before import VERSION, read_before
from flitstack.loading.calls import LINKS_TEXT, STATE_TEXT, link_calls, state_calls
from flitstack.loading.changes import done_in_plan, in_bulk, parties, update_changed
from flitstack.loading.execution import Load
from flitstack.loading.files import send_files
from flitstack.loading.linking import link_new
from flitstack.loading.rows import RowBatch, Wanted, done_sql, landed_sql, read_rows, tried_sql
from flitstack.loading.sending import Sender, Work
from flitstack.planning.document import SendTable, Step
from flitstack.staging.engine.engine import quoted, read_parquet

STATE_COLUMNS = ("statecode", "statuscode")
# What closing a row sets besides: closing it once more, as it was, needs these.
CLOSING_COLUMNS: Mapping[str, tuple[str, ...]] = {"opportunity": ("actualclosedate", "actualvalue")}
RowStep = Callable[[Load, Step, SendTable, Sender], Awaitable[int]]


async def create(load: Load, step: Step, send: SendTable, sender: Sender) -> int:
    """Rows, in bulk where the table can; held-back lookups come later."""
    table = await load.table(send.table)
    columns = [column.name for column in send.columns if not column.second_pass]
    encoder = load.destination.encoder(table, columns, with_id=True, nulls=False, parties=send.has_parties)
    bulk = "CreateMultiple" in table.messages and not send.has_parties
    batches = read_rows(load.engine, load.folder, send, encoder.sql, Wanted(without=landed_sql(send.table)))
    await load.send_all(
        sender, batches, lambda batch: sender.create(step.index, table, batch, encoder.head, encoder.tail, bulk=bulk)
    )
    return send.rows


async def files(load: Load, step: Step, send: SendTable, sender: Sender) -> int:
    """Rows first, like any other; then each one's file."""
    planned = send.rows if send.is_change else await create(load, step, send, sender)
    load.refresh()
    await send_files(load, step, send, await load.table(send.table), sender)
    return planned


async def lookups(load: Load, step: Step, send: SendTable, sender: Sender) -> int:
    """The lookups that were held back. Their earlier value is always null: the rows are ours."""
    table = await load.table(send.table)
    columns = [column.name for column in send.columns if column.second_pass]
    encoder = load.destination.encoder(table, columns, with_id=False, nulls=False, parties=False)
    where = f"({' OR '.join(f'{quoted(name)} IS NOT NULL' for name in columns)}) AND {_is_there(send)}"

    async def send_batch(batch: RowBatch) -> None:
        work = Work(Operation.LOOKUPS, _updates(table, batch), bulk=in_bulk(load.destination, table))
        await sender.change(step.index, work, table, batch)

    wanted = Wanted(where, same=done_sql(send.table, Operation.LOOKUPS))
    await load.send_all(sender, read_rows(load.engine, load.folder, send, encoder.sql, wanted), send_batch)
    return _count(load, send, where)


async def update(load: Load, step: Step, send: SendTable, sender: Sender) -> int:
    """New values of rows that exist; what they held before is journalled with the intent."""
    if send.is_change:
        return await update_changed(load, step, send, sender)
    table = await load.table(send.table)
    columns = [column.name for column in send.columns]
    encoder = load.destination.encoder(table, columns, with_id=False, nulls=True, parties=False)

    async def send_batch(batch: RowBatch) -> None:
        rows = batch.row_ids()
        before = await read_before(sender.attempts, table, [*columns, VERSION], rows)
        changed = sender.no_longer(table, before)
        work = Work(Operation.UPDATE, _updates(table, batch), bulk=in_bulk(load.destination, table), changed=changed)
        await sender.change(step.index, work, table, batch, before.lines(dict.fromkeys(rows, columns)))

    wanted = Wanted(same=done_sql(send.table, Operation.UPDATE))
    await load.send_all(sender, read_rows(load.engine, load.folder, send, encoder.sql, wanted), send_batch)
    return send.rows


async def state(load: Load, step: Step, send: SendTable, sender: Sender) -> int:
    """States. A row whose earlier attempt may have worked is asked first: closing twice would close twice."""
    table = await load.table(send.table)
    where = f"_action IS NOT NULL AND {_is_there(send)}"

    async def send_batch(batch: RowBatch) -> None:
        work = Work(Operation.STATE, state_calls(table, batch), sender.in_state(table))
        columns = (*STATE_COLUMNS, *CLOSING_COLUMNS.get(table.name, ()))
        before = await read_before(sender.attempts, table, columns, batch.row_ids()) if send.is_change else None
        lines = before.lines({}) if before else None
        await sender.change(step.index, work, table, batch, lines, doubtful=batch.marked())

    wanted = replace(_todo(load, step, send, where, Operation.STATE), marked=tried_sql(send.table, Operation.STATE))
    await load.send_all(sender, read_rows(load.engine, load.folder, send, STATE_TEXT, wanted), send_batch)
    return _count(load, send, where)


def _todo(load: Load, step: Step, send: SendTable, where: str, operation: Operation) -> Wanted:
    """What is still to be sent: by the last payload for rows of a first load, by what this very plan did for changes."""
    if send.is_change:
        return Wanted(where, without=done_in_plan(load, step, send.table))
    return Wanted(where, same=done_sql(send.table, operation))


async def associate(load: Load, step: Step, send: SendTable, sender: Sender) -> int:
    """Many-to-many links: all of a row's in one batch, so that they settle together."""
    table = await load.table(send.table)
    where = f"len(_links) > 0 AND {_is_there(send)}"

    async def send_batch(batch: RowBatch) -> None:
        if send.was_there:
            await link_new(load, step.index, table, batch, sender)
            return
        await sender.change(step.index, Work(Operation.LINK, link_calls(table, batch)), table, batch)

    wanted = _todo(load, step, send, where, Operation.LINK)
    await load.send_all(sender, read_rows(load.engine, load.folder, send, LINKS_TEXT, wanted), send_batch)
    return _count(load, send, where)


async def give_roles(load: Load, step: Step, sender: Sender) -> int:
    """Roles of users, as links like any other: a role that a user has is left, what is given is journalled."""
    path = f"rows/roles-{load.plan.sha256[:16]}.parquet"
    grants = [{"user": grant.user, "role": grant.role} for grant in load.plan.roles]
    load.engine.connection.register("role_grants", pa.Table.from_pylist(grants))
    load.engine.write_parquet(
        """SELECT row_number() OVER () AS _ord, CAST("user" AS UUID) AS _row,
            list({'relationship': 'systemuserroles_association', 'table': 'role', 'id': CAST(role AS UUID)}) AS _links
        FROM role_grants GROUP BY "user" """,
        load.folder / path,
    )
    load.engine.connection.unregister("role_grants")
    traits = {"has_links": True, "is_change": True, "was_there": True}
    send = SendTable("roles", step.table, step.phase, path, step.rows, "", (), (), **traits)
    return await associate(load, step, send, sender)


async def disassociate(load: Load, step: Step, send: SendTable, sender: Sender) -> int:
    """Many-to-many links that are no more; one that is gone already counts as removed."""
    table = await load.table(send.table)

    async def send_batch(batch: RowBatch) -> None:
        calls = link_calls(table, batch, "disassociate")
        await sender.change(step.index, Work(Operation.UNLINK, calls), table, batch)

    wanted = Wanted("len(_links) > 0", without=done_in_plan(load, step, send.table))
    await load.send_all(sender, read_rows(load.engine, load.folder, send, LINKS_TEXT, wanted), send_batch)
    return send.rows


async def delete(load: Load, step: Step, send: SendTable, sender: Sender) -> int:
    """Rows of ours; one that is gone already counts as deleted."""
    table = await load.table(send.table)

    async def send_batch(batch: RowBatch) -> None:
        calls = [Call("delete", table.name, row) for row in batch.row_ids()]
        await sender.change(step.index, Work(Operation.DELETE, calls), table, batch)

    batches = read_rows(load.engine, load.folder, send, "','", Wanted(_is_there(send)))
    await load.send_all(sender, batches, send_batch)
    return send.rows


ROW_STEPS: Mapping[str, RowStep] = {
    "create": create,
    "files": files,
    "lookups": lookups,
    "update": update,
    "parties": parties,
    "disassociate": disassociate,
    "state": state,
    "associate": associate,
    "delete": delete,
}


def _updates(table: Table, batch: RowBatch) -> list[Call]:
    return [Call("update", table.name, batch.row_id(place), batch.text(place)) for place in range(len(batch))]


def _is_there(send: SendTable) -> str:
    return "TRUE" if send.was_there else f"_row IN ({landed_sql(send.table)})"


def _count(load: Load, send: SendTable, where: str) -> int:
    source = read_parquet(load.folder / send.parquet)
    return int(load.engine.one(f"SELECT count(*) FROM {source} WHERE {where}")[0])
