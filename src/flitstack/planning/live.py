"""Live metadata as it was before our own schema operations."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from flitstack.catalogue.types import Table


def without_operations(
    live: Mapping[str, Table | None], operations: Iterable[Mapping[str, Any]]
) -> dict[str, Table | None]:
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
