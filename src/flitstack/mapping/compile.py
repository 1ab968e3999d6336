"""Map files become programs: every expression checked and completed, every column typed. All mistakes in one go."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import duckdb

from flitstack.errors import Problem, UsageError
from flitstack.mapping.choices import Unsuitable
from flitstack.mapping.compile_links import compile_lookup, compile_parties, compile_tags, compile_unless
from flitstack.mapping.compile_states import compile_states
from flitstack.mapping.context import MapContext
from flitstack.mapping.convert import Trouble, Value, convert
from flitstack.mapping.document import MappedColumn
from flitstack.mapping.expressions import Expression, ExpressionError, Scope, compile_expression
from flitstack.mapping.files import compile_file
from flitstack.mapping.maps import ColumnRule, MapFile, Route
from flitstack.mapping.program import Program
from flitstack.mapping.target import NoSuchColumn, Target, describe_table, takes_columns, target_of
from flitstack.packs.types import Pack
from flitstack.staging.engine.engine import Engine, literal, quoted


@dataclass(frozen=True, slots=True)
class Compiler:
    """Compiles the routes of one object. `source`: name of the view that holds its records; `is_check`: every column is
    compiled, whatever the decisions say; `types`: those of expressions that were bound over the source before, by SQL (routes of
    an object say much the same, and binding is most of the work)."""

    engine: Engine
    pack: Pack
    context: MapContext
    file: MapFile
    source: str
    scope: Scope
    problems: list[Problem]
    types: dict[str, str]
    active_tables: frozenset[str] = frozenset()
    is_check: bool = False

    @property
    def scope_fields(self) -> tuple[str, ...]:
        """Fields that a finding may show."""
        return tuple(self.scope.fields)

    def expression(self, text: str, *place: str | int, moment: str = "") -> Expression | None:
        """A completed expression, or None and a problem."""
        try:
            return compile_expression(text, self.scope, moment=moment)
        except ExpressionError as error:
            self.problem("expression-refused", str(error), *place, do="correct the expression")
            return None

    def sql(self, text: str, *place: str | int) -> str:
        """The SQL of an expression that has been bound once; `NULL` and a problem where it cannot be."""
        expression = self.expression(text, *place)
        if expression is None or self.type_of(expression, *place) is None:
            return "NULL"
        return expression.sql

    def condition(self, text: str, *place: str | int) -> str:
        """The SQL of a condition; an empty one holds always, NULL counts as FALSE."""
        return f"coalesce(({self.sql(text, *place)}), FALSE)" if text else "TRUE"

    def type_of(self, expression: Expression, *place: str | int) -> str | None:
        """The engine's type of an expression, or None and a problem."""
        if expression.sql in self.types:
            return self.types[expression.sql]
        try:
            (found,) = self.engine.types(f"SELECT {expression.sql} FROM {self.source}")
        except duckdb.Error as error:
            text = str(error).splitlines()[0]
            self.problem("expression-refused", f"{expression.sql}: {text}", *place, do="correct the expression")
            return None
        self.types[expression.sql] = found
        return found

    def problem(self, code: str, what: str, *place: str | int, known: str = "", do: str) -> None:
        """Note something that is wrong with the map."""
        self.problems.append(Problem(code, what, rule=self.file.at(*place), known=known, do=do))


def open_scope(pack: Pack, object_name: str, fields: tuple[str, ...], context: MapContext) -> Scope:
    """What expressions of this object may see."""
    declared = pack.objects[object_name].fields if object_name in pack.objects else {}
    zones = {name: f.zone for name, f in declared.items() if f.zone}
    return Scope(fields, context.decisions, context.date_order, context.zone, zones)


def active_routes(
    maps: Mapping[str, MapFile], pack: Pack, context: MapContext, fields: Mapping[str, tuple[str, ...]]
) -> dict[str, list[int]]:
    """Numbers of the routes, by object, that these decisions leave standing. `fields`: of the records, derived ones too."""
    active: dict[str, list[int]] = {}
    for name, file in maps.items():
        scope = open_scope(pack, name, fields[name], context)
        for number, route in enumerate(file.routes):
            if is_standing(route, scope):
                active.setdefault(name, []).append(number)
    return active


def compile_object(compiler: Compiler, active: list[int], fields: tuple[str, ...]) -> Iterator[Program]:
    """The programs of one object, in the order of its routes."""
    tables: list[str] = []
    for number in active:
        route = compiler.file.routes[number]
        place = ("routes", number)
        own = _over_elements(compiler, route, number) if route.each else compiler
        program = Program(compiler.file, route, number, own.source, own.scope_fields)
        program.condition = own.condition(route.when, *place, "when")
        if (route.each or route.distinct or route.unless) and not route.also:
            what = f"route {route.name} makes rows beside a record (each, distinct, unless)"
            own.problem("route-beside", what, *place, do="add also: true, and a route that takes the record itself")
        if route.table in tables:
            program.suffix = f"#{route.name}"
        tables.append(route.table)
        _compile_route(own, program, place)
        yield program


