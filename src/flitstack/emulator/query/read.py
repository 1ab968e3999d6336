"""Reading rows: one page of a table, one row, and what is expanded under them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from flitstack.emulator.ddl import is_polymorphic, quoted, type_column
from flitstack.emulator.messages import Refusal
from flitstack.emulator.query.compile import collection_link, compile_condition
from flitstack.emulator.query.expands import check_expands, is_nested, rest_of
from flitstack.emulator.query.options import Expand, Options
from flitstack.emulator.query.pages import SortKey, after, read_cookie, write_cookie
from flitstack.emulator.query.render import Annotations, Projection, Row, blob, project, render_rows
from flitstack.emulator.query.sort_terms import sort_term
from flitstack.emulator.query.terms import Fragment, Parameter, Scope
from flitstack.emulator.schema import CollectionNav, EntityModel
from flitstack.emulator.values import guid_text
from flitstack.emulator.work import Work

COUNT_LIMIT = 5000
_CHUNK = 500
Raws = list[dict[str, object]]


@dataclass(slots=True)
class Page:
    """Rows of one answer; `next_token` leads to the next page, `count` is capped at 5,000 (then `exceeds` it)."""

    rows: list[Row]
    next_token: str | None = None
    count: int | None = None
    exceeds: bool = False


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads for one request. `base_url` is the root of links in the answer.

    `page_size` is what the client prefers, if it does; it holds for expanded collections when expands are `nested`.
    """

    work: Work
    annotations: Annotations
    base_url: str
    page_size: int | None = None
    nested: bool = False

    def page(self, model: EntityModel, options: Options, size: int, restrict: Fragment | None = None) -> Page:
        """At most `size` rows; `restrict` narrows to a collection under one row."""
        scope = Scope(self.work, model)
        conditions = [restrict] if restrict is not None else []
        if options.filter is not None:
            conditions.append(compile_condition(scope, options.filter))
        keys = sort_keys(scope, options)
        count = self._count(scope, conditions) if options.count else None
        exceeds = count is not None and count > COUNT_LIMIT
        number = 1
        if options.skiptoken is not None:
            number, last = read_cookie(options.skiptoken, len(keys))
            conditions.append(after(keys, last))
        projection = self._with_links(project(model, options.select), options)
        found = self._select(scope, projection, conditions, keys, size + 1)
        token = write_cookie(number + 1, found[size - 1][1]) if len(found) > size else None
        raws = [raw for raw, _ in found[:size]]
        shown = None if count is None else min(count, COUNT_LIMIT)
        return Page(self._render(model, projection, raws, options), token, shown, exceeds)

    def row(self, model: EntityModel, id_: bytes, options: Options) -> tuple[Row, Mapping[str, object]] | None:
        """One row as JSON object and as stored, None when it does not exist."""
        scope = Scope(self.work, model)
        own = Fragment(f"t.{quoted(model.table.id_column)} = ?", [id_])
        projection = self._with_links(project(model, options.select), options)
        found = self._select(scope, projection, [own], [], 1)
        if not found:
            return None
        return self._render(model, projection, [found[0][0]], options)[0], found[0][0]

    def count(self, model: EntityModel, options: Options, restrict: Fragment | None = None) -> int:
        """Number of rows that meet the filter, capped."""
        scope = Scope(self.work, model)
        conditions = [restrict] if restrict is not None else []
        if options.filter is not None:
            conditions.append(compile_condition(scope, options.filter))
        return min(self._count(scope, conditions), COUNT_LIMIT)

    def _count(self, scope: Scope, conditions: Sequence[Fragment]) -> int:
        inner = f"SELECT 1 FROM {scope.source()}{_where(conditions)} LIMIT {COUNT_LIMIT + 1}"
        row = self.work.store.connection.execute(f"SELECT count(*) FROM ({inner})", _parameters(conditions)).fetchone()
        return int(row[0])

    def _select(
        self,
        scope: Scope,
        projection: Projection,
        conditions: Sequence[Fragment],
        keys: Sequence[SortKey],
        limit: int,
    ) -> list[tuple[dict[str, object], list[Parameter]]]:
        names = projection.sql_names()
        extra = "".join(f", {key.sql}" for key in keys)
        order = f" ORDER BY {', '.join(key.order() for key in keys)}" if keys else ""
        sql = f"SELECT {projection.sql('t')}{extra} FROM {scope.source()}{_where(conditions)}{order} LIMIT {limit}"
        rows = self.work.store.connection.execute(sql, _parameters(conditions)).fetchall()
        width = len(names)
        return [(dict(zip(names, row, strict=False)), list(row[width:])) for row in rows]

    def _with_links(self, projection: Projection, options: Options) -> Projection:
        """The projection with the lookup columns that expands follow."""
        model, columns = projection.model, {c.name: c for c in projection.columns}
        for expand in options.expand:
            nav = model.lookups.get(expand.name)
            if nav is not None:
                columns.setdefault(nav.column, model.stored[nav.column])
        return replace(projection, columns=tuple(columns.values()))

    def _render(self, model: EntityModel, projection: Projection, raws: Raws, options: Options) -> list[Row]:
        rows = render_rows(self.work, projection, raws, self.annotations)
        if options.expand:
            deeper = replace(self, nested=self.nested or is_nested(options))
            check_expands(self.work.store.schema, model, options, nested=deeper.nested)
            for expand in options.expand:
                if expand.name in model.lookups:
                    deeper._expand_lookup(model, expand, raws, rows)
                else:
                    deeper._expand_collection(model, expand, raws, rows)
        return rows

    def _expand_lookup(self, model: EntityModel, expand: Expand, raws: Raws, rows: list[Row]) -> None:
        nav = model.lookups[expand.name]
        column = model.columns[nav.column]
        by_table: dict[str, list[int]] = {}
        for at, raw in enumerate(raws):
            kind = raw[type_column(nav.column)] if is_polymorphic(column) else column.targets[0]
            rows[at][expand.name] = None
            if raw[nav.column] is not None and kind in nav.targets:
                by_table.setdefault(str(kind), []).append(at)
        for table, places in by_table.items():
            target = self.work.store.schema.tables[table]
            wanted = {blob(raws[at][nav.column]) for at in places}
            found = self._by_id(target, wanted, expand)
            for at in places:
                rows[at][expand.name] = found.get(blob(raws[at][nav.column]))

    def _by_id(self, model: EntityModel, wanted: set[bytes], expand: Expand) -> dict[bytes, Row]:
        projection = self._with_links(
            project(model, () if expand.links_only else expand.options.select), expand.options
        )
        id_column, ids = model.table.id_column, sorted(wanted)
        found: dict[bytes, Row] = {}
        for start in range(0, len(ids), _CHUNK):
            chunk: list[Parameter] = list(ids[start : start + _CHUNK])
            own = Fragment(f"t.{quoted(id_column)} IN ({','.join('?' * len(chunk))})", chunk)
            raws = [raw for raw, _ in self._select(Scope(self.work, model), projection, [own], [], len(chunk))]
            for raw, row in zip(raws, self._render(model, projection, raws, expand.options), strict=True):
                found[blob(raw[id_column])] = self._link(model, row) if expand.links_only else row
        return found

    def _link(self, model: EntityModel, row: Row) -> Row:
        return {"@odata.id": f"{self.base_url}{model.table.entity_set}({row[model.table.id_column]})"}

    def _expand_collection(self, model: EntityModel, expand: Expand, raws: Raws, rows: list[Row]) -> None:
        nav, options = model.collections[expand.name], expand.options
        target = self.work.store.schema.tables[nav.table]
        limit = min(COUNT_LIMIT, self.work.store.switches.page_size)
        if self.nested:
            size = min(self.page_size or limit, limit)
        else:
            size = limit if options.top is None else min(options.top, limit)
            options = _with_parent(options, nav)
        for raw, row in zip(raws, rows, strict=True):
            parent = raw[model.table.id_column]
            page = self.page(target, options, size, self.members(model, expand.name, parent))
            row[expand.name] = page.rows
            if not self.nested or page.next_token is not None:
                url = f"{self.base_url}{model.table.entity_set}({guid_text(blob(parent))})/{expand.name}"
                token = page.next_token if self.nested else None
                row[f"{expand.name}@odata.nextLink"] = rest_of(url, expand, token)

    def members(self, model: EntityModel, name: str, parent: object) -> Fragment:
        """The condition that holds for the rows of a collection under a parent."""
        nav = model.collections[name]
        target = self.work.store.schema.tables[nav.table]
        if not isinstance(parent, bytes):
            raise Refusal(400, "0x80060888", "A collection belongs to one row.")
        if nav.pairs is None:
            self.work.store.ensure(target)
            self.work.store.ensure_index(target.name, nav.column or "")
            return Fragment(f"t.{quoted(nav.column or '')} = ?", [parent])
        inner = Scope(self.work, target, "m")
        source, link = collection_link(inner, nav, "?")
        own = quoted(target.table.id_column)
        return Fragment(f"t.{own} IN (SELECT m.{own} FROM {source} WHERE {link})", [parent])


def sort_keys(scope: Scope, options: Options) -> list[SortKey]:
    """`$orderby`, then the id, so that the order is total."""
    keys = [SortKey(sort_term(scope.store, scope.reference(o.path)), o.is_descending) for o in options.order]
    return [*keys, SortKey(f"t.{quoted(scope.model.table.id_column)}")]


def _with_parent(options: Options, nav: CollectionNav) -> Options:
    """Rows of an expanded 1:N collection bring along the lookup that leads to their parent."""
    if options.select is None or nav.column is None:
        return options
    return replace(options, select=tuple(dict.fromkeys((*options.select, f"_{nav.column}_value"))))


def _where(conditions: Sequence[Fragment]) -> str:
    return " WHERE " + " AND ".join(f"({c.sql})" for c in conditions) if conditions else ""


def _parameters(conditions: Sequence[Fragment]) -> list[Parameter]:
    return [value for condition in conditions for value in condition.parameters]
