"""Running `$apply`: groups and aggregates in SQL, rows with annotations, pages.

Sources: Microsoft Learn, "Aggregate data using OData" (null groups are left out of a row, related columns are named
`table_column`, dates do not group), "Aggregate data using FetchXml" (the sum of nothing is 0, the average of whole
numbers is cut to a whole number, 50,000 rows at most).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from flitstack.catalogue.types import Column
from flitstack.emulator.ddl import is_polymorphic, quoted, type_column
from flitstack.emulator.messages import Refusal, not_implemented
from flitstack.emulator.query.apply import Aggregate, Apply
from flitstack.emulator.query.compile import compile_condition
from flitstack.emulator.query.labels import LookupNames, formatter
from flitstack.emulator.query.options import Order
from flitstack.emulator.query.pages import SortKey, after, read_cookie, write_cookie
from flitstack.emulator.query.read import Page
from flitstack.emulator.query.render import FORMATTED, Annotations, Row, annotate_lookup, blob, converter, property_name
from flitstack.emulator.query.syntax import Path
from flitstack.emulator.query.terms import Fragment, Parameter, Reference, Scope, comparable
from flitstack.emulator.schema import UNBOUND_LOOKUPS, EntityModel
from flitstack.emulator.work import Work

RECORD_LIMIT = 50_000
_WHOLE = frozenset({"Integer", "BigInt"})
_NUMBERS = _WHOLE | {"Decimal", "Double", "Money"}
_COUNT = Column("", "", "Integer")


@dataclass(frozen=True, slots=True)
class _Shown:
    """A property of the result: SQL names inside the grouped query, and how a value is shown."""

    name: str
    column: Column
    sql: str
    kind: str | None = None  # SQL name of the companion of a lookup with several targets


def aggregated_page(
    work: Work,
    annotations: Annotations,
    model: EntityModel,
    apply: Apply,
    order: Sequence[Order],
    size: int,
    skiptoken: str | None,
    restrict: Fragment | None = None,
) -> Page:
    """One page of result rows."""
    scope = Scope(work, model)
    conditions = [restrict] if restrict is not None else []
    conditions += [compile_condition(scope, node) for node in apply.filters]
    groups = [_group(scope, path) for path in apply.groups or ()]
    columns, shown = _select_list(scope, groups, apply.aggregates)
    keys = _keys(apply, order)
    where = " WHERE " + " AND ".join(f"({c.sql})" for c in conditions) if conditions else ""
    parameters = [value for condition in conditions for value in condition.parameters]
    source = scope.source()
    check_limit(work, f"SELECT 1 FROM {source}{where}", parameters)
    by = f" GROUP BY {', '.join(comparable(reference) for _, reference in groups)}" if groups else ""
    sql = f"SELECT * FROM (SELECT {', '.join(columns)} FROM {source}{where}{by})"
    number = 1
    if skiptoken is not None:
        number, last = read_cookie(skiptoken, len(keys))
        rest = after(keys, last)
        sql, parameters = f"{sql} WHERE {rest.sql}", [*parameters, *rest.parameters]
    if keys:
        sql += f" ORDER BY {', '.join(key.order() for key in keys)}"
    cursor = work.store.connection.execute(f"{sql} LIMIT {size + 1}", parameters)
    names = [d[0] for d in cursor.description]
    raws = [dict(zip(names, row, strict=True)) for row in cursor]
    token = None
    if len(raws) > size:
        last_row = raws[size - 1] if size else raws[0]
        token = write_cookie(number + 1, [last_row[key.sql] for key in keys])
    return Page(_rows(work, annotations, shown, raws[:size]), token)


def _group(scope: Scope, path: Path) -> tuple[str, Reference]:
    if len(path.parts) > 2:
        raise not_implemented("grouping by a path of more than one navigation property")
    reference = scope.reference(path)
    if reference.column.type == "DateTime":
        raise Refusal(400, "0x80060888", "Grouping by date and time values is not supported.")
    if len(path.parts) == 1:
        return property_name(reference.column), reference
    if reference.column.type in UNBOUND_LOOKUPS:
        raise not_implemented("grouping by a lookup of a related table")
    return f"{reference.table}_{reference.column.name}", reference


def _select_list(
    scope: Scope, groups: Sequence[tuple[str, Reference]], aggregates: Sequence[Aggregate]
) -> tuple[list[str], list[_Shown]]:
    columns: list[str] = []
    shown: list[_Shown] = []
    for at, (name, reference) in enumerate(groups):
        # Texts group folded; one of those that are equal is shown.
        columns += [f"{comparable(reference)} AS k{at}", f"min({reference.sql}) AS g{at}"]
        kind = None
        if is_polymorphic(reference.column):
            kind = f"y{at}"
            alias = reference.sql.partition(".")[0]
            columns.append(f"min({alias}.{quoted(type_column(reference.column.name))}) AS {kind}")
        shown.append(_Shown(name, reference.column, f"g{at}", kind))
    for at, aggregate in enumerate(aggregates):
        sql, column = _aggregate(scope, aggregate)
        columns.append(f"{sql} AS a{at}")
        shown.append(_Shown(aggregate.alias, column, f"a{at}"))
    names = [item.name for item in shown]
    if len(set(names)) < len(names):
        raise not_implemented("a $apply whose result has two properties of one name")
    return columns, shown


def _aggregate(scope: Scope, aggregate: Aggregate) -> tuple[str, Column]:
    if aggregate.path is None:
        return "count(*)", _COUNT
    return measure(aggregate.method, scope.reference(aggregate.path))


def measure(method: str, reference: Reference) -> tuple[str, Column]:
    """SQL of sum, average, min, max or countdistinct over a column, and the column it shows like; 400 for its type."""
    column, sql = reference.column, reference.sql
    if method == "countdistinct":
        return f"count(DISTINCT {comparable(reference)})", _COUNT
    known = _NUMBERS | {"DateTime"} if method in {"min", "max"} else _NUMBERS
    if column.type not in known:
        raise Refusal(
            400,
            "0x80060888",
            f"The method '{method}' does not support '{column.name}' of type '{column.type}'.",
        )
    if method in {"min", "max"}:
        return f"{method}({sql})", column
    if column.type in _WHOLE:
        return f"coalesce(sum({sql}), 0)" if method == "sum" else f"sum({sql}) / count({sql})", column
    # Ten decimals, the most a column has: a sum of binary fractions must not show its rounding errors.
    return f"round(coalesce(sum({sql}), 0), 10)" if method == "sum" else f"round(avg({sql}), 10)", column


def _keys(apply: Apply, order: Sequence[Order]) -> list[SortKey]:
    groups = list(apply.groups or ())
    keys: dict[int, SortKey] = {}
    for item in order:
        if item.path not in groups:
            raise Refusal(400, "0x80060888", "The query node SingleValueOpenPropertyAccess is not supported.")
        at = groups.index(item.path)
        keys.setdefault(at, SortKey(f"k{at}", item.is_descending))
    for at in range(len(groups)):
        keys.setdefault(at, SortKey(f"k{at}"))
    return list(keys.values())


def check_limit(work: Work, sql: str, parameters: Sequence[Parameter], limit: int = RECORD_LIMIT) -> None:
    """400 when a query is to aggregate more rows than the limit."""
    counted = f"SELECT count(*) FROM ({sql} LIMIT {limit + 1})"
    if work.store.connection.execute(counted, parameters).fetchone()[0] > limit:
        raise Refusal(400, "0x8004E023", "AggregateQueryRecordLimit exceeded. Cannot perform this operation.")


def _rows(
    work: Work, annotations: Annotations, shown: Sequence[_Shown], raws: Sequence[Mapping[str, object]]
) -> list[Row]:
    rows: list[Row] = [{} for _ in raws]
    for item in shown:
        if item.column.type in UNBOUND_LOOKUPS and item.sql.startswith("g"):
            _show_lookups(work, annotations, item, raws, rows)
            continue
        convert = converter(item.column)
        label = _label(work, annotations, item.column)
        for raw, row in zip(raws, rows, strict=True):
            value = raw[item.sql]
            if value is None:
                continue
            if label is not None:
                row[f"{item.name}@{FORMATTED}"] = label(value)
            row[item.name] = value if convert is None else convert(value)
    return rows


def _label(work: Work, annotations: Annotations, column: Column) -> Callable[[object], str] | None:
    return formatter(work, column) if annotations.wants(FORMATTED) else None


def _show_lookups(
    work: Work, annotations: Annotations, item: _Shown, raws: Sequence[Mapping[str, object]], rows: Sequence[Row]
) -> None:
    convert = converter(item.column)
    assert convert is not None
    kinds = [str(raw[item.kind]) if item.kind else item.column.targets[0] for raw in raws]
    names: dict[bytes, str] = {}
    if annotations.wants(FORMATTED):
        names = LookupNames(work).of((kind, raw[item.sql]) for kind, raw in zip(kinds, raws, strict=True))
    for kind, raw, row in zip(kinds, raws, rows, strict=True):
        if raw[item.sql] is None:
            continue
        annotate_lookup(row, item.name, item.column, kind, names.get(blob(raw[item.sql])), annotations)
        row[item.name] = convert(raw[item.sql])
