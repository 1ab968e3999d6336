"""Everything that is wrong with a map, in one go, before a record is touched."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flitstack.catalogue.types import Table
from flitstack.errors import Problem
from flitstack.mapping.check_routes import object_problems, shape_problems, shared_problems
from flitstack.mapping.compile import Compiler, compile_object, is_standing, open_scope
from flitstack.mapping.context import MapContext
from flitstack.mapping.derived import derived_fields
from flitstack.mapping.expressions import Scope
from flitstack.mapping.maps import MapFile, Route
from flitstack.mapping.reads import column_texts
from flitstack.mapping.surroundings import Spot, Surroundings
from flitstack.packs.types import Pack
from flitstack.staging.document import StagingDocument
from flitstack.staging.engine.engine import Engine, quoted


def check_maps(
    maps: Mapping[str, MapFile],
    pack: Pack,
    staged: StagingDocument,
    live: Mapping[str, Table | None],
    decided: Mapping[str, Any] | None = None,
) -> list[Problem]:
    """Problems of a map, each with `mapping/<file>.yaml:line`, in that order; none when it can be run.

    `live`: metadata by table, None (or nothing) for a table that does not exist yet. Expressions are compiled over the
    fields of the staged objects, all routes of them, whatever the decisions say; but a route that does not stand by what
    was decided (without `decided`: by the defaults) need not have its table in the environment.
    """
    problems: list[Problem] = []
    decisions = {name: decision.default for name, decision in pack.decisions.items()} | dict(decided or {})
    context = MapContext(
        system=pack.name,
        decisions=decisions,
        prefix=publisher_prefix(maps),
        live=live,
    )
    surroundings = Surroundings(maps, pack, live)
    with tempfile.TemporaryDirectory() as scratch, Engine(Path(scratch)) as engine:
        for name, file in maps.items():
            fields = known_fields(name, pack, staged)
            present = [field.name for field in staged.tables[name].fields] if name in staged.tables else []
            problems += object_problems(file, fields, present, surroundings)
            problems += _compile(engine, context, file, fields, surroundings)
    problems += shared_problems(maps)
    return sorted(dict.fromkeys(problems), key=_place)


def _place(problem: Problem) -> tuple[str, int]:
    path, _, line = problem.rule.rpartition(":")
    return path, int(line)


def _lacks_table(route: Route, scope: Scope, context: MapContext) -> bool:
    """Whether a route goes to a table that the environment has not, and no decision asks for it."""
    is_missing = route.create_table is None and context.live.get(route.table, True) is None
    return is_missing and not is_standing(route, scope)


def known_fields(name: str, pack: Pack, staged: StagingDocument) -> tuple[str, ...]:
    """Fields of an object: those of its files, then those only the pack knows (they are empty)."""
    present = [field.name for field in staged.tables[name].fields] if name in staged.tables else []
    declared = list(pack.objects[name].fields) if name in pack.objects else []
    spelled = {field.casefold() for field in present}
    absent = (field for field in declared if field.casefold() not in spelled)
    return (*present, *absent, *derived_fields(pack, name))


def publisher_prefix(maps: Mapping[str, MapFile]) -> str:
    """The prefix of what the map creates; empty when it creates nothing."""
    for file in maps.values():
        for route in file.routes:
            made = [column.name for column in route.columns.values() if column.create is not None]
            for name in ([route.table] if route.create_table is not None else []) + made:
                if "_" in name:
                    return name.partition("_")[0]
    return ""


def _compile(
    engine: Engine, context: MapContext, file: MapFile, fields: tuple[str, ...], surroundings: Surroundings
) -> list[Problem]:
    """Compile every route that can be compiled over an empty table that has the object's fields."""
    pack, tables = surroundings.pack, frozenset(surroundings.routed_tables)
    scope = open_scope(pack, file.object, fields, context)
    needed = [n for n, route in enumerate(file.routes) if not _lacks_table(route, scope, context)]
    malformed = {n: list(shape_problems(Spot(file, n, surroundings))) for n in needed}
    problems = [problem for found in malformed.values() for problem in found]
    columns = "".join(f", NULL::VARCHAR AS {quoted(field)}" for field in fields)
    engine.run(
        "CREATE OR REPLACE TEMP VIEW map_check AS SELECT 0::BIGINT AS _n, ''::VARCHAR AS _file, 0::BIGINT AS _record,"
        f" 0::BIGINT AS _line, ''::VARCHAR AS _id{columns} WHERE FALSE"
    )
    compiler = Compiler(engine, pack, context, file, "map_check", scope, problems, {}, tables, is_check=True)
    for _ in compile_object(compiler, [number for number, found in malformed.items() if not found], fields):
        pass
    # Of the others at least the expressions of columns are looked at, so that nothing has to be told twice.
    for number in (number for number, found in malformed.items() if found and not file.routes[number].each):
        for rule in file.routes[number].columns.values():
            for text in column_texts(rule):
                compiler.expression(text, "routes", number, "columns", rule.name)
    return problems
