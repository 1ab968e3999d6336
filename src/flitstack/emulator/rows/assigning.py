"""A row that gets another owner takes along the rows below it, as the relationships say.

Without shared rows, the platform's reparent, share and unshare behaviours change nothing: the owner of a child stays when
it gets another parent. Source: Microsoft Learn, "Configure table relationship cascading behavior".
"""

from collections.abc import Sequence

from flitstack.catalogue.types import OneToMany
from flitstack.emulator.ddl import is_polymorphic, quoted, type_column
from flitstack.emulator.rows import parties
from flitstack.emulator.rows.sales import PARENTS
from flitstack.emulator.rows.stamps import stamp_modified, stamp_owner
from flitstack.emulator.schema import EntityModel, Schema
from flitstack.emulator.work import Change, Values, Work

_OWNER = ("ownerid", type_column("ownerid"))


def cascading(schema: Schema, model: EntityModel) -> tuple[OneToMany, ...]:
    """Relationships over which another owner of a row of this table goes on."""
    return tuple(
        relationship
        for relationship in schema.children.get(model.name, ())
        if _assigns(relationship) in {"Cascade", "Active", "UserOwned"}
        and "ownerid" in schema.tables[relationship.referencing].stored
    )


def _assigns(relationship: OneToMany) -> str:
    """The assign behaviour; a line has no owner but its document's."""
    if PARENTS.get(relationship.referencing) == relationship.referenced:
        return "Cascade"
    return relationship.cascade.get("assign", "NoCascade")


def follow_owner(work: Work, model: EntityModel, changes: Sequence[Change]) -> None:
    """After rows were written: the rows below those whose owner changed."""
    for change in changes:
        before, owner = change.before, change.values.get("ownerid")
        if before is not None and owner is not None and owner != before.get("ownerid"):
            _hand_on(work, model, change.id, before.get("ownerid"), {c: change.values.get(c) for c in _OWNER})


def _hand_on(work: Work, model: EntityModel, parent: bytes, old: object, new: Values) -> None:
    for relationship in cascading(work.store.schema, model):
        child = work.store.schema.tables[relationship.referencing]
        for before in _below(work, child, relationship, parent, old, new):
            id_ = before[child.table.id_column]
            assert isinstance(id_, bytes)
            change = Change(work, child, id_, {c: v for c, v in new.items() if c in before}, before)
            stamp_owner(change)
            stamp_modified(change)
            sets = ", ".join(f"{quoted(name)} = ?" for name in change.values)
            work.store.connection.execute(
                f"UPDATE {work.store.ensure_rows(child, change.values)} SET {sets} WHERE {quoted(child.table.id_column)} = ?",
                (*change.values.values(), id_),
            )
            if child.table.is_activity:
                parties.follow_activity(change)
            _hand_on(work, child, id_, before.get("ownerid"), new)


def _below(
    work: Work, child: EntityModel, relationship: OneToMany, parent: bytes, old: object, new: Values
) -> list[Values]:
    """Children that change hands. Those of the new owner already are left alone, so that circles end."""
    column, store = relationship.referencing_column, work.store
    if not store.exists(child.name):
        return []
    store.ensure_index(child.name, column)
    condition, values = f"{quoted(column)} = ? AND ownerid IS NOT ?", [parent, new["ownerid"]]
    if is_polymorphic(child.columns[column]):
        condition += f" AND {quoted(type_column(column))} = ?"
        values.append(relationship.referenced)
    kind = _assigns(relationship)
    if kind == "UserOwned":
        condition += " AND ownerid IS ?"
        values.append(old if isinstance(old, bytes) else None)
    elif kind == "Active" and child.table.states:
        condition += f" AND statecode = {child.table.states[0].value}"
    cursor = store.connection.execute(f"SELECT * FROM {quoted(child.name)} WHERE {condition}", values)
    names = [d[0] for d in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
