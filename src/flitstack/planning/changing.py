"""Puts the plan of a delta together: creates in the order of a first load, then changes, then rows no record makes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from flitstack.catalogue.types import Table
from flitstack.planning.absent import Policies, write_left
from flitstack.planning.build import forecast_requests, plan_steps, roles_step, sealed
from flitstack.planning.changes import Side
from flitstack.planning.delta import sealed_table, write_creates, write_group, write_updates
from flitstack.planning.document import Plan, SendTable, Step
from flitstack.planning.instances import stage_by_stage
from flitstack.planning.upsert import write_new_links, write_new_matches
from flitstack.staging.engine.engine import Engine, read_parquet

# Actions that the destination takes from an open row only.
_CLOSING = "('win', 'lose', 'fulfil', 'cancel')"


@dataclass(frozen=True, slots=True)
class DeltaInputs:
    """`wanted`: the plan of the whole snapshot; `standing`: what we hold to be there; `there`: table -> query ("row") of rows
    that landed; `decided`: table -> Parquet of delta.decide; `live`: metadata by table; `made`: schema operations that are made and
    still there."""

    wanted: Side
    standing: Sequence[Side]
    there: Mapping[str, str]
    decided: Mapping[str, Path]
    live: Mapping[str, Table]
    policies: Policies
    made: Sequence[Mapping[str, object]]
    notes: tuple[str, ...]


def delta_plan(engine: Engine, inputs: DeltaInputs, folder: Path) -> Plan:
    """Write the send tables below `folder`; returns the plan (not saved, without accounts)."""
    wanted, plan = inputs.wanted, inputs.wanted.plan
    creates = [
        made
        for send in plan.tables
        if not send.was_there
        if (made := write_creates(engine, wanted, send, inputs.there[send.table], folder)) is not None
    ]
    operations = [
        op for step in plan.steps for op in step.operations if op not in inputs.made and op["kind"] != "publish"
    ]
    if operations:
        operations.append({"kind": "publish", "table": "", "name": "all"})
    schema = [Step(0, "schema", "schema", "", f"{len(operations)} schema operations", operations=tuple(operations))]
    steps = list(plan_steps((), creates, plan.phases, existing=schema if operations else ()))
    tables = list(creates)
    for kind, send in [*_changes(engine, inputs, folder), *_left(engine, inputs, folder)]:
        tables.append(sealed_table(engine, send, folder))
        title = f"{_TITLES.get(kind, kind)} {send.table}"
        steps.append(Step(len(steps), kind, send.phase, send.table, title, send.name, send.rows))
    steps += [Step(len(steps), **draft) for draft in roles_step(plan.roles)]
    return replace(
        plan,
        kind="delta",
        tables=tuple(tables),
        steps=tuple(steps),
        requests=forecast_requests(steps),
        notes=inputs.notes,
    )


def finished(plan: Plan, accounts: Mapping[str, Mapping[str, int]]) -> Plan:
    """The plan with its accounts, sealed."""
    return sealed(replace(plan, accounts={name: dict(account) for name, account in accounts.items()}))


_TITLES = {"update": "changed columns of", "state": "states of", "delete": "deleting"}


def _changes(engine: Engine, inputs: DeltaInputs, folder: Path) -> list[tuple[str, SendTable]]:
    made: list[tuple[str, SendTable]] = []
    for send in inputs.wanted.plan.tables:
        decided = inputs.decided.get(send.table)
        if decided is None:
            continue
        found = [
            (
                "update",
                write_new_matches(engine, inputs.wanted, inputs.standing, send, folder) if send.was_there else None,
            ),
            ("state", _reopened(engine, inputs, send, decided, folder)),
            *_updates(engine, inputs, send, decided, folder),
            ("parties", _group(engine, inputs, send, decided, "(parties)", folder) if send.has_parties else None),
            ("files", _group(engine, inputs, send, decided, "(file)", folder) if send.has_files else None),
            ("disassociate", _links(engine, inputs, send, decided, folder, gone=True)),
            ("associate", _links(engine, inputs, send, decided, folder, gone=False)),
            ("associate", _new_links(engine, inputs, send, folder)),
            ("state", _closed(engine, inputs, send, decided, folder)),
        ]
        made += [(kind, table) for kind, table in found if table is not None]
    # Whatever is reopened, changed and closed again: columns and parties of all tables go before any state.
    return sorted(made, key=lambda entry: entry[0] == "state" and not entry[1].name.endswith("_reopen"))


def _updates(
    engine: Engine, inputs: DeltaInputs, send: SendTable, decided: Path, folder: Path
) -> list[tuple[str, SendTable | None]]:
    made = write_updates(engine, inputs.wanted, inputs.standing, send, decided, folder)
    if made is None or not inputs.live[send.table].is_process:
        return [("update", made)]
    return [("update", one) for one in stage_by_stage(engine, made, inputs.standing, folder)]


def _group(
    engine: Engine, inputs: DeltaInputs, send: SendTable, decided: Path, group: str, folder: Path
) -> SendTable | None:
    made = write_group(engine, inputs.wanted, send, decided, group, folder, label=group.strip("()"))
    return replace(made, has_files=True, columns=send.columns) if made is not None and group == "(file)" else made


def _was(inputs: DeltaInputs, send: SendTable, name: str, kind: str, summary: str) -> str:
    """SELECT _row and, over everything that stands, the `summary` of what a column of a table's rows was before (called `was`)."""
    parts = []
    for side in inputs.standing:
        for earlier in side.sends(send.table):
            has = earlier.has_states if name == "_action" else earlier.has_links
            value = name if has else f"NULL::{kind}"
            parts.append(f"SELECT _row, {value} AS was FROM {read_parquet(side.folder / earlier.parquet)}")
    listed = " UNION ALL ".join(parts) or f"SELECT NULL::UUID AS _row, NULL::{kind} AS was WHERE FALSE"
    return f"SELECT _row, {summary} AS was FROM ({listed}) GROUP BY _row"


