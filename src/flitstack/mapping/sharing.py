"""Value functions asked for several times of the same record are worked out once.

They are SQL macros: written out at each use, a nested one grows beyond what the engine can plan in time and memory.
So every call goes into a layer of its own, inner calls below outer ones, and is named from then on.
"""

from collections.abc import Sequence

from sqlglot import exp

from flitstack.mapping.expressions import VALUE_FUNCTIONS, expression_sql, parse_expression

SHARED = VALUE_FUNCTIONS | {"plus_seconds_at", "person_name"}
# What is a part of another function's result: that one is shared.
_PARTS = {
    "given_name": ("person_name", "given"),
    "family_name": ("person_name", "family"),
    "name_rank": ("person_name", "rank"),
}
Columns = list[tuple[str, str]]


def share_calls(columns: Sequence[tuple[str, str]]) -> tuple[list[Columns], Columns]:
    """Layers of (name, SQL), each over the one before, and the columns rewritten over the last."""
    layers: list[Columns] = []
    names: dict[str, tuple[str, int]] = {}
    rewritten = [
        (name, expression_sql(_share(parse_expression(sql).copy(), layers, names)[0])) for name, sql in columns
    ]
    return layers, rewritten


def _share(
    node: exp.Expression, layers: list[Columns], names: dict[str, tuple[str, int]]
) -> tuple[exp.Expression, int]:
    """The node with its calls named, and how many layers it stands on."""
    # Inside a lambda a call is about an element, not about the record.
    if isinstance(node, exp.Lambda):
        return node, 0
    depth = 0
    for key, value in list(node.args.items()):
        if isinstance(value, exp.Expression):
            changed, below = _share(value, layers, names)
            node.set(key, changed)
            depth = max(depth, below)
        elif isinstance(value, list):
            parts = [_share(part, layers, names) if isinstance(part, exp.Expression) else (part, 0) for part in value]
            node.set(key, [part for part, _ in parts])
            depth = max([depth, *(below for _, below in parts)])
    if not (isinstance(node, exp.Anonymous) and node.name.casefold() in SHARED and node.find(exp.Column)):
        return node, depth
    if node.name.casefold() in _PARTS:
        name, part = _PARTS[node.name.casefold()]
        whole, height = _share(exp.Anonymous(this=name, expressions=node.expressions), layers, names)
        return exp.Dot(this=whole, expression=exp.to_identifier(part, quoted=True)), height
    sql = expression_sql(node)
    if sql not in names:
        while len(layers) <= depth:
            layers.append([])
        name = f"_call{len(names)}"
        layers[depth].append((name, sql))
        names[sql] = (name, depth + 1)
    name, height = names[sql]
    return exp.column(exp.to_identifier(name, quoted=True)), height
