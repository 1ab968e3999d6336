"""Roles and what they hold: reading privileges, giving them to roles, asking what a user may do.

Source: Microsoft Learn, "AddPrivilegesRole Action", "ReplacePrivilegesRole Action", "RemovePrivilegeRole Action",
"RetrieveRolePrivilegesRole Function", "RetrieveUserPrivileges Function", "RetrievePrincipalAccess Function".
"""

import re
from collections.abc import Callable, Mapping
from uuid import UUID

import orjson

from flitstack.emulator.answers import json_answer, no_content
from flitstack.emulator.messages import Answer, Caller, Refusal, Request, not_implemented
from flitstack.emulator.paths import Segment
from flitstack.emulator.privileges import (
    DEPTHS,
    GLOBAL,
    VERBS,
    all_privileges,
    privilege,
    rights_of,
    role_privileges,
    set_role_privileges,
)
from flitstack.emulator.resources.parameters import body_of, guid, missing
from flitstack.emulator.resources.row_answers import context
from flitstack.emulator.rows.references import parse_target, require
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.values import guid_text, uuid_blob
from flitstack.emulator.work import Work

_NAMED = re.compile(r"\s*name\s+eq\s+'([A-Za-z0-9_]+)'\s*")
_TYPE = "Microsoft.Dynamics.CRM."


def read_privileges(work: Work, request: Request, segment: Segment) -> Answer:
    """`privileges`, all of them or those named by `name eq '...'` joined with `or`."""
    if segment.arguments is not None or set(request.query) - {"$filter", "$select"}:
        raise not_implemented("this query of privileges")
    known, wanted = all_privileges(work.store), None
    if "$filter" in request.query:
        found = [_NAMED.fullmatch(part) for part in request.query["$filter"].split(" or ")]
        wanted = {match[1].lower() for match in found if match is not None}
        if None in found:
            raise not_implemented("this filter of privileges")
    value = [
        {"privilegeid": str(id_), "name": name}
        for name, id_ in known.items()
        if wanted is None or name.lower() in wanted
    ]
    return json_answer({"@odata.context": context(request, "privileges(privilegeid,name)"), "value": value})


def _change_role(*, is_whole: bool) -> Callable[[Work, Request, EntityModel, bytes], Answer]:
    def change(work: Work, request: Request, model: EntityModel, id_: bytes) -> Answer:
        given = body_of(request).get("Privileges")
        if not isinstance(given, list):
            raise missing("Privileges")
        _guard(work)
        held = {} if is_whole else _held(work, model, id_)
        names = {str(own): name for name, own in all_privileges(work.store).items()}
        for item in given:
            if not isinstance(item, dict) or item.get("Depth") not in DEPTHS:
                raise Refusal(400, "0x80040203", f"A privilege needs a PrivilegeId and a Depth ({', '.join(DEPTHS)}).")
            name = names.get(str(item.get("PrivilegeId")).lower())
            if name is None:
                raise Refusal(404, "0x80040217", f"privilege With Id = {item.get('PrivilegeId')} Does Not Exist")
            held[name] = DEPTHS.index(item["Depth"])
        set_role_privileges(work.store, id_, held)
        return no_content()

    return change


def remove_privilege(work: Work, request: Request, model: EntityModel, id_: bytes) -> Answer:
    """204; a privilege the role does not hold is no error."""
    gone = guid(body_of(request), "PrivilegeId")
    _guard(work)
    known = all_privileges(work.store)
    held = {name: depth for name, depth in _held(work, model, id_).items() if uuid_blob(known[name]) != gone}
    set_role_privileges(work.store, id_, held)
    return no_content()


def of_role(work: Work, request: Request, model: EntityModel, id_: bytes) -> Answer:
    """What a role holds."""
    return _listed(work, request, "RetrieveRolePrivilegesRoleResponse", _held(work, model, id_))


def of_user(work: Work, request: Request, model: EntityModel, id_: bytes) -> Answer:
    """What a user holds by its own roles and its teams'."""
    return _listed(work, request, "RetrieveUserPrivilegesResponse", _of_user(work, id_))


def principal_access(work: Work, request: Request, model: EntityModel, id_: bytes) -> Answer:
    """The rights a user has on one row."""
    text = request.query.get("@" + request.path.rpartition("@")[2].rstrip(")"), "")
    try:
        target = parse_target(work.store, orjson.loads(text.replace("'", '"')).get("@odata.id"), work.content_ids)
    except (orjson.JSONDecodeError, AttributeError) as error:
        raise missing("Target") from error
    require(work.store, [target])
    row = work.read(target.model, target.id)
    rights = rights_of(work.store, Caller(UUID(guid_text(id_))))
    names = []
    for verb in VERBS:
        depth = GLOBAL if rights is None else rights.held.get(privilege(verb, target.model))
        is_owned = "ownerid" in target.model.stored
        if depth is not None and (
            rights is None or not is_owned or rights.covers(depth, row["ownerid"], row.get("owningbusinessunit"))
        ):
            names.append(f"{verb}Access")
    body = {"@odata.context": context(request, f"{_TYPE}RetrievePrincipalAccessResponse")}
    return json_answer({**body, "AccessRights": ", ".join(names) or "None"})


def _held(work: Work, model: EntityModel, id_: bytes) -> dict[str, int]:
    return role_privileges(work.store, id_, str(work.read(model, id_)["name"]))


def _of_user(work: Work, id_: bytes) -> Mapping[str, int]:
    rights = rights_of(work.store, Caller(UUID(guid_text(id_))))
    return dict.fromkeys(all_privileges(work.store), GLOBAL) if rights is None else rights.held


def _guard(work: Work) -> None:
    if work.rights is not None:
        work.rights.require_on("Write", work.store.schema.tables["role"])


def _listed(work: Work, request: Request, kind: str, held: Mapping[str, int]) -> Answer:
    known, unit = all_privileges(work.store), guid_text(work.store.root_unit)
    value = [
        {"Depth": DEPTHS[depth], "PrivilegeId": str(known[name]), "BusinessUnitId": unit, "PrivilegeName": name}
        for name, depth in held.items()
        if name in known
    ]
    return json_answer({"@odata.context": context(request, _TYPE + kind), "RolePrivileges": value})


FUNCTIONS: dict[str, Callable[[Work, Request, Segment], Answer]] = {"privileges": read_privileges}
ACTIONS: dict[tuple[str, str], Callable[[Work, Request, EntityModel, bytes], Answer]] = {
    ("role", "AddPrivilegesRole"): _change_role(is_whole=False),
    ("role", "ReplacePrivilegesRole"): _change_role(is_whole=True),
    ("role", "RemovePrivilegeRole"): remove_privilege,
}
ROW_FUNCTIONS: dict[tuple[str, str], Callable[[Work, Request, EntityModel, bytes], Answer]] = {
    ("role", "RetrieveRolePrivilegesRole"): of_role,
    ("systemuser", "RetrieveUserPrivileges"): of_user,
    ("systemuser", "RetrievePrincipalAccess"): principal_access,
}
