"""Changing choices: global ones, and the options of any choice or status column."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from flitstack.catalogue.types import Column, Option
from flitstack.emulator.core import Document, EntityModel
from flitstack.emulator.messages import Refusal
from flitstack.emulator.metadata.bodies import Body, texts_of, wrong
from flitstack.emulator.metadata.choice_parse import new_option, option_texts, read_options
from flitstack.emulator.metadata.columns import changed_texts, in_use
from flitstack.emulator.metadata.labels import base_text
from flitstack.emulator.metadata.live import Live
from flitstack.emulator.metadata.names import checked_name
from flitstack.emulator.metadata.option_sets import find_global_choice, global_choices
from flitstack.emulator.metadata.statuses import change_state, put_statuses

Options = tuple[Option, ...]
Change = Callable[[Options, dict[str, Any]], Options]


def create_global_choice(live: Live, body: Body) -> str:
    """A global choice. Its name."""
    name = checked_name(body.get("Name"), "choice")
    if name in global_choices(live):
        raise Refusal(400, "0x80044345", f"An OptionSet with the specified name {name} already exists.")
    if body.get("OptionSetType", "Picklist") != "Picklist":
        raise wrong("a global choice has the OptionSetType Picklist.")
    options, kept = read_options(live, body.get("Options") or [])
    texts = texts_of(body, live.language)
    labels = texts.get("labels")
    label = base_text(labels, live.language, name) if isinstance(labels, dict) else name
    _store(live, name, options, {**texts, "options": kept, "label": label})
    return name


def change_global_choice(live: Live, name: str, body: Body, *, merges: bool) -> None:
    """PUT: labels."""
    options, extra, label = global_choices(live)[name]
    extra = dict(extra)
    labels = changed_texts(live, extra, "labels", body.get("DisplayName"), merges=merges)
    changed_texts(live, extra, "descriptions", body.get("Description"), merges=merges)
    _store(live, name, options, {**extra, "label": base_text(labels, live.language, label)})


def drop_global_choice(live: Live, name: str) -> None:
    """Remove a custom global choice that no column uses."""
    if name not in live.documents("global_choice"):
        raise Refusal(400, "0x8004F01F", f"The choice {name} is part of the system and cannot be deleted.")
    users = [f"column {model.name}.{column.name}" for model, column in _users(live, name)]
    if users:
        raise in_use(f"OptionSet {name}", users)
    live.environment.drop_document("global_choice", name)


def change_options(live: Live, body: Body, change: Change, *, takes_boolean: bool = False) -> None:
    """Apply a change to the global choice, the choice or status column that a body names; labels of yes and no too."""
    shared = body.get("OptionSetName")
    if shared:
        _change_global(live, find_global_choice(live, shared), change)
        return
    model, column = named_column(live, body)
    kinds = {"Picklist", "MultiSelectPicklist", "Status"} | ({"Boolean"} if takes_boolean else set())
    if column.type not in kinds:
        raise wrong(f"{model.name}.{column.name} has no options that this changes.")
    if column.is_global_choice and column.option_set:
        _change_global(live, column.option_set, change)
        return
    extra = dict(live.extra("column", f"{model.name}.{column.name}"))
    options = change(column.options, _kept(extra))
    if column.type == "Status":
        put_statuses(live, model, column, options, extra)
    else:
        live.environment.put_column(model.name, replace(column, options=options), extra)


def change_global_options(live: Live, name: str, change: Change, body: Body) -> None:
    """Options and labels of a global choice at once; languages that are not sent stay."""
    _, extra, label = global_choices(live)[name]
    extra = dict(extra)
    labels = changed_texts(live, extra, "labels", body.get("DisplayName"), merges=True)
    changed_texts(live, extra, "descriptions", body.get("Description"), merges=True)
    options = change(global_choices(live)[name][0], _kept(extra))
    _store(live, name, options, {**extra, "label": base_text(labels, live.language, label)})
    for model, column in _users(live, name):
        live.environment.put_column(model.name, replace(column, options=options))


def _change_global(live: Live, name: str, change: Change) -> None:
    options, extra, label = global_choices(live)[name]
    extra = dict(extra)
    options = change(options, _kept(extra))
    _store(live, name, options, {**extra, "label": label})
    for model, column in _users(live, name):
        live.environment.put_column(model.name, replace(column, options=options))


def _kept(extra: Document) -> dict[str, Any]:
    """The part of `extra` about single options; made when it is missing."""
    found = extra.get("options")
    kept = dict(found) if isinstance(found, dict) else {}
    extra["options"] = kept
    return kept


def named_column(live: Live, body: Body) -> tuple[EntityModel, Column]:
    """EntityLogicalName and AttributeLogicalName of a body. Refusal 404."""
    model = live.environment.tables.get(str(body.get("EntityLogicalName")))
    column = model.columns.get(str(body.get("AttributeLogicalName"))) if model else None
    if model is None or column is None:
        name = f"{body.get('EntityLogicalName')}.{body.get('AttributeLogicalName')}"
        raise Refusal(404, "0x8004024A", f"There is no column {name}.")
    return model, column


def insert_option(live: Live, body: Body) -> int:
    """InsertOptionValue. The value of the new option."""
    if not body.get("OptionSetName") and named_column(live, body)[1].type == "Status":
        raise wrong("a status reason is added with InsertStatusValue.")
    added: list[int] = []

    def change(options: Options, kept: dict[str, Any]) -> Options:
        option = new_option(live, options, body.get("Value"), body.get("Label"))
        kept[str(option.value)] = option_texts(live, dict(body))
        added.append(option.value)
        return (*options, option)

    change_options(live, body, change)
    return added[0]


def update_option(live: Live, body: Body) -> None:
    """UpdateOptionValue: the labels of one option."""

    def change(options: Options, kept: dict[str, Any]) -> Options:
        value = _known(options, body.get("Value"))
        own = dict(kept.get(str(value)) or {})
        labels = changed_texts(live, own, "labels", body.get("Label"), merges=bool(body.get("MergeLabels")))
        kept[str(value)] = own
        return tuple(
            replace(option, label=base_text(labels, live.language, option.label)) if option.value == value else option
            for option in options
        )

    change_options(live, body, change, takes_boolean=True)


def delete_option(live: Live, body: Body) -> None:
    """DeleteOptionValue. Rows keep the value, as on the service."""

    def change(options: Options, kept: dict[str, Any]) -> Options:
        value = _known(options, body.get("Value"))
        kept.pop(str(value), None)
        return tuple(option for option in options if option.value != value)

    change_options(live, body, change)


def order_options(live: Live, body: Body) -> None:
    """OrderOption: the values in their new order."""

    def change(options: Options, kept: dict[str, Any]) -> Options:
        by_value = {option.value: option for option in options}
        values = body.get("Values")
        if not isinstance(values, list) or sorted(values) != sorted(by_value):
            raise wrong("Values names every option once.")
        return tuple(by_value[value] for value in values)

    change_options(live, body, change)


def insert_status(live: Live, body: Body) -> int:
    """InsertStatusValue: a further status reason of a state. Its value."""
    model, column = named_column(live, body)
    if column.type != "Status":
        raise wrong(f"{model.name}.{column.name} is no status column.")
    states = model.table.states
    state = next((state for state in states if state.value == body.get("StateCode")), None)
    if state is None:
        raise wrong(f"{model.name} has no state {body.get('StateCode')}.")
    option = replace(new_option(live, column.options, body.get("Value"), body.get("Label")), state=state.value)
    extra = dict(live.extra("column", f"{model.name}.{column.name}"))
    _kept(extra)[str(option.value)] = option_texts(live, dict(body))
    put_statuses(live, model, column, (*column.options, option), extra)
    return option.value


def update_state(live: Live, body: Body) -> None:
    """UpdateStateValue."""
    model, column = named_column(live, body)
    change_state(live, model, column, dict(body))


def _known(options: Iterable[Option], value: object) -> int:
    for option in options:
        if option.value == value:
            return option.value
    raise Refusal(400, "0x8004431A", f"The option {value} does not exist.")


def _users(live: Live, name: str) -> list[tuple[EntityModel, Column]]:
    return [
        (model, column)
        for model in live.environment.tables.values()
        for column in model.columns.values()
        if column.is_global_choice and column.option_set == name
    ]


def _store(live: Live, name: str, options: Options, extra: Document) -> None:
    values = [{"value": option.value, "label": option.label} for option in options]
    live.environment.put_document("global_choice", name, {**extra, "values": values})
