"""Creating and updating rows; always in batches, one row being a batch of one."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from operator import itemgetter

from flitstack.catalogue.types import Column
from flitstack.emulator.ddl import key_column, literal, pair_table, quoted
from flitstack.emulator.messages import Refusal, not_implemented
from flitstack.emulator.rows import parties
from flitstack.emulator.rows.alternate_keys import key_text
from flitstack.emulator.rows.duplicates import refuse_duplicates
from flitstack.emulator.rows.guards import guard_create, guard_link, guard_update
from flitstack.emulator.rows.payload import Draft, parser
from flitstack.emulator.rows.processes import starting
from flitstack.emulator.rows.references import Target, require
from flitstack.emulator.rows.role_units import refuse_roles_of_other_units
from flitstack.emulator.rows.rules import followers_for, rules_for
from flitstack.emulator.rows.stamps import stamp_created, stamp_modified, stamp_owner
from flitstack.emulator.schema import CollectionNav, EntityModel
from flitstack.emulator.values import guid_text
from flitstack.emulator.work import Change, Values, Work

Body = Mapping[str, object]
_MANY = 50  # rows from which a statement with constants, compiled anew each time, pays
_STAMPS = (
    "createdon", "createdby", "modifiedon", "modifiedby", "ownerid", "ownerid$type", "owninguser", "owningteam",
    "owningbusinessunit", "statecode", "statuscode", "transactioncurrencyid", "exchangerate", "activitytypecode",
)  # fmt: skip


def create_rows(work: Work, model: EntityModel, bodies: Sequence[Body]) -> list[bytes]:
    """Insert rows with all that hangs on them; ids in the order of the bodies."""
    parse = parser(work.store, model, is_create=True).parse
    return insert_drafts(work, model, [parse(body, work.content_ids) for body in bodies])


def insert_drafts(work: Work, model: EntityModel, drafts: Sequence[Draft]) -> list[bytes]:
    """Insert checked drafts: references, rules, stamps, keys, then nested rows and links."""
    model.require_message("Create")
    if not drafts:
        return []
    for draft in drafts:
        _insert_parents(work, model, draft)
    require(work.store, (target for draft in drafts for target in draft.targets))
    if work.rights is not None:
        guard_create(work, work.rights, model, drafts)
    id_column, rules, keys = model.table.id_column, rules_for(work.store, model), model.keys
    changes = []
    for draft in drafts:
        values = draft.values
        given = values.get(id_column)
        id_ = given if isinstance(given, bytes) else work.new_id()
        values[id_column] = id_
        change = Change(work, model, id_, values)
        for rule in rules:
            rule(change)
        stamp_owner(change)
        stamp_created(change)
        for key in keys:
            values[key_column(key.name)] = key_text(key, values)
        changes.append(change)
    if not work.caller.suppress_duplicates:
        refuse_duplicates(work, model, changes)
    _insert(work, model, [change.values for change in changes])
    for change, draft in zip(changes, drafts, strict=True):
        if model.table.is_activity:
            parties.follow_activity(change)
        elif model.name == "uomschedule":
            _make_base_unit(change)
        if draft.nested or draft.links:
            _attach(change, draft)
    for follow in followers_for(work.store, model):
        follow(work, model, changes)
    for table, instances in starting(work, model, changes):
        insert_drafts(work, table, instances)
    return [change.id for change in changes]


def _make_base_unit(change: Change) -> None:
    """A unit group comes with its base unit, as on the platform.

    Source: Microsoft Learn, "Product catalog entities" sample: "default unit id that was automatically created".
    """
    name, unit = change.values.get("baseuomname"), change.work.store.schema.tables["uom"]
    if name is None:
        return
    draft = Draft({"name": name, "quantity": 1.0, "isschedulebaseuom": 1})
    draft.point(unit, "uomscheduleid", Target(change.model, change.id))
    insert_drafts(change.work, unit, [draft])


def _insert_parents(work: Work, model: EntityModel, draft: Draft) -> None:
    for nav, body in draft.parents:
        if len(nav.targets) != 1 or nav.targets[0] not in work.store.schema.tables:
            raise not_implemented(f"deep insert under '{nav.name}'")
        target = work.store.schema.tables[nav.targets[0]]
        (id_,) = create_rows(work, target, [body])
        draft.point(model, nav.column, Target(target, id_))


def _attach(change: Change, draft: Draft) -> None:
    work = change.work
    for nav, bodies in draft.nested:
        if nav.table == "activityparty" and nav.column == "activityid":
            parties.add_parties(change, bodies)
            continue
        child = work.store.schema.tables[nav.table]
        parse = parser(work.store, child, is_create=True).parse
        drafts = [parse(body, work.content_ids) for body in bodies]
        if nav.column is not None:
            for one in drafts:
                one.point(child, nav.column, Target(change.model, change.id))
        ids = insert_drafts(work, child, drafts)
        if nav.pairs is not None:
            link(work, nav, change.id, ids)
    for nav, targets in draft.links:
        connect(change, nav, targets)


def connect(change: Change, nav: CollectionNav, targets: Sequence[Target]) -> None:
    """Put existing rows into a collection of a row."""
    for target in targets:
        if target.model.name != nav.table:
            raise Refusal(400, "0x80048d19", f"'{nav.name}' takes rows of '{nav.table}', not of '{target.model.name}'.")
    if nav.pairs is not None:
        link(change.work, nav, change.id, [target.id for target in targets])
        return
    for target in targets:
        draft = Draft()
        draft.point(target.model, nav.column or "", Target(change.model, change.id))
        update_draft(change.work, target.model, target.id, draft)


def link(work: Work, nav: CollectionNav, id_: bytes, others: Iterable[bytes]) -> None:
    """Insert pairs of a N:N relationship; an existing pair is refused."""
    assert nav.pairs is not None
    if work.rights is not None:
        tables = work.store.schema.tables
        guard_link(work.rights, tables[nav.pairs.table1], tables[nav.pairs.table2])
    name = work.store.ensure_pairs(nav.pairs)
    pairs = [(id_, other) if nav.is_first else (other, id_) for other in others]
    refuse_roles_of_other_units(work, nav.pairs, pairs)
    try:
        work.store.connection.executemany(f"INSERT INTO {name} (first, second) VALUES (?, ?)", pairs)
    except sqlite3.IntegrityError as error:
        raise Refusal(412, "0x80040237", "A record with matching key values already exists.") from error


def unlink(work: Work, nav: CollectionNav, id_: bytes, other: bytes) -> bool:
    """Remove one pair; whether there was one."""
    assert nav.pairs is not None
    if not work.store.exists(pair_table(nav.pairs)):
        return False
    first, second = (id_, other) if nav.is_first else (other, id_)
    done = work.store.connection.execute(
        f"DELETE FROM {quoted(pair_table(nav.pairs))} WHERE first = ? AND second = ?", (first, second)
    )
    return done.rowcount > 0


def update_row(work: Work, model: EntityModel, id_: bytes, body: Body) -> None:
    """Change the columns a body names; 404 when the row does not exist."""
    model.require_message("Update")
    draft = parser(work.store, model, is_create=False).parse(body, work.content_ids)
    update_draft(work, model, id_, draft)


def update_draft(work: Work, model: EntityModel, id_: bytes, draft: Draft) -> None:
    """Change a row by a checked draft."""
    before = work.read(model, id_)
    if draft.nested or draft.parents:
        raise Refusal(400, "0x80048d19", "Deep updates are not supported.")
    require(work.store, draft.targets)
    values = draft.values
    values.pop(model.table.id_column, None)
    change = Change(work, model, id_, values, before)
    for rule in rules_for(work.store, model):
        rule(change)
    stamp_owner(change)
    if not work.caller.suppress_duplicates:
        refuse_duplicates(work, model, [change])
    write_change(change)
    if model.table.is_activity:
        parties.follow_activity(change)
    for nav, targets in draft.links:
        connect(change, nav, targets)
    for follow in followers_for(work.store, model):
        follow(work, model, [change])


def write_change(change: Change) -> None:
    """UPDATE with modified stamps and recomputed keys; no rules."""
    if change.work.rights is not None:
        guard_update(change.work.rights, change)
    stamp_modified(change)
    model, values = change.model, change.values
    for key in model.keys:
        if any(column in values for column in key.columns):
            values[key_column(key.name)] = key_text(key, {c: change.after(c) for c in key.columns})
    sets = ", ".join(f"{quoted(column)} = ?" for column in values)
    store = change.work.store
    sql = f"UPDATE {store.ensure_rows(model, values)} SET {sets} WHERE {quoted(model.table.id_column)} = ?"
    try:
        store.connection.execute(sql, (*values.values(), change.id))
    except sqlite3.IntegrityError as error:
        raise duplicate(model, str(error)) from error


def _insert(work: Work, model: EntityModel, rows: Sequence[Values]) -> None:
    """One executemany over the columns that any of the rows has; columns a row lacks take their default.

    Grouping rows by their own columns instead would make a statement per row where clients leave out nulls.
    """
    shared = _shared(rows) if len(rows) >= _MANY else {}
    columns = tuple(column for column in dict.fromkeys(chain.from_iterable(rows)) if column not in shared)
    blank: Values = {column: default_of(model.stored.get(column)) for column in columns}
    in_order = itemgetter(*columns) if len(columns) > 1 else lambda values: (values[columns[0]],)
    names = ", ".join(map(quoted, (*columns, *shared)))
    marks = ", ".join([*("?" * len(columns)), *map(literal, shared.values())])
    sql = f"INSERT INTO {work.store.ensure_rows(model, (*columns, *shared))} ({names}) VALUES ({marks})"
    tuples = (in_order(blank | values) for values in rows)
    try:
        work.store.connection.executemany(sql, tuples)
    except sqlite3.IntegrityError as error:
        raise duplicate(model, str(error)) from error


def _shared(rows: Sequence[Values]) -> Values:
    """Stamps that all rows have in common: as constants of the statement they cost a quarter less than bound."""
    first, absent = rows[0], object()
    return {
        column: first[column]
        for column in _STAMPS
        if column in first and [values.get(column, absent) for values in rows].count(first[column]) == len(rows)
    }


def default_of(column: Column | None) -> int | None:
    """What a row without a value for the column gets."""
    return None if column is None or column.default is None else int(column.default)


def duplicate(model: EntityModel, text: str) -> Refusal:
    """412 for a row id or an alternate key that is taken; `text` is SQLite's message."""
    for key in model.keys:
        if text.endswith(f".{key_column(key.name)}"):
            return Refusal(
                412,
                "0x80060892",
                f"A record that has the attribute values {', '.join(key.columns)} already exists. The entity key "
                f"{key.name} requires that this set of attributes contains unique values. Select unique values and "
                "try again.",
            )
    return Refusal(412, "0x80040237", "A record with matching key values already exists.")


def location(model: EntityModel, id_: bytes) -> str:
    """`accounts(guid)`."""
    return f"{model.table.entity_set}({guid_text(id_)})"
