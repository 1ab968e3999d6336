"""The difference between the schema a map needs and the live destination, as operations that know their inverse."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flitstack.catalogue.types import Table
from flitstack.errors import Problem, UsageError
from flitstack.mapping.document import MappedColumn, MappedRoute, MappingDocument

SOURCE_KEY_LENGTH = 100
SOURCE_ID_LENGTH = 400


@dataclass(frozen=True, slots=True)
class Operation:
    """One schema change. `kind`: create_table | add_column | add_option | add_key | add_relationship | publish.

    `details` is what `Destination.apply` and `Destination.revert` read (docs/destination.md lists the members by kind).
    """

    kind: str
    table: str
    name: str
    details: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Plain form for the plan document and the destination."""
        return {"kind": self.kind, "table": self.table, "name": self.name, **self.details}

    def describe(self) -> str:
        """The line a person reads in a diff."""
        label = f' "{self.details["label"]}"' if self.details.get("label") else ""
        kind = f" ({self.details['type']})" if self.details.get("type") else ""
        return f"+ {self.kind.replace('_', ' ')} {self.table}.{self.name}{kind}{label}"


def schema_operations(mapping: MappingDocument, live: Mapping[str, Table | None], prefix: str) -> tuple[Operation, ...]:
    """Operations that make the destination ready for the map, in an order that can be applied; empty when it is.

    Raises UsageError with every clash found (a column that exists with another type, a table that takes no columns).
    """
    operations: list[Operation] = []
    problems: list[Problem] = []
    routes = _by_table(mapping.routes)
    for table, its_routes in routes.items():
        created = next((r.create_table for r in its_routes if r.create_table), None)
        if live.get(table) is None:
            if created is None:
                problems.append(_no_such_table(table, its_routes))
                continue
            operations.append(_create_table(table, created, prefix))
    for table, its_routes in routes.items():
        known = live.get(table)
        for column in _custom_columns(its_routes):
            operations += _column_operations(table, column, known, problems)
        if takes_source_key(table, known):
            operations += _source_key(table, known, prefix)
    for name, (first, second) in sorted(mapping.links.items()):
        operations.append(Operation("add_relationship", first, name, {"other": second}))
    if problems:
        raise UsageError(*problems)
    if operations:
        operations.append(Operation("publish", "", "all", {}))
    return tuple(operations)


def takes_source_key(table: str, live: Table | None) -> bool:
    """Whether rows of this table carry the source key: custom tables do, standard ones when they take custom columns; not
    the table of a business process flow, which is part of the administrator's definition of the process."""
    return live is None or (live.is_customizable and not live.is_process)


def source_key_column(prefix: str) -> str:
    """Logical name of the column with the digest of the source key; the alternate key stands on it."""
    return f"{prefix}_sourcekey"


def source_id_column(prefix: str) -> str:
    """Logical name of the column with the readable source key."""
    return f"{prefix}_sourceid"


def _by_table(routes: Iterable[MappedRoute]) -> dict[str, list[MappedRoute]]:
    tables: dict[str, list[MappedRoute]] = {}
    for route in routes:
        tables.setdefault(route.table, []).append(route)
    return tables


def _custom_columns(routes: Iterable[MappedRoute]) -> list[MappedColumn]:
    """Columns with a definition, once each; options of the same choice from several routes are united."""
    found: dict[str, MappedColumn] = {}
    for route in routes:
        for column in route.columns:
            if column.create is not None and column.name not in found:
                found[column.name] = column
    return list(found.values())


def _create_table(table: str, definition: Mapping[str, Any], prefix: str) -> Operation:
    label = str(definition.get("label", table))
    return Operation(
        "create_table",
        table,
        table,
        {
            "label": label,
            "plural": definition.get("plural", f"{label}s"),
            "ownership": definition.get("ownership", "UserOwned"),
            **{
                f"has_{part}": True
                for part in ("notes", "activities", "connections", "documents")
                if definition.get(part)
            },
            "primary": {"name": f"{prefix}_name", "label": definition.get("name_label", "Name"), "length": 400},
        },
    )


def _column_operations(
    table: str, column: MappedColumn, live: Table | None, problems: list[Problem]
) -> list[Operation]:
    wanted = dict(column.create or {})
    existing = live.column(column.name) if live else None
    if existing is None:
        if live is not None and not live.is_customizable:
            problems.append(
                Problem(
                    "table-takes-no-columns",
                    f"{table} takes no custom columns, so {column.name} cannot be made",
                    where=f"mapping of field {column.field!r}",
                    do=f"map {column.field!r} to a column that {table} has, or to the companion table",
                )
            )
            return []
        return [Operation("add_column", table, column.name, {"type": wanted.pop("type"), **wanted})]
    if existing.type != wanted["type"]:
        problems.append(
            Problem(
                "column-type-clash",
                f"{table}.{column.name} exists in the destination as {existing.type}, the map wants {wanted['type']}",
                where=f"mapping of field {column.field!r}",
                do=f"map {column.field!r} to another column, or remove {table}.{column.name} from the environment",
            )
        )
        return []
    known = {option.value for option in existing.options}
    return [
        Operation("add_option", table, column.name, {"value": value, "label": label})
        for value, label in wanted.get("options", ())
        if value not in known
    ]


def _source_key(table: str, live: Table | None, prefix: str) -> list[Operation]:
    key, plain = source_key_column(prefix), source_id_column(prefix)
    operations = []
    if live is None or live.column(key) is None:
        details = {"type": "String", "length": SOURCE_KEY_LENGTH, "label": "Source key"}
        operations.append(Operation("add_column", table, key, details))
    if live is None or live.column(plain) is None:
        details = {"type": "String", "length": SOURCE_ID_LENGTH, "label": "Source id"}
        operations.append(Operation("add_column", table, plain, details))
    if live is None or not any(k.columns == (key,) for k in live.keys):
        operations.append(
            Operation("add_key", table, f"{prefix}_sourcekey_key", {"columns": [key], "label": "Source key"})
        )
    return operations


def _no_such_table(table: str, routes: list[MappedRoute]) -> Problem:
    return Problem(
        "table-missing",
        f"the destination has no table {table}",
        where=", ".join(sorted({f"mapping/{route.object}.yaml" for route in routes})),
        do="map these objects to a table the environment has, or install the app that brings it",
    )
