"""Conditions about who asks (user, unit, teams, language) and about where a row stands in its hierarchy.

Sources: Microsoft Learn, "Query hierarchical data", "ConditionOperator Enum".
"""

from flitstack.catalogue.types import OneToMany
from flitstack.emulator.ddl import quoted
from flitstack.emulator.messages import Refusal, not_implemented
from flitstack.emulator.query.syntax import Literal
from flitstack.emulator.query.terms import Fragment, Parameter, Reference, Scope, to_parameter
from flitstack.emulator.rows.stamps import owner_of
from flitstack.emulator.schema import UNBOUND_LOOKUPS

Values = tuple[Literal, ...]


def equals_user(scope: Scope, reference: Reference, values: Values) -> Fragment:
    """EqualUserId."""
    return Fragment(f"{reference.sql} = ?", [scope.work.user])


def not_user(scope: Scope, reference: Reference, values: Values) -> Fragment:
    """NotEqualUserId."""
    return _differs(reference, scope.work.user)


def equals_unit(scope: Scope, reference: Reference, values: Values) -> Fragment:
    """EqualBusinessId."""
    return Fragment(f"{reference.sql} = ?", [owner_of(scope.work, scope.work.user, "systemuser").unit])


def not_unit(scope: Scope, reference: Reference, values: Values) -> Fragment:
    """NotEqualBusinessId."""
    return _differs(reference, owner_of(scope.work, scope.work.user, "systemuser").unit)


def _differs(reference: Reference, value: Parameter) -> Fragment:
    return Fragment(f"({reference.sql} <> ? OR {reference.sql} IS NULL)", [value])


def equals_teams(scope: Scope, reference: Reference, values: Values) -> Fragment:
    """EqualUserTeams: a team that the caller is a member of."""
    many = scope.store.schema.many_to_many.get("teammembership_association")
    if many is None:
        raise not_implemented("the membership of teams")
    team, user = ("first", "second") if many.table1 == "team" else ("second", "first")
    pairs = scope.store.ensure_pairs(many)
    return Fragment(f"{reference.sql} IN (SELECT {team} FROM {pairs} WHERE {user} = ?)", [scope.work.user])


def equals_user_or_teams(scope: Scope, reference: Reference, values: Values) -> Fragment:
    """EqualUserOrUserTeams."""
    teams = equals_teams(scope, reference, values)
    return Fragment(f"({reference.sql} = ? OR {teams.sql})", [scope.work.user, *teams.parameters])


def equals_language(scope: Scope, reference: Reference, values: Values) -> Fragment:
    """EqualUserLanguage: the caller's own language (usersettings), else the organization's."""
    own = (
        ("usersettings", "uilanguageid", scope.work.user),
        ("organization", "languagecode", scope.store.organization),
    )
    found: Parameter = None
    for table, column, id_ in own:
        model = scope.store.schema.tables.get(table)
        row = scope.work.find(model, id_) if model is not None else None
        found = found or (row[column] if row else None)
    return Fragment(f"{reference.sql} = ?", [found])


def under(scope: Scope, reference: Reference, values: Values) -> Fragment:
    """Under: below the named row."""
    return _below(scope, reference, values, "Under")


def under_or_equal(scope: Scope, reference: Reference, values: Values) -> Fragment:
    """UnderOrEqual: the named row and those below it."""
    return _or_equal(reference, _below(scope, reference, values, "UnderOrEqual"))


def not_under(scope: Scope, reference: Reference, values: Values) -> Fragment:
    """NotUnder: every row that is not below the named one, that one among them."""
    inside = _below(scope, reference, values, "NotUnder")
    return Fragment(f"NOT coalesce(({inside.sql}), 0)", inside.parameters)


def above(scope: Scope, reference: Reference, values: Values) -> Fragment:
    """Above: the line of ancestors of the named row."""
    return _ancestors(scope, reference, values, "Above")


def above_or_equal(scope: Scope, reference: Reference, values: Values) -> Fragment:
    """AboveOrEqual: the named row and its ancestors."""
    return _or_equal(reference, _ancestors(scope, reference, values, "AboveOrEqual"))


def _or_equal(reference: Reference, others: Fragment) -> Fragment:
    (named,) = others.parameters
    return Fragment(f"({reference.sql} = ? OR {others.sql})", [named, named])


def _below(scope: Scope, reference: Reference, values: Values, name: str) -> Fragment:
    table, id_column, parent = hierarchy(scope, reference, name)
    # UNION, not UNION ALL: rows that point to each other in a circle end the recursion.
    recursion = (
        f"WITH RECURSIVE line(id) AS (SELECT {id_column} FROM {table} WHERE {parent} = ? "
        f"UNION SELECT c.{id_column} FROM {table} c JOIN line ON c.{parent} = line.id) SELECT id FROM line"
    )
    return Fragment(f"{reference.sql} IN ({recursion})", [_named_row(reference, values, name)])


def _ancestors(scope: Scope, reference: Reference, values: Values, name: str) -> Fragment:
    table, id_column, parent = hierarchy(scope, reference, name)
    recursion = (
        f"WITH RECURSIVE line(id) AS (SELECT {parent} FROM {table} WHERE {id_column} = ? "
        f"UNION SELECT c.{parent} FROM {table} c JOIN line ON c.{id_column} = line.id) "
        "SELECT id FROM line WHERE id IS NOT NULL"
    )
    return Fragment(f"{reference.sql} IN ({recursion})", [_named_row(reference, values, name)])


def _named_row(reference: Reference, values: Values, name: str) -> Parameter:
    if len(values) != 1:
        raise Refusal(400, "0x80060888", f"'{name}' takes one row.")
    return to_parameter(reference.column, values[0])


def hierarchy(scope: Scope, reference: Reference, name: str) -> tuple[str, str, str]:
    """SQL names of the table whose rows the column holds, of its id and of its parent."""
    tables = scope.store.schema.tables
    column = reference.column
    if column.name == tables[reference.table].table.id_column:
        held: tuple[str, ...] = (reference.table,)
    else:
        held = column.targets if column.type in UNBOUND_LOOKUPS else ()
    found: list[OneToMany] = [
        one
        for one in scope.store.schema.one_to_many.values()
        if one.is_hierarchical and one.referenced == one.referencing and one.referenced in held
    ]
    if len(found) != 1 or len(held) != 1:
        raise not_implemented(f"'{name}' on '{column.name}', whose table has no hierarchical relationship")
    model = tables[found[0].referenced]
    table = scope.store.ensure(model)
    scope.store.ensure_index(model.name, found[0].referencing_column)
    return table, quoted(model.table.id_column), quoted(found[0].referencing_column)
