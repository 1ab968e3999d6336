"""Checks the SQL expressions of rules: scalar, over the object's own fields, nothing that reads elsewhere."""

from collections.abc import Iterator, Sequence

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

PROVENANCE = ("_file", "_record", "_line", "_id")


def problems_of(expression: str, fields: Sequence[str]) -> Iterator[str]:
    """What is wrong with a rule's expression, in words; nothing when it is right."""
    try:
        parsed = sqlglot.parse_one(expression, read="duckdb")
    except SqlglotError as error:
        yield f"not an SQL expression: {expression} ({str(error).splitlines()[0]})"
        return
    if not isinstance(parsed, exp.Expression) or parsed.find(exp.Query, exp.Table, exp.Command, exp.DDL, exp.DML):
        yield f"only a scalar expression over the record's fields can be a rule: {expression}"
        return
    # The engine takes names without regard to case, as SQL does.
    known = {name.casefold() for name in (*fields, *PROVENANCE)}
    lambdas = {name.name.casefold() for found in parsed.find_all(exp.Lambda) for name in found.expressions}
    for column in parsed.find_all(exp.Column):
        if column.name.casefold() not in known | lambdas:
            yield f"no field {column.name!r} in: {expression}"
