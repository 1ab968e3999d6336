"""What the platform writes into a row by itself: ids of people, times, version, owner."""

from collections.abc import Collection

from flitstack.emulator.ddl import is_polymorphic, quoted, type_column
from flitstack.emulator.messages import Refusal
from flitstack.emulator.rows.references import missing_row, rows_of
from flitstack.emulator.values import guid_text, uuid_blob
from flitstack.emulator.work import Change, Owner, Values, Work


def stamp_created(change: Change) -> None:
    """Created and modified columns; `overriddencreatedon` and the true insertion time change places."""
    work, stored, values = change.work, change.model.stored, change.values
    supplied = values.get("overriddencreatedon")
    created = work.now
    if supplied is not None:
        # The supplied time becomes createdon and the column keeps the insertion time (reference 2.6).
        values["overriddencreatedon"] = work.now
        created = str(supplied)
    if change.model.table.is_activity:
        values["activitytypecode"] = change.model.name
    for column, value in (("createdon", created), ("createdby", work.user)):
        if column in stored:
            values[column] = value
    _on_behalf(change, "createdonbehalfby")
    stamp_modified(change)


def stamp_modified(change: Change) -> None:
    """Modified columns and a new version."""
    work, stored, values = change.work, change.model.stored, change.values
    if "modifiedon" in stored:
        values["modifiedon"] = work.now
    if "modifiedby" in stored:
        values["modifiedby"] = work.user
    _on_behalf(change, "modifiedonbehalfby")
    if "versionnumber" in stored:
        values["versionnumber"] = work.store.next_version()


def _on_behalf(change: Change, column: str) -> None:
    real = change.work.caller.on_behalf_of
    if column in change.model.stored and (real is not None or change.before is not None):
        change.values[column] = uuid_blob(real) if real is not None else None


def stamp_owner(change: Change) -> None:
    """Owner columns; a new row without owner belongs to the caller."""
    model, values, work = change.model, change.values, change.work
    if "ownerid" not in model.stored or (change.before is not None and "ownerid" not in values):
        return
    given = values.get("ownerid")
    if given is None and change.before is not None:
        raise Refusal(400, "0x80040200", "The required field 'ownerid' is missing.")
    owner_id = given if isinstance(given, bytes) else work.user
    kind = str(values.get(type_column("ownerid")) or "systemuser")
    known = work.ownership.get((model.name, owner_id))
    if known is not None:
        values.update(known)
        return
    owner = owner_of(work, owner_id, kind)
    if given is not None and owner.is_disabled and work.store.switches.drop_disabled_owner:
        for column in ("ownerid", type_column("ownerid")):
            values.pop(column, None)
        stamp_owner(change)
        return
    if given is not None and owner.is_disabled and work.store.switches.refuse_disabled_owner:
        raise Refusal(
            400, "0x8004022B", f"The specified user (Id={guid_text(owner_id)}) is disabled and cannot own records."
        )
    is_user = owner.kind == "systemuser"
    new: Values = {
        "ownerid": owner_id,
        "owninguser": owner_id if is_user else None,
        "owningteam": None if is_user else owner_id,
        "owningbusinessunit": owner.unit,
    }
    kept = {column: value for column, value in new.items() if column in model.stored}
    if is_polymorphic(model.columns["ownerid"]):
        kept[type_column("ownerid")] = owner.kind
    work.ownership[model.name, owner_id] = kept
    values.update(kept)


def know_owners(work: Work, kind: str, ids: Collection[bytes]) -> None:
    """Look up many users or teams at once, so that `owner_of` finds them known; who does not exist stays unknown."""
    unknown = [id_ for id_ in ids if id_ not in work.owners]
    model = work.store.schema.tables[kind]
    columns = f"businessunitid, {'isdisabled' if kind == 'systemuser' else '0'}"
    for id_, unit, is_disabled in rows_of(work.store, model, unknown, columns):
        work.owners[id_] = Owner(kind, unit or work.store.root_unit, bool(is_disabled))


def owner_of(work: Work, id_: bytes, kind: str) -> Owner:
    """Business unit and state of a user or team; 404 when there is none."""
    found = work.owners.get(id_)
    if found is not None:
        return found
    model = work.store.schema.tables[kind]
    disabled = "isdisabled" if kind == "systemuser" else "0"
    row = work.store.connection.execute(
        f"SELECT businessunitid, {disabled} FROM {work.store.ensure(model)} WHERE {quoted(model.table.id_column)} = ?",
        (id_,),
    ).fetchone()
    if row is None:
        raise missing_row(model, id_)
    work.owners[id_] = Owner(kind, row[0] or work.store.root_unit, bool(row[1]))
    return work.owners[id_]