def _reopened(engine: Engine, inputs: DeltaInputs, send: SendTable, decided: Path, folder: Path) -> SendTable | None:
    """Rows that were closed and are open now, or are closed otherwise: both go through open."""
    live = inputs.live.get(send.table)
    if not send.has_states or live is None or not live.states:
        return None
    open_state = live.states[0]
    values = (
        f"'state' AS _action, {open_state.value}::BIGINT AS _state, {open_state.default_status}::BIGINT AS _status, "
        "NULL::TIMESTAMPTZ AS _state_at"
    )
    join = f"JOIN ({_was(inputs, send, '_action', 'VARCHAR', 'any_value(was)')}) o ON o._row = e._row"
    # An instance of a process is moved while it is active only.
    where = f"o.was IS NOT NULL AND (e._action IS NULL OR e._action IN {_CLOSING} OR {live.is_process})"
    return write_group(
        engine, inputs.wanted, send, decided, "(state)", folder, label="reopen", values=values, where=where, join=join
    )


def _closed(engine: Engine, inputs: DeltaInputs, send: SendTable, decided: Path, folder: Path) -> SendTable | None:
    if not send.has_states:
        return None
    where = "e._action IS NOT NULL"
    return write_group(engine, inputs.wanted, send, decided, "(state)", folder, label="state", where=where)


def _links(
    engine: Engine, inputs: DeltaInputs, send: SendTable, decided: Path, folder: Path, *, gone: bool
) -> SendTable | None:
    """Links that came, or went. Where several states stand, nobody knows which of them is there: made is what one of them lacks,
    taken away what one of them has. Both may be done again."""
    if not send.has_links:
        return None
    every = "list_sort(list_distinct(flatten(list(was))))"
    counted = f"list_filter({every}, lambda l: len(list_filter(list(was), lambda w: list_contains(w, l))) = count(*))"
    now, was = "coalesce(e._links, [])", "o.was"
    first, second, summary = (was, now, every) if gone else (now, was, counted)
    links = f"list_filter({first}, lambda l: NOT list_contains({second}, l))"
    kind = 'STRUCT(relationship VARCHAR, "table" VARCHAR, id UUID)[]'
    before = _was(inputs, send, "_links", kind, f"coalesce({summary}, [])")
    join = f"JOIN ({before}) o ON o._row = e._row"
    made = write_group(
        engine,
        inputs.wanted,
        send,
        decided,
        "(links)",
        folder,
        label="unlink" if gone else "link",
        values=f"{links} AS _links",
        # A row that only lost links is not waiting for any to be made.
        where=f"len({links}) > 0",
        join=join,
    )
    # Which links of a row that was there before us are ours only the load sees, when it makes them.
    return replace(made, was_there=send.was_there) if made is not None and not gone else made


def _new_links(engine: Engine, inputs: DeltaInputs, send: SendTable, folder: Path) -> SendTable | None:
    if not (send.was_there and send.has_links):
        return None
    return write_new_links(engine, inputs.wanted, inputs.standing, send, folder)


def _left(engine: Engine, inputs: DeltaInputs, folder: Path) -> list[tuple[str, SendTable]]:
    """States of rows that no record makes, then deletes, children first."""
    found: list[tuple[str, SendTable]] = []
    for side in inputs.standing[:1]:  # the state that stands, in which absent.find_left found them
        for send in side.plan.tables:
            live = inputs.live.get(send.table)
            if live is not None:
                found += write_left(engine, live, send, side.folder / send.parquet, inputs.policies, folder)
    states = [entry for entry in found if entry[0] == "state"]
    return [*states, *reversed([entry for entry in found if entry[0] == "delete"])]
