"""A filter tree as SQL over one table.

`ne` and `not` take rows whose column is null, as the platform does when it turns a filter into SQL.
"""

import re

from flitstack.emulator.ddl import quoted
from flitstack.emulator.messages import Refusal, not_implemented
from flitstack.emulator.query.functions import compile_function
from flitstack.emulator.query.syntax import Call, Compare, Lambda, Literal, Logic, Node, Path
from flitstack.emulator.query.terms import (
    OPERATORS,
    TEXTS,
    Fragment,
    Reference,
    Scope,
    comparable,
    compare_literal,
    unknown_property,
)
from flitstack.emulator.schema import UNBOUND_LOOKUPS, CollectionNav
from flitstack.emulator.values import fold

_WILDCARDS = re.compile(r"[%_\[\]]")


def compile_condition(scope: Scope, node: Node) -> Fragment:
    """A condition as SQL that is true, false or null."""
    match node:
        case Logic("not", (operand,)):
            inner = compile_condition(scope, operand)
            return Fragment(f"NOT coalesce(({inner.sql}), 0)", inner.parameters)
        case Logic(op, operands):
            parts = [compile_condition(scope, operand) for operand in operands]
            glue = f" {op.upper()} "
            return Fragment("(" + glue.join(p.sql for p in parts) + ")", [x for p in parts for x in p.parameters])
        case Compare(op, left, right):
            return _compare(scope, op, left, right)
        case Call(name, arguments, named):
            if name.startswith("Microsoft.Dynamics.CRM."):
                return compile_function(scope, name.rpartition(".")[2], dict(named))
            return _text_function(scope, name, arguments)
        case Lambda():
            return _lambda(scope, node)
        case Path():
            reference = scope.reference(node)
            if reference.column.type == "Boolean":
                return Fragment(f"{reference.sql} = 1")
        case Literal("boolean", value):
            return Fragment("1" if value else "0")
    raise Refusal(400, "0x80060888", "The expression of $filter is not a condition.")


def _compare(scope: Scope, op: str, left: Node, right: Node) -> Fragment:
    if isinstance(left, Literal) and isinstance(right, Path):
        left, right = right, left
        op = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}.get(op, op)
    if isinstance(left, Path) and isinstance(right, Path):
        return _compare_columns(scope, op, left, right)
    if isinstance(left, Call) and isinstance(right, Literal) and right.kind == "boolean" and op in {"eq", "ne"}:
        condition = compile_condition(scope, left)
        is_wanted = right.value is (op == "eq")
        return condition if is_wanted else Fragment(f"NOT coalesce(({condition.sql}), 0)", condition.parameters)
    if not isinstance(left, Path) or not isinstance(right, Literal):
        raise not_implemented("this comparison in $filter")
    reference = scope.reference(left)
    if op == "eq" and reference.column.type in UNBOUND_LOOKUPS and right.kind != "null":
        scope.store.ensure_index(reference.table, reference.column.name)
    return compare_literal(reference, op, right)


def _compare_columns(scope: Scope, op: str, left: Path, right: Path) -> Fragment:
    first, second = scope.reference(left), scope.reference(right)
    if family(first.column.type) != family(second.column.type):
        raise Refusal(
            400,
            "0x80060888",
            f"A binary operator with incompatible types was detected: '{left.parts[-1]}' and '{right.parts[-1]}'.",
        )
    return Fragment(f"{comparable(first)} {OPERATORS[op]} {comparable(second)}")


def family(kind: str) -> str:
    """Columns compare with columns of their own family: "the column types must match"."""
    if kind in TEXTS or kind == "MultiSelectPicklist":
        return "text"
    if kind in UNBOUND_LOOKUPS:
        return "Uniqueidentifier"
    return kind if kind in {"DateTime", "Boolean", "Uniqueidentifier"} else "number"


def _text_function(scope: Scope, name: str, arguments: tuple[Node, ...]) -> Fragment:
    if name not in {"contains", "startswith", "endswith"}:
        raise not_implemented(f"the function '{name}' in $filter")
    if len(arguments) != 2 or not isinstance(arguments[0], Path) or not isinstance(arguments[1], Literal):
        raise Refusal(400, "0x80060888", f"'{name}' takes a text column and a text.")
    reference, literal = scope.reference(arguments[0]), arguments[1]
    if reference.column.type not in TEXTS or literal.kind != "text":
        raise Refusal(400, "0x80060888", f"'{name}' takes a text column and a text.")
    return text_match(reference, name, str(literal.value))


def text_match(reference: Reference, name: str, text: str) -> Fragment:
    """`contains`, `startswith` or `endswith` on a text column; `%`, `_` and `[]` in the text are wildcards."""
    wanted = fold(text) or ""
    column = comparable(reference)
    if _WILDCARDS.search(wanted):
        before, after = name != "startswith", name != "endswith"
        pattern = ("%" if before else "") + wanted + ("%" if after else "")
        return Fragment(f"matches({column}, ?)", [pattern])
    if name == "contains":
        return Fragment(f"instr({column}, ?) > 0", [wanted])
    if not wanted:
        return Fragment(f"{reference.sql} IS NOT NULL")
    part = f"substr({column}, 1, ?)" if name == "startswith" else f"substr({column}, -?)"
    return Fragment(f"{part} = ?", [len(wanted), wanted])


def _lambda(scope: Scope, node: Lambda) -> Fragment:
    parts = node.collection.parts
    if scope.variable:
        if parts[0] != scope.variable:
            raise not_implemented(f"a path that does not begin with '{scope.variable}/' inside any or all")
        parts = parts[1:]
    if len(parts) != 1:
        raise not_implemented("a collection behind a single-valued navigation property inside any or all")
    nav = scope.model.collections.get(parts[0])
    if nav is None:
        raise unknown_property(scope.model, parts[0])
    model = scope.store.schema.tables[nav.table]
    inner = Scope(scope.work, model, f"{scope.alias}x", node.variable)
    condition = Fragment("1") if node.condition is None else compile_condition(inner, node.condition)
    if node.quantifier == "all":
        condition = Fragment(f"NOT coalesce(({condition.sql}), 0)", condition.parameters)
    own = f"{scope.alias}.{quoted(scope.model.table.id_column)}"
    source, link = collection_link(inner, nav, own)
    exists = f"EXISTS (SELECT 1 FROM {source} WHERE {link} AND {condition.sql})"
    return Fragment(f"NOT {exists}" if node.quantifier == "all" else exists, condition.parameters)


def collection_link(inner: Scope, nav: CollectionNav, parent_id: str) -> tuple[str, str]:
    """FROM clause and condition that tie the rows of a collection to the SQL of their parent's id."""
    if nav.pairs is not None:
        near, far = ("first", "second") if nav.is_first else ("second", "first")
        pairs = inner.store.ensure_pairs(nav.pairs)
        own = f"{inner.alias}.{quoted(inner.model.table.id_column)}"
        return (
            f"{pairs} {inner.alias}p, {inner.source()}",
            f"{inner.alias}p.{near} = {parent_id} AND {inner.alias}p.{far} = {own}",
        )
    column = nav.column or ""
    inner.store.ensure(inner.model)
    inner.store.ensure_index(inner.model.name, column)
    return inner.source(), f"{inner.alias}.{quoted(column)} = {parent_id}"
