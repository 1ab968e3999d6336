"""Schema operations of the memory destination: a custom table or column is a changed catalogue type."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flitstack.catalogue.types import WIDER, Column, Key, Option, State, Table, behaviour_of
from flitstack.destinations.faults import Fatal

Operation = Mapping[str, Any]
Tables = dict[str, Table]
_SYSTEM = {
    "createdon": "DateTime",
    "modifiedon": "DateTime",
    "overriddencreatedon": "DateTime",
    "statecode": "State",
    "statuscode": "Status",
    "ownerid": "Owner",
}


def new_table(operation: Operation) -> Table:
    """A user-owned custom table with the system columns that migration touches."""
    name = operation["table"]
    active = (Option(1, "Active", 0), Option(2, "Inactive", 1))
    columns = {
        column: Column(
            column,
            column,
            kind,
            creatable=column not in {"createdon", "modifiedon", "statecode"},
            updatable=column in {"statecode", "statuscode", "ownerid"},
            date_behaviour="UserLocal" if kind == "DateTime" else None,
            options={"State": (Option(0, "Active"), Option(1, "Inactive")), "Status": active}.get(kind, ()),
            targets=("systemuser", "team") if kind == "Owner" else (),
        )
        for column, kind in _SYSTEM.items()
    }
    primary = operation["primary"]
    columns[f"{name}id"] = Column(f"{name}id", f"{name}id", "Uniqueidentifier", creatable=True)
    columns[primary["name"]] = _written(
        Column(primary["name"], primary["name"], "String", primary["label"], max_length=primary.get("length", 200))
    )
    return Table(
        name=name,
        schema_name=name,
        entity_set=f"{name}s",
        id_column=f"{name}id",
        name_column=primary["name"],
        label=operation["label"],
        label_plural=operation.get("plural", operation["label"]),
        ownership=operation.get("ownership", "UserOwned"),
        object_type_code=10_000,
        is_activity=False,
        is_activity_party=False,
        has_notes=bool(operation.get("has_notes", False)),
        has_activities=bool(operation.get("has_activities", False)),
        has_connections=bool(operation.get("has_connections", False)),
        has_document_locations=bool(operation.get("has_documents", False)),
        is_customizable=True,
        change_tracking=False,
        duplicate_detection=False,
        optimistic_concurrency=True,
        messages=frozenset({"Create", "Update", "Delete", "CreateMultiple", "UpdateMultiple"}),
        columns=columns,
        states=(State(0, "Active", 1, active[:1]), State(1, "Inactive", 2, active[1:])),
    )


def new_column(operation: Operation) -> Column:
    """A custom column as `add_column` describes it."""
    kind, style = operation["type"], operation.get("format")
    targets = tuple(operation.get("targets", ()))
    return _written(
        Column(
            name=operation["name"],
            schema_name=operation.get("schema_name", operation["name"]),
            type=kind,
            label=operation.get("label", operation["name"]),
            max_length=operation.get("length", 200) if kind in {"String", "Memo"} else None,
            min_value=operation.get("min"),
            max_value=operation.get("max"),
            precision=operation.get("precision"),
            precision_source=0 if kind == "Money" else None,
            format=style,
            date_behaviour=behaviour_of(operation) if kind == "DateTime" else None,
            options=tuple(Option(value, text) for value, text in operation.get("options", ())),
            targets=targets,
            navigation=dict.fromkeys(targets, str(operation["name"])),
        )
    )


def change(tables: Tables, operation: Operation, *, undo: bool) -> None:
    """Apply or revert one operation; what is already so is no error. Fatal for an unknown kind or table."""
    kind, name = operation["kind"], operation["table"]
    if kind in {"publish", "add_relationship"}:
        return
    if kind == "create_table":
        if undo:
            tables.pop(name, None)
        else:
            tables.setdefault(name, new_table(operation))
        return
    table = tables.get(name)
    if table is None:
        if undo:
            return
        raise Fatal(f"there is no table {name} to change")
    if kind == "add_column":
        columns = {k: v for k, v in table.columns.items() if not (undo and k == operation["name"])}
        if not undo:
            columns.setdefault(operation["name"], new_column(operation))
        tables[name] = replace(table, columns=columns)
    elif kind in {"add_option", "widen_column"} and undo and operation["name"] not in table.columns:
        return
    elif kind == "add_option":
        tables[name] = _with_option(table, operation, undo=undo)
    elif kind == "widen_column":
        tables[name] = table if undo else _wider(table, operation)
    elif kind == "add_key":
        kept = tuple(key for key in table.keys if key.name != operation["name"])
        made = () if undo else (Key(operation["name"], tuple(operation["columns"])),)
        tables[name] = replace(table, keys=kept + made)
    else:
        raise Fatal(f"the schema operation {kind!r} is unknown")


def _with_option(table: Table, operation: Operation, *, undo: bool) -> Table:
    column = table.columns[operation["name"]]
    options = tuple(o for o in column.options if o.value != operation["value"])
    if not undo:
        options += (Option(operation["value"], operation["label"]),)
    return replace(table, columns={**table.columns, column.name: replace(column, options=options)})


def _wider(table: Table, operation: Operation) -> Table:
    column = table.columns[operation["name"]]
    facts: dict[str, Any] = {fact: operation[member] for member, (fact, _) in WIDER.items() if member in operation}
    return replace(table, columns={**table.columns, column.name: replace(column, **facts)})


def _written(column: Column) -> Column:
    return replace(column, creatable=True, updatable=True)
