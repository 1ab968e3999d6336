"""A value function over a whole column of values: binding a query costs more than evaluating it."""

from typing import Any

from flitstack.staging.engine.engine import Engine


def column(engine: Engine, sql: str, values: list[Any], *more: Any) -> list[Any]:
    """`sql` over the column x of values."""
    rows = engine.rows(
        f"SELECT {sql} FROM (SELECT unnest(?) AS x, generate_subscripts(?, 1) AS place) ORDER BY place",
        [*more, values, values],
    )
    return [row[0] for row in rows]