def _over_elements(compiler: Compiler, route: Route, number: int) -> Compiler:
    """A compiler over the elements of a list: `_item` is the element as text, `_place` its place from 1."""
    elements = compiler.sql(route.each, "routes", number, "each")
    view = f"{compiler.source}_each_{number}"
    listed = elements if elements != "NULL" else "CAST([] AS VARCHAR[])"
    compiler.engine.run(
        f"CREATE OR REPLACE TEMP VIEW {view} AS SELECT * REPLACE (CAST(_item AS VARCHAR) AS _item) FROM ("
        f"SELECT *, unnest({listed}) AS _item, generate_subscripts({listed}, 1) AS _place FROM {compiler.source})"
    )
    scope = replace(compiler.scope, fields=(*compiler.scope.fields, "_item", "_place"))
    return replace(compiler, source=view, scope=scope, types={})


def is_standing(route: Route, scope: Scope) -> bool:
    """Whether the decisions leave a route standing; one whose condition reads records always does."""
    if not route.when:
        return True
    if route.each:
        scope = replace(scope, fields=(*scope.fields, "_item", "_place"))
    try:
        return compile_expression(route.when, scope).constant is not False
    except ExpressionError:
        # A field that only the export has: the object's own scope decides, and names what is wrong.
        return True


def _compile_route(compiler: Compiler, program: Program, place: tuple[str | int, ...]) -> None:
    route = program.route
    program.key = _key_of(compiler, route, place)
    for name, text in route.matches.items():
        program.matches[name] = f"CAST({compiler.sql(text, *place, 'matches', name)} AS VARCHAR)"
    for rule in route.columns.values():
        inside = (*place, "columns", rule.name)
        if _column_stands(compiler, rule, inside):
            _compile_column(compiler, program, rule, inside)
    _compile_checks(compiler, program, place)
    _compile_required(compiler, program, place)
    compile_states(compiler, program, place)
    if route.file is not None:
        compile_file(compiler, program, place)
    compile_parties(compiler, program, place)
    compile_tags(compiler, program, place)
    compile_unless(compiler, program, place)
    if route.create_table is not None:
        program.create_table = {
            part: _is_wanted(compiler, said, *place, "create_table", part) if part == "documents" else said
            for part, said in route.create_table.items()
        }


def _is_wanted(compiler: Compiler, said: object, *place: str | int) -> bool:
    """A trait of a table that may hang on a decision: true, or an expression over the decisions alone."""
    if isinstance(said, bool):
        return said
    expression = compiler.expression(str(said), *place)
    if expression is not None and expression.constant is None:
        what = f"{said}: a table is the same for every record"
        compiler.problem("expression-refused", what, *place, do="write true, or a condition on decisions alone")
    return expression is not None and expression.constant is True


def _key_of(compiler: Compiler, route: Route, place: tuple[str | int, ...]) -> str:
    """SQL of what makes two records the same row; NULL (no row) only where rows are made of distinct keys."""
    otherwise = "_id || '#' || CAST(_place AS VARCHAR)" if route.each else "_id"
    if not route.key:
        return otherwise
    key = f"clean(CAST({compiler.sql(route.key, *place, 'key')} AS VARCHAR))"
    return key if route.distinct else f"coalesce({key}, {otherwise})"


def _column_stands(compiler: Compiler, rule: ColumnRule, place: tuple[str | int, ...]) -> bool:
    """Whether these decisions leave the column standing; what depends on the record is no such condition."""
    if not rule.when:
        return True
    expression = compiler.expression(rule.when, *place, "when")
    if expression is not None and expression.constant is None:
        what = f"{rule.name}: when: of a column asks decisions, not the record: {rule.when}"
        do = "compare decision('name') with its options, or write CASE in from:"
        compiler.problem("column-when", what, *place, "when", do=do)
    return compiler.is_check or expression is None or expression.constant is not False


def _compile_column(compiler: Compiler, program: Program, rule: ColumnRule, place: tuple[str | int, ...]) -> None:
    table = describe_table(program.route.table, compiler.context.live)
    try:
        target = target_of(rule, table, compiler.context.prefix)
    except NoSuchColumn:
        compiler.problem(
            "column-unknown",
            f"{program.route.table} has no column {rule.name}",
            *place,
            do="name a column the table has, or say under create: what column to make",
        )
        return
    if rule.kind in {"lookup", "id_text"}:
        compile_lookup(compiler, program, rule, target, place)
    elif rule.kind == "owner":
        _compile_owner(compiler, program, rule, place)
    else:
        _compile_value(compiler, program, rule, target, place)


