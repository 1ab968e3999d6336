"""Links and filters of a query as one FROM clause and one condition.

Joins stand side by side in the order of the document: an inner link below an outer one drops the rows that the outer
one kept (undocumented). Source: Microsoft Learn, "Join tables using FetchXml", "Filter rows using FetchXml", whose SQL
shows what each link type means.
"""

from itertools import count

from flitstack.catalogue.types import ManyToMany
from flitstack.emulator.ddl import quoted
from flitstack.emulator.messages import not_implemented
from flitstack.emulator.query.compile import family
from flitstack.emulator.query.fetchxml import faults, operators
from flitstack.emulator.query.fetchxml.relationships import tie_columns
from flitstack.emulator.query.fetchxml.sources import Source, find_source
from flitstack.emulator.query.fetchxml.tree import JOINS, Condition, Filter, Link, Part
from flitstack.emulator.query.terms import Fragment, Reference, Scope, comparable
from flitstack.emulator.schema import UNBOUND_LOOKUPS, EntityModel
from flitstack.emulator.work import Work

_UNJOINABLE = frozenset({"MultiSelectPicklist"})


class Joins:
    """FROM clause and condition of a query; `parts` are its tables in the order of the document."""

    def __init__(self, work: Work, model: EntityModel, root: Part) -> None:
        self._scope = Scope(work, model)
        self._store = work.store
        self._numbers = count(1)
        self._named: dict[str, Source] = {}
        self.source = find_source(self._store, root.name, "t", root.alias or root.name)
        self.parts: list[tuple[Part, Source]] = [(root, self.source)]
        # Links that may find several rows for one row of their parent: only their ids make the order total.
        self.multiplying: list[Source] = []
        self._from = Fragment(f"{self.source.table_sql} t")
        tests = [self._add(self.source, link) for link in root.links]
        own = self._condition(self.source, root.filter)
        self.where = _all_of([own, *(test for test in tests if test is not None)])

    @property
    def from_clause(self) -> Fragment:
        """The tables, with the parameters of their conditions."""
        return self._from

    def named(self, name: str) -> Source:
        """The link with an alias, or the only one of a table that has none."""
        found = self._named.get(name)
        if found is not None:
            return found
        unnamed = [source for part, source in self.parts if part.name == name and part.alias is None]
        if len(unnamed) != 1:
            raise faults.unknown_alias(name)
        return unnamed[0]

    def _add(self, parent: Source, link: Link) -> Fragment | None:
        """Join a link and what is below it; a link that is only a test comes back as a condition."""
        if link.kind not in JOINS:
            return self._test(parent, link)
        source = find_source(self._store, link.name, f"l{next(self._numbers)}", link.shown)
        if link.kind == "matchfirstrowusingcrossapply":
            self._join("JOIN", source, self._first_row(parent, link, source))
            self._register(link, source)
            return None
        tie = self._tie(parent, link, source, "LEFT JOIN" if link.kind == "outer" else "JOIN")
        self._register(link, source)
        if (link.column or "") not in source.ids or len(source.ids) > 1:
            self.multiplying.append(source)
        conditions = [tie, self._condition(source, link.filter)]
        conditions += [self._test(source, inner) for inner in link.links if inner.kind not in JOINS]
        self._join("LEFT JOIN" if link.kind == "outer" else "JOIN", source, _all_of(conditions))
        for inner in link.links:
            if inner.kind in JOINS:
                self._add(source, inner)
        return None

    def _register(self, link: Link, source: Source) -> None:
        if link.alias is not None:
            self._named[link.alias] = source
        self.parts.append((link, source))

    def _join(self, how: str, source: Source, condition: Fragment) -> None:
        self._from = Fragment(
            f"{self._from.sql} {how} {source.table_sql} {source.sql} ON {condition.sql}",
            [*self._from.parameters, *condition.parameters],
        )

    def _tie(self, parent: Source, link: Link, source: Source, how: str) -> Fragment:
        """`link.from = parent.to`; for an N:N relationship its pairs are joined in between."""
        found = tie_columns(self._store.schema, parent, link)
        if isinstance(found, ManyToMany):
            pairs = find_source(self._store, found.intersect, f"l{next(self._numbers)}", "")
            near, far = (
                (found.column1, found.column2) if found.table1 == parent.name else (found.column2, found.column1)
            )
            self._join(how, pairs, Fragment(_equal(pairs.reference(near), parent.reference(parent.ids[0]))))
            return Fragment(_equal(source.reference(source.ids[0]), pairs.reference(far)))
        column, to = found
        mine, theirs = source.reference(column), parent.reference(to)
        if mine.column.type in UNBOUND_LOOKUPS:
            self._store.ensure_index(source.name, column)
        return Fragment(_equal(mine, theirs))

    def _first_row(self, parent: Source, link: Link, source: Source) -> Fragment:
        if link.links or link.orders or link.column is None or link.to is None or source.model is None:
            raise not_implemented("a matchfirstrowusingcrossapply link with links or orders, or without from and to")
        inner = source.under(f"l{next(self._numbers)}")
        own = quoted(source.ids[0])
        condition = _all_of([self._tie(parent, link, inner, "JOIN"), self._condition(inner, link.filter)])
        # Which row is the first is not documented: the one with the lowest id.
        return Fragment(
            f"{source.sql}.{own} = (SELECT {inner.sql}.{own} FROM {inner.table_sql} {inner.sql} "
            f"WHERE {condition.sql} ORDER BY {inner.sql}.{own} LIMIT 1)",
            condition.parameters,
        )

    def _test(self, parent: Source, link: Link) -> Fragment:
        """Whether linked rows exist: `any`, `exists` and `in` ask for a matching one, `all` for some but no matching."""
        if link.attributes or link.has_all or link.orders:
            raise not_implemented(f"columns or orders in a link-entity of type '{link.kind}'")
        inner = _Inside(self, parent, link)
        if link.kind in {"any", "not all", "exists", "in"}:
            return inner.exists()
        none = Fragment(f"NOT {inner.exists().sql}", inner.exists().parameters)
        return none if link.kind == "not any" else _all_of([inner.exists(with_filter=False), none])

    def _condition(self, source: Source, item: Filter) -> Fragment:
        parts: list[Fragment] = []
        for inner in item.items:
            match inner:
                case Link():
                    parts.append(self._test(source, inner))
                case Filter():
                    parts.append(self._condition(source, inner))
                case Condition():
                    parts.append(self._one_condition(source, inner))
        if not parts:
            return Fragment("1" if item.kind == "and" else "0")
        return Fragment(
            "(" + f" {item.kind.upper()} ".join(p.sql for p in parts) + ")", [x for p in parts for x in p.parameters]
        )

    def _one_condition(self, source: Source, condition: Condition) -> Fragment:
        if condition.entity_name is not None:
            source = self.named(condition.entity_name)
        reference = source.condition_reference(self._store, condition.attribute)
        if condition.value_of is None:
            return operators.compare(self._scope, reference, condition.operator, condition.values)
        alias, dot, name = condition.value_of.rpartition(".")
        other = (self.named(alias) if dot else source).reference(name)
        return operators.compare_columns(reference, condition.operator, other)


