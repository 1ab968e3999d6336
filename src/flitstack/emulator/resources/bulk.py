"""CreateMultiple, UpdateMultiple, UpsertMultiple: all rows of one request or none.

Source: Microsoft Learn, "Use bulk operation messages".
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import orjson

from flitstack.emulator.answers import json_answer, no_content
from flitstack.emulator.guid_columns import guid_list
from flitstack.emulator.messages import Answer, Refusal, Request, not_implemented
from flitstack.emulator.paths import parse_segment
from flitstack.emulator.resources.row_answers import context
from flitstack.emulator.resources.single import locate, upsert
from flitstack.emulator.rows.block_write import insert_block, takes_blocks
from flitstack.emulator.rows.blocks import Block, Unusual, parse_block
from flitstack.emulator.rows.payload import read_object
from flitstack.emulator.rows.references import Target, require, rows_of
from flitstack.emulator.rows.write import create_rows, update_row
from flitstack.emulator.schema import EntityModel, Schema
from flitstack.emulator.values import guid_blob, guid_text
from flitstack.emulator.work import Work

Body = dict[str, object]
_TYPE = "Microsoft.Dynamics.CRM."


def create_multiple(work: Work, request: Request, model: EntityModel) -> Answer:
    """200 with the ids in order."""
    # A block knows its work: left there, the rows of the request would live until the next garbage collection.
    prepared, work.prepared = work.prepared, None
    if not isinstance(prepared, _Prepared) or prepared.schema is not work.store.schema:
        prepared = _prepare(work, request, model)
    ids = insert_block(prepared.block) if prepared.block is not None else None
    if ids is None:
        ids = create_rows(work, model, prepared.targets)
    body = {
        "@odata.context": context(request, f"{_TYPE}CreateMultipleResponse"),
        "Ids": orjson.Fragment(guid_list(ids)),
    }
    return json_answer(body)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What a CreateMultiple did without the write lock, by the schema of that moment."""

    schema: Schema
    targets: list[Body]
    block: Block | None


def prepare(work: Work, request: Request, entity_set: str, message: str) -> None:
    """Read and check a CreateMultiple before the write lock is taken, so that processes do this at the same time."""
    model = work.store.schema.entity_sets.get(entity_set)
    if model is not None and message == "CreateMultiple":
        work.prepared = _prepare(work, request, model)


def _prepare(work: Work, request: Request, model: EntityModel) -> _Prepared:
    targets = _targets(work, request, model)
    if model.table.is_activity and not work.store.switches.nested_parties_in_bulk:
        _refuse_parties(model, targets)
    model.require_message("Create")
    block = None
    if work.rights is None and work.caller.suppress_duplicates and takes_blocks(work.store, model):
        with suppress(Unusual, Refusal):  # row by row they get the exact refusal
            block = parse_block(work, model, targets)
    return _Prepared(work.store.schema, targets, block)


def _refuse_parties(model: EntityModel, targets: list[Body]) -> None:
    parties = f"{model.name}_activity_parties"
    if any(parties in target for target in targets):
        raise not_implemented(f"'{parties}' inside CreateMultiple (see the switch nested_parties_in_bulk)")


def update_multiple(work: Work, request: Request, model: EntityModel) -> Answer:
    """204; each target names its row by primary key."""
    rows = []
    for target in _targets(work, request, model):
        id_ = _own_id(model, target)
        if id_ is None:
            raise Refusal(400, "0x80040203", f"'{model.table.id_column}' is missing in a target of UpdateMultiple.")
        rows.append((id_, target))
    _require_rows(work, model, [id_ for id_, _ in rows])
    connection = work.store.connection
    if len({id_ for id_, _ in rows}) == len(rows):
        work.fetch(model, [id_ for id_, _ in rows])
    for id_, target in rows:
        before = connection.total_changes
        update_row(work, model, id_, target)
        if connection.total_changes > before + 1:
            work.fetched.clear()  # a rule wrote to other rows, perhaps to one of these
    return no_content()


def upsert_multiple(work: Work, request: Request, model: EntityModel) -> Answer:
    """204; each target names its row by primary key or by `@odata.id` with an alternate key."""
    targets = _targets(work, request, model)
    if _create_all(work, model, targets):
        return no_content()
    for target in targets:
        reference = target.pop("@odata.id", None)
        id_ = _own_id(model, target)
        if isinstance(reference, str):
            segment = parse_segment(reference.strip("/"))
        elif id_ is not None:
            segment = parse_segment(f"{model.table.entity_set}({guid_text(id_)})")
        else:
            raise Refusal(400, "0x80040203", "A target of UpsertMultiple names no row.")
        if segment.name != model.table.entity_set or not segment.is_row:
            raise Refusal(400, "0x80048d19", f"'{reference}' does not name a row of '{model.table.entity_set}'.")
        upsert(work, model, segment, locate(work, model, segment), target)
    return no_content()


def _create_all(work: Work, model: EntityModel, targets: list[Body]) -> bool:
    """Write the rows as a block when all are new and named by primary key; whether that was so."""
    ids = {id_ for target in targets if "@odata.id" not in target and (id_ := _own_id(model, target)) is not None}
    if not 1 < len(targets) == len(ids) or not takes_blocks(work.store, model) or any(rows_of(work.store, model, ids)):
        return False
    model.require_message("Create")
    with suppress(Unusual, Refusal):  # row by row they get the exact refusal
        block = parse_block(work, model, targets)
        return insert_block(block) is not None
    return False


def _targets(work: Work, request: Request, model: EntityModel) -> list[Body]:
    if model.name in work.store.switches.without_bulk:
        raise Refusal(400, "0x80040800", f"The bulk messages do not support entities of type '{model.name}'.")
    targets = read_object(request.body).get("Targets")
    if not isinstance(targets, list) or not {dict}.issuperset(map(type, targets)):
        raise Refusal(
            400, "0x80048d19", "Error identified in Payload provided by the user: 'Targets' is a list of rows."
        )
    if not targets:
        raise Refusal(400, "0x80040203", "The parameter 'Targets' holds no rows.")
    expected = _TYPE + model.name
    if [target.get("@odata.type") for target in targets].count(expected) == len(targets):
        return targets
    for target in targets:
        kind = target.get("@odata.type")
        if not isinstance(kind, str) or kind.lstrip("#") != expected:
            raise Refusal(
                400,
                "0x80048d19",
                "Error identified in Payload provided by the user for Entity :'' ---->  InnerException : "
                f"each target needs '@odata.type': '{expected}'.",
            )
    return targets


def _own_id(model: EntityModel, target: Body) -> bytes | None:
    value = target.get(model.table.id_column)
    return guid_blob(value) if isinstance(value, str) else None


def _require_rows(work: Work, model: EntityModel, ids: list[bytes]) -> None:
    try:
        require(work.store, (Target(model, id_) for id_ in ids))
    except Refusal as error:
        missing = next(id_ for id_ in sorted(ids) if work.find(model, id_) is None)
        label = f"{model.table.schema_name} With Ids = {guid_text(missing)} Do Not Exist"
        raise Refusal(error.status, error.code, label) from error


OPERATIONS: dict[str, Callable[[Work, Request, EntityModel], Answer]] = {
    "CreateMultiple": create_multiple,
    "UpdateMultiple": update_multiple,
    "UpsertMultiple": upsert_multiple,
}
