"""State rules: which status belongs to which state, and which states only an action may set."""

from flitstack.catalogue.types import State
from flitstack.emulator.messages import Refusal
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.values import guid_text
from flitstack.emulator.work import Change

_CLOSED_BY_ACTION = {"opportunity": frozenset({1, 2}), "quote": frozenset({2, 3}), "incident": frozenset({1})}
_WON = 2


def apply_state(change: Change) -> None:
    """Settle statecode and statuscode of a written row.

    A new row starts in the default state (the first of the table) unless the table takes a state on create; its status
    must belong to it. An update that names a state without a status takes that state's default status.
    """
    values, model = change.values, change.model
    if "statecode" not in values and "statuscode" not in values:
        if change.before is None:
            first = model.table.states[0]
            values["statecode"], values["statuscode"] = first.value, first.default_status
        return
    current = change.before.get("statecode") if change.before else model.table.states[0].value
    wanted = values.get("statecode")
    if wanted is None:
        wanted = current
    state = next(s for s in model.table.states if s.value == wanted)
    if change.before is not None and wanted != current:
        _refuse_closing(model, int(str(wanted)))
    status = values.get("statuscode")
    if status is None:
        keeps = change.before is not None and wanted == current and "statecode" not in values
        status = change.before["statuscode"] if keeps and change.before else state.default_status
    if status not in {s.value for s in state.statuses}:
        raise wrong_status(model, change.id, state, int(str(status)))
    values["statecode"], values["statuscode"] = wanted, status


def wrong_status(model: EntityModel, id_: bytes, state: State, status: int) -> Refusal:
    """400 for a status that is not one of its state."""
    return Refusal(
        400,
        "0x80048408",
        f"{status} is not a valid status code for state code {model.table.schema_name}State.{state.label} "
        f"on {model.name} with Id {guid_text(id_)}.",
    )


def _refuse_closing(model: EntityModel, wanted: int) -> None:
    if wanted not in _CLOSED_BY_ACTION.get(model.name, ()):
        return
    if model.name == "opportunity":
        raise Refusal(
            400,
            "0x80100005",
            "This message can not be used to set the state of opportunity to Won. In order to set state of opportunity "
            "to Won, use the WinOpportunity message instead."
            if wanted == 1
            else "This message can not be used to set the state of opportunity to Lost. In order to set state of "
            "opportunity to Lost, use the LoseOpportunity message instead.",
        )
    message = {"incident": "CloseIncident", "quote": "WinQuote" if wanted == _WON else "CloseQuote"}[model.name]
    # The code is not documented.
    raise Refusal(400, "0x80040203", f"The state of a {model.name} is set to {wanted} by the {message} message only.")
