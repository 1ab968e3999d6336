"""Merge: one of two rows stays, the other is deactivated and what pointed to it points to the first.

Source: Microsoft Learn, "Merge table rows", "Web service error codes", "Configure table relationship cascading".
"""

from collections.abc import Mapping

from flitstack.catalogue.types import OneToMany
from flitstack.emulator.answers import no_content
from flitstack.emulator.ddl import is_polymorphic, quoted, type_column
from flitstack.emulator.messages import Answer, Refusal, Request
from flitstack.emulator.paths import Segment
from flitstack.emulator.resources.parameters import body_of, row
from flitstack.emulator.rows.references import Target
from flitstack.emulator.rows.rules import SHADOWS
from flitstack.emulator.rows.write import update_row, write_change
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.work import Change, Values, Work

# Table -> lookups that make its hierarchy.
_PARENTS: Mapping[str, tuple[str, ...]] = {
    "account": ("parentaccountid",),
    "contact": ("parentcustomerid",),
    "lead": ("parentaccountid", "parentcontactid"),
    "incident": ("parentcaseid",),
}
# State and status in which the subordinate row ends; elsewhere Inactive.
_ENDS = {"lead": (2, 7), "incident": (2, 2000)}


def merge(work: Work, request: Request, segment: Segment) -> Answer:
    """204; both rows must be active rows of one of the tables that can be merged."""
    body = body_of(request)
    kept, given_up = row(work, body, "Target"), row(work, body, "Subordinate")
    model = kept.model
    if given_up.model is not model or model.name not in _PARENTS:
        raise Refusal(400, "0x80040800", f"Rows of '{given_up.model.name}' cannot be merged into '{model.name}'.")
    if kept.id == given_up.id:
        raise Refusal(400, "0x80045305", "Merge cannot be performed on master and sub-entities that are identical.")
    target, subordinate = work.read(model, kept.id), work.read(model, given_up.id)
    if target["statecode"] != model.table.states[0].value or subordinate["statecode"] != model.table.states[0].value:
        raise Refusal(400, "0x80045304", "Merge cannot be performed on entity that is inactive.")
    _check_parents(model, kept, target, given_up, subordinate, bool(body.get("PerformParentingChecks")))
    content = body.get("UpdateContent")
    if isinstance(content, dict):
        id_column = model.table.id_column
        update_row(work, model, kept.id, {k: v for k, v in content.items() if k not in {"@odata.type", id_column}})
    for relationship in work.store.schema.children.get(model.name, ()):
        if relationship.cascade.get("merge") == "Cascade":
            _move(work, relationship, given_up.id, kept.id)
    state, status = _ENDS.get(model.name, (1, 2))
    values: Values = {"statecode": state, "statuscode": status, "merged": 1, "masterid": kept.id}
    write_change(Change(work, model, given_up.id, values, work.read(model, given_up.id)))
    return no_content()


def _check_parents(
    model: EntityModel, kept: Target, target: Values, given_up: Target, subordinate: Values, is_strict: bool
) -> None:
    """The row that stays may not end as its own parent; on request both must have the same parent."""
    for column in _PARENTS[model.name]:
        if target.get(column) == given_up.id:
            raise Refusal(400, "0x80045300", "Merge could create cyclical parenting.")
        if is_strict and target.get(column) != subordinate.get(column) and subordinate.get(column) != kept.id:
            raise Refusal(400, "0x80045316", "Merge warning: sub-entity will be differently parented.")


def _move(work: Work, relationship: OneToMany, old: bytes, new: bytes) -> None:
    store, column = work.store, relationship.referencing_column
    child = store.schema.tables[relationship.referencing]
    if not store.exists(child.name):
        return
    store.ensure_index(child.name, column)
    condition, moved, named = f"{quoted(column)} = ?", [column], [column]
    if column in SHADOWS and relationship.referenced in {"account", "contact"}:
        shadow = child.stored.get(SHADOWS[column][relationship.referenced == "contact"])
        moved += [shadow.name] if shadow is not None and not shadow.creatable else []
    sets = [f"{quoted(name)} = ?" for name in moved]
    if is_polymorphic(child.columns[column]):
        condition += f" AND {quoted(type_column(column))} = '{relationship.referenced}'"
        named.append(type_column(column))
    if "versionnumber" in child.stored:
        sets.append(f"versionnumber = {store.next_version()}")
    if "modifiedon" in child.stored:
        sets.append(f"modifiedon = '{work.now}'")
    store.connection.execute(
        f"UPDATE {store.ensure_rows(child, [*named, *moved])} SET {', '.join(sets)} WHERE {condition}",
        [*[new for _ in moved], old],
    )
