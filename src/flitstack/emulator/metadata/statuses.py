"""States and status reasons: the values of a Status column belong to the table's states, and both change together.

Source: Microsoft Learn, "InsertStatusValue Action", "UpdateStateValue Action".
"""

from dataclasses import replace
from typing import Any

from flitstack.catalogue.types import Column, Option, State
from flitstack.emulator.core import Document, EntityModel
from flitstack.emulator.messages import Refusal
from flitstack.emulator.metadata.bodies import wrong
from flitstack.emulator.metadata.labels import base_text, read_label
from flitstack.emulator.metadata.live import Live


def put_statuses(live: Live, model: EntityModel, column: Column, options: tuple[Option, ...], extra: Document) -> None:
    """Give a Status column its options. Refusal 400 when a state would lose its default status reason."""
    values = {option.value for option in options}
    for state in model.table.states:
        if state.default_status not in values:
            raise Refusal(
                400, "0x8004F01F", f"The status {state.default_status} is the default of the state {state.label}."
            )
    states = tuple(
        replace(state, statuses=tuple(option for option in options if option.state == state.value))
        for state in model.table.states
    )
    live.environment.define_table(replace(model.table, states=states))
    live.environment.put_column(model.name, replace(column, options=options), extra)


def change_state(live: Live, model: EntityModel, column: Column, body: dict[str, Any]) -> None:
    """UpdateStateValue: the label of a state, its default status reason."""
    if column.type != "State":
        raise wrong(f"{model.name}.{column.name} is no state column.")
    states = model.table.states
    state = next((state for state in states if state.value == body.get("Value")), None)
    if state is None:
        raise wrong(f"{model.name} has no state {body.get('Value')}.")
    default = body.get("DefaultStatusCode")
    if default is not None and default not in {option.value for option in state.statuses}:
        raise wrong(f"{default} is no status reason of the state {state.label}.")
    extra = dict(live.extra("column", f"{model.name}.{column.name}"))
    label = _kept_label(live, extra, state, body)
    changed = replace(state, label=label, default_status=state.default_status if default is None else default)
    grown = tuple(changed if one is state else one for one in states)
    live.environment.define_table(replace(model.table, states=grown))
    options = tuple(Option(one.value, one.label) for one in grown)
    live.environment.put_column(model.name, replace(column, options=options), extra)


def _kept_label(live: Live, extra: Document, state: State, body: dict[str, Any]) -> str:
    """The texts of the state after the change, kept in `extra`; the one in the base language."""
    found = extra.get("options")
    kept = dict(found) if isinstance(found, dict) else {}
    own = dict(kept.get(str(state.value)) or {})
    known = dict(own.get("labels") or {str(live.language): state.label})
    sent = read_label(body.get("Label"), live.language)
    own["labels"] = known | sent if body.get("MergeLabels") or not sent else sent
    kept[str(state.value)] = own
    extra["options"] = kept
    return base_text(own["labels"], live.language, state.label)
