"""Columns, constants and joins in SQL: the terms that conditions and orders are made of.

Text compares folded (case and accents do not count).
"""

import re
from dataclasses import dataclass, field

from flitstack.catalogue.types import Column
from flitstack.emulator.ddl import is_polymorphic, quoted, type_column
from flitstack.emulator.messages import Refusal, not_implemented
from flitstack.emulator.query.syntax import Literal, Path
from flitstack.emulator.schema import UNBOUND_LOOKUPS, EntityModel
from flitstack.emulator.store import Store
from flitstack.emulator.values import fold, guid_blob, instant_text, parse_instant
from flitstack.emulator.work import Work

Parameter = str | int | float | bytes | None
TEXTS = frozenset({"String", "Memo", "EntityName"})
_GUIDS = UNBOUND_LOOKUPS | {"Uniqueidentifier"}
OPERATORS = {"eq": "=", "ne": "<>", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}


@dataclass(frozen=True, slots=True)
class Reference:
    """A column in SQL, with what the catalogue says of it."""

    sql: str
    column: Column
    table: str


@dataclass(slots=True)
class Fragment:
    """SQL text with its parameters, in order of appearance."""

    sql: str
    parameters: list[Parameter] = field(default_factory=list)


class Scope:
    """One table of a query under an alias; `joins` are the tables its paths reach."""

    def __init__(self, work: Work, model: EntityModel, alias: str = "t", variable: str = "") -> None:
        self.work = work
        self.model = model
        self.alias = alias
        self.variable = variable
        self.joins: dict[tuple[str, ...], tuple[str, EntityModel]] = {}
        self.join_sql: list[str] = []

    @property
    def store(self) -> Store:
        """The store of the work."""
        return self.work.store

    def source(self) -> str:
        """The FROM clause."""
        return f"{self.rows_of(self.model)} {self.alias} {' '.join(self.join_sql)}"

    def rows_of(self, model: EntityModel) -> str:
        """A table as the caller may read it."""
        table, rights = self.store.ensure(model), self.work.rights
        if rights is None:
            return table
        condition = rights.condition(model)
        return table if condition == "1" else f"(SELECT * FROM {table} WHERE {condition})"

    def reference(self, path: Path, *, by_logical_name: bool = False) -> Reference:
        """The column a path means; joins what lies between. Query functions name lookups by logical name."""
        parts = path.parts
        if self.variable:
            if parts[0] != self.variable or len(parts) < 2:
                raise not_implemented(f"a path that does not begin with '{self.variable}/' inside any or all")
            parts = parts[1:]
        alias, model = self.alias, self.model
        for depth, part in enumerate(parts[:-1], 1):
            alias, model = self._join(parts[:depth], alias, model, part)
        name = parts[-1]
        if by_logical_name and name in model.stored and f"_{name}_value" in model.value_properties:
            name = f"_{name}_value"
        found = find_column(model, name)
        return Reference(f"{alias}.{quoted(found.name)}", found, model.name)

    def _join(self, path: tuple[str, ...], alias: str, model: EntityModel, name: str) -> tuple[str, EntityModel]:
        known = self.joins.get(path)
        if known is not None:
            return known
        nav = model.lookups.get(name)
        if nav is None:
            raise unknown_property(model, name)
        if len(nav.targets) != 1:
            raise not_implemented(f"a path through the polymorphic navigation '{name}'")
        target = self.store.schema.tables.get(nav.targets[0])
        if target is None:
            raise not_implemented(f"table '{nav.targets[0]}'")
        new = f"{self.alias}j{len(self.joins)}"
        condition = f"{new}.{quoted(target.table.id_column)} = {alias}.{quoted(nav.column)}"
        if is_polymorphic(model.columns[nav.column]):
            condition += f" AND {alias}.{quoted(type_column(nav.column))} = '{target.name}'"
        self.join_sql.append(f"LEFT JOIN {self.rows_of(target)} {new} ON {condition}")
        self.joins[path] = (new, target)
        return new, target


def find_column(model: EntityModel, name: str) -> Column:
    """The stored column behind a property name; 400 when there is none."""
    lookup = model.value_properties.get(name)
    column = model.stored.get(lookup or name)
    if column is None or not column.readable or (column.type in UNBOUND_LOOKUPS and lookup is None):
        raise unknown_property(model, name)
    return column


def unknown_property(model: EntityModel, name: str) -> Refusal:
    """400 for a name that is no property."""
    return Refusal(
        400, "0x0", f"Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{model.name}'."
    )


def compare_literal(reference: Reference, op: str, literal: Literal) -> Fragment:
    """`column op constant`."""
    if literal.kind == "null":
        if op not in {"eq", "ne"}:
            return Fragment("0")
        return Fragment(f"{reference.sql} IS {'NOT ' if op == 'ne' else ''}NULL")
    value = to_parameter(reference.column, literal)
    sql = comparable(reference)
    if op == "ne":
        return Fragment(f"({sql} <> ? OR {reference.sql} IS NULL)", [value])
    return Fragment(f"{sql} {OPERATORS[op]} ?", [value])


def comparable(reference: Reference) -> str:
    """The column as it compares and sorts."""
    return f"fold({reference.sql})" if reference.column.type in TEXTS else reference.sql


def to_parameter(column: Column, literal: Literal) -> Parameter:
    """A constant in the stored form of a column; 400 when the types do not fit."""
    kind, value = literal.kind, literal.value
    result: Parameter = None
    if column.type in TEXTS:
        result = fold(value) if kind == "text" and isinstance(value, str) else None
    elif column.type in _GUIDS:
        result = guid_blob(value) if isinstance(value, str) else None
    elif column.type == "DateTime":
        instant = parse_instant(value) if isinstance(value, str) else None
        if instant is not None:
            result = instant_text(instant)[:10] if column.date_behaviour == "DateOnly" else instant_text(instant)
    elif column.type == "Boolean":
        if kind == "boolean" or (kind == "text" and value in {"true", "false", "0", "1"}):
            result = int(value in {True, "true", "1"})
    elif column.type == "MultiSelectPicklist":
        result = value if isinstance(value, str) else None
    elif kind == "number" and isinstance(value, (int, float)):
        result = value
    elif kind == "text" and isinstance(value, str):
        result = _number(value)
    if result is None:
        raise Refusal(
            400,
            "0x80060888",
            f"A binary operator with incompatible types was detected: '{value}' does not fit '{column.name}' "
            f"of type '{column.type}'.",
        )
    return result


def _number(text: str) -> float | None:
    try:
        return int(text) if re.fullmatch(r"[+-]?\d{1,18}", text) else float(text)
    except ValueError:
        return None
