"""Live metadata and our own schema operations: as it was before them, what of them is there, how we called it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from flitstack.catalogue.types import Table

Operations = Iterable[Mapping[str, Any]]


def without_operations(live: Mapping[str, Table | None], operations: Operations) -> dict[str, Table | None]:
    """The tables without what the operations made: what a plan compares with, so that making it again gives the same."""
    tables = dict(live)
    for operation in operations:
        name, kind = str(operation["table"]), operation["kind"]
        table = tables.get(name)
        if table is None:
            continue
        if kind == "create_table":
            tables[name] = None
        elif kind == "add_column":
            columns = {key: column for key, column in table.columns.items() if key != operation["name"]}
            tables[name] = replace(table, columns=columns)
        elif kind == "add_key":
            wanted = tuple(operation["columns"])
            tables[name] = replace(table, keys=tuple(key for key in table.keys if key.columns != wanted))
        elif kind == "add_option":
            column = table.columns.get(str(operation["name"]))
            if column is not None:
                options = tuple(option for option in column.options if option.value != operation["value"])
                tables[name] = replace(table, columns={**table.columns, column.name: replace(column, options=options)})
    return tables


def still_made(live: Mapping[str, Table | None], operations: Operations) -> tuple[Mapping[str, Any], ...]:
    """The operations less those whose table, column or option is not there: never made for a crash, or removed since."""
    return tuple(operation for operation in operations if _is_there(live, operation))


def _is_there(live: Mapping[str, Table | None], operation: Mapping[str, Any]) -> bool:
    table, kind = live.get(str(operation["table"])), operation["kind"]
    if table is None:
        return operation["table"] not in live
    if kind not in {"add_column", "add_option", "widen_column"}:
        return True
    column = table.column(str(operation["name"]))
    if column is None or kind != "add_option":
        return column is not None
    return any(option.value == operation["value"] for option in column.options)


def options_of(operation: Mapping[str, Any]) -> dict[int, str]:
    """The options that an operation makes: value -> label."""
    if operation["kind"] == "add_option":
        return {int(operation["value"]): str(operation["label"])}
    return {int(value): str(label) for value, label in operation.get("options") or ()}


def as_we_called_it(live: Mapping[str, Table | None], operations: Operations) -> dict[str, Table | None]:
    """The tables with the labels that our options had when they were made: by these an export's words are known, whatever
    somebody calls the option in Dynamics since."""
    tables = dict(live)
    for operation in operations:
        table, given = tables.get(str(operation["table"])), options_of(operation)
        column = table.column(str(operation["name"])) if table and given else None
        if table is None or column is None:
            continue
        options = tuple(replace(option, label=given.get(option.value, option.label)) for option in column.options)
        tables[table.name] = replace(table, columns={**table.columns, column.name: replace(column, options=options)})
    return tables
