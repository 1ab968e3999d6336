"""A SELECT statement as a query tree; everything else that SQL can say is refused by its name.

Sources: Microsoft Learn, "Query data using SQL (preview)"; docstrings of Microsoft's Python SDK (TOP, OFFSET and FETCH).
No text of the request reaches SQLite: names become columns of the live schema, literals become parameters.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from flitstack.emulator.messages import Refusal, not_implemented
from flitstack.emulator.query.fetchxml.tree import Attribute, Condition, Fetch, Filter, Link, Order, Part

MAX_TOP = 5000
_COMPARED: Mapping[type[exp.Expression], str] = {
    exp.EQ: "eq",
    exp.NEQ: "ne",
    exp.GT: "gt",
    exp.GTE: "ge",
    exp.LT: "lt",
    exp.LTE: "le",
}
_TURNED = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}
_NEGATED = {"eq": "ne", "like": "not-like", "in": "not-in", "between": "not-between", "null": "not-null"}
# Unlike FetchXML, SQL does not count a row whose column is null among those that differ.
_NULLS_OUT = frozenset({"ne", "not-like", "not-in", "not-between"})
_AGGREGATES: Mapping[type[exp.Expression], str] = {
    exp.Count: "countcolumn",
    exp.Sum: "sum",
    exp.Avg: "avg",
    exp.Min: "min",
    exp.Max: "max",
}
_REFUSED = ("with_", "having", "windows", "laterals", "pivots", "into", "qualify", "distribute", "sort")


@dataclass(frozen=True, slots=True)
class Statement:
    """The query, and how many rows of it to leave out first."""

    fetch: Fetch
    offset: int = 0


@dataclass(slots=True)
class _Table:
    """A table of FROM or JOIN while the tree grows."""

    name: str
    alias: str
    column: str = ""
    to: str = ""
    kind: str = ""
    attributes: list[Attribute] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    links: "list[_Table]" = field(default_factory=list)


def translate(text: str, id_column: str) -> Statement:
    """The tree of one SELECT. `id_column` of the table in FROM is what COUNT(*) counts."""
    try:
        statements = sqlglot.parse(text, dialect="tsql")
    except SqlglotError as error:
        raise _invalid(str(error).splitlines()[0]) from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Select):
        raise _invalid("only a single SELECT statement is supported")
    return _Translation(statements[0], id_column).statement()


class _Translation:
    def __init__(self, select: exp.Select, id_column: str) -> None:
        self._select = select
        self._id_column = id_column
        for part in _REFUSED:
            if select.args.get(part):
                raise _invalid(f"{part.rstrip('s_').upper()} is not supported")
        if select.find(exp.Subquery, exp.Union, exp.Window) or len(list(select.find_all(exp.Select))) > 1:
            raise _invalid("subqueries, UNION and window functions are not supported")
        source = select.args.get("from_") or select.args.get("from")
        if source is None or not isinstance(source.this, exp.Table):
            raise _invalid("FROM names one table")
        self._root = self._table(source.this)
        self._tables = {self._root.alias.lower(): self._root}
        for join in select.args.get("joins") or []:
            self._join(join)
        group = select.args.get("group")
        self._grouped = [self._column(each) for each in group.expressions] if group is not None else []
        aggregates = tuple(_AGGREGATES)
        self._is_aggregate = bool(self._grouped) or any(each.find(*aggregates) for each in select.expressions)

    def statement(self) -> Statement:
        """The whole statement."""
        aliases = [self._output(each) for each in self._select.expressions]
        self._order(aliases)
        where = self._select.args.get("where")
        condition = self._condition(where.this) if where is not None else Filter("and", ())
        whole = condition if isinstance(condition, Filter) else Filter("and", (condition,))
        top, offset = self._limits()
        numbers = iter(range(1, len(self._tables) + 1))
        root = replace(_part(self._root, numbers), filter=whole)
        distinct = bool(self._select.args.get("distinct"))
        fetch = Fetch(root, is_aggregate=self._is_aggregate, is_distinct=distinct, top=top)
        return Statement(fetch, offset)

    def _table(self, table: exp.Table) -> _Table:
        if table.args.get("db") is not None and table.text("db").lower() != "dbo":
            raise _invalid(f"'{table.sql('tsql')}' names no table")
        return _Table(table.name.lower(), table.alias or table.name)

    def _join(self, join: exp.Join) -> None:
        side, kind = str(join.side or "").upper(), str(join.kind or "").upper()
        on = join.args.get("on")
        if side not in {"", "LEFT"} or kind not in {"", "INNER", "OUTER"} or not isinstance(join.this, exp.Table):
            raise _invalid(f"{side or kind} JOIN is not supported")
        if (
            not isinstance(on, exp.EQ)
            or not isinstance(on.this, exp.Column)
            or not isinstance(on.expression, exp.Column)
        ):
            raise _invalid("a JOIN compares one column with another by =")
        added = self._table(join.this)
        if added.alias.lower() in self._tables:
            raise _invalid(f"the alias '{added.alias}' stands twice")
        mine, theirs = on.this, on.expression
        if mine.table.lower() != added.alias.lower():
            mine, theirs = theirs, mine
        parent = self._tables.get(theirs.table.lower())
        if mine.table.lower() != added.alias.lower() or parent is None:
            raise _invalid("a JOIN compares a column of its table with one of a table before it")
        added.column, added.to = mine.name.lower(), theirs.name.lower()
        added.kind = "outer" if side == "LEFT" else "inner"
        parent.links.append(added)
        self._tables[added.alias.lower()] = added

    def _column(self, node: exp.Expression) -> tuple[_Table, str]:
        if not isinstance(node, exp.Column) or isinstance(node.this, exp.Star):
            raise _invalid(f"'{node.sql('tsql')}' is no column")
        if node.table:
            table = self._tables.get(node.table.lower())
            if table is None:
                raise _invalid(f"the table or alias '{node.table}' does not stand in FROM")
            return table, node.name.lower()
        if len(self._tables) > 1:
            raise _invalid(f"'{node.name}' needs the alias of its table")
        return self._root, node.name.lower()

    def _output(self, node: exp.Expression) -> str:
        """Add one column of the result; the name it has there."""
        alias = node.alias if isinstance(node, exp.Alias) else ""
        inner = node.this if isinstance(node, exp.Alias) else node
        if isinstance(inner, exp.Star) or (isinstance(inner, exp.Column) and isinstance(inner.this, exp.Star)):
            raise _invalid("SELECT * is not supported, name the columns")
        aggregate = _AGGREGATES.get(type(inner))
        if aggregate is not None:
            return self._aggregated(inner, aggregate, alias)
        table, name = self._column(inner)
        if self._is_aggregate:
            if (table, name) not in self._grouped:
                raise _invalid(f"'{name}' stands neither in GROUP BY nor in an aggregate")
            table.attributes.append(Attribute(name, alias or name, is_group=True))
            return alias or name
        shown = alias or (None if table is self._root else name)
        table.attributes.append(Attribute(name, shown))
        return alias or name

    def _aggregated(self, node: exp.Expression, aggregate: str, alias: str) -> str:
        given, is_distinct = node.this, False
        if isinstance(given, exp.Distinct):
            given, is_distinct = given.expressions[0], True
        if isinstance(given, exp.Star):
            table, name, aggregate = self._root, self._id_column, "count"
        else:
            table, name = self._column(given)
        shown = alias or f"{aggregate}_{name}"
        table.attributes.append(Attribute(name, shown, aggregate=aggregate, is_distinct=is_distinct))
        return shown

    def _order(self, aliases: list[str]) -> None:
        order = self._select.args.get("order")
        for term in order.expressions if order is not None else []:
            is_descending = bool(term.args.get("desc"))
            node = term.this
            if self._is_aggregate:
                alias = node.name if isinstance(node, exp.Column) else ""
                if alias not in aliases:
                    raise _invalid(f"ORDER BY names no column of the result: '{node.sql('tsql')}'")
                self._root.orders.append(Order(None, alias, None, is_descending))
                continue
            table, name = self._column(node)
            owner = None if table is self._root else table.alias
            self._root.orders.append(Order(name, None, owner, is_descending))

    def _limits(self) -> tuple[int | None, int]:
        limit, offset = self._select.args.get("limit"), self._select.args.get("offset")
        count = None
        if limit is not None:
            count = _whole(limit.args.get("count") if isinstance(limit, exp.Fetch) else limit.expression)
            if count > MAX_TOP:
                raise _invalid(f"TOP and FETCH take at most {MAX_TOP:,} rows")
        return count, _whole(offset.expression) if offset is not None else 0

    def _condition(self, node: exp.Expression, *, negated: bool = False) -> Condition | Filter:
        if isinstance(node, exp.Paren):
            return self._condition(node.this, negated=negated)
        if isinstance(node, exp.Not):
            return self._condition(node.this, negated=not negated)
        if isinstance(node, exp.And | exp.Or):
            kind = "and" if isinstance(node, exp.And) is not negated else "or"
            return Filter(kind, tuple(self._condition(each, negated=negated) for each in (node.this, node.expression)))
        return self._one(node, negated)

    def _one(self, node: exp.Expression, negated: bool) -> Condition | Filter:
        operator, column, values, other = self._parts(node)
        if negated:
            opposite = {"ne": "eq", "not-like": "like", "gt": "le", "ge": "lt", "lt": "ge", "le": "gt", **_NEGATED}
            operator = opposite[operator]
        table, name = self._column(column)
        owner = None if table is self._root else table.alias
        condition = Condition(name, operator, values, owner, other)
        if operator not in _NULLS_OUT:
            return condition
        return Filter("and", (condition, Condition(name, "not-null", (), owner)))

    def _parts(self, node: exp.Expression) -> tuple[str, exp.Expression, tuple[str, ...], str | None]:
        """Operator, column, values, or the column to compare with."""
        if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
            return "null", node.this, (), None
        if isinstance(node, exp.Like):
            like = "not-like" if node.args.get("negate") else "like"
            return like, node.this, (_text(node.expression),), None
        if isinstance(node, exp.In) and not node.args.get("query"):
            return "in", node.this, tuple(_text(each) for each in node.expressions), None
        if isinstance(node, exp.Between):
            return "between", node.this, (_text(node.args["low"]), _text(node.args["high"])), None
        operator = _COMPARED.get(type(node))
        if operator is None:
            raise _invalid(f"'{node.sql('tsql')}' is not supported in WHERE")
        left, right = node.this, node.expression
        if not isinstance(left, exp.Column):
            left, right, operator = right, left, _TURNED.get(operator, operator)
        if isinstance(right, exp.Column):
            mine, theirs = self._column(left)[0], self._column(right)
            if mine is not theirs[0]:
                raise not_implemented("a comparison of columns of two tables in WHERE")
            return operator, left, (), theirs[1]
        return operator, left, (_text(right),), None


def _part(table: _Table, numbers: Iterator[int]) -> Part:
    return Part(
        table.name,
        None,
        tuple(table.attributes),
        False,
        tuple(table.orders),
        Filter("and", ()),
        tuple(_link(link, numbers) for link in table.links),
    )


def _link(table: _Table, numbers: Iterator[int]) -> Link:
    number = next(numbers)
    return Link(
        table.name,
        table.alias,
        tuple(table.attributes),
        False,
        tuple(table.orders),
        Filter("and", ()),
        tuple(_link(link, numbers) for link in table.links),
        table.column,
        table.to,
        table.kind,
        number,
    )


def _text(node: exp.Expression) -> str:
    if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal):
        return f"-{node.this.this}"
    if isinstance(node, exp.Boolean):
        return "1" if node.this else "0"
    if isinstance(node, exp.National):
        return str(node.this)
    if not isinstance(node, exp.Literal):
        raise _invalid(f"'{node.sql('tsql')}' is no literal")
    return str(node.this)


def _whole(node: exp.Expression | None) -> int:
    if not isinstance(node, exp.Literal) or not str(node.this).isdecimal():
        raise _invalid("TOP, OFFSET and FETCH take whole numbers")
    return int(node.this)


def _invalid(what: str) -> Refusal:
    return Refusal(400, "0x80040203", f"Invalid SQL: {what}.")