class _Inside(Joins):
    """The subquery of a link that is only a test; it sees the aliases outside."""

    def __init__(self, outside: Joins, parent: Source, link: Link) -> None:
        self._scope = outside._scope
        self._store = outside._store
        self._numbers = outside._numbers
        self._named = dict(outside._named)
        self.multiplying = []
        self.source = find_source(self._store, link.name, f"l{next(self._numbers)}", link.shown)
        self.parts = [*outside.parts, (link, self.source)]
        self._from = Fragment(f"{self.source.table_sql} {self.source.sql}")
        self._link_tie = self._tie(parent, link, self.source, "JOIN")
        self._bare = self._from
        tests = [self._add(self.source, inner) for inner in link.links]
        own = self._condition(self.source, link.filter)
        self.where = _all_of([own, *(test for test in tests if test is not None)])

    def exists(self, *, with_filter: bool = True) -> Fragment:
        """EXISTS over linked rows; without filter over all that the tie finds."""
        source, condition = self._bare, self._link_tie
        if with_filter:
            source, condition = self._from, _all_of([self._link_tie, self.where])
        return Fragment(
            f"EXISTS (SELECT 1 FROM {source.sql} WHERE {condition.sql})",
            [*source.parameters, *condition.parameters],
        )


def _equal(first: Reference, second: Reference) -> str:
    for reference in (first, second):
        if reference.column.type in _UNJOINABLE:
            raise faults.invalid_argument(f"'{reference.column.name}' cannot tie a link-entity to its parent.")
    if _kind(first) != _kind(second):
        raise not_implemented(f"a link-entity over '{first.column.name}' and '{second.column.name}', of two types,")
    return f"{comparable(first)} = {comparable(second)}"


def _kind(reference: Reference) -> str:
    return family("Uniqueidentifier" if reference.column.type in UNBOUND_LOOKUPS else reference.column.type)


def _all_of(conditions: list[Fragment]) -> Fragment:
    needed = [c for c in conditions if c.sql != "1"]
    if not needed:
        return Fragment("1")
    return Fragment(" AND ".join(f"({c.sql})" for c in needed), [value for c in needed for value in c.parameters])
