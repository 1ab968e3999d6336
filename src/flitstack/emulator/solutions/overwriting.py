"""Definitions that are there already when a solution with them is imported.

An unmanaged import overwrites them (Microsoft Learn, "Import solutions"). Options that the solution does not name stay,
lengths do not shrink, a type never changes: the emulator's choices.
"""

from dataclasses import replace
from typing import Any

from flitstack.catalogue.types import Column, Option, State
from flitstack.emulator.core import Document, EntityModel
from flitstack.emulator.metadata.choice_parse import option_texts
from flitstack.emulator.metadata.choices import change_global_options
from flitstack.emulator.metadata.column_parse import read_column
from flitstack.emulator.metadata.columns import change_column
from flitstack.emulator.metadata.labels import base_text, read_label
from flitstack.emulator.metadata.live import Live
from flitstack.emulator.metadata.system_columns import is_system_column
from flitstack.emulator.solutions.column_xml import LOOKUPS
from flitstack.emulator.solutions.faults import failed
from flitstack.emulator.solutions.texts import Json

_MADE = frozenset(
    {
        "String", "Memo", "Integer", "BigInt", "Decimal", "Double", "Money", "DateTime", "Boolean", "Picklist",
        "MultiSelectPicklist", "File", "Image",
    }
)  # fmt: skip
# What a solution changes in a column of the environment's own.
_FACTS = (
    "label", "required", "min_value", "max_value", "precision", "precision_source", "format", "date_behaviour",
    "default", "autonumber", "max_kb",
)  # fmt: skip


def overwrite_column(live: Live, model: EntityModel, column: Column, body: Json) -> None:
    """A column takes what the solution says of it. Refusal 400 for another type."""
    kind = body["Kind"]
    if kind != column.type and not (kind in LOOKUPS and column.type in LOOKUPS):
        raise failed(f"The type of {model.name}.{column.name} is {column.type}; the solution makes it {kind}.")
    if column.type in {"State", "Status"}:
        overwrite_states(live, model, column, body)
    elif is_system_column(model, column.name) or kind not in _MADE or column.base_of:
        texts = {member: body[member] for member in ("DisplayName", "Description", "RequiredLevel")}
        change_column(live, model, column, texts, merges=True)
    else:
        _overwrite_own(live, model, column, body)
    live.forget()


def _overwrite_own(live: Live, model: EntityModel, column: Column, body: Json) -> None:
    new = read_column(live, bound(body))
    if new.column.is_global_choice != column.is_global_choice or (
        column.is_global_choice and new.column.option_set != column.option_set
    ):
        raise failed(f"{model.name}.{column.name} has the choice {column.option_set}; the solution gives it another.")
    if (new.column.max_length or 0) < (column.max_length or 0):
        raise failed(f"The length of {model.name}.{column.name} cannot become smaller than {column.max_length}.")
    facts: dict[str, Any] = {fact: getattr(new.column, fact) for fact in _FACTS}
    options = _merged(column.options, new.column.options)
    extra = _merged_texts(live.extra("column", f"{model.name}.{column.name}"), new.extra)
    changed = replace(column, **facts, options=options, max_length=new.column.max_length)
    live.environment.put_column(model.name, changed, extra)


def bound(body: Json) -> Json:
    """The body of a column with its global choice named as the metadata API wants it."""
    if not body["OptionSetName"]:
        return body
    name = body["OptionSetName"].replace("'", "''")
    return body | {"GlobalOptionSet@odata.bind": f"/GlobalOptionSetDefinitions(Name='{name}')"}


def _merged(known: tuple[Option, ...], new: tuple[Option, ...]) -> tuple[Option, ...]:
    sent = {option.value for option in new}
    return (*new, *(option for option in known if option.value not in sent))


def _merged_texts(known: Document, new: Document) -> Document:
    """Languages and options that the solution does not name stay."""
    found = dict(known)
    for part, value in new.items():
        before = known.get(part)
        found[part] = before | value if isinstance(before, dict) and isinstance(value, dict) else value
    return found


def overwrite_choice(live: Live, name: str, body: Json) -> None:
    """A global choice takes labels and options."""

    def change(options: tuple[Option, ...], kept: dict[str, Any]) -> tuple[Option, ...]:
        new = []
        for item in body["Options"]:
            own = option_texts(live, item)
            kept[str(item["Value"])] = own
            new.append(Option(item["Value"], base_text(read_label(item["Label"], live.language), live.language)))
        return _merged(options, tuple(new))

    change_global_options(live, name, change, body)
    live.forget()


def overwrite_states(live: Live, model: EntityModel, column: Column, body: Json) -> None:
    """Labels of states, labels and further values of status reasons."""
    extra = dict(live.extra("column", f"{model.name}.{column.name}"))
    found = extra.get("options")
    kept = dict(found) if isinstance(found, dict) else {}
    sent = {item["Value"]: item for item in (body.get("OptionSet") or {}).get("Options", [])}
    for value, item in sent.items():
        kept[str(value)] = option_texts(live, item)
    if column.type == "State":
        unknown = sent.keys() - {state.value for state in model.table.states}
        if unknown:
            raise failed(f"{model.name} has no state {min(unknown)}.")
        states = tuple(_state(live, state, sent.get(state.value)) for state in model.table.states)
        options = tuple(Option(state.value, state.label) for state in states)
    else:
        options = _statuses(live, model, column, sent)
        states = tuple(
            replace(state, statuses=tuple(option for option in options if option.state == state.value))
            for state in model.table.states
        )
    live.environment.define_table(replace(model.table, states=states))
    texts = {member: body[member] for member in ("DisplayName", "Description", "RequiredLevel")}
    changed = replace(column, options=options)
    live.environment.put_column(model.name, changed, {**extra, "options": kept})
    live.forget()
    change_column(live, live.environment.tables[model.name], changed, texts, merges=True)


def _state(live: Live, state: State, item: Json | None) -> State:
    if item is None:
        return state
    label = base_text(read_label(item["Label"], live.language), live.language, state.label)
    return replace(state, label=label, default_status=item.get("DefaultStatus", state.default_status))


def _statuses(live: Live, model: EntityModel, column: Column, sent: dict[int, Json]) -> tuple[Option, ...]:
    known = {state.value for state in model.table.states}
    new = []
    for value, item in sent.items():
        if item.get("State") not in known:
            raise failed(f"The status reason {value} of {model.name} belongs to no state.")
        label = base_text(read_label(item["Label"], live.language), live.language, str(value))
        new.append(Option(value, label, item["State"]))
    return _merged(column.options, tuple(new))
