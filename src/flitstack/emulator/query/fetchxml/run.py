"""Running a query tree: one page of rows or groups, and how many there are."""

from collections.abc import Sequence
from dataclasses import dataclass

from flitstack.emulator.ddl import quoted
from flitstack.emulator.query.aggregate import RECORD_LIMIT, check_limit
from flitstack.emulator.query.fetchxml.groups import Groups, aggregated, distinct
from flitstack.emulator.query.fetchxml.joins import Joins
from flitstack.emulator.query.fetchxml.keys import Key, row_keys
from flitstack.emulator.query.fetchxml.outputs import Output, link_outputs, render, root_outputs
from flitstack.emulator.query.fetchxml.tree import Fetch, Link
from flitstack.emulator.query.pages import after
from flitstack.emulator.query.read import COUNT_LIMIT
from flitstack.emulator.query.render import Annotations, Row
from flitstack.emulator.query.terms import Fragment, Parameter, Scope
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.work import Work


@dataclass(slots=True)
class Found:
    """One page: rows, the sort values of the first and the last one as stored and as shown, whether more follow."""

    rows: list[Row]
    first: Sequence[object] = ()
    last: Sequence[object] = ()
    last_stored: Sequence[Parameter] = ()
    has_more: bool = False


class Query:
    """A query tree made ready to run over one environment. Raises Refusal for names and values that do not fit."""

    outputs: list[Output]
    keys: list[Key]

    def __init__(self, work: Work, model: EntityModel, fetch: Fetch) -> None:
        self._work = work
        self._fetch = fetch
        self._joins = Joins(work, model, fetch.root)
        self._groups: Groups | None = None
        self.has_linked_order = False
        self._etag: str | None = None
        if fetch.is_aggregate:
            self._groups = aggregated(work.store, fetch, self._joins)
        else:
            outputs = self._row_outputs(Scope(work, model))
            if fetch.is_distinct:
                self._groups = distinct(work.store, fetch, self._joins, outputs)
            else:
                if "versionnumber" in model.stored:
                    self._etag = f"t.{quoted('versionnumber')}"
                self.outputs = outputs
                self.keys, self.has_linked_order = row_keys(work.store, fetch, self._joins)
        if self._groups is not None:
            self.outputs = self._groups.outputs
            self.keys = self._groups.keys

    def _row_outputs(self, scope: Scope) -> list[Output]:
        outputs: list[Output] = []
        for part, source in self._joins.parts:
            if isinstance(part, Link):
                outputs += link_outputs(part, source)
            else:
                outputs += root_outputs(scope, part, source, with_id=not self._fetch.is_distinct)
        return outputs

    def total(self) -> int:
        """Number of rows or groups, counted to one more than 5,000."""
        source, where = self._joins.from_clause, self._joins.where
        sql = f"SELECT 1 FROM {source.sql} WHERE {where.sql}{self._group_by()} LIMIT {COUNT_LIMIT + 1}"
        counted = f"SELECT count(*) FROM ({sql})"
        parameters = [*source.parameters, *where.parameters]
        return int(self._work.store.connection.execute(counted, parameters).fetchone()[0])

    def _group_by(self) -> str:
        return f" GROUP BY {', '.join(self._groups.by)}" if self._groups is not None and self._groups.by else ""

    def page(
        self, annotations: Annotations, size: int, last: Sequence[Parameter] | None = None, offset: int = 0
    ) -> Found:
        """At most `size` rows behind the one with the sort values `last`, and behind `offset` more."""
        if self._fetch.is_aggregate:
            self._check_aggregated()
        source, where = self._joins.from_clause, self._joins.where
        behind = Fragment("1") if last is None else after([key.sort for key in self.keys], last)
        condition, having = where.sql, ""
        if self._group_by():
            having = f" HAVING {behind.sql}"
        else:
            condition = f"{where.sql} AND {behind.sql}"
        order = f" ORDER BY {', '.join(key.sort.order() for key in self.keys)}" if self.keys else ""
        sql = (
            f"SELECT {', '.join(self._selected())} FROM {source.sql} WHERE {condition}{self._group_by()}{having}{order} "
            f"LIMIT {size + 1} OFFSET {offset}"
        )
        parameters = [*source.parameters, *where.parameters, *behind.parameters]
        raws = self._work.store.connection.execute(sql, parameters).fetchall()
        shown = raws[:size]
        if not shown:
            return Found([], has_more=len(raws) > size)
        width, keys = len(shown[0]) - 2 * len(self.keys), len(self.keys)
        return Found(
            self._render([raw[:width] for raw in shown], annotations),
            first=shown[0][width + keys :],
            last=shown[-1][width + keys :],
            last_stored=shown[-1][width : width + keys],
            has_more=len(raws) > size,
        )

    def _selected(self) -> list[str]:
        columns = [] if self._etag is None else [self._etag]
        for output in self.outputs:
            columns += [output.sql] if output.kind_sql is None else [output.sql, output.kind_sql]
        return [*columns, *(key.sql for key in self.keys), *(key.shown for key in self.keys)]

    def _render(self, raws: list[tuple[object, ...]], annotations: Annotations) -> list[Row]:
        if self._etag is None:
            return render(self._work, self.outputs, raws, annotations)
        rows = render(self._work, self.outputs, [raw[1:] for raw in raws], annotations)
        return [{"@odata.etag": f'W/"{raw[0]}"', **row} for raw, row in zip(raws, rows, strict=True)]

    def _check_aggregated(self) -> None:
        source, where = self._joins.from_clause, self._joins.where
        limit = min(self._fetch.record_limit or RECORD_LIMIT, RECORD_LIMIT)
        parameters = [*source.parameters, *where.parameters]
        check_limit(self._work, f"SELECT 1 FROM {source.sql} WHERE {where.sql}", parameters, limit)