def _compile_owner(compiler: Compiler, program: Program, rule: ColumnRule, place: tuple[str | int, ...]) -> None:
    expression = compiler.expression(rule.source, *place)
    if expression is None or compiler.type_of(expression, *place) is None:
        return
    text = f"CAST({expression.sql} AS VARCHAR)"
    program.values.append((f"{rule.name}__email", f"coalesce(email_key({text}), lower(clean({text})))"))
    field = rule.field or ", ".join(expression.fields)
    program.columns.append(MappedColumn(rule.name, "owner", "Owner", field, expression.sql))


def _compile_value(
    compiler: Compiler, program: Program, rule: ColumnRule, target: Target, place: tuple[str | int, ...]
) -> None:
    moment = ("to_date" if target.is_date_only else "to_datetime") if target.type == "DateTime" else ""
    expression = compiler.expression(rule.source, *place, moment=moment)
    sql_type = compiler.type_of(expression, *place) if expression else None
    if expression is None or sql_type is None:
        return
    context, scope = compiler.context, compiler.scope
    alias = f"_x{len(program.parsed)}"
    field = rule.field or ", ".join(expression.fields)
    zone = next((scope.zones[f] for f in expression.fields if f in scope.zones), context.zone)
    companion = takes_columns(describe_table(program.route.table, context.live))
    value = Value(
        rule, target, expression, sql_type, alias, field, context.date_order, zone, context.decisions, companion
    )
    try:
        conversion = convert(value)
    except Unsuitable as error:
        compiler.problem(
            "column-unsuitable",
            f"{program.route.table}.{rule.name}: {error}",
            *place,
            do="map the field to another column, or correct the options",
        )
        return
    program.parsed.append((alias, conversion.parsed))
    program.values.append((rule.name, conversion.value))
    program.troubles += conversion.troubles
    _note_readings(compiler, program, expression)
    if conversion.full:
        program.fulls.append((rule.name, target.label or rule.name, conversion.full))
    # The length that texts are cut to is the one the column is made with, also where the map tells none.
    length = {} if target.max_length is None else {"length": target.max_length}
    create = {**length, **rule.create} if rule.create is not None else None
    program.columns.append(MappedColumn(rule.name, "value", target.type, field, expression.sql, create, rule.verify))


def _note_readings(compiler: Compiler, program: Program, expression: Expression) -> None:
    """A field that is read as a number or a date inside an expression is looked at by itself, once a route."""
    scope = compiler.scope
    for kind, field in expression.readings:
        alias = f"_{kind}_{field}"
        if alias in {name for name, _ in program.parsed}:
            continue
        zone = scope.zones.get(field, scope.zone)
        readers = {
            "number": f"to_number({quoted(field)})",
            "date": f"to_datetime({quoted(field)}, {literal(scope.date_order)}, {literal(zone)})",
        }
        program.parsed.append((alias, readers[kind]))
        what = "no number" if kind == "number" else "no date that can be read with certainty"
        when = f"{quoted(alias)} IS NULL AND clean({quoted(field)}) IS NOT NULL"
        do = "correct the value in the source, or leave it empty"
        program.troubles.append(Trouble(f"bad_{kind}", field, "loaded", when, quoted(field), literal(what), do))


def _compile_checks(compiler: Compiler, program: Program, place: tuple[str | int, ...]) -> None:
    for number, check in enumerate(program.route.checks):
        field = str(check.get("field", ""))
        when = compiler.condition(str(check["when"]), *place, "checks", number, "when")
        alias = f"_check{number}"
        program.parsed.append((alias, when))
        shown = quoted(field) if field in program.fields else "''"
        what = str(check.get("what") or str(check["code"]).replace("_", " "))
        outcome, do = str(check.get("outcome", "loaded")), str(check.get("do", "look at the value in the source"))
        program.troubles.append(Trouble(str(check["code"]), field, outcome, alias, shown, literal(what), do))


def _compile_required(compiler: Compiler, program: Program, place: tuple[str | int, ...]) -> None:
    filled = dict(program.values)
    for name in program.route.required:
        rule = program.route.columns.get(name)
        if rule is None:
            compiler.problem(
                "required-unmapped",
                f"{program.route.table}.{name} is required but no field fills it",
                *place,
                "required",
                do="map a field to it",
            )
        elif name in filled:
            field = next(c.field for c in program.columns if c.name == name)
            shown = quoted(field) if field in program.fields else "''"
            what = literal(f"{program.route.table} needs {name}")
            do = "fill the field in the source, or map another field to the column"
            program.troubles.append(
                Trouble("required_missing", field, "held", f"({filled[name]}) IS NULL", shown, what, do)
            )


def refuse(problems: list[Problem]) -> None:
    """Raise UsageError when something is wrong."""
    if problems:
        raise UsageError(*dict.fromkeys(problems))
