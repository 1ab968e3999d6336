"""Parameters of actions: the body as an object, flags, ids, rows given as entities."""

from collections.abc import Mapping

from flitstack.emulator.messages import Refusal, Request
from flitstack.emulator.rows.payload import read_object
from flitstack.emulator.rows.references import Target, parse_target, require
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.values import guid_blob
from flitstack.emulator.work import Work

_TYPE = "Microsoft.Dynamics.CRM."
Body = Mapping[str, object]


def body_of(request: Request) -> dict[str, object]:
    """The parameters of an action; 404 unless it is a POST."""
    if request.method != "POST":
        raise Refusal(404, "", "No HTTP resource was found that matches the request URI.")
    return read_object(request.body)


def flag(body: Body, name: str) -> bool:
    """A Boolean parameter; 400 when it is missing."""
    value = body.get(name)
    if type(value) is not bool:
        raise missing(name)
    return value


def number(body: Body, name: str) -> int:
    """A whole-number parameter; 400 when it is missing."""
    value = body.get(name)
    if type(value) is not int:
        raise missing(name)
    return value


def guid(body: Body, name: str) -> bytes:
    """A GUID parameter in stored form; 400 when it is missing."""
    value = body.get(name)
    found = guid_blob(value) if isinstance(value, str) else None
    if found is None:
        raise missing(name)
    return found


def missing(name: str) -> Refusal:
    """400 for a parameter that is not there, or not what it should be."""
    return Refusal(400, "0x80040203", f"The parameter '{name}' is missing.")


def row(work: Work, body: Body, name: str) -> Target:
    """A row given as `{"accountid": "...", "@odata.type": "Microsoft.Dynamics.CRM.account"}` or `{"@odata.id": ...}`.

    404 when it does not exist.
    """
    value = body.get(name)
    if not isinstance(value, dict):
        raise missing(name)
    target = _named(work, value)
    require(work.store, [target])
    return target


def optional_row(work: Work, body: Body, name: str) -> Target | None:
    """As `row`; None when the parameter is absent or null."""
    return None if body.get(name) is None else row(work, body, name)


def _named(work: Work, value: Body) -> Target:
    if isinstance(value.get("@odata.id"), str):
        return parse_target(work.store, value["@odata.id"], work.content_ids)
    kind = value.get("@odata.type")
    tables = work.store.schema.tables
    if isinstance(kind, str):
        model = tables.get(kind.lstrip("#").removeprefix(_TYPE))
        candidates: tuple[EntityModel, ...] = () if model is None else (model,)
    else:
        candidates = tuple(model for model in tables.values() if not model.table.is_activity)
    for model in candidates:
        text = value.get(model.table.id_column)
        id_ = guid_blob(text) if isinstance(text, str) else None
        if id_ is not None:
            return Target(model, id_)
    raise Refusal(400, "0x80048d19", "Error identified in Payload provided by the user: the row has no type or no id.")
