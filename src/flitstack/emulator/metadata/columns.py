"""Adding, changing and removing columns."""

from dataclasses import replace
from typing import Any

from flitstack.catalogue.types import Column, OneToMany
from flitstack.emulator.core import EntityModel
from flitstack.emulator.messages import Refusal
from flitstack.emulator.metadata.bodies import Body, inner, number, whole
from flitstack.emulator.metadata.column_parse import NewColumn, read_column
from flitstack.emulator.metadata.file_columns import add_companions, changed_file_facts, drop_companions
from flitstack.emulator.metadata.keys import not_customizable
from flitstack.emulator.metadata.labels import base_text, read_label
from flitstack.emulator.metadata.live import Live
from flitstack.emulator.metadata.system_columns import is_system_column

# SQL Server's columns per table; the service has no fixed number of its own.
MAX_COLUMNS = 1_024
_MAX_MONEY = 922_337_203_685_477
# What PUT may change in place; everything else is fixed when a column is made.
_LENGTHS = {"MaxLength": ("max_length", 1, 1_048_576), "Precision": ("precision", 0, 10)}
_BOUNDS = {"MinValue": "min_value", "MaxValue": "max_value"}


def create_column(live: Live, model: EntityModel, body: Body) -> str:
    """Add a column of any type but lookups; a money column brings its base column. The logical name."""
    new = read_column(live, body)
    check_addition(model, new.column.name)
    name = fit_option_set(model.name, new)
    live.environment.put_column(model.name, name.column, name.extra)
    if new.column.type == "Money":
        _add_currency(live, model.name)
        live.environment.put_column(model.name, _base_column(new.column), {})
    add_companions(live, model.name, new.column)
    return new.column.name


def fit_option_set(table: str, new: NewColumn) -> NewColumn:
    """A local choice is named after its table and column unless it has a name."""
    column = new.column
    is_choice = column.type in {"Picklist", "MultiSelectPicklist", "Boolean"}
    if not is_choice or column.option_set:
        return new
    return NewColumn(replace(column, option_set=f"{table}_{column.name}"), new.extra)


def check_addition(model: EntityModel, name: str) -> None:
    """Refusal when the table takes no columns, or has one of this name."""
    if not model.table.is_customizable:
        raise not_customizable(model, "CanCreateAttributes")
    if len(model.columns) >= MAX_COLUMNS:
        raise Refusal(400, "0x8004841A", f"The maximum number of attributes of {model.name} is reached: {MAX_COLUMNS}.")
    if name in model.columns:
        raise Refusal(
            400, "0x80047013", f"An attribute with the specified name {name} already exists for entity {model.name}"
        )


def _base_column(column: Column) -> Column:
    return Column(
        name=f"{column.name}_base",
        schema_name=f"{column.schema_name}_Base",
        type="Money",
        label=f"{column.label} (Base)",
        min_value=-_MAX_MONEY,
        max_value=_MAX_MONEY,
        precision=4,
        precision_source=2,
        base_of=column.name,
    )


def _add_currency(live: Live, table: str) -> None:
    """Currency and exchange rate, which come with the first money column of a table."""
    account = live.environment.tables["account"].columns
    for name in ("transactioncurrencyid", "exchangerate"):
        if name not in live.environment.tables[table].columns:
            live.environment.put_column(table, account[name], {})
    relationship = f"transactioncurrency_{table}"
    if relationship not in live.environment.one_to_many:
        live.environment.put_relationship(
            OneToMany(
                name=relationship,
                referenced="transactioncurrency",
                referenced_column="transactioncurrencyid",
                referencing=table,
                referencing_column="transactioncurrencyid",
                navigation="transactioncurrencyid",
                collection=relationship,
                cascade={"delete": "Restrict"},
            ),
            {},
        )


def change_column(live: Live, model: EntityModel, column: Column, body: Body, *, merges: bool) -> None:
    """PUT: labels, required level, lengths and limits. `merges` keeps labels of languages that are not sent."""
    extra = dict(live.extra("column", f"{model.name}.{column.name}"))
    labels = changed_texts(live, extra, "labels", body.get("DisplayName"), merges=merges)
    changed_texts(live, extra, "descriptions", body.get("Description"), merges=merges)
    facts: dict[str, Any] = {
        fact: whole(body, member, low, low, high)
        for member, (fact, low, high) in _LENGTHS.items()
        if body.get(member) is not None
    }
    for member, fact in _BOUNDS.items():
        if body.get(member) is not None:
            facts[fact] = number(body, member, 0, -_MAX_MONEY, _MAX_MONEY)
    facts |= changed_file_facts(live, model, column, body, extra)
    if column.max_length is not None and facts.get("max_length", column.max_length) < column.max_length:
        raise Refusal(400, "0x80040203", f"The length of {column.name} cannot become smaller.")
    facts["required"] = inner(body, "RequiredLevel") or column.required
    facts["label"] = base_text(labels, live.language, column.label)
    live.environment.put_column(model.name, replace(column, **facts), extra)


def changed_texts(live: Live, extra: dict[str, object], kept: str, label: object, *, merges: bool) -> dict[str, str]:
    """The texts under `kept` after a PUT; written back into `extra`."""
    before = extra.get(kept)
    known: dict[str, str] = dict(before) if isinstance(before, dict) else {}
    sent = read_label(label, live.language)
    if sent:
        known = known | sent if merges else sent
        extra[kept] = known
    return known


def drop_column(live: Live, model: EntityModel, column: Column) -> None:
    """Remove a custom column with its values; Refusal while a key or the table's name stands on it.

    A lookup takes its relationships with it.
    """
    if is_system_column(model, column.name) or column.name == model.table.name_column:
        raise Refusal(400, "0x8004F01F", f"The column {column.name} of {model.name} is part of the system.")
    users = [f"key {key.name}" for key in model.keys if column.name in key.columns]
    if column.base_of:
        users.append(f"column {column.base_of}")
    if users:
        raise in_use(f"Attribute {column.name}", users)
    if column.type == "Money":
        live.environment.drop_column(model.name, f"{column.name}_base")
    drop_companions(live, model, column)
    for one in list(live.environment.one_to_many.values()):
        if (one.referencing, one.referencing_column) == (model.name, column.name):
            live.environment.drop_relationship(one.name)
    live.environment.drop_column(model.name, column.name)


def in_use(what: str, users: list[str]) -> Refusal:
    """400 for a definition that others need."""
    return Refusal(
        400,
        "0x8004F01F",
        f"The {what} component cannot be deleted because it is referenced by {len(users)} other components: "
        f"{', '.join(users)}. For a list of referenced components, use the RetrieveDependenciesForDeleteRequest.",
    )
