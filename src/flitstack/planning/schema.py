"""The difference between the schema a map needs and the live destination, as operations that know their inverse."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flitstack.catalogue.types import WIDER, Column, Table, behaviour_of
from flitstack.errors import Problem, UsageError
from flitstack.mapping.document import MappedColumn, MappedRoute, MappingDocument
from flitstack.planning.live import options_of

SOURCE_KEY_LENGTH = 100
SOURCE_ID_LENGTH = 400
# Types whose options may grow. Those of a two-option column are always two.
_CHOICES = frozenset({"Picklist", "MultiSelectPicklist"})


@dataclass(frozen=True, slots=True)
class Operation:
    """One schema change. `kind`: create_table | add_column | add_option | widen_column | add_key | add_relationship | publish.

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


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands in the destination. `live`: tables with what we made there; `made`: the operations that made it."""

    live: Mapping[str, Table | None] = field(default_factory=dict)
    made: Sequence[Mapping[str, Any]] = ()

    def column(self, table: str, name: str) -> Column | None:
        """A column as it is there now."""
        found = self.live.get(table)
        return found.column(name) if found else None

    def made_of(self, table: str, name: str) -> list["Operation"]:
        """What we made of a column, in its order."""
        return [
            Operation(one["kind"], table, name, {k: v for k, v in one.items() if k not in {"kind", "table", "name"}})
            for one in self.made
            if (one["table"], one["name"]) == (table, name)
            and one["kind"] in {"add_column", "add_option", "widen_column"}
        ]


def schema_operations(
    mapping: MappingDocument, live: Mapping[str, Table | None], prefix: str, standing: Standing | None = None
) -> tuple[Operation, ...]:
    """Operations that make the destination ready for the map, in an order that can be applied; empty when it is.

    `live`: the tables without what we made. What we made of a column comes again as it was made (`standing`), and what the
    column lacks by now comes behind it: a plan made again is the same plan. Raises UsageError with every clash found (a column
    that exists with another type, an option with another label, a table that takes no columns).
    """
    standing = standing or Standing()
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
            operations += _column_operations(table, column, known, standing, problems)
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
    table: str, column: MappedColumn, live: Table | None, standing: Standing, problems: list[Problem]
) -> list[Operation]:
    wanted = dict(column.create or {})
    ours = standing.made_of(table, column.name)
    existing = standing.column(table, column.name) or (live.column(column.name) if live else None)
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
    there, kind = _kind(existing.type, existing.date_behaviour), _kind(wanted["type"], behaviour_of(wanted))
    if there != kind:
        problems.append(
            Problem(
                "column-type-clash",
                f"{table}.{column.name} exists in the destination as {there}, the map wants {kind}",
                where=f"mapping of field {column.field!r}",
                do=f"map {column.field!r} to another column, or remove {table}.{column.name} from the environment",
            )
        )
        return []
    if existing.type in _CHOICES:
        return [*ours, *_more_options(table, column, existing, ours, problems)]
    return [*ours, *_wider(table, column, existing, ours)]


def _kind(type_name: str, behaviour: str | None) -> str:
    """A column of days takes no time of the day and would lose it without a word."""
    if type_name != "DateTime":
        return type_name
    return f"{type_name} ({'days' if behaviour == 'DateOnly' else 'days and times'})"


def _more_options(
    table: str, column: MappedColumn, existing: Column, ours: Sequence[Operation], problems: list[Problem]
) -> list[Operation]:
    """Options that the choice lacks. A value that means something else there is a problem: rows would change their meaning."""
    known = {option.value: option.label for option in existing.options}
    given = {value: label for one in ours for value, label in options_of(one.to_dict()).items()}
    operations = []
    for value, label in (column.create or {}).get("options", ()):
        if value not in known:
            operations.append(Operation("add_option", table, column.name, {"value": value, "label": label}))
        elif known[value] and _spelled(label) not in map(_spelled, (known[value], given.get(value, known[value]))):
            problems.append(
                Problem(
                    "option-number-clash",
                    f'{value} of {table}.{column.name} is "{known[value]}" in the destination, the map calls it "{label}"',
                    where=f"mapping of field {column.field!r}",
                    do=f'give "{label}" a number of its own in the map, or an administrator renames the option',
                )
            )
    return operations


def _spelled(label: str) -> str:
    return " ".join(label.split()).casefold()


def _wider(table: str, column: MappedColumn, existing: Column, ours: Sequence[Operation]) -> list[Operation]:
    """What a column that we made must take by now: texts are longer, numbers finer or larger. It never becomes narrower, and a
    column that was there before us stays as it is: the map keeps to it."""
    if not any(one.kind == "add_column" for one in ours):
        return []
    wider = {}
    for member, (fact, way) in WIDER.items():
        wanted, there = (column.create or {}).get(member), getattr(existing, fact)
        if wanted is not None and there is not None and way * wanted > way * there:
            wider[member] = wanted
    operation = Operation("widen_column", table, column.name, {"type": existing.type, **wider})
    return [operation] if wider and operation not in ours else []


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
