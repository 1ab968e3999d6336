"""Privileges at the doors of writing: who may create, change, give away, delete and link rows."""

from collections.abc import Sequence

from flitstack.emulator.messages import Refusal, Request
from flitstack.emulator.privileges import BYPASS, GLOBAL, Rights
from flitstack.emulator.rows.payload import Draft
from flitstack.emulator.rows.stamps import owner_of
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.values import guid_text
from flitstack.emulator.work import Change, Values, Work

_BYPASSES = {
    "mscrm.bypasscustompluginexecution": BYPASS,
    "mscrm.bypassbusinesslogicexecution": "prvBypassCustomBusinessLogic",
    "mscrm.bypassbusinesslogicexecutionstepids": "prvBypassCustomBusinessLogic",
}
# Messages that need a privilege of their own.
_MESSAGES = {"BulkDelete": "prvBulkDelete", "Merge": "prvMerge"}


def guard_request(rights: Rights, request: Request, message: str) -> None:
    """What headers and messages need beyond the rows they touch."""
    for header, name in _BYPASSES.items():
        if request.headers.get(header, "false").lower() != "false":
            rights.require(name)
    if message in _MESSAGES:
        rights.require(_MESSAGES[message])


def guard_read(work: Work, rights: Rights, model: EntityModel, id_: bytes) -> None:
    """Read on one row."""
    _require_row(rights, "Read", model, id_, work.read(model, id_))


def guard_create(work: Work, rights: Rights, model: EntityModel, drafts: Sequence[Draft]) -> None:
    """Create on the table for the owner the row gets; Append and AppendTo for what it points to."""
    depth = rights.require_on("Create", model)
    for draft in drafts:
        if draft.values.get("overriddencreatedon") is not None:
            rights.require("prvOverrideCreatedOnCreatedBy")
        owner = draft.values.get("ownerid")
        if isinstance(owner, bytes) and owner not in rights.principals and depth != GLOBAL:
            kind = str(draft.values.get("ownerid$type") or "systemuser")
            if not rights.covers(depth, owner, owner_of(work, owner, kind).unit):
                raise _no_access(rights, "Create", model, None)
        for target in draft.targets:
            if target.model.name not in {"systemuser", "team", "transactioncurrency"}:
                rights.require_on("Append", model)
                rights.require_on("AppendTo", target.model)


def guard_update(rights: Rights, change: Change) -> None:
    """Write on the row; Assign too when it gets another owner."""
    before = change.before or {}
    _require_row(rights, "Write", change.model, change.id, before)
    if "ownerid" in change.values and change.values["ownerid"] != before.get("ownerid"):
        _require_row(rights, "Assign", change.model, change.id, before)


def guard_delete(work: Work, rights: Rights, model: EntityModel, ids: Sequence[bytes]) -> None:
    """Delete on each named row; what the delete takes along is not asked for."""
    rights.require_on("Delete", model)
    for id_ in ids:
        row = work.find(model, id_)
        if row is not None:
            _require_row(rights, "Delete", model, id_, row)


def guard_link(rights: Rights, model: EntityModel, other: EntityModel) -> None:
    """Append on both sides of a N:N relationship."""
    for table in (model, other):
        if table.name == "role":
            rights.require("prvAssignRole")
        else:
            rights.require_on("Append", table)


def _require_row(rights: Rights, verb: str, model: EntityModel, id_: bytes, row: Values) -> None:
    depth = rights.require_on(verb, model)
    if "ownerid" in model.stored and not rights.covers(depth, row.get("ownerid"), row.get("owningbusinessunit")):
        raise _no_access(rights, verb, model, id_)


def _no_access(rights: Rights, verb: str, model: EntityModel, id_: bytes | None) -> Refusal:
    named = f" with id {guid_text(id_)}" if id_ is not None else ""
    return Refusal(
        403,
        "0x80048306",
        f"Principal user (Id={guid_text(rights.user)}) has no {verb} access to the {model.name}{named}.",
    )
